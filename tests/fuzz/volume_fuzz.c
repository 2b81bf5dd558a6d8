// What -v, --mount, --tmpfs and an image's VOLUME say: the first byte chooses which.
#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/engine/volume.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int parse(uint8_t form, struct arena *arena, const char *text, struct volume *ret, struct err *err) {
    const struct volume_place place = {.cwd = "/cwd", .home = form & 4 ? "/home" : NULL};
    switch (form & 3) {
    case 0:
        return volume_parse_short(arena, text, &place, ret, err);
    case 1:
        return volume_parse_long(arena, text, &place, ret, err);
    case 2:
        return volume_parse_tmpfs(arena, text, ret, err);
    default:
        return volume_parse_image(arena, text, ret, err);
    }
}

// Absolute, and of names alone: it is compared with others, and stands in the record.
static void check_target(const char *target) {
    if (target[0] != '/' || !target[1]) {
        abort();
    }
    while (*target) {
        size_t length = strcspn(++target, "/");
        if (length == 0 || (length == 1 && *target == '.') || (length == 2 && memcmp(target, "..", 2) == 0)) {
            abort();
        }
        target += length;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    AUTO_ARENA struct arena arena = {0};
    struct err err = {0};
    struct volume volume;
    if (size == 0) {
        return 0;
    }
    if (parse(data[0], &arena, arena_copy(&arena, data + 1, size - 1), &volume, &err) < 0) {
        if ((err.kind != ERR_INPUT && err.kind != ERR_UNSUPPORTED) || !*err.text) {
            abort();
        }
        return 0;
    }
    check_target(volume.target);
    bool absolute = volume.source && volume.source[0] == '/';
    if ((volume.kind == VOLUME_BIND && !absolute) || (volume.kind != VOLUME_BIND && absolute) || volume.options[volume.options_count]) {
        abort();
    }
    return 0;
}

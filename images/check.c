#include "images/check.h"

#include "images/check_state.h"
#include "images/ref.h"
#include "images/store.h"
#include "runtime/base/dir.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *check_kind_name(enum check_kind kind) {
    static const char *const names[CHECK_KIND_COUNT] = {
        [CHECK_FOLDER] = "folder", [CHECK_MODE] = "mode", [CHECK_FOREIGN] = "foreign", [CHECK_TAG] = "tag",
        [CHECK_RECORD] = "record", [CHECK_BLOB] = "blob", [CHECK_LAYER] = "layer",     [CHECK_LEFTOVER] = "leftover",
    };
    return names[kind];
}

const char *check_outcome_name(enum check_outcome outcome) {
    static const char *const names[CHECK_OUTCOME_COUNT] = {
        [CHECK_FOUND] = "found", [CHECK_REPAIRED] = "repaired", [CHECK_REMOVED] = "removed", [CHECK_KEPT] = "kept"};
    return names[outcome];
}

bool check_is_whole(const struct check *check) {
    return !check->options->images;
}

struct check_finding *check_found(struct check *check, enum check_kind kind, const char *path, const char *format, ...) {
    char problem[ERR_TEXT_SIZE];
    if (check->findings_count == check->findings_room) {
        check->findings_room = check->findings_room ? 2 * check->findings_room : 64;
        check->findings = mem_resize(check->findings, check->findings_room, sizeof(*check->findings));
    }
    va_list args;
    va_start(args, format);
    vsnprintf(problem, sizeof(problem), format, args);
    va_end(args);
    // One that is not listed any more still has to be somewhere.
    bool is_listed = check->findings_count < CHECK_MAX_FINDINGS;
    size_t at = is_listed ? check->findings_count++ : CHECK_MAX_FINDINGS - 1;
    check->more += !is_listed;
    check->findings[at] = (struct check_finding){
        .kind = kind,
        .path = arena_copy_string(check->arena, path),
        .problem = arena_copy_string(check->arena, problem),
    };
    return &check->findings[at];
}

static const char *name_of(const struct check *check, const char *hex) {
    for (size_t i = 0; i < check->tags_count; i++) {
        if (check->tags[i].ref.tag && strcmp(check->tags[i].image, hex) == 0) {
            return image_ref_familiar(check->arena, &check->tags[i].ref);
        }
    }
    return arena_format(check->arena, "%.12s", hex);
}

static const char **longer(const struct check *check, const char **list, size_t count, const char *text) {
    const char **larger = arena_array(check->arena, count + 2, sizeof(*larger));
    for (size_t i = 0; i < count; i++) {
        larger[i] = list[i];
    }
    larger[count] = text;
    return larger;
}

void check_concerns(struct check *check, struct check_finding *finding, const char *hex) {
    finding->images = longer(check, finding->images, finding->images_count, arena_copy_string(check->arena, hex));
    finding->names = longer(check, finding->names, finding->images_count, name_of(check, hex));
    finding->images_count++;
}

DIR *check_list(const struct check *check, const char *path) {
    AUTO_FD int fd = openat(check->store->fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? NULL : dir_stream(fd);
}

bool check_is_hex(const char *text, size_t digits) {
    return strspn(text, "0123456789abcdef") == digits && text[digits] == '\0';
}

static int scan(struct check *check, struct err *err) {
    check->findings_count = check->more = 0;
    check->images_count = check->layers_count = 0;
    if (check_is_whole(check)) {
        check_layout(check);
    }
    if (check_images(check, err) < 0) {
        return -1;
    }
    check_layers(check);
    return 0;
}

static int look(struct check *check, struct err *err) {
    if (scan(check, err) < 0) {
        return -1;
    }
    if (check->findings_count > 0) {
        AUTO_FD int lock = store_lock(check->store, err);
        if (lock < 0 || scan(check, err) < 0 || (check->options->repair && check_repair_store(check, err) < 0)) {
            return -1;
        }
    }
    return check->options->quick ? 0 : check_contents(check, err);
}

static void fill_report(const struct check *check, struct check_report *report) {
    *report = (struct check_report){
        .layers = check->layers_count,
        .bytes = check->bytes,
        .unread = check->unread,
        .failed = check->failed,
        .more = check->more,
        .findings = arena_array(check->arena, check->findings_count + 1, sizeof(*report->findings)),
        .findings_count = check->findings_count,
    };
    for (size_t i = 0; i < check->images_count; i++) {
        report->images += check->images[i].selected;
    }
    for (size_t i = 0; i < check->findings_count; i++) {
        const struct check_finding *finding = &check->findings[i];
        bool is_damage = finding->kind != CHECK_LEFTOVER;
        report->findings[i] = *finding;
        report->damage += is_damage;
        report->repaired += is_damage && (finding->outcome == CHECK_REPAIRED || finding->outcome == CHECK_REMOVED);
    }
}

static void check_finish(struct check *check) {
    free(check->findings);
}

int check_store(struct store *store, const struct check_options *options, struct arena *arena, struct check_report *ret,
                struct err *err) {
    AUTO(check_finish) struct check check = {.store = store, .options = options, .arena = arena};
    if (look(&check, err) < 0 || (options->repair && check_repair_images(&check, err) < 0)) {
        return -1;
    }
    fill_report(&check, ret);
    return 0;
}

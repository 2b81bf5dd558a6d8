#include "runtime/engine/volume.h"

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"

#include <string.h>

enum { OPTIONS_MAX = 32, NAME_MAX_LENGTH = 128 };

int volume_add_option(struct volume *volume, const char *option, const char *text, struct err *err) {
    if (volume->options_count == OPTIONS_MAX) {
        return err_set(err, ERR_INPUT, "\"%s\": more than %d options", text, OPTIONS_MAX);
    }
    volume->options[volume->options_count++] = option;
    return 0;
}

void volume_start(struct arena *arena, struct volume *volume, enum volume_kind kind) {
    *volume = (struct volume){.kind = kind};
    volume->options = arena_array(arena, OPTIONS_MAX + 1, sizeof(*volume->options));
}

int volume_check_name(const char *name, struct err *err) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    size_t length = strlen(name);
    if (length < 2 || length > NAME_MAX_LENGTH || strspn(name, allowed) != length || strchr("_.-", name[0])) {
        return err_set(err, ERR_INPUT, "volume name \"%s\": expected 2 to %d letters, digits, _ . or -, a letter or digit in front",
                       name, NAME_MAX_LENGTH);
    }
    return 0;
}

// --- paths ---

// "//a/./b/../c/" is "/a/c". Nothing is looked up: where links lead is not known yet.
static const char *clean_path(struct arena *arena, const char *path) {
    char *clean = arena_format(arena, "/%s", path), *end = clean;
    const char *from = path;
    while (*from) {
        from += strspn(from, "/");
        size_t length = strcspn(from, "/");
        if (length == 2 && memcmp(from, "..", 2) == 0) {
            while (end > clean && *--end != '/') {
            }
        } else if (length > 0 && !(length == 1 && *from == '.')) {
            *end++ = '/';
            memmove(end, from, length);
            end += length;
        }
        from += length;
    }
    *(end == clean ? end + 1 : end) = '\0';
    return clean;
}

int volume_set_target(struct arena *arena, const char *text, const char *target, struct volume *volume, struct err *err) {
    if (!target || target[0] != '/') {
        return err_set(err, ERR_INPUT, "\"%s\": expected an absolute path in the container, found \"%s\"", text, target ? target : "");
    }
    volume->target = clean_path(arena, target);
    if (strcmp(volume->target, "/") == 0) {
        return err_set(err, ERR_INPUT, "\"%s\": nothing can be mounted on the container's root", text);
    }
    return 0;
}

int volume_set_path(struct arena *arena, const char *text, const char *source, const struct volume_place *place,
                    struct volume *volume, struct err *err) {
    if (source[0] == '~' && source[1] && source[1] != '/') {
        return err_set(err, ERR_INPUT, "\"%s\": the shell has left ~ as it is; write the path of that user's home", text);
    }
    if (source[0] == '~' && (!place->home || place->home[0] != '/')) {
        return err_set(err, ERR_INPUT, "\"%s\": HOME is not set, so ~ is no place; write the path", text);
    }
    volume->source = source[0] == '/'   ? source
                     : source[0] == '~' ? arena_format(arena, "%s%s", place->home, source + 1)
                                        : arena_format(arena, "%s/%s", place->cwd, source);
    return 0;
}

// A path, or the name of a volume: docker tells them apart by the first character.
static int set_source(struct arena *arena, const char *text, const char *source, const struct volume_place *place,
                      struct volume *volume, struct err *err) {
    if (strchr("/.~", source[0])) {
        volume->make_source = true;
        return volume_set_path(arena, text, source, place, volume, err);
    }
    volume->kind = VOLUME_NAMED;
    volume->source = source;
    if (strchr(source, '/')) {
        return err_set(err, ERR_INPUT, "\"%s\": the name of a volume has no slash; write the path as ./%s", text, source);
    }
    return volume_check_name(source, err) < 0 ? err_in(err, "\"%s\"", text) : 0;
}

// --- options ---

bool volume_is_map(const char *word) {
    const char *name = *word == 'r' ? word + 1 : word;
    size_t length = strcspn(name, "=");
    return length == strlen("idmap") && memcmp(name, "idmap", length) == 0;
}

// Those of SELinux labels and of consistency mean nothing here and are accepted, as docker does.
int volume_add_word(struct volume *volume, const char *word, const char *text, struct err *err) {
    static const char *const passed[] = {"private", "rprivate", "shared", "rshared", "slave", "rslave", "nosuid", "nodev", "noexec"};
    static const char *const ignored[] = {"rw", "z", "Z", "copy", "cached", "delegated", "consistent", "rbind", "bind"};
    if (strcmp(word, "ro") == 0 || strcmp(word, "readonly") == 0) {
        volume->read_only = true;
        return 0;
    }
    if (strcmp(word, "nocopy") == 0) {
        volume->no_copy = true;
        return 0;
    }
    if (strcmp(word, "U") == 0) {
        volume->swaps_owner = true;
        return 0;
    }
    if (volume_is_map(word)) {
        return volume_add_option(volume, word, text, err);
    }
    for (size_t i = 0; i < ARRAY_LEN(passed); i++) {
        if (strcmp(word, passed[i]) == 0) {
            return volume_add_option(volume, passed[i], text, err);
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(ignored); i++) {
        if (strcmp(word, ignored[i]) == 0) {
            if (*word == 'z' || *word == 'Z') {
                log_info("\"%s\": %s, a label of SELinux, is not set: nothing here looks at it", text, word);
            }
            return 0;
        }
    }
    return err_set(err, ERR_INPUT, "\"%s\": unknown option \"%s\"; expected ro, rw, nocopy, U, idmap[=MAP], nosuid, nodev, noexec, "
                   "[r]private, [r]shared or [r]slave", text, word);
}

int volume_finish(struct volume *volume, enum volume_recursion recursion, const char *text, struct err *err) {
    bool has_propagation = false;
    if (volume_add_option(volume, recursion == VOLUME_TOP_ALONE ? "bind" : "rbind", text, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < volume->options_count; i++) {
        has_propagation = has_propagation || strstr(volume->options[i], "private") || strstr(volume->options[i], "shared") ||
                          strstr(volume->options[i], "slave");
    }
    if (!has_propagation && volume_add_option(volume, "rprivate", text, err) < 0) {
        return -1;
    }
    // Read-only all the way down: what is mounted below the source too.
    return volume->read_only ? volume_add_option(volume, recursion == VOLUME_ALL ? "rro" : "ro", text, err) : 0;
}

// --- the forms ---

int volume_parse_short(struct arena *arena, const char *text, const struct volume_place *place, struct volume *ret,
                       struct err *err) {
    char *rest = arena_copy_string(arena, text);
    char *source = strsep(&rest, ":");
    char *target = strsep(&rest, ":");
    struct volume volume;
    if (!*source) {
        return err_set(err, ERR_INPUT, "\"%s\": expected [SOURCE:]TARGET[:OPTIONS]", text);
    }
    volume_start(arena, &volume, target ? VOLUME_BIND : VOLUME_NAMED);
    volume.anonymous = !target;
    if (volume_set_target(arena, text, target ? target : source, &volume, err) < 0 ||
        (target && set_source(arena, text, source, place, &volume, err) < 0)) {
        return -1;
    }
    for (char *word = strsep(&rest, ","); word; word = strsep(&rest, ",")) {
        if (volume_add_word(&volume, word, text, err) < 0) {
            return -1;
        }
    }
    if (volume_finish(&volume, VOLUME_ALL, text, err) < 0) {
        return -1;
    }
    *ret = volume;
    return 0;
}

int volume_parse_image(struct arena *arena, const char *target, struct volume *ret, struct err *err) {
    struct volume volume;
    volume_start(arena, &volume, VOLUME_NAMED);
    volume.anonymous = true;
    if (volume_set_target(arena, target, target, &volume, err) < 0 || volume_finish(&volume, VOLUME_ALL, target, err) < 0) {
        return -1;
    }
    *ret = volume;
    return 0;
}

int volume_parse_tmpfs(struct arena *arena, const char *text, struct volume *ret, struct err *err) {
    char *rest = arena_copy_string(arena, text);
    struct volume volume;
    volume_start(arena, &volume, VOLUME_TMPFS);
    if (volume_set_target(arena, text, strsep(&rest, ":"), &volume, err) < 0 ||
        volume_add_option(&volume, "nosuid", text, err) < 0 || volume_add_option(&volume, "nodev", text, err) < 0 ||
        volume_add_option(&volume, "noexec", text, err) < 0) {
        return -1;
    }
    for (char *option = strsep(&rest, ","); option; option = strsep(&rest, ",")) {
        if (*option && volume_add_option(&volume, option, text, err) < 0) {
            return -1;
        }
    }
    *ret = volume;
    return 0;
}

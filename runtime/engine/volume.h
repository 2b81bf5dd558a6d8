// What -v, --mount and --tmpfs say, as one kind of value each.
#ifndef COFFER_ENGINE_VOLUME_H
#define COFFER_ENGINE_VOLUME_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct err;

enum volume_kind { VOLUME_BIND, VOLUME_TMPFS };

struct volume {
    enum volume_kind kind;
    const char *source; // BIND: absolute path on the host
    const char *target; // absolute path in the container
    bool read_only;
    bool make_source; // -v makes a missing directory, --mount does not (docker)
    const char **options; // mount options as the runtime-spec writes them, NULL-terminated
    size_t option_count;
};

// "source:target[:options]" of -v. cwd: what a source that begins with "." is relative to. Strings live in the arena.
int volume_parse_short(struct arena *arena, const char *text, const char *cwd, struct volume *ret, struct err *err) MUST_CHECK;

// "type=bind,source=/a,target=/b,readonly" of --mount.
int volume_parse_long(struct arena *arena, const char *text, const char *cwd, struct volume *ret, struct err *err) MUST_CHECK;

// "target[:options]" of --tmpfs.
int volume_parse_tmpfs(struct arena *arena, const char *text, struct volume *ret, struct err *err) MUST_CHECK;

#endif

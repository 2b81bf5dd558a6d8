// What -v, --mount and --tmpfs say, as one kind of value each.
#ifndef COFFER_ENGINE_VOLUME_H
#define COFFER_ENGINE_VOLUME_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;

enum volume_kind { VOLUME_BIND, VOLUME_TMPFS, VOLUME_NAMED, VOLUME_IMAGE, VOLUME_KIND_COUNT };

// Also a row of what a container's record says of its mounts (mount_list.h). Strings live in an arena.
struct volume {
    uint32_t kind;        // enum volume_kind
    const char *source;   // BIND: absolute path on the host; NAMED: the volume's name, NULL: one of the container's own; IMAGE: as the user named it
    const char *image;    // IMAGE: its id, known when the container is made
    const char *path;     // NAMED: where it is on the host, known when it is about to be mounted (volume_use.h)
    const char *target;   // absolute path in the container, without "..", "." and doubled slashes
    const char *sub_path; // NAMED, IMAGE: what of it is shown; NULL: all
    bool read_only;
    bool make_source; // BIND: -v makes a missing directory, --mount does not (docker)
    bool anonymous;   // NAMED: of the container's own, goes with it when told (rm --volumes, --rm)
    bool no_copy;     // NAMED: an empty volume stays empty
    bool swaps_owner; // BIND, NAMED: U, its owner's files are the container's user's (volume_ids.h)
    const char **create_options, **create_labels; // NAMED: NAME=VALUE, of one that is made for the container
    size_t create_options_count, create_labels_count;
    const char **options; // mount options as the runtime-spec writes them, NULL-terminated
    size_t options_count;
};

// What sources are relative to.
struct volume_place {
    const char *cwd;
    const char *home; // of the user, for ~; NULL: not known
};

// "[source:]target[:options]" of -v.
int volume_parse_short(struct arena *arena, const char *text, const struct volume_place *place, struct volume *ret,
                       struct err *err) MUST_CHECK;

// "type=bind,source=/a,target=/b,readonly" of --mount: fields as of RFC 4180, so that one in quotes may have a comma.
int volume_parse_long(struct arena *arena, const char *text, const struct volume_place *place, struct volume *ret,
                      struct err *err) MUST_CHECK;

// "target[:options]" of --tmpfs.
int volume_parse_tmpfs(struct arena *arena, const char *text, struct volume *ret, struct err *err) MUST_CHECK;

// "target" of an image's VOLUME: a volume of the container's own.
int volume_parse_image(struct arena *arena, const char *target, struct volume *ret, struct err *err) MUST_CHECK;

// A volume's name: 2 to 128 letters, digits, _ . or -.
int volume_check_name(const char *name, struct err *err) MUST_CHECK;

// --- for the parsers ---

void volume_start(struct arena *arena, struct volume *volume, enum volume_kind kind);
int volume_add_option(struct volume *volume, const char *option, const char *text, struct err *err) MUST_CHECK;
// One option of a bind or a volume, as -v writes it.
int volume_add_word(struct volume *volume, const char *word, const char *text, struct err *err) MUST_CHECK;
// "[r]idmap[=MAP]", as the runtime takes it, too.
bool volume_is_map(const char *word);
int volume_set_target(struct arena *arena, const char *text, const char *target, struct volume *volume, struct err *err) MUST_CHECK;
// The host's path, absolute.
int volume_set_path(struct arena *arena, const char *text, const char *source, const struct volume_place *place,
                    struct volume *volume, struct err *err) MUST_CHECK;

enum volume_recursion { VOLUME_ALL, VOLUME_ALL_WRITABLE, VOLUME_TOP_ALONE };
// How what is mounted below the source is taken along, and the propagation where none was told.
int volume_finish(struct volume *volume, enum volume_recursion recursion, const char *text, struct err *err) MUST_CHECK;

#endif

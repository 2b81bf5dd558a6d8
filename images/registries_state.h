// What the files of registries.h share: a session's rules and folders.
#ifndef COFFER_IMAGES_REGISTRIES_STATE_H
#define COFFER_IMAGES_REGISTRIES_STATE_H

#include "runtime/base/arena.h"
#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stddef.h>

struct err;
struct strv;

enum mirror_use { MIRROR_ALL, MIRROR_DIGEST_ONLY, MIRROR_TAG_ONLY };

struct registry_mirror {
    const char *location;
    bool insecure;
    enum mirror_use use;
};

struct registry_rule {
    const char *prefix;   // "example.com/team", "*.example.com"
    const char *location; // what takes the prefix's place; NULL: the prefix itself, of a wildcard whatever it stood for
    const char *file;
    unsigned line;
    bool insecure, blocked;
    struct registry_mirror *mirrors;
    size_t mirrors_count;
};

struct registries {
    struct arena arena;
    struct registry_rule *rules; // malloc'd; what they point to is in the arena
    size_t rules_count;
    const char **certificate_folders; // NULL behind the last
    const char *certificate_folder;
};

// Reads one file into rules.
int registries_read(struct registries *registries, const char *path, struct err *err) MUST_CHECK;

// Adds the paths of a folder's files with this ending to *ret, sorted. 1, or 0 when there is no such folder.
int registries_list(const char *folder, const char *ending, struct strv *ret, struct err *err) MUST_CHECK;

// Whether a location is HOST[:PORT][/PATH] with a host that is one beyond doubt: with a dot, a colon, or localhost.
bool registries_location_valid(const char *location);

#endif

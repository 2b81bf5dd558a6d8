// volume_store: volumes as the store keeps them.
//
//   STORE/volumes/NAME/volume.json   what it is; written once
//   STORE/volumes/NAME/_data/        its files, with owners as containers see them; the folder's lock is for who fills it (volume_fill.h)
//   STORE/volumes/.new               one that is being made
//   STORE/volumes/.gone.ID           one that is being removed; its lock is held by who does it
//
// A volume comes and goes by rename(2) under the lock (flock(2)) of STORE/volumes. Whoever takes the lock removes what those who
// were killed have left. A container's record is written under the lock, too, when it names volumes: so that one who removes a
// volume sees all containers that have it. Locks are taken in this order: a container's, that of the volumes, a volume's.
//
// What a container makes set-uid root is that on the host, too, as in docker's volumes: nobody but the owner of the store may look
// into STORE/volumes.
#ifndef COFFER_ENGINE_VOLUME_STORE_H
#define COFFER_ENGINE_VOLUME_STORE_H

#include "runtime/base/attr.h"
#include "specs/values.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;
struct home;
struct strv;
struct volume;

struct stored_volume {
    const char *name;
    int64_t created_s; // since 1970
    bool anonymous;    // nobody has chosen its name
    struct text_pair *labels;
    size_t labels_count;
    struct text_pair *options; // type, device and o, checked by volume_check_options()
    size_t options_count;
};

// Makes STORE/volumes where it is missing. The lock goes with the descriptor.
int volumes_open(const struct home *home, struct err *err) MUST_CHECK;
int volumes_lock(const struct home *home, int volumes_fd, struct err *err) MUST_CHECK;

// 64 random digits, in the arena; NULL: an error.
const char *volumes_make_name(struct arena *arena, struct err *err) MUST_CHECK;

// ERR_NOT_FOUND: it is not there. Needs no lock, and all lives in the arena.
int volume_read(int volumes_fd, struct arena *arena, const char *name, struct stored_volume *ret, struct err *err) MUST_CHECK;

// All of them, sorted by name; damaged ones are warned of.
int volumes_read(int volumes_fd, struct arena *arena, struct stored_volume **ret, size_t *ret_count, struct err *err) MUST_CHECK;

// A new one, on the disk when it returns, if `synced`. The caller holds the lock, and has seen that there is none of that name.
int volume_add(int volumes_fd, const struct stored_volume *volume, bool synced, struct err *err) MUST_CHECK;

// What a user wishes: one that is there with the same options is fine. name NULL: one is made up. *ret_name lives in the arena.
struct volume_wish {
    const char *name;
    const char *driver;
    const struct strv *labels, *options; // NAME=VALUE
};
// Checks the wish and fills what is to be kept of it, but for the name.
int volume_describe(struct arena *arena, const struct volume_wish *wish, struct stored_volume *volume, struct err *err) MUST_CHECK;
bool volume_has_same_options(const struct stored_volume *a, const struct stored_volume *b);
int volume_create(const struct home *home, struct arena *arena, const struct volume_wish *wish, const char **ret_name,
                  struct err *err) MUST_CHECK;

// ERR_STATE: a container has it, which is named; `except` does not count (NULL: all do).
int volume_remove(const struct home *home, const char *name, const char *except, struct err *err) MUST_CHECK;

// Where its files are on the host.
const char *volume_path(const struct home *home, struct arena *arena, const struct stored_volume *volume);

// Splits NAME=VALUE, checks them, and fills `options`.
int volume_check_options(struct arena *arena, const struct strv *words, struct stored_volume *volume, struct err *err) MUST_CHECK;
const char *volume_option(const struct stored_volume *volume, const char *name);

// Gives a mount of it the path and the options that it has to have.
void volume_apply_options(const struct home *home, struct arena *arena, const struct stored_volume *stored, struct volume *volume);

#endif

// volume_ids: option U of a mount: what belongs to the owner of the source on the host belongs to the container's user inside, and
// the other way around, without any file being touched: the kernel maps the ids of the mount (mount_setattr(2), MOUNT_ATTR_IDMAP).
//
// The two ids change places, and all others stay as they would be without it: so every file has one owner on either side, and what
// a container makes as its user is the owner's on the host.
#ifndef COFFER_ENGINE_VOLUME_IDS_H
#define COFFER_ENGINE_VOLUME_IDS_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;
struct id_range;
struct mount_list;
struct oci_id_mapping;
struct oci_mount;
struct volume;

struct volume_ids {
    const char *user;    // of the container, as the record has it: needed by number, as nobody here reads a container's /etc/passwd
    bool user_namespace; // with the range
    const struct id_range *range; // from 0 inside
    bool rootless;
};

// What can be told of the container's mounts when it is made.
int volume_ids_check(const struct volume_ids *ids, const struct mount_list *list, struct err *err) MUST_CHECK;

// Gives the mount of the volume the maps that it asks for; the source is looked at.
int volume_ids_apply(const struct volume_ids *ids, struct arena *arena, const struct volume *volume, struct oci_mount *mount,
                     struct err *err) MUST_CHECK;

// A user namespace with those maps, for who mounts it himself; the source is at the path.
int volume_ids_namespace(const struct volume_ids *ids, const struct volume *volume, const char *path, struct err *err) MUST_CHECK;

enum { VOLUME_IDS_RANGES = 5 };
// The map in which the two change places: what the file system has to what the host has, of which [first, first + count) is the
// container's. ret has room for VOLUME_IDS_RANGES; returns how many there are.
size_t volume_ids_swap(uint32_t owner, uint32_t user, const struct id_range *range, struct oci_id_mapping *ret);

#endif

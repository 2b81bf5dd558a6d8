#include "runtime/engine/volume_ids.h"

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/engine/mount_list.h"
#include "runtime/engine/volume.h"
#include "runtime/kernel/root.h"
#include "runtime/kernel/userns.h"
#include "specs/oci_config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

// --- whom it is for ---

static bool read_id(const char *text, uint32_t *ret) {
    char *end;
    if (*text < '0' || *text > '9' || strlen(text) > 10) {
        return false;
    }
    unsigned long long id = strtoull(text, &end, 10);
    *ret = (uint32_t)id;
    return (*end == '\0' || *end == ':') && id < UINT32_MAX;
}

static bool read_user(const char *user, uint32_t *ret_uid, uint32_t *ret_gid) {
    const char *group = strchr(user, ':');
    *ret_uid = *ret_gid = 0;
    if (!*user || strcmp(user, "0") == 0 || strcmp(user, "root") == 0) {
        return true;
    }
    return group && read_id(user, ret_uid) && read_id(group + 1, ret_gid);
}

static const struct id_range *range_of(const struct volume_ids *ids) {
    static const struct id_range host = {.inside = 0, .outside = 0, .count = UINT32_MAX};
    return ids->user_namespace ? ids->range : &host;
}

static int find_user(const struct volume_ids *ids, const struct volume *volume, uint32_t *ret_uid, uint32_t *ret_gid,
                     struct err *err) {
    const struct id_range *range = range_of(ids);
    if (!read_user(ids->user, ret_uid, ret_gid)) {
        return err_set(err, ERR_INPUT,
                       "mount %s on %s: option U: expected the container's user and group as numbers, such as "
                       "--user 1000:1000, found \"%s\"",
                       volume->source, volume->target, ids->user);
    }
    return *ret_uid < range->count && *ret_gid < range->count
               ? 0
               : err_set(err, ERR_INPUT, "mount %s on %s: option U: the container has the ids 0 to %u alone, and so no user %s",
                         volume->source, volume->target, range->count - 1, ids->user);
}

static int refuse(const struct volume *volume, const char *why, struct err *err) {
    return err_set(err, ERR_UNSUPPORTED, "mount %s on %s: %s", volume->source, volume->target, why);
}

static const char *map_option(const struct volume *volume) {
    for (size_t i = 0; i < volume->options_count; i++) {
        if (volume_is_map(volume->options[i])) {
            return volume->options[i];
        }
    }
    return NULL;
}

static int check_one(const struct volume_ids *ids, const struct volume *volume, struct err *err) {
    const char *option = map_option(volume);
    uint32_t uid, gid;
    if (!volume->swaps_owner && !option) {
        return 0;
    }
    if (ids->rootless) {
        return refuse(
            volume,
            "options U and idmap are for root alone; leave them out: your own files are those of the container's root anyway, "
            "and \"coffer unshare chown\" gives them to another user of the container",
            err);
    }
    if (option && volume->swaps_owner) {
        return refuse(volume, "options U and idmap exclude each other", err);
    }
    if (option && !strchr(option, '=') && !ids->user_namespace) {
        return refuse(volume,
                      "option idmap: the container has the host's user ids; leave out --userns host, or write the map: "
                      "idmap=uids=FIRST-FIRST-COUNT;gids=FIRST-FIRST-COUNT",
                      err);
    }
    if (option && strchr(option, '=') && (!strstr(option, "uids=") || !strstr(option, "gids="))) {
        return refuse(volume, "option idmap: expected both maps, idmap=uids=FIRST-FIRST-COUNT;gids=FIRST-FIRST-COUNT", err);
    }
    return volume->swaps_owner ? find_user(ids, volume, &uid, &gid, err) : 0;
}

int volume_ids_check(const struct volume_ids *ids, const struct mount_list *list, struct err *err) {
    for (size_t i = 0; i < list->items_count; i++) {
        if (check_one(ids, &list->items[i], err) < 0) {
            return -1;
        }
    }
    return 0;
}

// --- the map ---

static void add(struct oci_id_mapping *maps, size_t *count, uint32_t from, uint32_t to, uint32_t size) {
    if (size > 0) {
        maps[(*count)++] = (struct oci_id_mapping){.container_id = from, .host_id = to, .size = size};
    }
}

size_t volume_ids_swap(uint32_t owner, uint32_t user, const struct id_range *range, struct oci_id_mapping *ret) {
    const uint32_t base = range->outside, end = range->count;
    const uint32_t low = owner < user ? owner : user, high = owner < user ? user : owner;
    size_t count = 0;
    if (low == high) {
        add(ret, &count, 0, base, end);
        return count;
    }
    add(ret, &count, 0, base, low);
    if (high < end) { // else the owner is not among the container's ids, and has taken the user's
        add(ret, &count, low, base + high, 1);
    }
    add(ret, &count, low + 1, base + low + 1, (high < end ? high : end) - low - 1);
    add(ret, &count, high, base + low, 1);
    if (high < end) {
        add(ret, &count, high + 1, base + high + 1, end - high - 1);
    }
    return count;
}

// A directory that --volume is about to make is root's.
static int find_owner(const struct volume *volume, const char *source, struct stat *ret, struct err *err) {
    AUTO_FD int top = open(source, O_PATH | O_CLOEXEC);
    AUTO_FD int below = top >= 0 && volume->sub_path ? root_try_open(top, volume->sub_path, O_PATH) : -1;
    *ret = (struct stat){0};
    if (top < 0 && errno == ENOENT && volume->make_source) {
        return 0;
    }
    return top < 0 || (volume->sub_path && below < 0) || fstat(below >= 0 ? below : top, ret) < 0
               ? err_sys(err, "look at %s%s%s", source, volume->sub_path ? "/" : "", volume->sub_path ? volume->sub_path : "")
               : 0;
}

int volume_ids_apply(const struct volume_ids *ids, struct arena *arena, const struct volume *volume, struct oci_mount *mount,
                     struct err *err) {
    const struct id_range *range = range_of(ids);
    struct stat owner;
    uint32_t uid, gid;
    if (!volume->swaps_owner) {
        return 0;
    }
    if (find_user(ids, volume, &uid, &gid, err) < 0) {
        return -1;
    }
    if (find_owner(volume, mount->source, &owner, err) < 0) {
        return err_in(err, "mount %s on %s", volume->source, volume->target);
    }
    mount->uid_mappings = arena_array(arena, VOLUME_IDS_RANGES, sizeof(*mount->uid_mappings));
    mount->gid_mappings = arena_array(arena, VOLUME_IDS_RANGES, sizeof(*mount->gid_mappings));
    mount->uid_mappings_count = volume_ids_swap(owner.st_uid, uid, range, mount->uid_mappings);
    mount->gid_mappings_count = volume_ids_swap(owner.st_gid, gid, range, mount->gid_mappings);
    return 0;
}

int volume_ids_namespace(const struct volume_ids *ids, const struct volume *volume, const char *path, struct err *err) {
    AUTO_ARENA struct arena arena = {0};
    struct oci_mount mount = {.source = path};
    struct id_range uids[VOLUME_IDS_RANGES], gids[VOLUME_IDS_RANGES];
    if (volume_ids_apply(ids, &arena, volume, &mount, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < mount.uid_mappings_count; i++) {
        uids[i] = (struct id_range){mount.uid_mappings[i].container_id, mount.uid_mappings[i].host_id, mount.uid_mappings[i].size};
    }
    for (size_t i = 0; i < mount.gid_mappings_count; i++) {
        gids[i] = (struct id_range){mount.gid_mappings[i].container_id, mount.gid_mappings[i].host_id, mount.gid_mappings[i].size};
    }
    return userns_create(&(struct idmap){uids, mount.uid_mappings_count}, &(struct idmap){gids, mount.gid_mappings_count}, err);
}

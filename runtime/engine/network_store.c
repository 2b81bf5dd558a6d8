#include "runtime/engine/network_store.h"

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/dir.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/engine/commons.h"
#include "runtime/engine/event_log.h"
#include "runtime/engine/home.h"
#include "runtime/engine/lease.h"
#include "runtime/engine/network_host.h"
#include "runtime/engine/links.h"
#include "runtime/kernel/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NETWORK_MAX_BYTES = 1 << 20 }; // of network.json

void networks_finish(struct networks *networks) {
    fd_close(&networks->fd);
    fd_close(&networks->names_fd);
}

static int open_folder(int dir_fd, const char *name, struct err *err) {
    static const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(dir_fd, name, flags);
    if (fd < 0 && errno == ENOENT && (mkdirat(dir_fd, name, 0711) == 0 || errno == EEXIST)) {
        fd = openat(dir_fd, name, flags);
    }
    return fd < 0 ? err_sys(err, "open the store's folder %s", name) : fd;
}

int networks_open(const struct home *home, struct networks *ret, struct err *err) {
    AUTO_NETWORKS struct networks networks = {.fd = -1, .names_fd = -1};
    networks.fd = open_folder(home->store_fd, "networks", err);
    if (networks.fd < 0 || (networks.names_fd = open_folder(networks.fd, "names", err)) < 0) {
        return -1;
    }
    *ret = networks;
    networks.fd = networks.names_fd = -1;
    return 0;
}

bool networks_is_there(const struct networks *networks, const struct network *network) {
    char id[RECORD_ID_SIZE];
    return links_read(networks->names_fd, network->name, id) && strcmp(id, network->id) == 0;
}

// --- debris ---

static bool is_linked(const struct networks *networks, const char *id) {
    AUTO_DIR DIR *stream = dir_stream(networks->names_fd);
    for (const struct dirent *entry = stream ? dir_next(stream) : NULL; entry; entry = dir_next(stream)) {
        char linked[RECORD_ID_SIZE];
        if (links_read(networks->names_fd, entry->d_name, linked) && strcmp(linked, id) == 0) {
            return true;
        }
    }
    return !stream; // what cannot be told is left alone
}

// Only under the lock: a network that is being made has no link yet.
static void remove_debris(const struct networks *networks) {
    AUTO_DIR DIR *stream = dir_stream(networks->fd);
    for (const struct dirent *entry = stream ? dir_next(stream) : NULL; entry; entry = dir_next(stream)) {
        struct err err;
        if (strlen(entry->d_name) == RECORD_ID_SIZE - 1 && !is_linked(networks, entry->d_name) &&
            tree_remove(networks->fd, entry->d_name, &err) < 0) {
            log_warn("remove what is left of network %.12s: %s", entry->d_name, err.text);
        }
    }
}

// After a loss of power a name may have outlived its folder.
static void remove_dead_names(const struct networks *networks) {
    AUTO_DIR DIR *stream = dir_stream(networks->names_fd);
    for (const struct dirent *entry = stream ? dir_next(stream) : NULL; entry; entry = dir_next(stream)) {
        char id[RECORD_ID_SIZE];
        if (!links_read(networks->names_fd, entry->d_name, id) ||
            (faccessat(networks->fd, id, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)) {
            unlinkat(networks->names_fd, entry->d_name, 0);
        }
    }
}

int networks_lock(const struct networks *networks, struct err *err) {
    while (flock(networks->fd, LOCK_EX) < 0) {
        if (errno != EINTR) {
            return err_sys(err, "lock the store's folder of networks");
        }
    }
    remove_dead_names(networks);
    remove_debris(networks);
    return 0;
}

int networks_unlock(const struct networks *networks, struct err *err) {
    return flock(networks->fd, LOCK_UN) < 0 ? err_sys(err, "unlock the store's folder of networks") : 0;
}

// --- reading ---

int networks_read_one(const struct networks *networks, struct arena *arena, const char *name, struct network *ret,
                      struct err *err) {
    char id[RECORD_ID_SIZE], path[NAME_MAX + 1];
    AUTO_FREE char *text = NULL;
    size_t size;
    if (!links_read(networks->names_fd, name, id)) {
        return err_set(err, ERR_NOT_FOUND, "no network is named \"%s\"; coffer network ls lists them", name);
    }
    snprintf(path, sizeof(path), "%s/network.json", id);
    if (fd_read_file(networks->fd, path, NETWORK_MAX_BYTES, &text, &size, err) < 0 ||
        network_read("network.json", text, size, arena, ret, err) < 0) {
        return err_in(err, "network %s", name);
    }
    if (strcmp(ret->id, id) != 0 || strcmp(ret->name, name) != 0) {
        return err_set(err, ERR_CORRUPT, "network %s: network.json is another network's", name);
    }
    return 0;
}

static int by_name(const void *a, const void *b) {
    const struct network *left = a, *right = b;
    return strcmp(left->name, right->name);
}

int networks_read(const struct networks *networks, struct arena *arena, struct network **ret, size_t *ret_count, struct err *err) {
    AUTO_BUF struct buf found = {0};
    AUTO_DIR DIR *stream = dir_stream(networks->names_fd);
    if (!stream) {
        return err_sys(err, "read the store's folder of networks");
    }
    for (const struct dirent *entry = dir_next(stream); entry; entry = dir_next(stream)) {
        struct network network;
        struct err unread;
        if (networks_read_one(networks, arena, entry->d_name, &network, &unread) == 0) {
            buf_add(&found, &network, sizeof(network));
        } else if (unread.kind != ERR_NOT_FOUND && faccessat(networks->names_fd, entry->d_name, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
            log_warn("%s", unread.text); // and not removed while we looked
        }
    }
    *ret_count = found.size / sizeof(struct network);
    *ret = arena_array(arena, *ret_count + 1, sizeof(struct network));
    if (*ret_count > 0) {
        memcpy(*ret, found.data, found.size);
        qsort(*ret, *ret_count, sizeof(struct network), by_name);
    }
    return 0;
}

// --- writing ---

static int write_folder(const struct networks *networks, const struct network *network, struct err *err) {
    AUTO_BUF struct buf text = {0};
    if (mkdirat(networks->fd, network->id, 0711) < 0) {
        return err_sys(err, "make the folder of network %s", network->name);
    }
    AUTO_FD int folder = openat(networks->fd, network->id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0 || mkdirat(folder, "leases", 0711) < 0 || mkdirat(folder, "endpoints", 0755) < 0 ||
        fchmodat(folder, "endpoints", 0755, 0) < 0) { // the responder, who is nobody, reads it
        return err_sys(err, "make the folder of network %s", network->name);
    }
    network_write(network, &text);
    if (text.size > NETWORK_MAX_BYTES) {
        return err_set(err, ERR_INPUT, "network %s: its labels and options are too long: %zu bytes in all, expected %d at most",
                       network->name, text.size, NETWORK_MAX_BYTES);
    }
    if (fd_replace_file_synced(folder, "network.json", text.data, text.size, 0600, err) < 0) {
        return -1;
    }
    return fsync(networks->fd) < 0 ? err_sys(err, "write the folder of network %s to disk", network->name) : 0;
}

int networks_add(const struct networks *networks, const struct network *network, struct err *err) {
    char owner[RECORD_ID_SIZE];
    if (links_read(networks->names_fd, network->name, owner)) {
        return err_set(err, ERR_EXISTS,
                       "the name \"%s\" is taken by network %.12s; remove that (coffer network rm %s) or choose another",
                       network->name, owner, network->name);
    }
    if (write_folder(networks, network, err) < 0) {
        return -1;
    }
    if (links_make(networks->names_fd, network->name, network->id) < 0 || fsync(networks->names_fd) < 0) {
        return err_sys(err, "take the name \"%s\"", network->name);
    }
    return 0;
}

// --- the whole ---

int network_open(const struct home *home, const struct network *network, struct err *err) {
    AUTO_NETWORKS struct networks networks = {.fd = -1, .names_fd = -1};
    if (networks_open(home, &networks, err) < 0) {
        return -1;
    }
    AUTO_FD int folder = openat(networks.fd, network->id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    while (folder >= 0 && flock(folder, LOCK_SH) < 0) {
        if (errno != EINTR) {
            return err_sys(err, "lock network %s", network->name);
        }
    }
    if (folder < 0 || !networks_is_there(&networks, network)) {
        return err_set(err, ERR_NOT_FOUND, "network %s has been removed", network->name);
    }
    return fd_take(&folder);
}

// Whoever takes an address of it holds the folder's lock: there is either a lease to be found here, or a network no more to be
// found there.
static int lock_unused(const struct home *home, const struct networks *networks, const struct network *network, int *ret_folder,
                       struct err *err) {
    AUTO_ARENA struct arena arena = {0};
    struct lease *leases;
    size_t count;
    AUTO_FD int folder = openat(networks->fd, network->id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    while (folder >= 0 && flock(folder, LOCK_EX) < 0) {
        if (errno != EINTR) {
            return err_sys(err, "lock network %s", network->name);
        }
    }
    if (folder < 0 || !networks_is_there(networks, network)) {
        return err_set(err, ERR_NOT_FOUND, "network %s has been removed", network->name);
    }
    if (lease_list(home, &arena, network->id, &leases, &count, err) < 0) {
        return -1;
    }
    if (count > 0) {
        struct record record = {0};
        struct err unread;
        bool named = record_read(home, &arena, leases[0].container, &record, &unread) == 0;
        return err_set(err, ERR_STATE, "network %s is used by container %.64s%s; stop it or disconnect it first", network->name,
                       named ? record.name : leases[0].container, count > 1 ? " and others" : "");
    }
    *ret_folder = fd_take(&folder);
    return 0;
}

void network_announce(const struct home *home, const struct network *network, const char *action, const char *container) {
    const struct text_pair attributes[] = {
        {"name", network->name}, {"type", network_driver_name(network->driver)}, {"container", container}};
    const struct event event = {
        .type = EVENT_NETWORK,
        .action = action,
        .id = network->id,
        .attributes = attributes,
        .attributes_count = container ? 3 : 2,
    };
    events_add(home->live_fd, &event);
}

static int lower_there(void *context, struct err *err) {
    return network_lower(context, err);
}

static int lower(const struct home *home, const struct network *network, struct err *err) {
    AUTO_COMMONS struct commons commons = COMMONS_NONE;
    struct network there = *network;
    return home->rootless && !commons_find(home, &commons) ? 0 : commons_do(&commons, lower_there, &there, err);
}

int network_remove(const struct home *home, const struct network *network, struct err *err) {
    AUTO_NETWORKS struct networks networks = {.fd = -1, .names_fd = -1};
    AUTO_FD int folder = -1;
    if (network->driver == NETWORK_HOST || network->driver == NETWORK_NULL) {
        return err_set(err, ERR_STATE, "network %s is always there and cannot be removed", network->name);
    }
    if (networks_open(home, &networks, err) < 0 || networks_lock(&networks, err) < 0 ||
        lock_unused(home, &networks, network, &folder, err) < 0) {
        return -1;
    }
    // The kernel's part first: who is killed here leaves a network that is made again when it is needed.
    if (network->driver == NETWORK_BRIDGE && lower(home, network, err) < 0) {
        return err_in(err, "remove network %s", network->name);
    }
    if (unlinkat(networks.names_fd, network->name, 0) < 0) {
        return err_sys(err, "remove network %s", network->name);
    }
    network_announce(home, network, "destroy", NULL);
    return tree_remove(networks.fd, network->id, err) < 0 ? err_in(err, "remove network %s", network->name) : 0;
}

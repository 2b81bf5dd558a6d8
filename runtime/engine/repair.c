#include "runtime/engine/repair.h"

#include "runtime/base/dir.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/container/container.h"
#include "runtime/engine/connection_sweep.h"
#include "runtime/engine/engine.h"
#include "runtime/engine/home.h"
#include "runtime/engine/lease.h"
#include "runtime/engine/links.h"
#include "runtime/engine/live.h"
#include "runtime/engine/network_store.h"
#include "runtime/engine/record.h"
#include "runtime/engine/volume_store.h"
#include "specs/oci_state.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct work {
    const struct home *home;
    struct arena *arena;
    struct repair *repair;
};

static void add(const struct work *work, const char *kind, const char *name, const char *action, bool failed) {
    struct repair *repair = work->repair;
    if (repair->count == repair->room) {
        size_t room = repair->room ? 2 * repair->room : 16;
        struct repair_item *items = arena_array(work->arena, room, sizeof(*items));
        if (repair->count > 0) {
            memcpy(items, repair->items, repair->count * sizeof(*items));
        }
        repair->items = items;
        repair->room = room;
    }
    repair->items[repair->count++] = (struct repair_item){kind, arena_copy_string(work->arena, name), action, failed};
}

// --- containers ---

static const char *shown(const struct work *work, const char *id) {
    struct record record;
    struct err none;
    return record_read(work->home, work->arena, id, &record, &none) == 0 && *record.name ? record.name
                                                                                         : arena_format(work->arena, "%.12s", id);
}

static const char *const actions[] = {
    [RECORD_ADOPTED] = "its monitor was killed: it has another one",
    [RECORD_ALONE] = "runs without a monitor; see the warnings",
    [RECORD_SETTLED] = "has ended without a monitor: put in order",
    [RECORD_REMOVED] = "half made, or to be removed at its end: removed",
    [RECORD_NOT_REPAIRED] = "could not be put in order; see the warnings",
};

static void repair_one(const struct work *work, const char *id) {
    const char *name = shown(work, id);
    enum record_repair result = record_repair(work->home, id);
    if (result != RECORD_IN_ORDER) {
        add(work, "container", name, actions[result], result == RECORD_NOT_REPAIRED || result == RECORD_ALONE);
    }
}

static int repair_containers(const struct work *work, struct err *err) {
    const char **ids;
    if (record_list(work->home, work->arena, &ids, err) < 0) {
        return -1;
    }
    for (; *ids; ids++) {
        repair_one(work, *ids);
    }
    return 0;
}

// What the low level has of containers of this store that are no more. One of another store, or made by hand, bears another bundle.
static void repair_remains(const struct work *work, const struct engine *engine) {
    struct container_entry *entries;
    size_t count;
    struct err err;
    if (container_list(engine->oci_root, work->arena, &entries, &count, &err) < 0) {
        return; // nothing was ever made there
    }
    for (size_t i = 0; i < count; i++) {
        const struct oci_state *state = &entries[i].state;
        const char *own = arena_format(work->arena, "%s/containers/%s", engine->store, state->id);
        if (strlen(state->id) != RECORD_ID_SIZE - 1 || !state->bundle || strcmp(state->bundle, own) != 0 ||
            record_exists(work->home, state->id)) {
            continue;
        }
        bool failed = container_delete(engine->oci_root, state->id, true, &err) < 0;
        add(work, "process", state->id, failed ? arena_copy_string(work->arena, err.text) : "its container is gone: ended", failed);
    }
}

// --- links ---

// A container's folder is made before anything is taken for it, and goes last: what belongs to none is nobody's.
static void repair_links(const struct work *work, int folder, const char *kind) {
    AUTO_DIR DIR *stream = folder < 0 ? NULL : dir_stream(folder);
    for (const struct dirent *entry = stream ? dir_next(stream) : NULL; entry; entry = dir_next(stream)) {
        char owner[RECORD_ID_SIZE];
        if (links_read(folder, entry->d_name, owner) && !record_exists(work->home, owner)) {
            links_release(folder, entry->d_name, owner);
            add(work, kind, entry->d_name, "its container is gone: free again", false);
        }
    }
}

static void add_count(const struct work *work, const char *kind, size_t count, const char *action) {
    if (count > 0) {
        add(work, kind, arena_format(work->arena, "%zu", count), action, false);
    }
}

// --- networks and volumes ---

static int repair_networks(const struct work *work, struct err *err) {
    AUTO_NETWORKS struct networks networks = {.fd = -1, .names_fd = -1};
    if (networks_open(work->home, &networks, err) < 0) {
        return -1;
    }
    add_count(work, "address", leases_sweep(work->home), "addresses and names of containers that do not run: free again");
    add_count(work, "port", connection_sweep_ports(work->home), "published for containers that do not run: withdrawn");
    return networks_lock(&networks, err);
}

// Whoever takes their lock removes what is left of some.
static int repair_volumes(const struct work *work, struct err *err) {
    AUTO_FD int volumes_fd = volumes_open(work->home, err);
    return volumes_fd < 0 ? -1 : volumes_lock(work->home, volumes_fd, err);
}

int engine_repair(const struct engine *engine, struct arena *arena, struct repair *ret, struct err *err) {
    AUTO_HOME struct home home = HOME_CLOSED;
    const struct work work = {&home, arena, ret};
    *ret = (struct repair){0};
    if (home_open(engine, &home, err) < 0) {
        return -1;
    }
    live_begin(&home);
    container_sweep(engine->oci_root);
    // Ports first: by the records that may be removed then.
    if (repair_networks(&work, err) < 0 || repair_containers(&work, err) < 0 || repair_volumes(&work, err) < 0) {
        return -1;
    }
    record_sweep(&home); // run-time folders that lead to nothing
    AUTO_FD int ids = openat(home.store_fd, "ids", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    repair_links(&work, home.names_fd, "name");
    repair_links(&work, ids, "user ids");
    repair_remains(&work, engine);
    return 0;
}

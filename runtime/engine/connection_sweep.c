#include "runtime/engine/connection_sweep.h"

#include "runtime/base/arena.h"
#include "runtime/base/dir.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/engine/commons.h"
#include "runtime/engine/connection_pasta.h"
#include "runtime/engine/home.h"
#include "runtime/engine/links.h"
#include "runtime/engine/network_store.h"
#include "runtime/engine/publication.h"
#include "runtime/engine/record.h"
#include "runtime/net/dns_names.h"
#include "runtime/net/firewall.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

static int open_in(int dir_fd, const char *name) {
    return openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static void sweep_network(int networks_fd, const char *network_id, const char *id) {
    AUTO_FD int folder = open_in(networks_fd, network_id);
    AUTO_FD int leases = folder < 0 ? -1 : open_in(folder, "leases");
    AUTO_FD int endpoints = folder < 0 ? -1 : open_in(folder, "endpoints");
    if (endpoints >= 0) {
        dns_names_sweep(endpoints, id);
    }
    if (leases >= 0) {
        links_remove(leases, id);
    }
}

static void sweep_networks(const struct home *home, const char *id) {
    AUTO_FD int networks_fd = open_in(home->store_fd, "networks");
    AUTO_DIR DIR *stream = networks_fd < 0 ? NULL : dir_stream(networks_fd);
    for (const struct dirent *entry = stream ? dir_next(stream) : NULL; entry; entry = dir_next(stream)) {
        if (strlen(entry->d_name) == RECORD_ID_SIZE - 1) {
            sweep_network(networks_fd, entry->d_name, id);
        }
    }
}

// id NULL: of all that are in the store and do not run.
static bool is_left(const struct home *home, const char *id, const struct firewall_published *published) {
    return id ? strcmp(published->owner, id) == 0
              : record_exists(home, published->owner) && !record_is_running(home, published->owner) &&
                    !record_runs_alone(home, published->owner);
}

struct sweeping {
    const struct home *home;
    const char *id;
    size_t count;
};

// Where there is no packet filter, or no right to look at it, there is nothing of ours in it either.
static size_t take_back(const struct home *home, const char *id) {
    AUTO_ARENA struct arena arena = {0};
    struct firewall_state state;
    struct err err;
    AUTO_FD int firewall_fd = firewall_open(&err);
    if (firewall_fd < 0 || firewall_read(firewall_fd, &arena, &state, &err) < 0) {
        return 0;
    }
    struct firewall_port *left = arena_array(&arena, state.port_count + 1, sizeof(*left));
    size_t count = 0;
    for (size_t i = 0; i < state.port_count; i++) {
        if (is_left(home, id, &state.ports[i])) {
            left[count++] = state.ports[i].port;
        }
    }
    if (count > 0 && publication_take_back(firewall_fd, left, count, &err) < 0) {
        log_warn("ports of containers that have ended: %s", err.text);
        return 0;
    }
    return count;
}

static int take_back_there(void *context, struct err *err) {
    struct sweeping *sweeping = context;
    (void)err;
    sweeping->count = take_back(sweeping->home, sweeping->id);
    return 0;
}

static size_t sweep_ports(const struct home *home, const char *id) {
    AUTO_COMMONS struct commons commons = COMMONS_NONE;
    struct sweeping sweeping = {home, id, 0};
    struct err err;
    if (home->rootless && !commons_find(home, &commons)) {
        return 0;
    }
    if (commons_do(&commons, take_back_there, &sweeping, &err) < 0) {
        log_warn("ports of containers that have ended: %s", err.text);
    }
    return sweeping.count;
}

void connection_sweep(const struct home *home, const char *id) {
    if (home->rootless) {
        pasta_sweep(home, id);
    }
    sweep_ports(home, id);
    sweep_networks(home, id);
}

size_t connection_sweep_ports(const struct home *home) {
    return sweep_ports(home, NULL);
}

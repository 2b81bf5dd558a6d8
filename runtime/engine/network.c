#include "runtime/engine/network.h"

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/engine/connection_pasta.h"
#include "runtime/engine/home.h"
#include "runtime/engine/network_plan.h"
#include "runtime/engine/network_store.h"
#include "runtime/net/resolv.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

static const struct {
    const char *name;
    uint32_t driver;
} predefined[] = {{"host", NETWORK_HOST}, {"none", NETWORK_NULL}, {"bridge", NETWORK_BRIDGE}};

bool network_is_predefined(const struct network *network) {
    for (size_t i = 0; i < ARRAY_LEN(predefined); i++) {
        if (strcmp(network->name, predefined[i].name) == 0) {
            return true;
        }
    }
    return false;
}

// --- what is around ---

static void add_servers(const char *path, struct resolv *resolv) {
    AUTO_FREE char *text = NULL;
    size_t size;
    struct err missing;
    struct resolv more;
    if (fd_read_file(AT_FDCWD, path, RESOLV_MAX_BYTES, &text, &size, &missing) == 0) {
        resolv_parse(text, size, &more);
        resolv_add_servers(resolv, &more);
    }
}

static int look_around(const struct networks *networks, struct arena *arena, struct network_surroundings *ret, struct err *err) {
    struct resolv resolv = {0};
    struct network *others;
    struct route *routes;
    if (networks_read(networks, arena, &others, &ret->network_count, err) < 0 ||
        routes_read(arena, &routes, &ret->route_count, err) < 0) {
        return -1;
    }
    if (getrandom(&ret->random, sizeof(ret->random), 0) != (ssize_t)sizeof(ret->random)) {
        return err_sys(err, "get random bytes for a subnet");
    }
    add_servers(RESOLV_PATH, &resolv);
    add_servers(RESOLV_BEHIND_STUB, &resolv);
    struct address *servers = arena_array(arena, resolv.server_count + 1, sizeof(*servers));
    for (size_t i = 0; i < resolv.server_count; i++) {
        servers[i] = resolv.servers[i].address;
    }
    ret->networks = others;
    ret->routes = routes;
    ret->servers = servers;
    ret->server_count = resolv.server_count;
    return 0;
}

// --- making ---

static int add(const struct networks *networks, struct network *network, struct err *err) {
    unsigned char bytes[RECORD_ID_SIZE / 2];
    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes)) {
        return err_sys(err, "get random bytes for an id");
    }
    for (size_t i = 0; i < sizeof(bytes); i++) {
        snprintf(network->id + 2 * i, 3, "%02x", bytes[i]);
    }
    network->created_s = time(NULL);
    return networks_add(networks, network, err);
}

// Under the lock. One whose name is taken is there; `but` is left out.
static int add_predefined(const struct networks *networks, struct arena *arena, const char *but, struct err *err) {
    for (size_t i = 0; i < ARRAY_LEN(predefined); i++) {
        struct network_surroundings around = {0};
        const struct network_request request = {.name = predefined[i].name};
        struct network network = {.name = predefined[i].name, .driver = predefined[i].driver};
        bool is_bridge = predefined[i].driver == NETWORK_BRIDGE;
        if (strcmp(predefined[i].name, but) == 0 ||
            faccessat(networks->names_fd, predefined[i].name, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
            continue;
        }
        if ((is_bridge &&
             (look_around(networks, arena, &around, err) < 0 || network_plan(arena, &request, &around, &network, err) < 0)) ||
            add(networks, &network, err) < 0) {
            return err_in(err, "make network %s", predefined[i].name);
        }
    }
    return 0;
}

static bool has_predefined(const struct networks *networks) {
    for (size_t i = 0; i < ARRAY_LEN(predefined); i++) {
        if (faccessat(networks->names_fd, predefined[i].name, F_OK, AT_SYMLINK_NOFOLLOW) < 0) {
            return false;
        }
    }
    return true;
}

// The three that are always there are when it returns; but for "bridge" where the host's routes leave no subnet, which is no reason
// not to list the others.
static int open_networks(const struct home *home, struct arena *arena, struct networks *ret, struct err *err) {
    if (networks_open(home, ret, err) < 0) {
        return -1;
    }
    if (has_predefined(ret)) {
        return 0;
    }
    if (networks_lock(ret, err) < 0) {
        return -1;
    }
    if (add_predefined(ret, arena, "", err) < 0) {
        if (err->kind != ERR_STATE) {
            return -1;
        }
        log_warn("%s", err->text);
    }
    return networks_unlock(ret, err);
}

int network_create(const struct home *home, struct arena *arena, const struct network_request *request, struct network *ret,
                   struct err *err) {
    AUTO_NETWORKS struct networks networks = {.fd = -1, .names_fd = -1};
    struct network_surroundings around = {0};
    struct network network;
    // The others come first: what is made now keeps out of their way, not they of its.
    if (networks_open(home, &networks, err) < 0 || networks_lock(&networks, err) < 0 ||
        (add_predefined(&networks, arena, request->name, err) < 0 && err->kind != ERR_STATE) ||
        look_around(&networks, arena, &around, err) < 0 || network_plan(arena, request, &around, &network, err) < 0 ||
        add(&networks, &network, err) < 0) {
        return -1;
    }
    *ret = network;
    network_announce(home, ret, "create", NULL);
    return 0;
}

// --- finding ---

int network_list(const struct home *home, struct arena *arena, struct network **ret, size_t *ret_count, struct err *err) {
    AUTO_NETWORKS struct networks networks = {.fd = -1, .names_fd = -1};
    return open_networks(home, arena, &networks, err) < 0 ? -1 : networks_read(&networks, arena, ret, ret_count, err);
}

int network_find(const struct home *home, struct arena *arena, const char *text, struct network *ret, struct err *err) {
    AUTO_NETWORKS struct networks networks = {.fd = -1, .names_fd = -1};
    struct network *all;
    const struct network *found = NULL;
    size_t count, length = strlen(text);
    bool is_name = length > 0 && length <= 128 && !strchr(text, '/') && text[0] != '.';
    if (open_networks(home, arena, &networks, err) < 0) {
        return -1;
    }
    if (is_name && faccessat(networks.names_fd, text, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        return networks_read_one(&networks, arena, text, ret, err);
    }
    if (networks_read(&networks, arena, &all, &count, err) < 0) {
        return -1;
    }
    for (size_t i = 0; length > 0 && i < count; i++) {
        if (strncmp(all[i].id, text, length) != 0) {
            continue;
        }
        if (found) {
            return err_set(err, ERR_INPUT, "more than one network has an id that begins with \"%s\"", text);
        }
        found = &all[i];
    }
    if (!found && strcmp(text, PASTA_NETWORK) == 0) {
        return err_set(err, ERR_NOT_FOUND,
                       "network " PASTA_NETWORK " is each container's own; coffer inspect CONTAINER shows what there is of it");
    }
    if (!found) {
        return err_set(err, ERR_NOT_FOUND, "no network is named \"%s\"; coffer network ls lists them", text);
    }
    *ret = *found;
    return 0;
}

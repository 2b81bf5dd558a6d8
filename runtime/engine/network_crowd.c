#include "runtime/engine/network_crowd.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/engine/network_store.h"
#include "runtime/net/address.h"
#include "runtime/net/bridge.h"
#include "runtime/net/endpoint.h"
#include "runtime/net/trunk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

// MANY ports are a crowd until they are FEW, which are more than all the trunks.
enum { EACH = 16, MANY = 64, FEW = 40 };

static const char digits[] = "0123456789abcdef"; // of ids: a trunk each
static const char hint_name[] = "crowd";         // "1": there is one; "0": there was

struct network_crowd network_crowd_read(int folder_fd) {
    char text = 0;
    AUTO_FD int fd = openat(folder_fd, hint_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    bool ever = fd >= 0 && read(fd, &text, 1) == 1;
    return (struct network_crowd){.now = text == '1', .ever = ever};
}

static int keep(const struct home *home, const struct network *network, bool now, struct err *err) {
    AUTO_FD int folder_fd = network_open(home, network, err);
    return folder_fd < 0 ? -1 : fd_replace_file(folder_fd, hint_name, now ? "1" : "0", 1, 0600, err);
}

void network_crowd_look(const struct home *home, const struct network *network, const struct address *given, struct network_crowd *crowd) {
    char name[IF_NAMESIZE];
    size_t ports = 0;
    struct err err;
    if (given->bytes[address_bits(given) / 8 - 1] % EACH != 0) {
        return;
    }
    if (bridge_count_ports(network_bridge_name(network, name), &ports, &err) < 0) {
        log_info("network %s: %s", network->name, err.text);
        return;
    }
    bool now = crowd->now ? ports >= FEW : ports >= MANY;
    if (now == crowd->now) {
        return;
    }
    if (keep(home, network, now, &err) < 0) {
        log_info("network %s: %s", network->name, err.text);
        return;
    }
    *crowd = (struct network_crowd){.now = now, .ever = true};
}

static const char *trunk_part(const struct network *network, const char *prefix, char digit, char name[IF_NAMESIZE]) {
    snprintf(name, IF_NAMESIZE, "%s%.9s-%c", prefix, network->id, digit);
    return name;
}

const char *network_trunk_name(const struct network *network, const char *container, char name[IF_NAMESIZE]) {
    return trunk_part(network, TRUNK_PREFIX, container[0], name);
}

const char *network_trunk_port(const struct network *network, const char *container, char name[IF_NAMESIZE]) {
    return trunk_part(network, TRUNK_PORT_PREFIX, container[0], name);
}

int network_trunks_rejoin(const struct network *network, struct err *err) {
    char bridge[IF_NAMESIZE], port[IF_NAMESIZE];
    bool there;
    network_bridge_name(network, bridge);
    for (const char *digit = digits; *digit; digit++) {
        if (endpoint_rejoin(trunk_part(network, TRUNK_PORT_PREFIX, *digit, port), bridge, &there, err) < 0) {
            return -1;
        }
    }
    return 0;
}

int network_trunks_remove(const struct network *network, struct err *err) {
    char name[IF_NAMESIZE];
    for (const char *digit = digits; *digit; digit++) {
        if (endpoint_remove(trunk_part(network, TRUNK_PREFIX, *digit, name), err) < 0) {
            return -1;
        }
    }
    return 0;
}

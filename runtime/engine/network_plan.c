#include "runtime/engine/network_plan.h"

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/quote.h"
#include "runtime/engine/network_options.h"
#include "runtime/net/pool.h"
#include "runtime/net/trunk.h"

#include <string.h>

// The first lies away from what docker (172.17.0.0/16 and behind) and podman (10.88.0.0/16 and behind) take first; and there are
// three, as VPNs tend to take one of the private networks whole (RFC 1918).
static const struct pool pools_4[] = {
    {{{AF_INET, {10, 201}}, 16}, 24},
    {{{AF_INET, {172, 30}}, 16}, 24},
    {{{AF_INET, {192, 168, 192}}, 18}, 24},
};

// All local addresses: one is chosen by chance, as RFC 4193 wants it.
static const struct pool pools_6[] = {{{{AF_INET6, {0xfd}}, 8}, 64}};

struct planning {
    const struct network_request *request;
    const struct network_surroundings *around;
    struct network *network;
};

// --- words ---

static int check_name(const char *name, struct err *err) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    static const char *const meanings[] = {"default", "container", "private", "null", "ns", "pasta", "slirp4netns"};
    char quoted[QUOTE_SIZE];
    size_t length = strlen(name);
    if (length < 1 || length > 128 || strspn(name, allowed) != length || strchr("_.-", name[0])) {
        return err_set(err, ERR_INPUT, "network name %s: expected 1 to 128 letters, digits, _ . or -, a letter or digit in front",
                       quote_text(name, quoted));
    }
    for (size_t i = 0; i < ARRAY_LEN(meanings); i++) {
        if (strcmp(name, meanings[i]) == 0) {
            return err_set(err, ERR_INPUT, "network name \"%s\": means something else to run --network; choose another", name);
        }
    }
    return 0;
}

static int set_driver(const char *driver, struct network *network, struct err *err) {
    static const struct {
        const char *name;
        const char *why;
    } refused[] = {
        {"host", "there is one already, called host"}, {"null", "there is one already, called none"},
        {"none", "there is one already, called none"}, {"overlay", "it takes a swarm of hosts, which coffer has not"},
        {"ipvlan", "it is not supported; macvlan is"},
    };
    if (!driver || strcmp(driver, "bridge") == 0) {
        network->driver = NETWORK_BRIDGE;
        return 0;
    }
    if (strcmp(driver, "macvlan") == 0) {
        network->driver = NETWORK_MACVLAN;
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        if (strcmp(driver, refused[i].name) == 0) {
            return err_set(err, ERR_UNSUPPORTED, "--driver %s: %s", driver, refused[i].why);
        }
    }
    return err_set(err, ERR_INPUT, "--driver %s: expected bridge or macvlan", driver);
}

static int set_labels(struct arena *arena, const struct strv *words, struct network *network, struct err *err) {
    network->labels = arena_array(arena, words->count + 1, sizeof(*network->labels));
    for (size_t i = 0; i < words->count; i++) {
        char *name = arena_copy_string(arena, words->items[i]);
        char *value = strchr(name, '=');
        if (value) {
            *value++ = '\0';
        }
        if (!*name) {
            return err_set(err, ERR_INPUT, "--label %s: expected KEY=VALUE", words->items[i]);
        }
        size_t at = 0; // the last one given counts
        while (at < network->labels_count && strcmp(network->labels[at].name, name) != 0) {
            at++;
        }
        network->labels[at] = (struct text_pair){name, value ? value : ""};
        network->labels_count += at == network->labels_count;
    }
    return 0;
}

// --- subnets ---

static struct network_subnet *plane_of(struct network *network, uint8_t family) {
    return family == AF_INET ? &network->ipv4 : &network->ipv6;
}

// What another network or the host has; macvlan puts containers into a network that is there.
static int check_overlap(const struct planning *plan, const char *what, const struct subnet *subnet, struct err *err) {
    char text[SUBNET_TEXT_SIZE], other_text[SUBNET_TEXT_SIZE], route_text[ROUTE_TEXT_SIZE];
    const struct network_surroundings *around = plan->around;
    for (size_t i = 0; i < around->network_count; i++) {
        const struct network *other = &around->networks[i];
        const struct network_subnet *plane = subnet->base.family == AF_INET ? &other->ipv4 : &other->ipv6;
        if (plane->set && subnet_overlaps(&plane->subnet, subnet)) {
            return err_set(err, ERR_INPUT, "%s %s overlaps %s of network %s; choose another", what, subnet_format(subnet, text),
                           subnet_format(&plane->subnet, other_text), other->name);
        }
    }
    for (size_t i = 0; i < around->route_count && plan->network->driver != NETWORK_MACVLAN; i++) {
        if (subnet_overlaps(&around->routes[i].subnet, subnet)) {
            return err_set(err, ERR_INPUT, "%s %s overlaps the host's %s; choose another", what, subnet_format(subnet, text),
                           route_describe(&around->routes[i], route_text));
        }
    }
    return 0;
}

static int add_subnet(const struct planning *plan, const char *word, struct err *err) {
    struct subnet subnet;
    if (subnet_parse("--subnet", word, &subnet, err) < 0 || subnet_check_private("--subnet", &subnet, err) < 0) {
        return -1;
    }
    struct network_subnet *plane = plane_of(plan->network, subnet.base.family);
    if (plane->set) {
        return err_set(err, ERR_INPUT, "--subnet %s: a network has one subnet of IPv4 and one of IPv6 at most", word);
    }
    if (check_overlap(plan, "--subnet", &subnet, err) < 0) {
        return -1;
    }
    *plane = (struct network_subnet){.set = true, .subnet = subnet};
    return 0;
}

static size_t list_taken(const struct planning *plan, struct arena *arena, struct subnet **ret) {
    const struct network_surroundings *around = plan->around;
    struct subnet *taken =
        arena_array(arena, 2 * around->network_count + around->route_count + around->server_count + 1, sizeof(*taken));
    size_t count = 0;
    for (size_t i = 0; i < around->network_count; i++) {
        if (around->networks[i].ipv4.set) {
            taken[count++] = around->networks[i].ipv4.subnet;
        }
        if (around->networks[i].ipv6.set) {
            taken[count++] = around->networks[i].ipv6.subnet;
        }
    }
    for (size_t i = 0; i < around->route_count; i++) {
        taken[count++] = around->routes[i].subnet;
    }
    for (size_t i = 0; i < around->server_count; i++) {
        taken[count++] = (struct subnet){around->servers[i], (uint8_t)address_bits(&around->servers[i])};
    }
    *ret = taken;
    return count;
}

// The network that containers are on where nobody has said another has 4093 addresses for them, more than a host has room for.
static bool choose_large(const struct planning *plan, const struct subnet *taken, size_t taken_count, struct subnet *ret) {
    enum { LARGE_PREFIX = 20 };
    for (size_t i = 0; i < ARRAY_LEN(pools_4) && strcmp(plan->network->name, "bridge") == 0; i++) {
        struct pool pool = pools_4[i];
        pool.prefix = LARGE_PREFIX;
        if (pool_choose(&pool, 0, taken, taken_count, ret)) {
            return true;
        }
    }
    return false;
}

static int choose_subnet(const struct planning *plan, struct arena *arena, uint8_t family, struct err *err) {
    const struct pool *pools = family == AF_INET ? pools_4 : pools_6;
    size_t pool_count = family == AF_INET ? ARRAY_LEN(pools_4) : ARRAY_LEN(pools_6);
    struct network_subnet *plane = plane_of(plan->network, family);
    AUTO_BUF struct buf names = {0};
    char text[SUBNET_TEXT_SIZE];
    struct subnet *taken;
    size_t taken_count = list_taken(plan, arena, &taken);
    plane->set = family == AF_INET && choose_large(plan, taken, taken_count, &plane->subnet);
    for (size_t i = 0; i < pool_count && !plane->set; i++) {
        if (pool_choose(&pools[i], family == AF_INET ? 0 : plan->around->random, taken, taken_count, &plane->subnet)) {
            plane->set = true;
        }
        buf_add_format(&names, "%s%s", i ? ", " : "", subnet_format(&pools[i].span, text));
    }
    return plane->set ? 0
                      : err_set(err, ERR_STATE,
                                "other networks and the host's routes leave no subnet free in %s; choose one with --subnet",
                                buf_string(&names));
}

// --- within a subnet ---

static struct network_subnet *plane_with(struct network *network, const struct address *address) {
    struct network_subnet *plane = plane_of(network, address->family);
    return plane->set && subnet_contains(&plane->subnet, address) ? plane : NULL;
}

static int outside(const struct network *network, const char *flag, const char *word, struct err *err) {
    char first[SUBNET_TEXT_SIZE] = "", second[SUBNET_TEXT_SIZE] = "";
    if (network->ipv4.set) {
        subnet_format(&network->ipv4.subnet, first);
    }
    if (network->ipv6.set) {
        subnet_format(&network->ipv6.subnet, second);
    }
    return err_set(err, ERR_INPUT, "%s %s lies outside of the network's subnet %s%s%s", flag, word, first,
                   *first && *second ? " and " : "", second);
}

static bool is_host(const struct network_subnet *plane, const struct address *address) {
    struct address_range hosts = subnet_hosts(&plane->subnet);
    return address_range_contains(&hosts, address);
}

static int set_gateways(const struct strv *words, struct network *network, struct err *err) {
    for (size_t i = 0; i < words->count; i++) {
        struct address address;
        if (address_parse("--gateway", words->items[i], &address, err) < 0) {
            return -1;
        }
        struct network_subnet *plane = plane_with(network, &address);
        if (!plane || !is_host(plane, &address)) {
            return plane ? err_set(err, ERR_INPUT, "--gateway %s: no host can have this address", words->items[i])
                         : outside(network, "--gateway", words->items[i], err);
        }
        if (plane->gateway.family) {
            return err_set(err, ERR_INPUT, "--gateway %s: a subnet has one gateway", words->items[i]);
        }
        plane->gateway = address;
    }
    struct network_subnet *const planes[] = {&network->ipv4, &network->ipv6};
    for (size_t i = 0; i < ARRAY_LEN(planes); i++) {
        if (planes[i]->set && !planes[i]->gateway.family) {
            planes[i]->gateway = subnet_hosts(&planes[i]->subnet).first;
        }
    }
    return 0;
}

static int set_ranges(const struct strv *words, struct network *network, struct err *err) {
    for (size_t i = 0; i < words->count; i++) {
        struct subnet range;
        if (subnet_parse("--ip-range", words->items[i], &range, err) < 0) {
            return -1;
        }
        struct network_subnet *plane = plane_with(network, &range.base);
        if (!plane || !subnet_holds(&plane->subnet, &range)) {
            return outside(network, "--ip-range", words->items[i], err);
        }
        if (plane->has_range) {
            return err_set(err, ERR_INPUT, "--ip-range %s: a subnet has one range", words->items[i]);
        }
        plane->has_range = true;
        plane->range = range;
    }
    return 0;
}

static int set_reserved(struct arena *arena, const struct strv *words, struct network *network, struct err *err) {
    network->reserved = arena_array(arena, words->count + 1, sizeof(*network->reserved));
    for (size_t i = 0; i < words->count; i++) {
        struct network_reserved reserved;
        char *name = arena_copy_string(arena, words->items[i]);
        char *value = strchr(name, '=');
        if (!value || value == name) {
            return err_set(err, ERR_INPUT, "--aux-address %s: expected NAME=ADDRESS", words->items[i]);
        }
        *value++ = '\0';
        reserved.name = name;
        if (address_parse("--aux-address", value, &reserved.address, err) < 0) {
            return -1;
        }
        const struct network_subnet *plane = plane_with(network, &reserved.address);
        if (!plane || address_is_equal(&plane->gateway, &reserved.address)) {
            return plane ? err_set(err, ERR_INPUT, "--aux-address %s is the gateway's address", value)
                         : outside(network, "--aux-address", value, err);
        }
        network->reserved[network->reserved_count++] = reserved;
    }
    return 0;
}

// --- the whole ---

static int set_subnets(const struct planning *plan, struct arena *arena, struct err *err) {
    const struct network_request *request = plan->request;
    struct network *network = plan->network;
    for (size_t i = 0; i < request->subnets.count; i++) {
        if (add_subnet(plan, request->subnets.items[i], err) < 0) {
            return -1;
        }
    }
    if (network->driver == NETWORK_MACVLAN && request->subnets.count == 0) {
        return err_set(err, ERR_INPUT, "a network of driver macvlan needs --subnet: that of the network its parent is in");
    }
    if (request->subnets.count == 0 && (request->gateways.count > 0 || request->ranges.count > 0 || request->reserved.count > 0)) {
        return err_set(err, ERR_INPUT, "--gateway, --ip-range and --aux-address need --subnet");
    }
    if ((!network->ipv4.set && request->subnets.count == 0 && choose_subnet(plan, arena, AF_INET, err) < 0) ||
        (!network->ipv6.set && request->ipv6 && choose_subnet(plan, arena, AF_INET6, err) < 0)) {
        return -1;
    }
    return 0;
}

static int check_bridge(const struct planning *plan, struct err *err) {
    const char *wish = network_option(plan->network, NETWORK_OPTION_BRIDGE);
    // What comes in by such an interface is dropped.
    if (wish && strncmp(wish, TRUNK_PREFIX, sizeof(TRUNK_PREFIX) - 1) == 0) {
        return err_set(err, ERR_INPUT, "--opt " NETWORK_OPTION_BRIDGE "=%s: names that begin with " TRUNK_PREFIX " are of interfaces that "
                       "coffer makes itself; choose another", wish);
    }
    for (size_t i = 0; wish && i < plan->around->network_count; i++) {
        char name[IF_NAMESIZE];
        if (plan->around->networks[i].driver == NETWORK_BRIDGE &&
            strcmp(network_bridge_name(&plan->around->networks[i], name), wish) == 0) {
            return err_set(err, ERR_EXISTS, "--opt " NETWORK_OPTION_BRIDGE "=%s is the bridge of network %s; choose another", wish,
                           plan->around->networks[i].name);
        }
    }
    return 0;
}

int network_plan(struct arena *arena, const struct network_request *request, const struct network_surroundings *around,
                 struct network *ret, struct err *err) {
    struct network network = {.name = request->name, .internal = request->internal, .no_dns = request->no_dns};
    const struct planning plan = {.request = request, .around = around, .network = &network};
    if (check_name(request->name, err) < 0 || set_driver(request->driver, &network, err) < 0 ||
        set_labels(arena, &request->labels, &network, err) < 0 ||
        network_options_set(arena, &request->options, &network, err) < 0 || check_bridge(&plan, err) < 0 ||
        set_subnets(&plan, arena, err) < 0 || set_gateways(&request->gateways, &network, err) < 0 ||
        set_ranges(&request->ranges, &network, err) < 0 || set_reserved(arena, &request->reserved, &network, err) < 0) {
        return -1;
    }
    *ret = network;
    return 0;
}

#include "cli/commands/all.h"
#include "cli/commands/engine.h"
#include "cli/context.h"
#include "cli/output.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/engine/home.h"
#include "runtime/engine/network.h"

#include <stddef.h>
#include <string.h>

struct create_request {
    struct network_request network;
    bool attachable, ingress;
    const char *scope, *ipam_driver, *config_from;
    bool config_only;
};

// What only a swarm can make sense of: better refused than not done.
static int refuse_swarm(const struct create_request *request, struct err *err) {
    const struct {
        bool given;
        const char *flag;
    } flags[] = {
        {request->attachable, "--attachable"},
        {request->ingress, "--ingress"},
        {request->config_only, "--config-only"},
        {request->config_from, "--config-from"},
        {request->scope && strcmp(request->scope, "local") != 0, "--scope"},
    };
    for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
        if (flags[i].given) {
            return err_set(err, ERR_UNSUPPORTED,
                           "%s is for a swarm of hosts, which coffer has not; every container of this host can join",
                           flags[i].flag);
        }
    }
    if (request->ipam_driver && strcmp(request->ipam_driver, "default") != 0) {
        return err_set(err, ERR_UNSUPPORTED, "--ipam-driver %s: addresses are given by coffer itself; expected default",
                       request->ipam_driver);
    }
    return 0;
}

static int run(struct context *context, struct err *err) {
    const struct create_request *request = context->request;
    struct network_request wish = request->network;
    const struct engine engine = engine_of(context);
    AUTO_HOME struct home home = HOME_CLOSED;
    AUTO_BUF struct buf line = {0};
    struct network network;
    wish.name = context->operands[0];
    if (refuse_swarm(request, err) < 0 || home_open(&engine, &home, err) < 0 ||
        network_create(&home, &context->arena, &wish, &network, err) < 0) {
        return -1;
    }
    buf_add_format(&line, "%s\n", network.id);
    return output_write(&line, err);
}

static const struct option_row options[] = {
    OPTION_STRING("driver", 'd', "NAME", struct create_request, network.driver, "bridge or macvlan [default bridge]"),
    OPTION_LIST(
        "subnet", 0, "ADDRESS/PREFIX", struct create_request, network.subnets,
        "Take these addresses, of IPv4 and of IPv6 [default: chosen to overlap no other network and no route of this host]"),
    OPTION_LIST("gateway", 0, "ADDRESS", struct create_request, network.gateways,
                "The host's address in the subnet [default its first]"),
    OPTION_LIST("ip-range", 0, "ADDRESS/PREFIX", struct create_request, network.ranges,
                "Give containers addresses from this part of the subnet"),
    OPTION_LIST("aux-address", 0, "NAME=ADDRESS", struct create_request, network.reserved, "Give no container this address"),
    OPTION_FLAG("ipv6", 0, struct create_request, network.ipv6, "Addresses of IPv6, too"),
    OPTION_FLAG("internal", 0, struct create_request, network.internal, "No way out of the network"),
    OPTION_FLAG("disable-dns", 0, struct create_request, network.no_dns, "Do not answer the names of its containers"),
    OPTION_LIST("label", 0, "KEY=VALUE", struct create_request, network.labels, "Note this about the network"),
    OPTION_LIST("opt", 'o', "KEY=VALUE", struct create_request, network.options,
                "com.docker.network.driver.mtu (or mtu), com.docker.network.bridge.name; of macvlan: parent, macvlan_mode"),
    OPTION_FLAG("attachable", 0, struct create_request, attachable, "For swarms only", .hidden = true),
    OPTION_FLAG("ingress", 0, struct create_request, ingress, "For swarms only", .hidden = true),
    OPTION_FLAG("config-only", 0, struct create_request, config_only, "For swarms only", .hidden = true),
    OPTION_STRING("config-from", 0, "NETWORK", struct create_request, config_from, "For swarms only", .hidden = true),
    OPTION_STRING("scope", 0, "NAME", struct create_request, scope, "For swarms only", .hidden = true),
    OPTION_STRING("ipam-driver", 0, "NAME", struct create_request, ipam_driver, "There is one only", .hidden = true),
    {0},
};

const struct command command_network_create = {
    .name = "create",
    .usage = "NAME",
    .summary = "Make a network",
    .description =
        "Containers of a network reach each other by address and by name. Nothing of the host is changed before the first "
        "container joins.\n\nThe first containers of a bridge, some 64, have a port of it each, an interface of the host called cv-ID. Those "
        "that come then share trunks, interfaces called cot-, so that a network has as many containers as it has addresses; who has "
        "CAP_NET_ADMIN has a port of his own always.\n\nAn ordinary user's networks are in a network namespace of his own, which is there while a container "
        "of his is on "
        "one of them: pasta carries what leaves it, and listens for published ports. Their gateways are not the host there; "
        "host-gateway of --add-host is the host's own address. Networks of driver macvlan take root.",
    .examples = "coffer network create front\ncoffer network create --subnet 10.5.0.0/16 --ip-range 10.5.1.0/24 --ipv6 back\n"
                "coffer network create -d macvlan --subnet 192.168.1.0/24 -o parent=eth0 lan",
    .group = COMMAND_GROUP_CONTAINERS,
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .request_size = sizeof(struct create_request),
    .run = run,
};

#include "cli/commands/all.h"
#include "cli/commands/engine.h"
#include "cli/context.h"
#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/strv.h"
#include "runtime/engine/attachment.h"

#include <stddef.h>

struct connect_request {
    const char *ip, *ip6, *mac;
    struct strv aliases, driver_options;
    struct opt_i64 gw_priority;
};

static int run_connect(struct context *context, struct err *err) {
    const struct connect_request *request = context->request;
    const struct engine engine = engine_of(context);
    const char **aliases = arena_array(&context->arena, request->aliases.count + 1, sizeof(*aliases));
    for (size_t i = 0; i < request->aliases.count; i++) {
        aliases[i] = request->aliases.items[i];
    }
    struct attachment attachment = {
        .network = context->operands[0],
        .aliases = aliases,
        .aliases_count = request->aliases.count,
        .ip = request->ip,
        .ip6 = request->ip6,
        .mac = request->mac,
        .gw_priority = request->gw_priority.set ? request->gw_priority.value : 0,
    };
    for (size_t i = 0; i < request->driver_options.count; i++) {
        if (attachment_driver_option(&attachment, request->driver_options.items[i], err) < 0) {
            return err_in(err, "--driver-opt");
        }
    }
    return engine_network_connect(&engine, context->operands[1], &attachment, err) < 0 ? -1 : 0;
}

static const struct option_row connect_options[] = {
    OPTION_LIST("alias", 0, "NAME", struct connect_request, aliases, "One more name of it on the network"),
    OPTION_STRING("ip", 0, "ADDRESS", struct connect_request, ip, "Its IPv4 address there [default: a free one]"),
    OPTION_STRING("ip6", 0, "ADDRESS", struct connect_request, ip6, "Its IPv6 address there"),
    OPTION_STRING("mac-address", 0, "ADDRESS", struct connect_request, mac, "Its hardware address there"),
    OPTION_INT("gw-priority", 0, "NUMBER", INT64_MIN, INT64_MAX, struct connect_request, gw_priority,
               "Of its networks the one with the highest is its way out [default 0]"),
    OPTION_LIST("driver-opt", 0, "KEY=VALUE", struct connect_request, driver_options,
                "com.docker.network.endpoint.ifname: the interface's name in the container"),
    {0},
};

static const struct unserved_flag unserved[] = {
    {"link", "a network with names does more"},
    {"link-local-ip", "a network gives addresses"},
    {0},
};

const struct command command_network_connect = {
    .name = "connect",
    .usage = "NETWORK CONTAINER",
    .summary = "Put a container on one more network",
    .description = "At once where it runs, and for each of its starts from now on.",
    .examples = "coffer network connect --alias db back web",
    .group = COMMAND_GROUP_CONTAINERS,
    .min_operands = 2,
    .max_operands = 2,
    .operands = COMPLETE_NETWORK,
    .options = connect_options,
    .request_size = sizeof(struct connect_request),
    .unserved = unserved,
    .run = run_connect,
};

struct disconnect_request {
    bool force;
};

static int run_disconnect(struct context *context, struct err *err) {
    const struct disconnect_request *request = context->request;
    const struct engine engine = engine_of(context);
    return engine_network_disconnect(&engine, context->operands[1], context->operands[0], request->force, err) < 0 ? -1 : 0;
}

static const struct option_row disconnect_options[] = {
    OPTION_FLAG("force", 'f', struct disconnect_request, force, "That it is not on the network is no error"),
    {0},
};

const struct command command_network_disconnect = {
    .name = "disconnect",
    .usage = "NETWORK CONTAINER",
    .summary = "Take a container off a network",
    .group = COMMAND_GROUP_CONTAINERS,
    .min_operands = 2,
    .max_operands = 2,
    .operands = COMPLETE_NETWORK,
    .options = disconnect_options,
    .request_size = sizeof(struct disconnect_request),
    .run = run_disconnect,
};

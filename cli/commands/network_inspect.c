#include "cli/commands/all.h"
#include "cli/commands/inspect.h"
#include "cli/commands/network.h"
#include "cli/context.h"
#include "runtime/base/err.h"
#include "runtime/engine/attachment.h"
#include "runtime/engine/home.h"
#include "runtime/engine/lease.h"
#include "specs/json_write.h"

#include <stddef.h>
#include <string.h>

struct inspect_request {
    struct inspect_options options;
    bool verbose;
};

struct showing {
    const struct home *home;
    struct arena *arena;
    const struct network *network;
    struct lease *leases;
    size_t lease_count;
};

static void write_subnet(struct json_writer *writer, const struct network *network, const struct network_subnet *plane) {
    char text[SUBNET_TEXT_SIZE];
    if (!plane->set) {
        return;
    }
    json_write_open(writer, NULL, '{');
    json_write_string(writer, "Subnet", subnet_format(&plane->subnet, text));
    if (plane->has_range) {
        json_write_string(writer, "IPRange", subnet_format(&plane->range, text));
    }
    json_write_string(writer, "Gateway", address_format(&plane->gateway, text));
    json_write_open(writer, "AuxiliaryAddresses", '{');
    for (size_t i = 0; i < network->reserved_count; i++) {
        if (subnet_contains(&plane->subnet, &network->reserved[i].address)) {
            json_write_string(writer, network->reserved[i].name, address_format(&network->reserved[i].address, text));
        }
    }
    json_write_close(writer, '}');
    json_write_close(writer, '}');
}

static void write_address(struct json_writer *writer, const char *name, const struct network_subnet *plane,
                          const struct address *address) {
    struct subnet with_prefix = {*address, plane->subnet.prefix};
    char text[SUBNET_TEXT_SIZE];
    json_write_string(writer, name, address->family ? subnet_format(&with_prefix, text) : "");
}

// As its start, or its joining, has written it down.
static const char *find_mac(const struct showing *showing, const struct record *record) {
    struct attachment_list list = {0};
    struct err damaged;
    if (attachment_list_read(record->networks, showing->arena, &list, &damaged) < 0) {
        return "";
    }
    for (size_t i = 0; i < list.items_count; i++) {
        const struct attachment *attachment = &list.items[i];
        if (attachment->network_id && attachment->hardware && strcmp(attachment->network_id, showing->network->id) == 0) {
            return attachment->hardware;
        }
    }
    return "";
}

static void write_containers(struct json_writer *writer, const struct showing *showing) {
    json_write_open(writer, "Containers", '{');
    for (size_t i = 0; i < showing->lease_count; i++) {
        const struct lease *lease = &showing->leases[i];
        struct record record = {0};
        struct err gone;
        bool known = record_read(showing->home, showing->arena, lease->container, &record, &gone) == 0;
        const char *mac = known ? find_mac(showing, &record) : "";
        if (known && record.pid != 0 && !*mac) {
            continue; // it has lost what it had there, and keeps the address for when it is started again
        }
        json_write_open(writer, lease->container, '{');
        json_write_string(writer, "Name", known ? record.name : "");
        json_write_string(writer, "MacAddress", mac);
        write_address(writer, "IPv4Address", &showing->network->ipv4, &lease->ipv4);
        write_address(writer, "IPv6Address", &showing->network->ipv6, &lease->ipv6);
        json_write_close(writer, '}');
    }
    json_write_close(writer, '}');
}

// The members that docker has, in its order, and whether names are answered.
static void write_network(struct json_writer *writer, const struct showing *showing) {
    const struct network *network = showing->network;
    char at[32];
    json_write_open(writer, NULL, '{');
    json_write_string(writer, "Name", network->name);
    json_write_string(writer, "Id", network->id);
    json_write_string(writer, "Created", network_created(network, at));
    json_write_string(writer, "Scope", "local");
    json_write_string(writer, "Driver", network_driver_name(network->driver));
    json_write_bool(writer, "EnableIPv4", network->ipv4.set);
    json_write_bool(writer, "EnableIPv6", network->ipv6.set);
    json_write_open(writer, "IPAM", '{');
    json_write_string(writer, "Driver", "default");
    json_write_open(writer, "Config", '[');
    write_subnet(writer, network, &network->ipv4);
    write_subnet(writer, network, &network->ipv6);
    json_write_close(writer, ']');
    json_write_close(writer, '}');
    json_write_bool(writer, "Internal", network->internal);
    json_write_bool(writer, "DNSEnabled", !network->no_dns && network->driver == NETWORK_BRIDGE);
    write_containers(writer, showing);
    json_write_pairs(writer, "Options", network->options, network->options_count);
    json_write_pairs(writer, "Labels", network->labels, network->labels_count);
    json_write_close(writer, '}');
}

int inspect_add_network(struct inspecting *inspecting, const char *name, struct json_writer *writer, struct err *err) {
    struct arena *arena = &inspecting->context->arena;
    struct network network;
    struct showing showing = {.home = &inspecting->home, .arena = arena, .network = &network};
    if (inspect_home(inspecting, err) < 0 || network_find(&inspecting->home, arena, name, &network, err) < 0 ||
        lease_list(&inspecting->home, arena, network.id, &showing.leases, &showing.lease_count, err) < 0) {
        return -1;
    }
    write_network(writer, &showing);
    return 0;
}

static int run(struct context *context, struct err *err) {
    const struct inspect_request *request = context->request;
    return inspect_run(context, &request->options, inspect_add_network, false, err);
}

static const struct option_row options[] = {
    OPTION_ROWS(inspect_option_rows, struct inspect_request, options, struct inspect_options),
    OPTION_FLAG("verbose", 'v', struct inspect_request, verbose, "All is shown in any case", .hidden = true),
    {0},
};

const struct command command_network_inspect = {
    .name = "inspect",
    .usage = "NETWORK...",
    .summary = "Show all that is known of networks, as JSON",
    .examples = "coffer network inspect bridge\ncoffer network inspect --format '{{json .IPAM.Config}}' front",
    .group = COMMAND_GROUP_CONTAINERS,
    .min_operands = 1,
    .max_operands = COMMAND_ANY_COUNT,
    .operands = COMPLETE_NETWORK,
    .options = options,
    .request_size = sizeof(struct inspect_request),
    .run = run,
};

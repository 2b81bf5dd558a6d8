#include "cli/commands/all.h"
#include "cli/commands/engine.h"
#include "cli/commands/network.h"
#include "cli/context.h"
#include "cli/output.h"
#include "cli/template.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/engine/home.h"
#include "runtime/engine/lease.h"
#include "specs/json.h"
#include "specs/json_write.h"

#include <stddef.h>
#include <string.h>

struct inspect_request {
    const char *format;
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

static void write_containers(struct json_writer *writer, const struct showing *showing) {
    json_write_open(writer, "Containers", '{');
    for (size_t i = 0; i < showing->lease_count; i++) {
        const struct lease *lease = &showing->leases[i];
        struct record record = {0};
        struct err gone;
        bool known = record_read(showing->home, showing->arena, lease->container, &record, &gone) == 0;
        json_write_open(writer, lease->container, '{');
        json_write_string(writer, "Name", known ? record.name : "");
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

static void drop_json(json_t **value) {
    json_decref(*value);
}

static int add_by_template(const char *template, const struct showing *showing, struct buf *buf, struct err *err) {
    AUTO_BUF struct buf text = {0};
    AUTO(drop_json) json_t *root = NULL;
    struct json_writer writer = {.buf = &text};
    write_network(&writer, showing);
    const struct json_document document = {.name = "network", .text = text.data, .size = text.size, .max_bytes = SIZE_MAX};
    return json_parse(&document, &root, err) < 0 || template_format(template, root, buf, err) < 0 ? -1 : 0;
}

static int run(struct context *context, struct err *err) {
    const struct inspect_request *request = context->request;
    const struct engine engine = engine_of(context);
    AUTO_HOME struct home home = HOME_CLOSED;
    AUTO_BUF struct buf buf = {0};
    struct json_writer writer = {.buf = &buf, .indent = "    "};
    bool by_template = request->format && strcmp(request->format, "json") != 0;
    if (home_open(&engine, &home, err) < 0) {
        return -1;
    }
    if (!by_template) {
        json_write_open(&writer, NULL, '[');
    }
    for (int i = 0; i < context->operand_count; i++) {
        struct network network;
        struct showing showing = {.home = &home, .arena = &context->arena, .network = &network};
        if (network_find(&home, &context->arena, context->operands[i], &network, err) < 0 ||
            lease_list(&home, &context->arena, network.id, &showing.leases, &showing.lease_count, err) < 0) {
            return -1;
        }
        if (!by_template) {
            write_network(&writer, &showing);
        } else if (add_by_template(request->format, &showing, &buf, err) < 0) {
            return -1;
        }
    }
    if (!by_template) {
        json_write_close(&writer, ']');
    }
    return output_write(&buf, err);
}

static const struct option_row options[] = {
    OPTION_STRING("format", 'f', "TEMPLATE", struct inspect_request, format,
                  "Show {{.Name}}, {{json .Name}} and the like in place of all"),
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

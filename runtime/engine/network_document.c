#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/engine/network_store.h"
#include "specs/json.h"
#include "specs/json_write.h"

#include <stdio.h>
#include <string.h>

static const struct json_name driver_names[] = {
    {"bridge", NETWORK_BRIDGE}, {"macvlan", NETWORK_MACVLAN}, {"host", NETWORK_HOST}, {"null", NETWORK_NULL}, {0},
};

// Addresses are words in the document, and checked again when they are read.
struct subnet_words {
    const char *subnet, *gateway, *range;
};

struct reserved_words {
    const char *name, *address;
};

struct document {
    struct network network;
    const char *id;
    struct subnet_words *subnets;
    size_t subnets_count;
    struct reserved_words *reserved;
    size_t reserved_count;
};

static const struct json_row subnet_rows[] = {
    ROW_STRING("subnet", struct subnet_words, subnet, JSON_NEEDED),
    ROW_STRING("gateway", struct subnet_words, gateway, JSON_NEEDED),
    ROW_STRING("range", struct subnet_words, range, 0),
};
static const struct json_table subnet_table = JSON_TABLE(struct subnet_words, subnet_rows);

static const struct json_row reserved_rows[] = {
    ROW_STRING("name", struct reserved_words, name, JSON_NEEDED),
    ROW_STRING("address", struct reserved_words, address, JSON_NEEDED),
};
static const struct json_table reserved_table = JSON_TABLE(struct reserved_words, reserved_rows);

static const struct json_row rows[] = {
    ROW_STRING("id", struct document, id, JSON_NEEDED),
    ROW_STRING("name", struct document, network.name, JSON_NEEDED | JSON_NOT_EMPTY),
    ROW_ENUM("driver", struct document, network.driver, driver_names, JSON_NEEDED),
    ROW_I64("created", struct document, network.created_s, JSON_NEEDED),
    ROW_BOOL("internal", struct document, network.internal, 0),
    ROW_BOOL("noDns", struct document, network.no_dns, 0),
    ROW_LIST("subnets", struct document, subnets, struct subnet_words, subnet_table, 0),
    ROW_LIST("reserved", struct document, reserved, struct reserved_words, reserved_table, 0),
    ROW_PAIRS("labels", struct document, network.labels, 0),
    ROW_PAIRS("options", struct document, network.options, 0),
};
static const struct json_table table = JSON_TABLE(struct document, rows);

const char *network_driver_name(uint32_t driver) {
    return json_name_of(driver_names, driver);
}

static void write_subnet(struct json_writer *writer, const struct network_subnet *subnet) {
    char text[SUBNET_TEXT_SIZE];
    if (!subnet->set) {
        return;
    }
    json_write_open(writer, NULL, '{');
    json_write_string(writer, "subnet", subnet_format(&subnet->subnet, text));
    json_write_string(writer, "gateway", address_format(&subnet->gateway, text));
    if (subnet->has_range) {
        json_write_string(writer, "range", subnet_format(&subnet->range, text));
    }
    json_write_close(writer, '}');
}

void network_write(const struct network *network, struct buf *text) {
    struct json_writer writer = {.buf = text};
    char address[ADDRESS_TEXT_SIZE];
    json_write_open(&writer, NULL, '{');
    json_write_string(&writer, "id", network->id);
    json_write_string(&writer, "name", network->name);
    json_write_string(&writer, "driver", network_driver_name(network->driver));
    json_write_i64(&writer, "created", network->created_s);
    json_write_bool(&writer, "internal", network->internal);
    json_write_bool(&writer, "noDns", network->no_dns);
    json_write_open(&writer, "subnets", '[');
    write_subnet(&writer, &network->ipv4);
    write_subnet(&writer, &network->ipv6);
    json_write_close(&writer, ']');
    json_write_open(&writer, "reserved", '[');
    for (size_t i = 0; i < network->reserved_count; i++) {
        json_write_open(&writer, NULL, '{');
        json_write_string(&writer, "name", network->reserved[i].name);
        json_write_string(&writer, "address", address_format(&network->reserved[i].address, address));
        json_write_close(&writer, '}');
    }
    json_write_close(&writer, ']');
    json_write_pairs(&writer, "labels", network->labels, network->labels_count);
    json_write_pairs(&writer, "options", network->options, network->options_count);
    json_write_close(&writer, '}');
}

static int take_subnet(const char *name, const struct subnet_words *words, struct network *network, struct err *err) {
    struct network_subnet subnet = {.set = true, .has_range = words->range};
    if (subnet_parse("subnet", words->subnet, &subnet.subnet, err) < 0 ||
        address_parse("gateway", words->gateway, &subnet.gateway, err) < 0 ||
        (words->range && subnet_parse("range", words->range, &subnet.range, err) < 0)) {
        return err_in(err, "%s", name);
    }
    if (!subnet_contains(&subnet.subnet, &subnet.gateway) || (words->range && !subnet_holds(&subnet.subnet, &subnet.range))) {
        return err_set(err, ERR_CORRUPT, "%s: gateway and range lie outside of subnet %s", name, words->subnet);
    }
    *(subnet.subnet.base.family == AF_INET ? &network->ipv4 : &network->ipv6) = subnet;
    return 0;
}

int network_read(const char *name, const char *text, size_t size, struct arena *arena, struct network *ret, struct err *err) {
    const struct json_document source = {.name = name, .text = text, .size = size, .max_bytes = 0};
    struct document document = {0};
    if (json_decode(&source, &table, arena, &document, err) < 0) {
        return -1;
    }
    struct network *network = &document.network;
    if (strlen(document.id) != RECORD_ID_SIZE - 1) {
        return err_set(err, ERR_CORRUPT, "%s: id: expected %d digits", name, RECORD_ID_SIZE - 1);
    }
    snprintf(network->id, sizeof(network->id), "%s", document.id);
    for (size_t i = 0; i < document.subnets_count; i++) {
        if (take_subnet(name, &document.subnets[i], network, err) < 0) {
            return -1;
        }
    }
    network->reserved = arena_array(arena, document.reserved_count + 1, sizeof(*network->reserved));
    for (size_t i = 0; i < document.reserved_count; i++) {
        struct network_reserved *reserved = &network->reserved[network->reserved_count++];
        reserved->name = document.reserved[i].name;
        if (address_parse("reserved", document.reserved[i].address, &reserved->address, err) < 0) {
            return err_in(err, "%s", name);
        }
    }
    *ret = *network;
    return 0;
}

#include "runtime/engine/attachment.h"

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/quantity.h"
#include "runtime/base/strv.h"
#include "runtime/engine/request.h"
#include "runtime/net/dns_names.h"
#include "runtime/net/link.h"
#include "specs/json.h"
#include "specs/json_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// --- the document ---

static const struct json_row attachment_rows[] = {
    ROW_STRING("network", struct attachment, network, JSON_NEEDED | JSON_NOT_EMPTY),
    ROW_STRINGS("aliases", struct attachment, aliases, 0),
    ROW_STRING("ip", struct attachment, ip, 0),
    ROW_STRING("ip6", struct attachment, ip6, 0),
    ROW_STRING("mac", struct attachment, mac, 0),
    ROW_STRING("linkName", struct attachment, link_name, 0),
    ROW_I64("gwPriority", struct attachment, gw_priority, 0),
    ROW_I64("number", struct attachment, number, 0),
    ROW_STRING("networkId", struct attachment, network_id, 0),
    ROW_STRING("networkName", struct attachment, network_name, 0),
    ROW_STRING("ipv4", struct attachment, ipv4, 0),
    ROW_STRING("ipv6", struct attachment, ipv6, 0),
    ROW_STRING("hardware", struct attachment, hardware, 0),
    ROW_STRING("gateway4", struct attachment, gateway4, 0),
    ROW_STRING("gateway6", struct attachment, gateway6, 0),
    ROW_I64("prefix4", struct attachment, prefix4, 0),
    ROW_I64("prefix6", struct attachment, prefix6, 0),
};
static const struct json_table attachment_table = JSON_TABLE(struct attachment, attachment_rows);

static const struct json_row port_rows[] = {
    ROW_STRING("protocol", struct attachment_port, protocol, JSON_NEEDED),
    ROW_STRING("host", struct attachment_port, host, JSON_NEEDED),
    ROW_U32("hostPort", struct attachment_port, host_port, JSON_NEEDED),
    ROW_STRING("target", struct attachment_port, target, JSON_NEEDED),
    ROW_U32("targetPort", struct attachment_port, target_port, JSON_NEEDED),
};
static const struct json_table port_table = JSON_TABLE(struct attachment_port, port_rows);

static const struct json_row list_rows[] = {
    ROW_LIST("items", struct attachment_list, items, struct attachment, attachment_table, 0),
    ROW_LIST("ports", struct attachment_list, ports, struct attachment_port, port_table, 0),
};
static const struct json_table list_table = JSON_TABLE(struct attachment_list, list_rows);

static void write_text(struct json_writer *writer, const char *name, const char *value) {
    if (value && *value) {
        json_write_string(writer, name, value);
    }
}

static void write_number(struct json_writer *writer, const char *name, int64_t value) {
    if (value != 0) {
        json_write_i64(writer, name, value);
    }
}

static void write_live(struct json_writer *writer, const struct attachment *attachment) {
    write_text(writer, "networkId", attachment->network_id);
    write_text(writer, "networkName", attachment->network_name);
    write_text(writer, "ipv4", attachment->ipv4);
    write_text(writer, "ipv6", attachment->ipv6);
    write_text(writer, "hardware", attachment->hardware);
    write_text(writer, "gateway4", attachment->gateway4);
    write_text(writer, "gateway6", attachment->gateway6);
    write_number(writer, "prefix4", attachment->prefix4);
    write_number(writer, "prefix6", attachment->prefix6);
}

static void write_ports(struct json_writer *writer, const struct attachment_list *list) {
    json_write_open(writer, "ports", '[');
    for (size_t i = 0; i < list->ports_count; i++) {
        const struct attachment_port *port = &list->ports[i];
        json_write_open(writer, NULL, '{');
        json_write_string(writer, "protocol", port->protocol);
        json_write_string(writer, "host", port->host);
        json_write_i64(writer, "hostPort", port->host_port);
        json_write_string(writer, "target", port->target);
        json_write_i64(writer, "targetPort", port->target_port);
        json_write_close(writer, '}');
    }
    json_write_close(writer, ']');
}

const char *attachment_list_write(const struct attachment_list *list, bool as_is, struct arena *arena) {
    AUTO_BUF struct buf text = {0};
    struct json_writer writer = {.buf = &text};
    json_write_open(&writer, NULL, '{');
    json_write_open(&writer, "items", '[');
    for (size_t i = 0; i < list->items_count; i++) {
        const struct attachment *attachment = &list->items[i];
        json_write_open(&writer, NULL, '{');
        json_write_string(&writer, "network", attachment->network);
        if (attachment->aliases_count > 0) {
            json_write_strings(&writer, "aliases", attachment->aliases, attachment->aliases_count);
        }
        write_text(&writer, "ip", attachment->ip);
        write_text(&writer, "ip6", attachment->ip6);
        write_text(&writer, "mac", attachment->mac);
        write_text(&writer, "linkName", attachment->link_name);
        write_number(&writer, "gwPriority", attachment->gw_priority);
        write_number(&writer, "number", attachment->number);
        if (as_is) {
            write_live(&writer, attachment);
        }
        json_write_close(&writer, '}');
    }
    json_write_close(&writer, ']');
    if (as_is && list->ports_count > 0) {
        write_ports(&writer, list);
    }
    json_write_close(&writer, '}');
    return arena_copy_string(arena, buf_string(&text));
}

int attachment_list_read(const char *text, struct arena *arena, struct attachment_list *ret, struct err *err) {
    const struct json_document document = {.name = "record.json: networks", .text = text, .size = strlen(text)};
    return json_decode(&document, &list_table, arena, ret, err);
}

// --- words ---

struct field {
    const char *name;
    size_t offset;
};

static const struct field fields[] = {
    {"name", offsetof(struct attachment, network)},
    {"ip", offsetof(struct attachment, ip)},
    {"ip6", offsetof(struct attachment, ip6)},
    {"mac-address", offsetof(struct attachment, mac)},
};

static const char **find_field(struct attachment *attachment, const char *name) {
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        if (strcmp(fields[i].name, name) == 0) {
            return (const char **)((char *)attachment + fields[i].offset);
        }
    }
    return NULL;
}

int attachment_driver_option(struct attachment *attachment, const char *option, struct err *err) {
    static const char name[] = "com.docker.network.endpoint.ifname=";
    if (strncmp(option, name, sizeof(name) - 1) != 0) {
        return err_set(err, ERR_UNSUPPORTED, "\"%s\": this version has %sNAME; --sysctl sets what is the whole container's", option,
                       name);
    }
    attachment->link_name = option + sizeof(name) - 1;
    return 0;
}

static int read_field(struct attachment *attachment, const char *word, const char *value, const char *text, struct err *err) {
    const char **place = find_field(attachment, word);
    if (!*value) {
        return err_set(err, ERR_INPUT, "--network %s: field \"%s\": expected a value behind =", text, word);
    }
    if (place) {
        *place = value;
        return 0;
    }
    if (strcmp(word, "alias") == 0) {
        attachment->aliases[attachment->aliases_count++] = value;
        return 0;
    }
    if (strcmp(word, "gw-priority") == 0) {
        return quantity_int(value, &attachment->gw_priority) == 0
                   ? 0
                   : err_set(err, ERR_INPUT, "--network %s: gw-priority: expected a number, found \"%s\"", text, value);
    }
    if (strcmp(word, "driver-opt") == 0) {
        return attachment_driver_option(attachment, value, err) < 0 ? err_in(err, "--network %s: driver-opt", text) : 0;
    }
    return err_set(err, ERR_INPUT,
                   "--network %s: unknown field \"%s\"; expected name, alias, ip, ip6, mac-address, gw-priority or driver-opt",
                   text, word);
}

int attachment_parse(struct arena *arena, const char *text, struct attachment *ret, struct err *err) {
    struct attachment attachment = {0};
    char *at = arena_copy_string(arena, text);
    size_t words = 1;
    if (!strchr(text, '=')) {
        attachment.network = at;
        *ret = attachment;
        return *at ? 0 : err_set(err, ERR_INPUT, "--network: expected a network's name, found nothing");
    }
    for (const char *comma = text; (comma = strchr(comma, ',')); comma++) {
        words++;
    }
    attachment.aliases = arena_array(arena, words, sizeof(*attachment.aliases));
    for (char *word = strsep(&at, ","); word; word = strsep(&at, ",")) {
        char *value = strchr(word, '=');
        if (value) {
            *value++ = '\0';
        }
        if (read_field(&attachment, word, value ? value : "", text, err) < 0) {
            return -1;
        }
    }
    *ret = attachment;
    return attachment.network ? 0 : err_set(err, ERR_INPUT, "--network %s: which network is missing: name=NETWORK", text);
}

// --- what is wrong by itself ---

static int check_address(const char *flag, const char *network, const char *text, uint8_t family, struct err *err) {
    struct address address;
    struct err unread;
    if (text && (address_parse("", text, &address, &unread) < 0 || address.family != family)) {
        return err_set(err, ERR_INPUT, "%s: network %s: expected an IPv%d address, found \"%s\"", flag, network,
                       family == AF_INET ? 4 : 6, text);
    }
    return 0;
}

int attachment_check(const char *flag, const struct attachment *attachment, struct err *err) {
    uint8_t mac[MAC_SIZE];
    if (check_address(flag, attachment->network, attachment->ip, AF_INET, err) < 0 ||
        check_address(flag, attachment->network, attachment->ip6, AF_INET6, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < attachment->aliases_count; i++) {
        if (dns_name_check(flag, attachment->aliases[i], err) < 0) {
            return -1;
        }
    }
    if (attachment->mac && !link_parse_mac(attachment->mac, mac)) {
        return err_set(err, ERR_INPUT,
                       "%s: network %s: expected a hardware address such as 02:00:5e:10:00:01, of one host, found \"%s\"", flag,
                       attachment->network, attachment->mac);
    }
    return attachment->link_name ? link_check_name(attachment->link_name, err) : 0;
}

// --- of a request ---

const char *request_joined_container(const struct run_request *request) {
    static const char prefix[] = "container:";
    return strncmp(request->network, prefix, sizeof(prefix) - 1) == 0 ? request->network + sizeof(prefix) - 1 : NULL;
}

static bool is_mode(const char *word) {
    return strcmp(word, "none") == 0 || strcmp(word, "host") == 0 || strncmp(word, "container:", 10) == 0;
}

bool request_has_own_network(const struct run_request *request) {
    return !is_mode(request->network);
}

// Flags that are about a network, where there is none.
static int check_without(const struct run_request *request, struct err *err) {
    const struct {
        const char *flag;
        bool given;
    } flags[] = {{"--ip", request->ip},
                 {"--ip6", request->ip6},
                 {"--mac-address", request->mac},
                 {"--network-alias", request->aliases.count > 0}};
    for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
        if (flags[i].given) {
            return err_set(err, ERR_INPUT, "%s and --network %s exclude each other", flags[i].flag, request->network);
        }
    }
    return 0;
}

// The short flags are about the first network.
static int add_flags(const struct run_request *request, struct arena *arena, struct attachment *first, struct err *err) {
    if ((request->ip && first->ip) || (request->ip6 && first->ip6) || (request->mac && first->mac)) {
        return err_set(err, ERR_INPUT, "network %s: its address is given twice, by --network and by a flag of its own",
                       first->network);
    }
    first->ip = request->ip ? request->ip : first->ip;
    first->ip6 = request->ip6 ? request->ip6 : first->ip6;
    first->mac = request->mac ? request->mac : first->mac;
    const char **aliases = arena_array(arena, first->aliases_count + request->aliases.count + 1, sizeof(*aliases));
    size_t count = 0;
    for (; count < first->aliases_count; count++) {
        aliases[count] = first->aliases[count];
    }
    for (size_t i = 0; i < request->aliases.count; i++) {
        aliases[count++] = request->aliases.items[i];
    }
    first->aliases = aliases;
    first->aliases_count = count;
    return 0;
}

static int add_word(const char *word, struct arena *arena, struct attachment_list *list, struct err *err) {
    struct attachment *added = &list->items[list->items_count];
    if (list->items_count == ATTACHMENTS_MAX) {
        return err_set(err, ERR_INPUT, "--network: expected %d networks at most", ATTACHMENTS_MAX);
    }
    if (attachment_parse(arena, word, added, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < list->items_count; i++) {
        if (strcmp(list->items[i].network, added->network) == 0) {
            return err_set(err, ERR_INPUT, "--network %s is given twice", added->network);
        }
    }
    if (is_mode(added->network)) {
        return err_set(err, ERR_INPUT, "--network %s excludes other networks", added->network);
    }
    added->number = (int64_t)list->items_count++;
    return 0;
}

int attachment_list_parse(const struct run_request *request, struct arena *arena, struct attachment_list *ret, struct err *err) {
    struct attachment_list list = {0};
    size_t count = request->networks.count;
    if (!request_has_own_network(request)) {
        *ret = list;
        return count > 1 ? err_set(err, ERR_INPUT, "--network %s excludes other networks", request->network)
                         : check_without(request, err);
    }
    list.items = arena_array(arena, count + 1, sizeof(*list.items));
    for (size_t i = 0; i < (count > 0 ? count : 1); i++) {
        if (add_word(count > 0 ? request->networks.items[i] : request->network, arena, &list, err) < 0) {
            return -1;
        }
    }
    if (add_flags(request, arena, &list.items[0], err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < list.items_count; i++) {
        if (attachment_check("--network", &list.items[i], err) < 0) {
            return -1;
        }
    }
    *ret = list;
    return 0;
}

// --- names of interfaces ---

int64_t attachment_free_number(const struct attachment_list *list) {
    for (int64_t number = 0;; number++) {
        bool taken = false;
        for (size_t i = 0; i < list->items_count; i++) {
            taken = taken || list->items[i].number == number;
        }
        if (!taken) {
            return number;
        }
    }
}

const char *attachment_address(struct arena *arena, const struct address *address) {
    char text[ADDRESS_TEXT_SIZE];
    return address->family == 0 ? NULL : arena_copy_string(arena, address_format(address, text));
}

const char *attachment_link_name(const struct attachment *attachment, char name[IF_NAMESIZE]) {
    if (attachment->link_name) {
        snprintf(name, IF_NAMESIZE, "%s", attachment->link_name);
    } else {
        snprintf(name, IF_NAMESIZE, "eth%d", (int)attachment->number);
    }
    return name;
}

// Of the container's id goes in what there is room for: who meets one of this name takes it for his own.
const char *attachment_host_name(const char *container, int64_t number, char name[IF_NAMESIZE]) {
    char whole[32];
    if (number == 0) {
        snprintf(whole, sizeof(whole), "cv-%.12s", container);
    } else {
        snprintf(whole, sizeof(whole), "cv%d-%.12s", (int)number, container);
    }
    snprintf(name, IF_NAMESIZE, "%.15s", whole);
    return name;
}

#include "runtime/engine/view.h"

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/engine/connection.h"
#include "runtime/engine/home.h"
#include "runtime/engine/publish.h"
#include "runtime/engine/request_json.h"
#include "runtime/net/link.h"
#include "specs/json.h"
#include "specs/json_write.h"

#include <stdio.h>
#include <string.h>

// --- what a record says of networks ---

static const struct json_row network_rows[] = {
    ROW_STRING("name", struct view_network, name, JSON_NEEDED),
    ROW_STRING("id", struct view_network, id, JSON_NEEDED),
    ROW_STRING("address", struct view_network, address, JSON_NEEDED),
    ROW_STRING("gateway", struct view_network, gateway, JSON_NEEDED),
    ROW_STRING("address6", struct view_network, address6, JSON_NEEDED),
    ROW_STRING("gateway6", struct view_network, gateway6, JSON_NEEDED),
    ROW_U32("prefix", struct view_network, prefix, 0),
    ROW_U32("prefix6", struct view_network, prefix6, 0),
    ROW_STRING("mac", struct view_network, mac, JSON_NEEDED),
    ROW_STRINGS("aliases", struct view_network, aliases, 0),
};
static const struct json_table network_table = JSON_TABLE(struct view_network, network_rows);

static const struct json_row port_rows[] = {
    ROW_STRING("protocol", struct view_port, protocol, JSON_NEEDED),
    ROW_U32("port", struct view_port, port, 0),
    ROW_STRING("host", struct view_port, host, JSON_NEEDED),
    ROW_U32("hostPort", struct view_port, host_port, 0),
};
static const struct json_table port_table = JSON_TABLE(struct view_port, port_rows);

static const struct json_row rows[] = {
    ROW_LIST("networks", struct view, networks, struct view_network, network_table, 0),
    ROW_LIST("ports", struct view, ports, struct view_port, port_table, 0),
};
static const struct json_table table = JSON_TABLE(struct view, rows);

static void write_plane(struct json_writer *writer, bool is_six, const struct network_subnet *plane, const struct address *address) {
    char text[ADDRESS_TEXT_SIZE];
    bool there = address->family != 0;
    json_write_string(writer, is_six ? "address6" : "address", there ? address_format(address, text) : "");
    json_write_string(writer, is_six ? "gateway6" : "gateway", there ? address_format(&plane->gateway, text) : "");
    json_write_i64(writer, is_six ? "prefix6" : "prefix", there ? plane->subnet.prefix : 0);
}

static void write_network(struct json_writer *writer, const struct connection *connection, const struct run_request *request) {
    const struct network *network = &connection->network;
    const struct address *first = connection->lease.ipv4.family ? &connection->lease.ipv4 : &connection->lease.ipv6;
    uint8_t mac[MAC_SIZE] = {0};
    char text[3 * MAC_SIZE] = "";
    if (first->family) {
        link_mac_of(first, mac);
        snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
    }
    json_write_open(writer, NULL, '{');
    json_write_string(writer, "name", network->name);
    json_write_string(writer, "id", network->id);
    write_plane(writer, false, &network->ipv4, &connection->lease.ipv4);
    write_plane(writer, true, &network->ipv6, &connection->lease.ipv6);
    json_write_string(writer, "mac", text);
    json_write_strings(writer, "aliases", (const char *const *)request->aliases.items, request->aliases.count);
    json_write_close(writer, '}');
}

static void write_port(struct json_writer *writer, const struct firewall_port *port) {
    char text[ADDRESS_TEXT_SIZE];
    json_write_open(writer, NULL, '{');
    json_write_string(writer, "protocol", publish_protocol_name(port->protocol));
    json_write_i64(writer, "port", port->target_port);
    json_write_string(writer, "host",
                      port->host.family ? address_format(&port->host, text) : port->target.family == AF_INET ? "0.0.0.0" : "::");
    json_write_i64(writer, "hostPort", port->host_port);
    json_write_close(writer, '}');
}

void view_write_connection(const struct connection *connection, const struct run_request *request, struct buf *text) {
    struct json_writer writer = {.buf = text};
    json_write_open(&writer, NULL, '{');
    json_write_open(&writer, "networks", '[');
    if (connection->taken) {
        write_network(&writer, connection, request);
    }
    json_write_close(&writer, ']');
    json_write_open(&writer, "ports", '[');
    for (size_t i = 0; i < connection->port_count; i++) {
        write_port(&writer, &connection->ports[i]);
    }
    json_write_close(&writer, ']');
    json_write_close(&writer, '}');
}

// --- the whole ---

bool view_runs(const struct view *view) {
    return view->state == RECORD_RUNNING || view->state == RECORD_PAUSED;
}

static int read_once(const struct home *home, struct arena *arena, const char *id, struct view *view, struct err *err) {
    *view = (struct view){0};
    if (record_read(home, arena, id, &view->record, err) < 0) {
        return -1;
    }
    view->state = record_state(home, &view->record);
    view->attended = record_is_running(home, id);
    return 0;
}

int view_read(const struct home *home, struct arena *arena, const char *id, struct view *ret, struct err *err) {
    if (read_once(home, arena, id, ret, err) < 0) {
        return -1;
    }
    // It has ended between the looks at its record and at itself: how, its record says by now.
    if (ret->state == RECORD_EXITED && !ret->record.finished_s && read_once(home, arena, id, ret, err) < 0) {
        return -1;
    }
    if (request_read_json(ret->record.request, arena, &ret->request, err) < 0 ||
        mount_list_read(ret->record.mounts, arena, &ret->mounts, err) < 0) {
        return err_in(err, "container %.12s", id);
    }
    const char *text = ret->record.connection;
    const struct json_document document = {.name = "record.json: connection", .text = text, .size = strlen(text)};
    struct view connection = {0};
    if (view_runs(ret) && json_decode(&document, &table, arena, &connection, err) < 0) {
        return err_in(err, "container %.12s", id);
    }
    ret->networks = connection.networks;
    ret->networks_count = connection.networks_count;
    ret->ports = connection.ports;
    ret->ports_count = connection.ports_count;
    return 0;
}

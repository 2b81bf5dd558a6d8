// What is told of a container's networks, by its record.
#include "runtime/engine/connections.h"
#include "runtime/engine/publish.h"

static void describe_one(struct arena *arena, const struct connection *connection, struct attachment *ret) {
    const struct network *network = &connection->network;
    char mac[MAC_TEXT_SIZE];
    ret->network_id = network->id;
    ret->network_name = network->name;
    ret->ipv4 = attachment_address(arena, &connection->lease.ipv4);
    ret->ipv6 = attachment_address(arena, &connection->lease.ipv6);
    ret->gateway4 = network->ipv4.set ? attachment_address(arena, &network->ipv4.gateway) : NULL;
    ret->gateway6 = network->ipv6.set ? attachment_address(arena, &network->ipv6.gateway) : NULL;
    ret->prefix4 = network->ipv4.set ? network->ipv4.subnet.prefix : 0;
    ret->prefix6 = network->ipv6.set ? network->ipv6.subnet.prefix : 0;
    ret->hardware = arena_copy_string(arena, link_format_mac(connection->mac, mac));
}

void connections_describe(struct connections *connections, struct attachment_list *list) {
    struct arena *arena = &connections->arena;
    const struct publication *publication = &connections->publication;
    for (size_t i = 0; i < connections->count && !connections->lost; i++) {
        for (size_t item = 0; item < list->items_count; item++) {
            if (connections->items[i]->wish->number == list->items[item].number) {
                describe_one(arena, connections->items[i], &list->items[item]);
            }
        }
    }
    list->ports = arena_array(arena, publication->port_count + 1, sizeof(*list->ports));
    list->ports_count = publication->published || connections->pasta.taken ? publication->port_count : 0;
    pasta_describe(&connections->pasta, arena, list);
    for (size_t i = 0; i < list->ports_count; i++) {
        const struct firewall_port *port = &publication->ports[i];
        const char *host = attachment_address(arena, &port->host);
        list->ports[i] = (struct attachment_port){
            .protocol = publish_protocol_name(port->protocol),
            .host = host ? host : "",
            .host_port = port->host_port,
            .target = attachment_address(arena, &port->target),
            .target_port = port->target_port,
        };
    }
}

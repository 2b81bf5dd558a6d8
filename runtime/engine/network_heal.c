#include "runtime/engine/network_heal.h"

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/container/container.h"
#include "runtime/engine/attachment.h"
#include "runtime/engine/commons.h"
#include "runtime/engine/home.h"
#include "runtime/engine/network_crowd.h"
#include "runtime/engine/network_host.h"
#include "runtime/engine/publication.h"
#include "runtime/engine/publish.h"
#include "runtime/engine/record.h"
#include "runtime/net/endpoint.h"
#include "runtime/net/firewall.h"

#include <netinet/in.h>
#include <string.h>

struct healing {
    const struct home *home;
    struct arena arena;
    struct network *networks;
    bool *made; // each of them, by now
    size_t count;
    int firewall_fd;
};

static void healing_finish(struct healing *healing) {
    fd_close(&healing->firewall_fd);
    arena_finish(&healing->arena);
}

// Made once, whoever is on it. NULL: it is no bridge, or cannot be made.
static const struct network *make_network(struct healing *healing, const char *id, bool ports) {
    for (size_t i = 0; i < healing->count; i++) {
        struct network_losses losses;
        struct err err;
        if (strcmp(healing->networks[i].id, id) != 0) {
            continue;
        }
        if (healing->networks[i].driver != NETWORK_BRIDGE) {
            return NULL;
        }
        if (((!healing->made[i] || ports) && network_make(&healing->networks[i], ports, &losses, &err) < 0) ||
            (!healing->made[i] && network_trunks_rejoin(&healing->networks[i], &err) < 0)) {
            log_warn("%s", err.text);
            return NULL;
        }
        healing->made[i] = true;
        return &healing->networks[i];
    }
    return NULL;
}

static bool read_port(const struct attachment_port *port, struct firewall_port *ret) {
    struct err damaged;
    *ret = (struct firewall_port){
        .protocol = publish_protocol_number(port->protocol),
        .host_port = (uint16_t)port->host_port,
        .target_port = (uint16_t)port->target_port,
        .count = 1,
    };
    return (!*port->host || address_parse("host", port->host, &ret->host, &damaged) == 0) &&
           address_parse("target", port->target, &ret->target, &damaged) == 0;
}

// Its monitor may be about to tell so, and the record says that it runs until then.
static bool has_ended(struct healing *healing, const char *id) {
    unsigned status;
    struct err gone;
    return container_status(healing->home->oci_root, id, &status, NULL, &gone) < 0 || status == OCI_STATUS_STOPPED;
}

// Whose monitor withdraws its ports before we have published them is seen to have ended afterwards; from any other it will withdraw
// ours, too.
static void publish(struct healing *healing, const char *id, const struct attachment_list *list) {
    struct firewall_port *ports = arena_array(&healing->arena, list->ports_count + 1, sizeof(*ports));
    struct err err;
    size_t count = 0;
    for (size_t i = 0; i < list->ports_count; i++) {
        count += read_port(&list->ports[i], &ports[count]);
    }
    if (count == 0) {
        return;
    }
    count = publication_entries(ports, count, healing->home->rootless, ports);
    if (firewall_publish(healing->firewall_fd, ports, count, id, &err) < 0 ||
        (has_ended(healing, id) && publication_take_back(healing->firewall_fd, ports, count, &err) < 0)) {
        log_warn("container %.12s: %s", id, err.text);
    }
}

static void heal_container(struct healing *healing, const char *id) {
    struct record record;
    struct attachment_list list = {0};
    struct err err;
    if (record_read(healing->home, &healing->arena, id, &record, &err) < 0) {
        return; // removed meanwhile
    }
    enum record_state state = record_state(healing->home, &record);
    if ((state != RECORD_RUNNING && state != RECORD_PAUSED) ||
        attachment_list_read(record.networks, &healing->arena, &list, &err) < 0) {
        return;
    }
    bool any = false;
    for (size_t i = 0; i < list.items_count; i++) {
        const char *network_id = list.items[i].network_id;
        char name[IF_NAMESIZE], bridge[IF_NAMESIZE];
        bool there;
        const struct network *network = network_id ? make_network(healing, network_id, list.ports_count > 0) : NULL;
        if (network && endpoint_rejoin(attachment_host_name(id, list.items[i].number, name), network_bridge_name(network, bridge),
                                       &there, &err) < 0) {
            log_warn("container %s: %s", record.name, err.text);
        }
        any = any || network_id;
    }
    if (any) { // not pasta's, which has its ports
        publish(healing, id, &list);
    }
}

int network_heal(const struct home *home, struct err *err) {
    AUTO(healing_finish) struct healing healing = {.home = home, .firewall_fd = -1};
    const char **ids;
    if (network_list(home, &healing.arena, &healing.networks, &healing.count, err) < 0 ||
        record_list(home, &healing.arena, &ids, err) < 0) {
        return -1;
    }
    healing.made = arena_array(&healing.arena, healing.count + 1, sizeof(*healing.made));
    healing.firewall_fd = firewall_open(err);
    if (healing.firewall_fd < 0) {
        return -1;
    }
    for (; *ids; ids++) {
        heal_container(&healing, *ids);
    }
    // Where there is no packet filter, nothing of it is healed.
    return firewall_settle(healing.firewall_fd, err) < 0 && err->kind != ERR_UNSUPPORTED ? -1 : 0;
}

static int heal_there(void *context, struct err *err) {
    struct home *const *home = context;
    return network_heal(*home, err);
}

int network_heal_all(const struct home *home, struct err *err) {
    AUTO_COMMONS struct commons commons = COMMONS_NONE;
    return home->rootless && !commons_find(home, &commons) ? 0 : commons_do(&commons, heal_there, &home, err);
}

int network_raise(const struct home *home, const struct network *network, bool ports, struct err *err) {
    struct network_losses losses;
    struct err unhealed;
    int result = network_make(network, ports, &losses, err);
    if ((!losses.firewall && !losses.bridge) || network_heal(home, &unhealed) == 0) {
        return result;
    }
    if (result < 0) {
        log_warn("%s", unhealed.text);
    } else {
        *err = unhealed;
    }
    return -1;
}

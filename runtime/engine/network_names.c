#include "runtime/engine/network_names.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/engine/home.h"
#include "runtime/net/dns.h"
#include "runtime/net/dns_names.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

bool network_has_names(const struct network *network) {
    return network->driver == NETWORK_BRIDGE && !network->no_dns;
}

static int write_names(int folder, const struct lease *lease, const struct network_names *names, struct err *err) {
    char short_id[RECORD_SHORT_ID + 1];
    const char *all[DNS_MAX_NAMES];
    struct address addresses[2];
    size_t address_count = 0;
    AUTO_FD int endpoints = openat(folder, "endpoints", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (endpoints < 0) {
        return err_sys(err, "open the network's folder of endpoints");
    }
    if (names->count >= DNS_MAX_NAMES) {
        return err_set(err, ERR_INPUT, "%zu names on one network; expected %d at most", names->count, DNS_MAX_NAMES - 1);
    }
    for (size_t i = 0; i < names->count; i++) {
        all[i] = names->names[i];
    }
    snprintf(short_id, sizeof(short_id), "%.12s", lease->container);
    all[names->count] = short_id;
    if (lease->ipv4.family) {
        addresses[address_count++] = lease->ipv4;
    }
    if (lease->ipv6.family) {
        addresses[address_count++] = lease->ipv6;
    }
    const struct dns_endpoint endpoint = {.container = lease->container,
                                          .names = all,
                                          .name_count = names->count + 1,
                                          .addresses = addresses,
                                          .address_count = address_count,
                                          .servers = names->servers,
                                          .server_count = names->server_count,
                                          .besides = names->besides,
                                          .beside_count = names->beside_count};
    return dns_names_publish(endpoints, &endpoint, err);
}

int network_names_publish(const struct home *home, const struct network *network, const struct lease *lease,
                          const struct network_names *names, struct err *err) {
    struct subnet subnets[DNS_MAX_FAMILIES];
    struct address gateways[DNS_MAX_FAMILIES];
    struct dns_request request = {
        .network = network->name,
        .stand_in = names->stand_in,
        .netns_fd = names->netns_fd,
        .cgroup_fd = names->cgroup_fd,
        .subnets = subnets,
        .gateways = gateways,
        .forward = !network->internal,
    };
    const struct network_subnet *const planes[] = {&network->ipv4, &network->ipv6};
    if (!network_has_names(network)) {
        return 0;
    }
    AUTO_FD int folder = network_open(home, network, err);
    if (folder < 0 || write_names(folder, lease, names, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < ARRAY_LEN(planes); i++) {
        if (planes[i]->set) {
            subnets[request.count] = planes[i]->subnet;
            gateways[request.count++] = planes[i]->gateway;
        }
    }
    request.folder_fd = folder;
    if (names->beginning) {
        return dns_begin(&request, names->beginning, err);
    }
    return dns_start(&request, NULL, err) < 0 ? -1 : 0;
}

void network_names_withdraw(const struct home *home, const struct network *network, const char *container) {
    struct err gone;
    AUTO_FD int folder = network_open(home, network, &gone);
    AUTO_FD int endpoints = folder < 0 ? -1 : openat(folder, "endpoints", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (endpoints >= 0) {
        dns_names_withdraw(endpoints, container);
    }
}

#include "runtime/engine/lease.h"

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/dir.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/engine/home.h"
#include "runtime/engine/links.h"
#include "runtime/engine/network_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

// Where addresses of one family are taken.
struct taking {
    const struct home *home;
    const struct network *network;
    const struct network_subnet *plane;
    const char *container;
    int folder; // the network's
    int leases; // its leases
};

static int open_in(int dir_fd, const char *name) {
    return openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

// One whose monitor was killed has its addresses for as long as it goes on.
static bool is_used(const struct home *home, const char *container) {
    return record_is_running(home, container) || record_runs_alone(home, container);
}

// --- one address ---

enum outcome { TAKEN_BY_OTHER, TAKEN, FAILED };

// Whoever takes a link away, or relies on one that is there, holds this lock of the folder meanwhile: else two who find the same
// stale lease could each remove it, the second one what the first has just taken.
static int lock_leases(int leases) {
    int result;
    do {
        result = flock(leases, LOCK_EX);
    } while (result < 0 && errno == EINTR);
    return result;
}

// The address has a link: whose? *ret_owner where it is another's.
static enum outcome try_again(const struct taking *taking, const char *name, char ret_owner[RECORD_ID_SIZE]) {
    if (links_read(taking->leases, name, ret_owner)) {
        if (strcmp(ret_owner, taking->container) == 0) {
            return TAKEN;
        }
        if (is_used(taking->home, ret_owner)) {
            return TAKEN_BY_OTHER;
        }
        unlinkat(taking->leases, name, 0);
    }
    if (links_make(taking->leases, name, taking->container) == 0) {
        return TAKEN;
    }
    return errno == EEXIST && links_read(taking->leases, name, ret_owner) ? TAKEN_BY_OTHER : FAILED;
}

static enum outcome try_address(const struct taking *taking, const struct address *address, char ret_owner[RECORD_ID_SIZE],
                                struct err *err) {
    char name[ADDRESS_TEXT_SIZE];
    enum outcome outcome = FAILED;
    address_format(address, name);
    if (links_make(taking->leases, name, taking->container) == 0) {
        return TAKEN;
    }
    if (errno == EEXIST && lock_leases(taking->leases) == 0) {
        outcome = try_again(taking, name, ret_owner);
        int saved = errno;
        flock(taking->leases, LOCK_UN);
        errno = saved;
    }
    if (outcome == FAILED) {
        err_sys(err, "take address %s of network %s", name, taking->network->name);
    }
    return outcome;
}

static const char *reason_against(const struct taking *taking, const struct address *address) {
    struct address_range hosts = subnet_hosts(&taking->plane->subnet);
    if (!address_range_contains(&hosts, address)) {
        return "no host can have it";
    }
    if (address_is_equal(&taking->plane->gateway, address)) {
        return "it is the gateway's";
    }
    for (size_t i = 0; i < taking->network->reserved_count; i++) {
        if (address_is_equal(&taking->network->reserved[i].address, address)) {
            return "it is reserved (--aux-address)";
        }
    }
    return NULL;
}

// --- the next one ---

// The address given last is kept as a hint: that it is lost or another's does no harm.
static const char *hint_name(const struct taking *taking) {
    return taking->plane->subnet.base.family == AF_INET ? "last4" : "last6";
}

static struct address read_hint(const struct taking *taking) {
    char text[ADDRESS_TEXT_SIZE] = "";
    struct address address = {0};
    struct err ignored;
    AUTO_FD int fd = openat(taking->folder, hint_name(taking), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 && address_parse("hint", text, &address, &ignored) < 0) {
        address.family = 0;
    }
    return address;
}

static void write_hint(const struct taking *taking, const struct address *address) {
    char text[ADDRESS_TEXT_SIZE] = {0};
    AUTO_FD int fd = openat(taking->folder, hint_name(taking), O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    address_format(address, text);
    if (fd < 0 || pwrite(fd, text, sizeof(text), 0) < 0) {
        log_debug("network %s: the address given last is not kept: %s", taking->network->name, strerror(errno));
    }
}

// Of the range, what hosts can have.
static struct address_range range_of(const struct network_subnet *plane) {
    struct address_range range = subnet_hosts(&plane->subnet);
    if (plane->has_range) {
        struct address_range part = subnet_addresses(&plane->range);
        range.first = address_compare(&part.first, &range.first) > 0 ? part.first : range.first;
        range.last = address_compare(&part.last, &range.last) < 0 ? part.last : range.last;
    }
    return range;
}

static int take_any(const struct taking *taking, struct address *ret, struct err *err) {
    struct address_range range = range_of(taking->plane);
    struct address hint = read_hint(taking), address;
    char text[SUBNET_TEXT_SIZE], owner[RECORD_ID_SIZE];
    if (address_range_is_empty(&range)) {
        return err_set(err, ERR_STATE, "network %s has no address that a host can have", taking->network->name);
    }
    struct address start = hint.family ? address_range_next(&range, &hint) : range.first;
    address = start;
    do {
        enum outcome outcome = reason_against(taking, &address) ? TAKEN_BY_OTHER : try_address(taking, &address, owner, err);
        if (outcome != TAKEN_BY_OTHER) {
            write_hint(taking, &address);
            *ret = address;
            return outcome == TAKEN ? 0 : -1;
        }
        address = address_range_next(&range, &address);
    } while (!address_is_equal(&address, &start));
    return err_set(err, ERR_STATE, "all addresses of network %s are taken (%s); remove containers, or make a larger network",
                   taking->network->name,
                   subnet_format(taking->plane->has_range ? &taking->plane->range : &taking->plane->subnet, text));
}

static int take_wish(const struct taking *taking, const struct address *wish, struct address *ret, struct err *err) {
    AUTO_ARENA struct arena arena = {0};
    char text[ADDRESS_TEXT_SIZE], subnet[SUBNET_TEXT_SIZE], owner[RECORD_ID_SIZE];
    struct record record = {0};
    struct err unread;
    address_format(wish, text);
    if (!subnet_contains(&taking->plane->subnet, wish)) {
        return err_set(err, ERR_INPUT, "address %s lies outside of %s, the subnet of network %s", text,
                       subnet_format(&taking->plane->subnet, subnet), taking->network->name);
    }
    const char *reason = reason_against(taking, wish);
    if (reason) {
        return err_set(err, ERR_INPUT, "address %s of network %s cannot be taken: %s", text, taking->network->name, reason);
    }
    switch (try_address(taking, wish, owner, err)) {
    case TAKEN:
        *ret = *wish;
        return 0;
    case TAKEN_BY_OTHER:
        return err_set(err, ERR_EXISTS, "address %s of network %s is taken by container %.64s", text, taking->network->name,
                       record_read(taking->home, &arena, owner, &record, &unread) == 0 ? record.name : owner);
    case FAILED:
        break;
    }
    return -1;
}

// --- all of a container's ---

static int take_family(const struct taking *taking, const struct address *wish, const char *flag, struct address *ret,
                       struct err *err) {
    if (!taking->plane->set) {
        return wish ? err_set(err, ERR_INPUT, "network %s has no subnet of %s for %s", taking->network->name,
                              strcmp(flag, "--ip") == 0 ? "IPv4" : "IPv6", flag)
                    : 0;
    }
    return wish ? take_wish(taking, wish, ret, err) : take_any(taking, ret, err);
}

int lease_take(const struct home *home, const struct network *network, const struct lease_wish *wish, struct lease *ret,
               struct err *err) {
    struct lease lease = {0};
    AUTO_FD int leases = open_in(wish->folder_fd, "leases");
    if (leases < 0) {
        return err_sys(err, "open the addresses of network %s", network->name);
    }
    struct taking taking = {home, network, &network->ipv4, wish->container, wish->folder_fd, leases};
    snprintf(lease.container, sizeof(lease.container), "%s", wish->container);
    if (take_family(&taking, wish->ipv4, "--ip", &lease.ipv4, err) < 0) {
        return -1;
    }
    taking.plane = &network->ipv6;
    if (take_family(&taking, wish->ipv6, "--ip6", &lease.ipv6, err) < 0) {
        links_remove(leases, wish->container);
        return -1;
    }
    *ret = lease;
    return 0;
}

static int open_leases(const struct home *home, const char *network_id) {
    AUTO_NETWORKS struct networks networks = {.fd = -1, .names_fd = -1};
    struct err err;
    if (networks_open(home, &networks, &err) < 0) {
        return -1;
    }
    AUTO_FD int folder = open_in(networks.fd, network_id);
    return folder < 0 ? -1 : open_in(folder, "leases");
}

void lease_release(const struct home *home, const char *network_id, const struct lease *lease) {
    const struct address *const addresses[] = {&lease->ipv4, &lease->ipv6};
    AUTO_FD int leases = open_leases(home, network_id);
    for (size_t i = 0; i < ARRAY_LEN(addresses) && leases >= 0; i++) {
        char name[ADDRESS_TEXT_SIZE];
        if (addresses[i]->family) {
            links_release(leases, address_format(addresses[i], name), lease->container);
        }
    }
}

static void add_to_list(struct buf *list, const char *container, const struct address *address) {
    struct lease *at = (struct lease *)(void *)list->data, *end = at + list->size / sizeof(*at);
    while (at < end && strcmp(at->container, container) != 0) {
        at++;
    }
    if (at == end) {
        struct lease lease = {0};
        snprintf(lease.container, sizeof(lease.container), "%s", container);
        buf_add(list, &lease, sizeof(lease));
        at = (struct lease *)(void *)(list->data + list->size) - 1;
    }
    *(address->family == AF_INET ? &at->ipv4 : &at->ipv6) = *address;
}

int lease_list(const struct home *home, struct arena *arena, const char *network_id, struct lease **ret, size_t *ret_count,
               struct err *err) {
    AUTO_BUF struct buf list = {0};
    AUTO_FD int leases = open_leases(home, network_id);
    AUTO_DIR DIR *stream = leases >= 0 ? dir_stream(leases) : NULL;
    if (!stream && errno != ENOENT) { // removed meanwhile
        return err_sys(err, "read the addresses of network %.12s", network_id);
    }
    for (const struct dirent *entry = stream ? dir_next(stream) : NULL; entry; entry = dir_next(stream)) {
        char owner[RECORD_ID_SIZE];
        struct address address;
        struct err ignored;
        if (links_read(leases, entry->d_name, owner) && address_parse("lease", entry->d_name, &address, &ignored) == 0 &&
            is_used(home, owner)) {
            add_to_list(&list, owner, &address);
        }
    }
    *ret_count = list.size / sizeof(struct lease);
    *ret = arena_array(arena, *ret_count + 1, sizeof(struct lease));
    if (list.size > 0) {
        memcpy(*ret, list.data, list.size);
    }
    return 0;
}

// --- sweeping ---

static size_t sweep_leases(const struct home *home, int folder) {
    size_t count = 0;
    AUTO_FD int leases = open_in(folder, "leases");
    AUTO_DIR DIR *stream = leases >= 0 && lock_leases(leases) == 0 ? dir_stream(leases) : NULL;
    for (const struct dirent *entry = stream ? dir_next(stream) : NULL; entry; entry = dir_next(stream)) {
        char owner[RECORD_ID_SIZE];
        if ((!links_read(leases, entry->d_name, owner) || !is_used(home, owner)) && unlinkat(leases, entry->d_name, 0) == 0) {
            count++;
        }
    }
    return count;
}

// Each is named by its container (runtime/net/dns_names.h), or is what was cut off in being written. The container's lock is held
// while its file is taken away: it cannot start and write a new one meanwhile.
static size_t sweep_endpoints(const struct home *home, int folder) {
    size_t count = 0;
    AUTO_FD int endpoints = open_in(folder, "endpoints");
    AUTO_DIR DIR *stream = endpoints >= 0 ? dir_stream(endpoints) : NULL;
    for (const struct dirent *entry = stream ? dir_next(stream) : NULL; entry; entry = dir_next(stream)) {
        AUTO_RECORD_DIR struct record_dir dir = {.fd = -1};
        char owner[RECORD_ID_SIZE];
        struct err err = {0};
        snprintf(owner, sizeof(owner), "%.64s", entry->d_name);
        bool is_left = record_lock(home, owner, &dir, &err) == 0 ? !record_runs_alone(home, owner) : err.errnum == ENOENT;
        if (is_left && unlinkat(endpoints, entry->d_name, 0) == 0) {
            count++;
        }
    }
    return count;
}

size_t leases_sweep(const struct home *home) {
    size_t count = 0;
    AUTO_NETWORKS struct networks networks = {.fd = -1, .names_fd = -1};
    struct err err;
    if (networks_open(home, &networks, &err) < 0) {
        log_warn("%s", err.text);
        return 0;
    }
    AUTO_DIR DIR *stream = dir_stream(networks.fd);
    for (const struct dirent *entry = stream ? dir_next(stream) : NULL; entry; entry = dir_next(stream)) {
        AUTO_FD int folder = strlen(entry->d_name) == RECORD_ID_SIZE - 1 ? open_in(networks.fd, entry->d_name) : -1;
        if (folder >= 0) {
            count += sweep_leases(home, folder) + sweep_endpoints(home, folder);
        }
    }
    return count;
}

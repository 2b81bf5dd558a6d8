#include "runtime/engine/connection_pasta.h"

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/engine/attachment.h"
#include "runtime/engine/home.h"
#include "runtime/engine/record.h"
#include "runtime/kernel/process.h"
#include "runtime/kernel/sys.h"
#include "runtime/net/pool.h"
#include "runtime/net/resolv.h"
#include "runtime/net/routes.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { END_MS = 5000, REVIVE_MS = 2000 };

// Behind those that networks of bridges are given (network_plan.c).
static const struct pool pool_4 = {{{AF_INET, {10, 202}}, 16}, 24};
static const struct subnet subnet_6 = {{AF_INET6, {0xfd, 0xc0, 0xff, 0xee, 0xca}}, 64};
// Of those that listen in the commons: the kernel takes no gateway that it knows beside another interface, the way out's.
static const struct subnet listening_6 = {{AF_INET6, {0xfd, 0xc0, 0xff, 0xee, 0xcc}}, 64};

// --- addresses ---

static bool is_loopback_4(const struct address *address) {
    return address->family == AF_INET && address->bytes[0] == 127;
}

// Pasta sends what it forwards to the first server of IPv4 that it finds.
static bool wants_forward(const struct resolv *host) {
    for (size_t i = 0; i < host->server_count; i++) {
        if (host->servers[i].address.family == AF_INET) {
            return is_loopback_4(&host->servers[i].address);
        }
    }
    return false;
}

static void set_plane(const struct subnet *subnet, struct rootless_plane *ret) {
    ret->address.prefix = subnet->prefix;
    (void)!subnet_nth(subnet, 1, &ret->gateway);
    (void)!subnet_nth(subnet, 2, &ret->address.address);
}

static int choose_subnet(const struct resolv *host, struct arena *arena, struct subnet *ret, struct err *err) {
    struct route *routes;
    size_t count;
    if (routes_read(arena, &routes, &count, err) < 0) {
        return -1;
    }
    struct subnet *taken = arena_array(arena, count + host->server_count + 1, sizeof(*taken));
    for (size_t i = 0; i < count; i++) {
        taken[i] = routes[i].subnet;
    }
    for (size_t i = 0; i < host->server_count; i++) {
        taken[count++] = (struct subnet){host->servers[i].address, (uint8_t)address_bits(&host->servers[i].address)};
    }
    char text[SUBNET_TEXT_SIZE];
    return pool_choose(&pool_4, 0, taken, count, ret)
               ? 0
               : err_set(err, ERR_STATE, "--network " PASTA_NETWORK ": the host's routes leave no subnet free in %s",
                         subnet_format(&pool_4.span, text));
}

// Of which interface IPv6 is used, and that IPv4 is there without one: pasta wants to see the interface of a default route, but all
// that it would read from there is told. What has no IPv6 has it from nowhere.
static int choose_interface(struct pasta *pasta, struct err *err) {
    uint32_t index_4, index_6;
    if (routes_read_default(&index_4, &index_6, err) < 0) {
        return -1;
    }
    if (index_6 != 0) {
        set_plane(&subnet_6, &pasta->ipv6);
    }
    if (index_4 == 0 && (index_6 == 0 || !if_indextoname(index_6, pasta->interface))) {
        snprintf(pasta->interface, sizeof(pasta->interface), "lo");
        pasta->ipv6 = (struct rootless_plane){0};
    }
    return 0;
}

int pasta_has_ipv6(bool *ret, struct err *err) {
    struct pasta pasta = {0};
    if (choose_interface(&pasta, err) < 0) {
        return -1;
    }
    *ret = pasta.ipv6.address.address.family != 0;
    return 0;
}

bool pasta_is_meant(const struct attachment_list *wishes) {
    for (size_t i = 0; i < wishes->items_count; i++) {
        if (strcmp(wishes->items[i].network, PASTA_NETWORK) == 0) {
            return true;
        }
    }
    return false;
}

static int check_wish(const struct home *home, const struct attachment_list *wishes, struct err *err) {
    const struct attachment *wish = &wishes->items[0];
    if (!home->rootless) {
        return err_set(err, ERR_UNSUPPORTED, "--network " PASTA_NETWORK ": is for ordinary users; root has bridge");
    }
    if (wishes->items_count > 1) {
        return err_set(err, ERR_UNSUPPORTED, "--network " PASTA_NETWORK ": is a container's only network; leave out the others");
    }
    if (wish->ip || wish->ip6 || wish->mac || wish->link_name || wish->aliases_count > 0) {
        return err_set(err, ERR_UNSUPPORTED,
                       "--network " PASTA_NETWORK ": the container is alone on it, and has no address or name there to choose; "
                       "make a network (coffer network create NAME) and add --network NAME");
    }
    return 0;
}

static int decide(struct pasta *pasta, struct arena *arena, struct err *err) {
    struct resolv host;
    struct subnet subnet;
    resolv_read(RESOLV_PATH, &host);
    pasta->forward_names = wants_forward(&host);
    if (choose_subnet(&host, arena, &subnet, err) < 0 || choose_interface(pasta, err) < 0) {
        return -1;
    }
    set_plane(&subnet, &pasta->ipv4);
    pasta->arena = arena;
    pasta->pidfd = pasta->events_fd = -1;
    pasta->taken = true;
    return 0;
}

int pasta_take(struct pasta *pasta, const struct home *home, const char *container, const struct attachment_list *wishes,
               struct arena *arena, struct err *err) {
    if (check_wish(home, wishes, err) < 0) {
        return -1;
    }
    *pasta = (struct pasta){.home = home, .container = container, .name = "eth0"};
    return decide(pasta, arena, err);
}

size_t pasta_addresses(const struct pasta *pasta, struct address *ret) {
    size_t count = 0;
    if (pasta->taken) {
        ret[count++] = pasta->ipv4.address.address;
        ret[count] = pasta->ipv6.address.address;
        count += ret[count].family != 0;
    }
    return count;
}

void pasta_describe(const struct pasta *pasta, struct arena *arena, struct attachment_list *list) {
    uint8_t mac[MAC_SIZE];
    char text[MAC_TEXT_SIZE];
    if (!pasta->taken || list->items_count == 0) {
        return;
    }
    struct attachment *item = &list->items[0];
    link_mac_of(&pasta->ipv4.address.address, mac);
    item->network_name = PASTA_NETWORK;
    item->ipv4 = attachment_address(arena, &pasta->ipv4.address.address);
    item->ipv6 = attachment_address(arena, &pasta->ipv6.address.address);
    item->gateway4 = attachment_address(arena, &pasta->ipv4.gateway);
    item->gateway6 = attachment_address(arena, &pasta->ipv6.gateway);
    item->prefix4 = pasta->ipv4.address.prefix;
    item->prefix6 = pasta->ipv6.address.prefix;
    item->hardware = arena_copy_string(arena, link_format_mac(mac, text));
}

// --- names ---

// What is forwarded goes by UDP only: answers too long for that are had from those whom the host's stub asks.
void pasta_write_resolv(const struct pasta *pasta, struct buf *text) {
    struct resolv host, behind;
    char gateway[ADDRESS_TEXT_SIZE];
    resolv_read(RESOLV_PATH, &host);
    if (resolv_has_stub(&host)) {
        resolv_read(RESOLV_BEHIND_STUB, &behind);
        resolv_add_servers(&host, &behind);
    }
    if (pasta->forward_names) {
        buf_add_format(text, "nameserver %s\n", address_format(&pasta->ipv4.gateway, gateway));
    }
    resolv_for_container(&host, NULL, 0, text);
}

// --- its life ---

// In the container's run-time folder.
static void remove_files(const struct home *home, const char *container) {
    static const char *const names[] = {"netns", "pasta"};
    char path[RECORD_ID_SIZE + 8];
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        snprintf(path, sizeof(path), "%.64s/%s", container, names[i]);
        unlinkat(home->live_fd, path, 0);
    }
}

static int make_link(const struct pasta *pasta, struct err *err) {
    char name[RECORD_ID_SIZE + 8], to[64];
    snprintf(to, sizeof(to), "/proc/%d/ns/net", pasta->target);
    snprintf(name, sizeof(name), "%.64s/netns", pasta->container);
    return symlinkat(to, pasta->home->live_fd, name) < 0 ? err_sys(err, "make the container's file netns") : 0;
}

static int make_file(const struct pasta *pasta, struct err *err) {
    pasta_sweep(pasta->home, pasta->container);
    return make_link(pasta, err);
}

// Who it is, for the next command.
static void note(const struct pasta *pasta) {
    char name[RECORD_ID_SIZE + 8], text[64];
    snprintf(name, sizeof(name), "%.64s/pasta", pasta->container);
    snprintf(text, sizeof(text), "%d %llu\n", pasta->pid, (unsigned long long)process_start_time(pasta->pid));
    AUTO_FD int fd = openat(pasta->home->live_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 || fd_write_all(fd, text, strlen(text)) < 0) {
        log_debug("container %.12s: the number of its pasta could not be written down", pasta->container);
    }
}

static void end_and_wait(int pidfd) {
    struct pollfd ended = {.fd = pidfd, .events = POLLIN};
    sys_pidfd_send_signal(pidfd, SIGKILL);
    (void)!poll(&ended, 1, END_MS);
}

void pasta_sweep(const struct home *home, const char *container) {
    char name[RECORD_ID_SIZE + 8], text[64] = "";
    int pid = 0;
    unsigned long long started = 0;
    snprintf(name, sizeof(name), "%.64s/pasta", container);
    AUTO_FD int fd = openat(home->live_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    bool known = fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 && sscanf(text, "%d %llu", &pid, &started) == 2 && pid > 0;
    AUTO_FD int pidfd = known ? sys_pidfd_open(pid, 0) : -1;
    if (pidfd >= 0 && process_start_time(pid) == started) {
        end_and_wait(pidfd);
    }
    remove_files(home, container);
}

static int start(struct pasta *pasta, struct err *err) {
    AUTO_FREE char *netns = mem_format("%s/%.64s/netns", pasta->home->live_path, pasta->container);
    const char *program = rootless_program();
    const struct rootless_request request = {
        .program = program,
        .target = pasta->target,
        .netns = netns,
        .interface = *pasta->interface ? pasta->interface : NULL,
        .name = pasta->name,
        .ipv4 = pasta->ipv4,
        .ipv6 = pasta->ipv6,
        .bare = pasta->bare,
        .forward_names = pasta->forward_names,
        .ports = pasta->ports,
        .port_count = pasta->port_count,
        .kept_fd = pasta->events_fd,
    };
    pasta->started_ms = clock_now_ms();
    if (rootless_start(&request, &pasta->pid, &pasta->pidfd, err) < 0) {
        return -1;
    }
    note(pasta);
    return 0;
}

static bool is_any_of(const struct address *address, uint8_t family) {
    return address_is_equal(address, &(struct address){.family = family});
}

static bool is_same_port(const struct firewall_port *a, const struct firewall_port *b) {
    return a->protocol == b->protocol && a->host_port == b->host_port && a->target_port == b->target_port;
}

// What is wanted of all addresses of both families, in one way or the other, is told to pasta once: it does not take a port twice.
static void add_port(struct pasta *pasta, const struct firewall_port *port) {
    for (size_t i = 0; i < pasta->port_count; i++) {
        struct firewall_port *before = &pasta->ports[i];
        bool both = (is_any_of(&before->host, AF_INET) && is_any_of(&port->host, AF_INET6)) ||
                    (is_any_of(&before->host, AF_INET6) && is_any_of(&port->host, AF_INET));
        if (is_same_port(before, port) && (both || before->host.family == 0 || address_is_equal(&before->host, &port->host))) {
            before->host = both ? (struct address){0} : before->host;
            return;
        }
    }
    pasta->ports[pasta->port_count++] = *port;
}

int pasta_attach(struct pasta *pasta, pid_t target, const struct firewall_port *ports, size_t count, struct err *err) {
    pasta->target = pasta->bound = target;
    pasta->ports = arena_array(pasta->arena, count + 1, sizeof(*pasta->ports));
    for (size_t i = 0; i < count; i++) {
        add_port(pasta, &ports[i]);
    }
    pasta->events_fd = rootless_events_open(err);
    if (pasta->events_fd < 0 || make_file(pasta, err) < 0) {
        return -1;
    }
    return start(pasta, err) < 0 ? err_in(err, "--network " PASTA_NETWORK) : 0;
}

int pasta_lead_out(struct pasta *pasta, const struct home *home, const char *folder, pid_t anchor, struct arena *arena,
                   struct err *err) {
    *pasta = (struct pasta){.home = home, .container = folder, .name = "uplink", .target = anchor};
    return decide(pasta, arena, err) < 0 || make_file(pasta, err) < 0 || start(pasta, err) < 0
               ? err_in(err, "the way out of the user's networks")
               : 0;
}

int pasta_listen(struct pasta *pasta, const struct pasta_listening *listening, struct arena *arena, struct err *err) {
    *pasta = (struct pasta){.home = listening->home,
                            .container = listening->container,
                            .name = listening->name,
                            .bare = true,
                            .target = listening->anchor,
                            .bound = listening->bound};
    if (decide(pasta, arena, err) < 0) {
        return -1;
    }
    pasta->forward_names = false;
    if (!listening->ipv6) {
        pasta->ipv6 = (struct rootless_plane){0};
    } else if (pasta->ipv6.address.address.family != 0) {
        set_plane(&listening_6, &pasta->ipv6);
    }
    pasta->ports = arena_array(arena, listening->port_count + 1, sizeof(*pasta->ports));
    for (size_t i = 0; i < listening->port_count; i++) {
        struct firewall_port port = listening->ports[i];
        port.target_port = port.host_port;
        add_port(pasta, &port);
    }
    pasta->events_fd = rootless_events_open(err);
    return pasta->events_fd < 0 || make_file(pasta, err) < 0 || start(pasta, err) < 0 ? -1 : 0;
}

void pasta_move(struct pasta *pasta, pid_t target) {
    struct err err;
    pasta->target = target;
    remove_files(pasta->home, pasta->container); // which ends it, to be started again
    if (make_link(pasta, &err) < 0) {
        log_warn("%s", err.text);
    }
}

struct address pasta_name_server(const struct pasta *pasta) {
    return pasta->forward_names ? pasta->ipv4.gateway : (struct address){0};
}

void pasta_bind(struct pasta *pasta) {
    struct err err;
    if (!pasta->taken || pasta->bound == 0) {
        return;
    }
    if (pasta->events_fd >= 0 && pasta->pidfd >= 0 && rootless_bind(pasta->events_fd, pasta->pid, pasta->bound, &err) < 0) {
        log_debug("container %.12s: %s", pasta->container, err.text);
    }
    fd_close(&pasta->events_fd); // pasta has it
}

int pasta_watched(const struct pasta *pasta) {
    return pasta->taken ? pasta->pidfd : -1;
}

int pasta_revive(struct pasta *pasta, struct err *err) {
    fd_close(&pasta->pidfd);
    if (clock_now_ms() - pasta->started_ms < REVIVE_MS) {
        return err_set(err, ERR_STATE, "its pasta has ended twice within %d s, and it has no network any more", REVIVE_MS / 1000);
    }
    fd_close(&pasta->events_fd); // of a try that failed
    pasta->events_fd = rootless_events_open(err);
    if (pasta->events_fd < 0 || start(pasta, err) < 0) {
        return err_in(err, "its pasta has ended, and it has no network any more");
    }
    pasta_bind(pasta);
    return 0;
}

void pasta_release(struct pasta *pasta) {
    if (!pasta->taken) {
        return;
    }
    if (pasta->pidfd >= 0) {
        end_and_wait(pasta->pidfd);
    }
    remove_files(pasta->home, pasta->container);
    fd_close(&pasta->pidfd);
    fd_close(&pasta->events_fd);
    pasta->taken = false;
}

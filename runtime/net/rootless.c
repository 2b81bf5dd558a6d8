#include "runtime/net/rootless.h"

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/quote.h"
#include "runtime/kernel/process.h"
#include "runtime/kernel/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FIXED_WORDS = 48, MOST_OUTPUT = 64 * 1024 };

static const char device[] = "/dev/net/tun";
static const char *const programs[] = {"/usr/bin/pasta", "/usr/local/bin/pasta"};

const char *rootless_program(void) {
    for (size_t i = 0; i < ARRAY_LEN(programs); i++) {
        if (access(programs[i], X_OK) == 0) {
            return programs[i];
        }
    }
    return programs[0];
}

bool rootless_is_possible(void) {
    return access(rootless_program(), X_OK) == 0 && access(device, R_OK | W_OK) == 0;
}

struct words {
    char **items;
    size_t count;
};

static void add(struct words *words, const char *option, char *value) {
    words->items[words->count++] = (char *)(uintptr_t)option;
    if (value) {
        words->items[words->count++] = value;
    }
}

// [ADDRESS/]PORT[-PORT]:PORT[-PORT]
static char *port_words(struct arena *arena, const struct firewall_port *port) {
    char host[ADDRESS_TEXT_SIZE];
    unsigned more = port->count > 1 ? port->count - 1u : 0;
    address_format(&port->host, host);
    const char *slash = host[0] ? "/" : "";
    return more ? arena_format(arena, "%s%s%u-%u:%u-%u", host, slash, port->host_port, port->host_port + more, port->target_port,
                               port->target_port + more)
                : arena_format(arena, "%s%s%u:%u", host, slash, port->host_port, port->target_port);
}

static void add_mac(struct arena *arena, const char *option, const struct address *of, struct words *words) {
    uint8_t mac[MAC_SIZE];
    char text[MAC_TEXT_SIZE];
    link_mac_of(of, mac);
    add(words, option, arena_copy_string(arena, link_format_mac(mac, text)));
}

static char *address_word(struct arena *arena, const struct address *address) {
    char text[ADDRESS_TEXT_SIZE];
    return arena_copy_string(arena, address_format(address, text));
}

static void add_addresses(struct arena *arena, const struct rootless_request *request, struct words *words) {
    const struct rootless_plane *const planes[] = {&request->ipv4, &request->ipv6};
    for (size_t i = 0; i < ARRAY_LEN(planes); i++) {
        if (planes[i]->address.address.family != 0) {
            add(words, "-a", address_word(arena, &planes[i]->address.address));
            add(words, "-g", address_word(arena, &planes[i]->gateway));
        }
    }
    add(words, "-n", arena_format(arena, "%u", request->ipv4.address.prefix));
    add_mac(arena, "--ns-mac-addr", &request->ipv4.address.address, words);
    add_mac(arena, "-M", &request->ipv4.gateway, words);
    if (request->ipv6.address.address.family == 0) {
        add(words, "-4", NULL);
    }
    if (request->interface) {
        add(words, "-i", arena_copy_string(arena, request->interface));
    }
    if (request->forward_names) {
        add(words, "--dns-forward", address_word(arena, &request->ipv4.gateway));
    }
}

// What is not said is guessed by pasta: it would publish whatever is listened on inside, and reach the host's own servers.
static void add_fixed(struct arena *arena, const struct rootless_request *request, int number_fd, struct words *words) {
    add(words, request->program, NULL);
    add(words, "--quiet", NULL);
    if (!request->bare) {
        add(words, "--config-net", NULL);
    }
    add(words, "--no-map-gw", NULL);
    add(words, "-I", arena_copy_string(arena, request->name));
    add(words, "-P", arena_format(arena, "/proc/self/fd/%d", number_fd));
    add(words, "-T", arena_copy_string(arena, "none"));
    add(words, "-U", arena_copy_string(arena, "none"));
    add(words, "--userns", arena_format(arena, "/proc/%d/ns/user", request->target));
    add(words, "--netns",
        request->netns ? arena_copy_string(arena, request->netns) : arena_format(arena, "/proc/%d/ns/net", request->target));
    add_addresses(arena, request, words);
}

int rootless_arguments(struct arena *arena, const struct rootless_request *request, int number_fd, char *const **ret,
                       struct err *err) {
    struct words words = {.items = arena_array(arena, FIXED_WORDS + 2 * request->port_count, sizeof(char *))};
    bool tcp = false, udp = false;
    add_fixed(arena, request, number_fd, &words);
    for (size_t i = 0; i < request->port_count; i++) {
        const struct firewall_port *port = &request->ports[i];
        if (port->protocol != IPPROTO_TCP && port->protocol != IPPROTO_UDP) {
            return err_set(err, ERR_UNSUPPORTED, "publish port %u: without root only tcp and udp can be published",
                           port->host_port);
        }
        add(&words, port->protocol == IPPROTO_TCP ? "-t" : "-u", port_words(arena, port));
        tcp = tcp || port->protocol == IPPROTO_TCP;
        udp = udp || port->protocol == IPPROTO_UDP;
    }
    if (!tcp) {
        add(&words, "-t", arena_copy_string(arena, "none"));
    }
    if (!udp) {
        add(&words, "-u", arena_copy_string(arena, "none"));
    }
    *ret = words.items;
    return 0;
}

// It has said what is wrong, on several lines perhaps; the last one matters.
static int complain(const struct rootless_request *request, char *output, struct err *err) {
    char quoted[QUOTE_SIZE];
    size_t size = strlen(output);
    while (size > 0 && output[size - 1] == '\n') {
        output[--size] = '\0';
    }
    const char *line = strrchr(output, '\n');
    if (strstr(output, "Overlapping port specifier")) {
        return err_set(err, ERR_UNSUPPORTED,
                       "without root a port can be published at one address of the host, or at all of them (-p PORT:PORT); "
                       "%s said %s",
                       request->program, quote_text(line ? line + 1 : output, quoted));
    }
    return err_set(err, ERR_SYSTEM, "make a network without root: %s said %s", request->program,
                   quote_text(line ? line + 1 : output, quoted));
}

// The device of tunnels is root's where nobody has opened it to others, as udev(7) does.
static int explain(const struct rootless_request *request, char *output, struct err *err) {
    if (access(device, R_OK | W_OK) < 0) {
        static const char doing[] = "make a network without root";
        return errno == ENOENT ? err_set(err, ERR_UNSUPPORTED, "%s: this host has no %s; load the module tun", doing, device)
                               : err_set(err, ERR_UNSUPPORTED, "%s: %s must be open to all (mode 0666)", doing, device);
    }
    return complain(request, output, err);
}

// It was written before the program went into the background, which may hold its end open.
static int read_number(int fd, pid_t *ret_pid) {
    char text[32] = "";
    ssize_t size;
    do {
        size = read(fd, text, sizeof(text) - 1);
    } while (size < 0 && errno == EINTR);
    long number = size > 0 ? strtol(text, NULL, 10) : 0;
    *ret_pid = (pid_t)number;
    return number > 0 ? 0 : -1;
}

static int await(const struct rootless_request *request, pid_t child, int output_fd, int number_fd, pid_t *ret_pid,
                 struct err *err) {
    char *output = NULL;
    size_t size;
    int status = -1, result = fd_read_rest(output_fd, MOST_OUTPUT, request->program, &output, &size, err);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (result == 0 && (status != 0 || read_number(number_fd, ret_pid) < 0)) {
        result = explain(request, output, err);
    }
    free(output);
    return result;
}

// Pasta takes the source of whatever came last for the namespace's address of IPv6, and that is nobody's (::) while the kernel asks
// whether the link's own address is taken. Nobody else is there to have it.
static void trust_addresses(pid_t target) {
    char user[64], net[64];
    snprintf(user, sizeof(user), "/proc/%d/ns/user", target);
    snprintf(net, sizeof(net), "/proc/%d/ns/net", target);
    pid_t child = process_clone(0, -1, NULL);
    if (child == 0) {
        AUTO_FD int user_fd = openat(AT_FDCWD, user, O_RDONLY | O_CLOEXEC);
        AUTO_FD int net_fd = openat(AT_FDCWD, net, O_RDONLY | O_CLOEXEC);
        if (setns(user_fd, CLONE_NEWUSER) == 0 && setns(net_fd, CLONE_NEWNET) == 0) {
            AUTO_FD int fd = openat(AT_FDCWD, "/proc/sys/net/ipv6/conf/default/accept_dad", O_WRONLY | O_CLOEXEC);
            (void)!write(fd, "0", 1); // no IPv6, no need
        }
        _exit(0);
    }
    while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR) {
    }
}

static int inherit(int fd, bool inherited) {
    return fd < 0 ? 0 : fcntl(fd, F_SETFD, inherited ? 0 : FD_CLOEXEC);
}

int rootless_start(const struct rootless_request *request, pid_t *ret_pid, int *ret_pidfd, struct err *err) {
    AUTO_ARENA struct arena arena = {0};
    char *const *words;
    int ends[2], output_fd = -1;
    if (pipe2(ends, O_CLOEXEC) < 0) {
        return err_sys(err, "make a pipe for %s", request->program);
    }
    AUTO_FD int number = ends[0];
    AUTO_FD int number_end = ends[1]; // which the program inherits
    if (rootless_arguments(&arena, request, number_end, &words, err) < 0) {
        return -1;
    }
    if (inherit(number_end, true) < 0 || inherit(request->kept_fd, true) < 0) {
        return err_sys(err, "make a pipe for %s", request->program);
    }
    if (request->ipv6.address.address.family != 0) {
        trust_addresses(request->target);
    }
    pid_t child = process_spawn(words, &output_fd, err), pid = 0;
    AUTO_FD int output = output_fd;
    (void)!inherit(request->kept_fd, false);
    if (child < 0 && err->errnum == ENOENT) {
        return err_set(err, ERR_UNSUPPORTED, "make a network without root: %s is missing; install the package passt",
                       request->program);
    }
    fd_close(&number_end);
    if (child < 0 || await(request, child, output, number, &pid, err) < 0) {
        return -1;
    }
    int pidfd = sys_pidfd_open(pid, 0);
    if (pidfd < 0) {
        return err_sys(err, "make a network without root: hold %s", request->program);
    }
    *ret_pid = pid;
    *ret_pidfd = pidfd;
    return 0;
}

int rootless_events_open(struct err *err) {
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    return fd < 0 ? err_sys(err, "watch a file system (inotify_init(2))") : fd;
}

// TERM, for which pasta has a handler: it is the first process of a pid namespace, to which the kernel sends nothing by this way
// that it does not expect (pid_namespaces(7)).
int rootless_bind(int events_fd, pid_t pasta, pid_t target, struct err *err) {
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/root", target);
    if (inotify_add_watch(events_fd, path, IN_UNMOUNT | IN_ONLYDIR) < 0) {
        return err_sys(err, "watch %s", path);
    }
    int flags = fcntl(events_fd, F_GETFL);
    return flags < 0 || fcntl(events_fd, F_SETSIG, SIGTERM) < 0 || fcntl(events_fd, F_SETOWN, pasta) < 0 ||
                   fcntl(events_fd, F_SETFL, flags | O_ASYNC) < 0
               ? err_sys(err, "bind pasta to the container's root")
               : 0;
}

#include "runtime/net/dns.h"

#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/kernel/process.h"
#include "runtime/kernel/sealed.h"
#include "runtime/kernel/sys.h"
#include "runtime/net/dns_message.h"
#include "runtime/net/dns_order.h"
#include "runtime/net/resolv.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#ifndef CLONE_CLEAR_SIGHAND
#define CLONE_CLEAR_SIGHAND 0x100000000ULL
#endif

extern const char responder_image[];
extern const char responder_image_end[];

enum { WAIT_MS = 2000, STEP_MS = 5 };
static const char lock_name[] = "dns.lock";

// All that is handed over; -1 where there is nothing yet.
struct ends {
    int fds[RESPONDER_END - RESPONDER_ORDER];
};

static void ends_finish(struct ends *ends) {
    for (size_t i = 0; i < ARRAY_LEN(ends->fds); i++) {
        fd_close(&ends->fds[i]);
    }
}

static int *end_of(struct ends *ends, int number) {
    return &ends->fds[number - RESPONDER_ORDER];
}

static void pause_ms(long ms) {
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

// --- one a network ---

// The lock is its sign of life; the number is written behind that, by the responder itself. One of a responder from before is told
// by its start.
static pid_t read_holder(int lock_fd, int *ret_pidfd) {
    char text[64] = "";
    long pid = 0;
    unsigned long long started = 0;
    if (pread(lock_fd, text, sizeof(text) - 1, 0) <= 0 || sscanf(text, "%ld %llu\n", &pid, &started) != 2 || pid <= 0) {
        return 0;
    }
    AUTO_FD int pidfd = sys_pidfd_open((pid_t)pid, 0);
    if (pidfd < 0 || process_start_time((pid_t)pid) != started) {
        return 0;
    }
    if (ret_pidfd) {
        *ret_pidfd = fd_take(&pidfd);
    }
    return (pid_t)pid;
}

static int open_lock(int folder_fd, int flags) {
    return openat(folder_fd, lock_name, O_RDWR | O_NOFOLLOW | O_CLOEXEC | flags, 0600);
}

pid_t dns_find(int folder_fd, int *ret_pidfd) {
    AUTO_FD int lock = open_lock(folder_fd, 0);
    // A shared lock: two who look do not take each other for a responder.
    if (lock < 0 || flock(lock, LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK) {
        return 0;
    }
    return read_holder(lock, ret_pidfd);
}

// Takes the lock (0), or finds the responder that holds it (its pid): one that has just been started has not written its number
// yet.
static pid_t take_lock(int lock_fd, int *ret_pidfd, struct err *err) {
    int64_t until_ms = clock_now_ms() + WAIT_MS;
    for (;;) {
        if (flock(lock_fd, LOCK_EX | LOCK_NB) == 0) {
            return 0;
        }
        if (errno != EWOULDBLOCK) {
            return err_sys(err, "lock dns.lock");
        }
        pid_t pid = read_holder(lock_fd, ret_pidfd);
        if (pid > 0) {
            return pid;
        }
        if (clock_now_ms() > until_ms) {
            return err_set(err, ERR_STATE, "dns.lock is held by a process that is no responder");
        }
        pause_ms(STEP_MS);
    }
}

// --- sockets ---

static int bind_one(const struct address *gateway, int type, struct err *err) {
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } name = {0};
    char text[ADDRESS_TEXT_SIZE];
    bool is_4 = gateway->family == AF_INET;
    int on = 1;
    AUTO_FD int fd = socket(gateway->family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return err_sys(err, "make a socket");
    }
    if (is_4) {
        name.in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(DNS_PORT)};
        memcpy(&name.in.sin_addr, gateway->bytes, 4);
    } else {
        name.in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(DNS_PORT)};
        memcpy(&name.in6.sin6_addr, gateway->bytes, 16);
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    }
    // The address may still be to come, or come again with the bridge: it is bound to the number, not to the interface.
    setsockopt(fd, is_4 ? IPPROTO_IP : IPPROTO_IPV6, is_4 ? IP_FREEBIND : IPV6_FREEBIND, &on, sizeof(on));
    if (type == SOCK_STREAM) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    }
    // The responder from before may be on its way out.
    int64_t until_ms = clock_now_ms() + 200;
    while (bind(fd, &name.any, is_4 ? sizeof(name.in) : sizeof(name.in6)) < 0 ||
           (type == SOCK_STREAM && listen(fd, SOMAXCONN) < 0)) {
        if (errno != EADDRINUSE) {
            return err_sys(err, "bind port 53 of %s", address_format(gateway, text));
        }
        if (clock_now_ms() > until_ms) {
            return err_set(err, ERR_STATE,
                           "port 53 of %s is taken: a name server of this host seems to listen on all addresses; let it listen "
                           "on its own, or make the network with --disable-dns",
                           address_format(gateway, text));
        }
        pause_ms(STEP_MS);
    }
    return fd_take(&fd);
}

static int bind_all(const struct dns_request *request, int *sockets, struct err *err) {
    for (size_t i = 0; i < request->count; i++) {
        sockets[2 * i] = bind_one(&request->gateways[i], SOCK_DGRAM, err);
        if (sockets[2 * i] < 0 || (sockets[2 * i + 1] = bind_one(&request->gateways[i], SOCK_STREAM, err)) < 0) {
            return -1;
        }
    }
    return 0;
}

// A socket belongs to the namespace in which it was made.
static int bind_there(const struct dns_request *request, int *sockets, struct err *err) {
    if (request->netns_fd < 0) {
        return bind_all(request, sockets, err);
    }
    AUTO_FD int here = openat(AT_FDCWD, "/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (here < 0 || setns(request->netns_fd, CLONE_NEWNET) < 0) {
        return err_sys(err, "enter the network namespace");
    }
    int result = bind_all(request, sockets, err);
    return setns(here, CLONE_NEWNET) < 0 ? err_sys(err, "come back from the network namespace") : result;
}

int dns_bind(const struct dns_request *request, int ret_sockets[2 * DNS_MAX_FAMILIES], struct err *err) {
    assert(request->count <= DNS_MAX_FAMILIES);
    for (size_t i = 0; i < 2 * DNS_MAX_FAMILIES; i++) {
        ret_sockets[i] = -1;
    }
    if (bind_there(request, ret_sockets, err) < 0) {
        for (size_t i = 0; i < 2 * DNS_MAX_FAMILIES; i++) {
            fd_close(&ret_sockets[i]);
        }
        return -1;
    }
    return 0;
}

static int get_sockets(const struct dns_request *request, int *places, struct err *err) {
    if (!request->sockets) {
        return dns_bind(request, places, err);
    }
    for (size_t i = 0; i < 2 * request->count; i++) {
        places[i] = fcntl(request->sockets[i], F_DUPFD_CLOEXEC, 0);
        if (places[i] < 0) {
            return err_sys(err, "keep a socket");
        }
    }
    return 0;
}

// --- what it reads ---

// Where resolv.conf lies in the end: what writes it replaces it in that directory.
static int open_resolv(struct ends *ends, struct dns_order *order, struct err *err) {
    char path[PATH_MAX];
    int *resolv = end_of(ends, RESPONDER_RESOLV), *behind = end_of(ends, RESPONDER_BEHIND);
    const char *found = realpath(RESOLV_PATH, path);
    char *slash = found ? strrchr(path, '/') : NULL;
    if (slash && slash != path) {
        *slash = '\0';
        snprintf(order->resolv_name, sizeof(order->resolv_name), "%s", slash + 1);
        *resolv = openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    }
    *behind = openat(AT_FDCWD, "/run/systemd/resolve", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int *const both[] = {resolv, behind};
    for (size_t i = 0; i < ARRAY_LEN(both); i++) {
        if (*both[i] < 0 && (*both[i] = openat(AT_FDCWD, "/dev/null", O_RDONLY | O_CLOEXEC)) < 0) {
            return err_sys(err, "open /dev/null");
        }
    }
    return 0;
}

static int send_order(const struct dns_request *request, struct ends *ends, struct dns_order *order, struct err *err) {
    int ends_of_pipe[2];
    snprintf(order->network, sizeof(order->network), ".%s", request->network);
    order->forward = request->forward;
    order->stand_in = request->stand_in;
    order->subnet_count = (uint32_t)request->count;
    memcpy(order->subnets, request->subnets, request->count * sizeof(*request->subnets));
    memcpy(order->gateways, request->gateways, request->count * sizeof(*request->gateways));
    if (pipe2(ends_of_pipe, O_CLOEXEC) < 0) {
        return err_sys(err, "make a pipe");
    }
    *end_of(ends, RESPONDER_ORDER) = ends_of_pipe[0];
    AUTO_FD int writer = ends_of_pipe[1];
    return fd_write_all(writer, order, sizeof(*order)) < 0 ? err_sys(err, "write to a pipe") : 0;
}

// --- starting ---

struct becoming {
    int program;
    const struct ends *ends;
    const char *network;
};

// In the child, which uses our memory until it executes the responder. The descriptors get their numbers in two steps, as one may
// stand where another is to go.
static void become(void *argument) {
    enum { ASIDE = 64 };
    static char *const none[] = {NULL};
    const struct becoming *becoming = argument;
    const int *fds = becoming->ends->fds;
    char *const args[] = {(char *)(uintptr_t) "coffer-dns", (char *)(uintptr_t)becoming->network, NULL};
    int aside[ARRAY_LEN(becoming->ends->fds)], image = fcntl(becoming->program, F_DUPFD_CLOEXEC, ASIDE);
    sigset_t no_signals;
    sigemptyset(&no_signals);
    sigprocmask(SIG_SETMASK, &no_signals, NULL);
    for (size_t i = 0; i < ARRAY_LEN(aside); i++) {
        aside[i] = fds[i] < 0 ? -1 : fcntl(fds[i], F_DUPFD_CLOEXEC, ASIDE);
    }
    for (size_t i = 0; i < ARRAY_LEN(aside); i++) {
        if (aside[i] >= 0 && dup2(aside[i], RESPONDER_ORDER + (int)i) < 0) {
            _exit(SEALED_NOT_STARTED);
        }
    }
    sys_execveat(image, "", args, none, AT_EMPTY_PATH);
    _exit(SEALED_NOT_STARTED);
}

static void reap(pid_t child) {
    while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR) {
    }
}

// What it says when it has given up its rights, or why it could not.
static int await(int status_fd, struct err *err) {
    struct err told;
    ssize_t size = fd_read_full(status_fd, &told, sizeof(told));
    if (size == 1) {
        return 0;
    }
    if (size == (ssize_t)sizeof(told)) {
        told.text[sizeof(told.text) - 1] = '\0';
        *err = told;
        return -1;
    }
    return err_set(err, ERR_SYSTEM, "the responder ended before it had begun");
}

static int start(const struct dns_request *request, struct ends *ends, struct dns_beginning *ret, struct err *err) {
    struct dns_order order = {0};
    int status[2];
    *end_of(ends, RESPONDER_ENDPOINTS) = openat(request->folder_fd, "endpoints", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (*end_of(ends, RESPONDER_ENDPOINTS) < 0) {
        return err_sys(err, "open its folder of endpoints");
    }
    if (get_sockets(request, end_of(ends, RESPONDER_SOCKETS), err) < 0 || open_resolv(ends, &order, err) < 0 ||
        send_order(request, ends, &order, err) < 0) {
        return -1;
    }
    AUTO_FD int program = sealed_program("coffer-dns", responder_image, (size_t)(responder_image_end - responder_image), err);
    if (program < 0) {
        return -1;
    }
    if (pipe2(status, O_CLOEXEC) < 0) {
        return err_sys(err, "make a pipe");
    }
    AUTO_FD int listener = status[0];
    *end_of(ends, RESPONDER_STATUS) = status[1];
    struct becoming becoming = {program, ends, request->network};
    pid_t child = process_clone_to_exec(CLONE_CLEAR_SIGHAND | CLONE_VFORK, request->cgroup_fd, become, &becoming, NULL);
    if (child < 0) {
        return err_sys(err, "start the responder");
    }
    *ret = (struct dns_beginning){.child = child, .status_fd = fd_take(&listener)};
    return 0;
}

static int begin(const struct dns_request *request, struct dns_beginning *ret, pid_t *ret_pid, int *ret_pidfd, struct err *err) {
    AUTO(ends_finish) struct ends ends;
    for (size_t i = 0; i < ARRAY_LEN(ends.fds); i++) {
        ends.fds[i] = -1;
    }
    int *lock = end_of(&ends, RESPONDER_LOCK);
    *lock = open_lock(request->folder_fd, O_CREAT);
    if (*lock < 0) {
        return err_sys(err, "open dns.lock");
    }
    *ret_pid = take_lock(*lock, ret_pidfd, err);
    return *ret_pid != 0 ? (*ret_pid > 0 ? 0 : -1) : start(request, &ends, ret, err);
}

int dns_begin(const struct dns_request *request, struct dns_beginning *ret, struct err *err) {
    pid_t there;
    *ret = (struct dns_beginning){.status_fd = -1};
    return begin(request, ret, &there, NULL, err) < 0 ? err_in(err, "names of network %s", request->network) : 0;
}

int dns_await(struct dns_beginning *beginning, struct err *err) {
    int result = beginning->child > 0 ? await(beginning->status_fd, err) : 0;
    dns_beginning_finish(beginning);
    return result;
}

void dns_beginning_finish(struct dns_beginning *beginning) {
    if (beginning->child > 0) {
        fd_close(&beginning->status_fd);
        reap(beginning->child);
    }
    *beginning = (struct dns_beginning){.status_fd = -1};
}

pid_t dns_start(const struct dns_request *request, int *ret_pidfd, struct err *err) {
    AUTO(dns_beginning_finish) struct dns_beginning beginning = {.status_fd = -1};
    pid_t pid = 0;
    if (begin(request, &beginning, &pid, ret_pidfd, err) < 0 || dns_await(&beginning, err) < 0) {
        return err_in(err, "names of network %s", request->network);
    }
    if (pid == 0) {
        AUTO_FD int lock = open_lock(request->folder_fd, 0);
        pid = lock < 0 ? 0 : read_holder(lock, ret_pidfd);
    }
    return pid > 0 ? pid : err_set(err, ERR_SYSTEM, "names of network %s: the responder has ended at once", request->network);
}

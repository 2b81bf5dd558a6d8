#include "runtime/engine/commons_keeper.h"

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/dir.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/engine/connection_pasta.h"
#include "runtime/engine/home.h"
#include "runtime/kernel/elsewhere.h"
#include "runtime/kernel/jail.h"
#include "runtime/kernel/netlink.h"
#include "runtime/kernel/process.h"
#include "runtime/kernel/sys.h"
#include "runtime/net/dns.h"
#include "runtime/net/edge.h"
#include "runtime/net/trunk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/nsfs.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RETRY_LOCK_MS = 100, RETRY_UPLINK_MS = 2000, MOST_CLIENTS = 8192 };

static const char anchor_name[] = COMMONS_FOLDER "/anchor";

struct keeper {
    const struct home *home;
    int listen_fd, user_fd, net_fd;
    int events_fd, ask_fd; // netlink: interfaces that come and go, and questions
    pid_t anchor;
    int anchor_fd;
    struct arena arena;
    struct pasta uplink;
    int *clients;
    size_t count, room;
    struct commons_hello hello;
};

// --- the anchor ---

// It stays only when it has been written down, so that it can be found.
static _Noreturn void be_anchor(int told_fd) {
    char word;
    (void)prctl(PR_SET_NAME, "coffer-anchor", 0, 0, 0);
    (void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); // or nobody could see its namespaces
    if (fd_read_full(told_fd, &word, 1) != 1) {
        _exit(1);
    }
    sys_close_range(0, ~0U, 0);
    for (;;) {
        pause();
    }
}

static bool has_namespaces(pid_t pid) {
    char path[48];
    snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
    AUTO_FD int fd = openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    return fd >= 0;
}

static bool find_anchor(struct keeper *keeper) {
    char text[64] = "", name[PROCESS_NAME_SIZE];
    int pid = 0;
    unsigned long long started = 0;
    AUTO_FD int fd = openat(keeper->home->live_fd, anchor_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    bool known = fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 && sscanf(text, "%d %llu", &pid, &started) == 2 && pid > 0;
    AUTO_FD int pidfd = known ? sys_pidfd_open(pid, 0) : -1;
    if (pidfd < 0 || process_start_time(pid) != started || process_name(pid, name) < 0 || strcmp(name, "coffer-anchor") != 0) {
        return false;
    }
    // One that was killed is there until it is waited for, and has no namespaces any more.
    if (!has_namespaces(pid)) {
        return false;
    }
    keeper->anchor = pid;
    keeper->anchor_fd = fd_take(&pidfd);
    return true;
}

static int note_anchor(const struct keeper *keeper, struct err *err) {
    char text[64];
    snprintf(text, sizeof(text), "%d %llu\n", keeper->anchor, (unsigned long long)process_start_time(keeper->anchor));
    AUTO_FD int fd = openat(keeper->home->live_fd, anchor_name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    return fd < 0 || fd_write_all(fd, text, strlen(text)) < 0 ? err_sys(err, "write %s/%s", keeper->home->live_path, anchor_name)
                                                              : 0;
}

static int complete_anchor(const struct keeper *keeper, bool fresh, int tell_fd, struct err *err) {
    if (fresh && userns_write_maps(keeper->anchor, &keeper->home->own.uids, &keeper->home->own.gids, err) < 0) {
        return -1;
    }
    if (note_anchor(keeper, err) < 0) {
        return -1;
    }
    return fd_write_all(tell_fd, "", 1) < 0 ? err_sys(err, "make the namespaces of the user's networks") : 0;
}

// In namespaces of its own, or in those that there are.
static int start_anchor(struct keeper *keeper, struct err *err) {
    bool fresh = keeper->net_fd < 0;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) {
        return err_sys(err, "make a pipe");
    }
    AUTO_FD int told = ends[0];
    AUTO_FD int tell = ends[1];
    keeper->anchor = process_clone(fresh ? CLONE_NEWUSER | CLONE_NEWNET : 0, -1, &keeper->anchor_fd);
    if (keeper->anchor == 0) {
        fd_close(&tell);
        if (!fresh && (setns(keeper->user_fd, CLONE_NEWUSER) < 0 || setns(keeper->net_fd, CLONE_NEWNET) < 0)) {
            _exit(1);
        }
        be_anchor(told);
    }
    return keeper->anchor < 0 ? err_sys(err, "make the namespaces of the user's networks")
                              : complete_anchor(keeper, fresh, tell, err);
}

static int open_namespace(pid_t pid, const char *name, int *fd, struct err *err) {
    char path[48];
    snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, name);
    *fd = *fd < 0 ? openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC) : *fd;
    return *fd < 0 ? err_sys(err, "open %s", path) : 0;
}

// --- what is in the commons ---

// Calls it for the responder of each network, until it has enough (true).
static bool look_at_responders(struct keeper *keeper, bool (*look)(struct keeper *keeper, pid_t pid, int pidfd)) {
    AUTO_FD int networks = openat(keeper->home->store_fd, "networks", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    AUTO_DIR DIR *stream = networks < 0 ? NULL : dir_stream(networks);
    bool enough = false;
    for (const struct dirent *entry = stream ? dir_next(stream) : NULL; entry && !enough; entry = dir_next(stream)) {
        int pidfd = -1;
        AUTO_FD int folder = openat(networks, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        pid_t pid = folder < 0 ? 0 : dns_find(folder, &pidfd);
        enough = pid > 0 && look(keeper, pid, pidfd);
        fd_close(&pidfd);
    }
    return enough;
}

static bool end_responder(struct keeper *keeper, pid_t pid, int pidfd) {
    (void)keeper;
    (void)pid;
    sys_pidfd_send_signal(pidfd, SIGKILL);
    (void)!poll(&(struct pollfd){.fd = pidfd, .events = POLLIN}, 1, RETRY_UPLINK_MS);
    return false;
}

// They hold the namespace alive, and answer in this one only.
static void end_responders(struct keeper *keeper) {
    (void)look_at_responders(keeper, end_responder);
}

// Where the anchor was killed with its keeper, a responder may still be in the namespace that running containers have their
// interfaces in. A namespace of our own user namespace is none of these.
static bool take_namespaces(struct keeper *keeper, pid_t pid, int pidfd) {
    char path[48];
    struct stat own, there;
    snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
    AUTO_FD int net_fd = openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    AUTO_FD int user_fd = net_fd < 0 ? -1 : ioctl(net_fd, NS_GET_USERNS);
    bool ended = poll(&(struct pollfd){.fd = pidfd, .events = POLLIN}, 1, 0) != 0;
    if (user_fd < 0 || ended || stat("/proc/self/ns/user", &own) < 0 || fstat(user_fd, &there) < 0 || own.st_ino == there.st_ino) {
        return false;
    }
    keeper->net_fd = fd_take(&net_fd);
    keeper->user_fd = fd_take(&user_fd);
    return true;
}

static int open_inside(void *context, struct err *err) {
    struct keeper *keeper = context;
    keeper->events_fd = netlink_open(err);
    if (keeper->events_fd < 0 || netlink_join(keeper->events_fd, RTNLGRP_LINK, err) < 0) {
        return -1;
    }
    keeper->ask_fd = netlink_open(err);
    return keeper->ask_fd < 0 ? -1 : edge_prepare(err);
}

struct ends {
    bool container;    // somebody has a port of his own
    struct buf trunks; // their numbers
};

static int take_veth(void *context, const struct nlmsghdr *message, struct err *err) {
    (void)err;
    struct ends *ends = context;
    if (message->nlmsg_type != RTM_NEWLINK || message->nlmsg_len < NLMSG_LENGTH(sizeof(struct ifinfomsg))) {
        return 0;
    }
    const struct ifinfomsg *link = NLMSG_DATA(message);
    struct netlink_bytes attributes = netlink_attributes(message, sizeof(*link));
    const char *kind = netlink_find_string(netlink_find(attributes, IFLA_LINKINFO, 0), IFLA_INFO_KIND);
    const char *name = netlink_find_string(attributes, IFLA_IFNAME);
    bool is_veth = kind && name && strcmp(kind, "veth") == 0;
    if (is_veth && strncmp(name, TRUNK_PREFIX, sizeof(TRUNK_PREFIX) - 1) == 0) {
        buf_add(&ends->trunks, &link->ifi_index, sizeof(link->ifi_index));
    } else if (is_veth && strncmp(name, TRUNK_PORT_PREFIX, sizeof(TRUNK_PORT_PREFIX) - 1) != 0) {
        ends->container = true;
    }
    return 0;
}

static void ends_finish(struct ends *ends) {
    buf_finish(&ends->trunks);
}

static bool has_containers(const struct keeper *keeper) {
    _Alignas(struct nlmsghdr) char room[256];
    AUTO_BUF struct buf batch = BUF_IN(room);
    AUTO(ends_finish) struct ends ends = {0};
    const struct ifinfomsg link = {.ifi_family = AF_UNSPEC};
    struct netlink_failure failure = {0};
    struct err err;
    bool on_trunk = false;
    netlink_begin(&batch, RTM_GETLINK, NLM_F_DUMP, 1, &link, sizeof(link));
    if (netlink_exchange(keeper->ask_fd, &batch, 1, take_veth, &ends, &failure, &err) < 0 || failure.errnum || ends.container) {
        return true;
    }
    const int *trunks = (const int *)(const void *)ends.trunks.data;
    return trunks_are_used(keeper->ask_fd, trunks, ends.trunks.size / sizeof(*trunks), &on_trunk, &err) < 0 || on_trunk;
}

static void drain(int fd) {
    char room[4096];
    ssize_t got;
    do {
        got = recv(fd, room, sizeof(room), MSG_DONTWAIT);
    } while (got > 0 || (got < 0 && errno == ENOBUFS));
}

// --- those who use it ---

static int say_hello(const struct keeper *keeper, int client) {
    union {
        char room[CMSG_SPACE(2 * sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    const int fds[] = {keeper->user_fd, keeper->net_fd};
    struct iovec part = {(void *)(uintptr_t)&keeper->hello, sizeof(keeper->hello)};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (!keeper->hello.failed) {
        message.msg_control = &control;
        message.msg_controllen = sizeof(control);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        *header = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(fds))};
        memcpy(CMSG_DATA(header), fds, sizeof(fds));
    }
    return sendmsg(client, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -1 : 0;
}

static void accept_clients(struct keeper *keeper) {
    int client;
    while ((client = accept4(keeper->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
        if (keeper->count == MOST_CLIENTS || say_hello(keeper, client) < 0) {
            close(client);
            continue;
        }
        keeper->hello.fresh = false;
        if (keeper->count == keeper->room) {
            keeper->room = keeper->room ? 2 * keeper->room : 16;
            keeper->clients = mem_resize(keeper->clients, keeper->room, sizeof(*keeper->clients));
        }
        keeper->clients[keeper->count++] = client;
    }
}

static void drop_client(struct keeper *keeper, size_t at) {
    close(keeper->clients[at]);
    keeper->clients[at] = keeper->clients[--keeper->count];
}

// --- its life ---

static int lead_out(struct keeper *keeper, struct err *err) {
    keeper->hello.anchor = keeper->anchor;
    return pasta_lead_out(&keeper->uplink, keeper->home, COMMONS_FOLDER, keeper->anchor, &keeper->arena, err);
}

static int begin(struct keeper *keeper, struct err *err) {
    if (find_anchor(keeper)) {
        fd_close(&keeper->user_fd);
        fd_close(&keeper->net_fd);
    } else {
        if (keeper->net_fd < 0 && !look_at_responders(keeper, take_namespaces)) {
            end_responders(keeper);
            keeper->hello.fresh = true;
        }
        if (start_anchor(keeper, err) < 0) {
            return -1;
        }
    }
    if (open_namespace(keeper->anchor, "user", &keeper->user_fd, err) < 0 ||
        open_namespace(keeper->anchor, "net", &keeper->net_fd, err) < 0 ||
        elsewhere_do(keeper->user_fd, keeper->net_fd, open_inside, keeper, err) < 0) {
        return -1;
    }
    if (lead_out(keeper, err) == 0) {
        return 0;
    }
    // The anchor that was found may have been killed, and not have ended yet.
    bool ended = poll(&(struct pollfd){.fd = keeper->anchor_fd, .events = POLLIN}, 1, 0) > 0;
    if (ended) {
        fd_close(&keeper->anchor_fd);
    }
    return ended && start_anchor(keeper, err) == 0 ? lead_out(keeper, err) : -1;
}

static void mend(struct keeper *keeper, const struct pollfd *anchor) {
    struct err err;
    if (anchor->revents) {
        (void)!waitpid(keeper->anchor, NULL, WNOHANG);
        fd_close(&keeper->anchor_fd);
        if (start_anchor(keeper, &err) == 0) {
            keeper->hello.anchor = keeper->anchor;
            pasta_move(&keeper->uplink, keeper->anchor);
        }
    }
}

static void take_away(struct keeper *keeper) {
    static const char *const names[] = {COMMONS_FOLDER "/keeper", anchor_name};
    pasta_release(&keeper->uplink);
    end_responders(keeper);
    if (keeper->anchor_fd >= 0) {
        sys_pidfd_send_signal(keeper->anchor_fd, SIGKILL);
    }
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        unlinkat(keeper->home->live_fd, names[i], 0);
    }
}

// Who connects has the lock. Returns whether it has gone.
static bool go(struct keeper *keeper) {
    struct err err;
    AUTO_FD int lock = commons_lock(keeper->home, false, &err);
    if (lock < 0) {
        return false;
    }
    accept_clients(keeper);
    if (keeper->count > 0) {
        return false;
    }
    take_away(keeper);
    return true;
}

static void step(struct keeper *keeper, struct pollfd *polls, size_t clients) {
    enum { FIXED = 4 };
    struct err err;
    for (size_t i = clients; i-- > 0;) { // from the end: another one takes the place of one that is gone
        if (polls[FIXED + i].revents) {
            drop_client(keeper, i);
        }
    }
    mend(keeper, &polls[1]);
    if (polls[2].revents) {
        drain(keeper->events_fd);
    }
    if ((polls[3].revents || pasta_watched(&keeper->uplink) < 0) && pasta_revive(&keeper->uplink, &err) < 0) {
        log_warn("%s", err.text);
    }
    if (polls[0].revents) {
        accept_clients(keeper);
    }
}

static void serve(struct keeper *keeper) {
    enum { FIXED = 4 };
    AUTO_FREE struct pollfd *polls = NULL;
    for (;;) {
        size_t clients = keeper->count;
        bool unused = clients == 0 && !has_containers(keeper);
        if (unused && go(keeper)) {
            return;
        }
        int uplink_fd = pasta_watched(&keeper->uplink);
        polls = mem_resize(polls, FIXED + clients, sizeof(*polls));
        polls[0] = (struct pollfd){.fd = keeper->listen_fd, .events = POLLIN};
        polls[1] = (struct pollfd){.fd = keeper->anchor_fd, .events = POLLIN};
        polls[2] = (struct pollfd){.fd = keeper->events_fd, .events = POLLIN};
        polls[3] = (struct pollfd){.fd = uplink_fd, .events = POLLIN};
        clients = keeper->count;
        polls = mem_resize(polls, FIXED + clients, sizeof(*polls));
        for (size_t i = 0; i < clients; i++) {
            polls[FIXED + i] = (struct pollfd){.fd = keeper->clients[i], .events = POLLIN};
        }
        (void)!poll(polls, FIXED + clients, unused ? RETRY_LOCK_MS : uplink_fd < 0 ? RETRY_UPLINK_MS : -1);
        step(keeper, polls, clients);
    }
}

// What comes with the command from its caller does not concern it; it goes by itself when nobody needs it.
static void detach(void) {
    static const int ignored[] = {SIGTERM, SIGINT, SIGHUP}; // pasta does not start where more are
    sigset_t none;
    for (size_t i = 0; i < ARRAY_LEN(ignored); i++) {
        signal(ignored[i], SIG_IGN);
    }
    signal(SIGCHLD, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    (void)!chdir("/");
    (void)prctl(PR_SET_NAME, "coffer-net", 0, 0, 0);
}

// Says why to who has started it, when nothing of it is left. In namespaces that there were, containers may have their interfaces:
// what keeps those stays, and the dead socket, by which the next command comes to it.
static void fail(struct keeper *keeper) {
    (void)!poll(&(struct pollfd){.fd = keeper->listen_fd, .events = POLLIN}, 1, RETRY_UPLINK_MS);
    AUTO_FD int client = accept4(keeper->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (keeper->hello.fresh) {
        take_away(keeper);
    } else {
        pasta_release(&keeper->uplink);
    }
    (void)!say_hello(keeper, client);
}

static void keep(const struct commons_keeper_request *request) {
    struct keeper keeper = {.home = request->home,
                            .listen_fd = request->listen_fd,
                            .user_fd = request->user_fd,
                            .net_fd = request->net_fd,
                            .events_fd = -1,
                            .ask_fd = -1,
                            .anchor_fd = -1};
    const int kept[] = {request->listen_fd, request->home->live_fd, request->home->store_fd,
                        request->user_fd >= 0 ? request->user_fd : request->listen_fd,
                        request->net_fd >= 0 ? request->net_fd : request->listen_fd};
    detach();
    keeper.hello.failed =
        jail_keep_descriptors(kept, ARRAY_LEN(kept), &keeper.hello.err) < 0 || begin(&keeper, &keeper.hello.err) < 0;
    if (keeper.hello.failed) {
        fail(&keeper);
        return;
    }
    keeper.hello.name_server = pasta_name_server(&keeper.uplink);
    serve(&keeper);
}

int commons_keeper_start(const struct commons_keeper_request *request, struct err *err) {
    pid_t child = process_clone(0, -1, NULL);
    if (child < 0) {
        return err_sys(err, "start the keeper of the user's networks");
    }
    if (child == 0) {
        pid_t grandchild = setsid() < 0 ? -1 : process_clone(0, -1, NULL);
        if (grandchild == 0) {
            keep(request);
            _exit(0);
        }
        _exit(grandchild < 0 ? 1 : 0);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return status != 0 ? err_set(err, ERR_SYSTEM, "start the keeper of the user's networks") : 0;
}

#include "runtime/kernel/process_end.h"

#include "runtime/base/clock.h"
#include "runtime/base/fd.h"
#include "runtime/kernel/process.h"
#include "runtime/kernel/sys.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

// PIDFD_GET_INFO of <linux/pidfd.h>, which Debian 12's headers do not have: the first 64 bytes of struct pidfd_info.
struct pidfd_info {
    uint64_t mask, cgroup;
    uint32_t pid, tgid, ppid, ids[8];
    int32_t exit_code;
};

enum { INFO_EXIT = 1 << 3, REAPED_MS = 2000 };
#define GET_INFO _IOWR(0xff, 11, struct pidfd_info)

// --- events ---

// A struct cn_msg without the data behind it.
struct connector {
    struct cb_id id;
    uint32_t sequence, answer;
    uint16_t size, flags;
};
static_assert(sizeof(struct connector) == sizeof(struct cn_msg), "the kernel's");

struct event {
    struct nlmsghdr head;
    struct connector connector;
    struct proc_event event;
} __attribute__((packed));

struct wish {
    struct nlmsghdr head;
    struct connector connector;
    uint32_t operation;
} __attribute__((packed));

static int say(int fd, uint32_t operation) {
    const struct wish wish = {
        .head = {.nlmsg_len = sizeof(wish), .nlmsg_type = NLMSG_DONE},
        .connector = {.id = {CN_IDX_PROC, CN_VAL_PROC}, .size = sizeof(operation)},
        .operation = operation,
    };
    return send(fd, &wish, sizeof(wish), 0) == (ssize_t)sizeof(wish) ? 0 : -1;
}

// The ends of this process's threads alone, so that nobody is woken by others'. What a filter loads is big-endian.
static int filter(int fd, pid_t pid) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct event, event.what)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(0x80000000u), 0, 3), // PROC_EVENT_EXIT
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct event, event.event_data.exit.process_tgid)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl((uint32_t)pid), 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    const struct sock_fprog program = {.len = sizeof(code) / sizeof(*code), .filter = code};
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

// The kernel counts its listeners, and before Linux 6.6 not those that leave without a word: one that is killed costs a little of each
// process from then on, and nothing else.
void process_end_watch(struct process_end *end, pid_t pid, int pidfd) {
    struct pidfd_info info = {.mask = INFO_EXIT};
    const struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = CN_IDX_PROC};
    *end = (struct process_end){.pid = pid, .events_fd = -1};
    if (ioctl(pidfd, GET_INFO, &info) == 0) {
        return;
    }
    AUTO_FD int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_CONNECTOR);
    if (fd >= 0 && filter(fd, pid) == 0 && bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
        say(fd, PROC_CN_MCAST_LISTEN) == 0) {
        end->events_fd = fd_take(&fd);
    }
}

void process_end_finish(struct process_end *end) {
    if (end->events_fd >= 0) {
        (void)say(end->events_fd, PROC_CN_MCAST_IGNORE);
    }
    fd_close(&end->events_fd);
}

// The last thread's end tells; it comes before the process's does.
static bool read_events(int fd, int *ret_status) {
    struct event event;
    bool found = false;
    while (fd >= 0 && recv(fd, &event, sizeof(event), 0) >= (ssize_t)offsetof(struct event, event.event_data.exit.exit_signal)) {
        memcpy(ret_status, (const char *)&event + offsetof(struct event, event.event_data.exit.exit_code), sizeof(*ret_status));
        found = true;
    }
    return found;
}

// Some parents take their time to reap, and who removes a container waits for us. Its number was its own when it was read if the process,
// dead as it is, can be sent a signal still.
static bool read_zombie(pid_t pid, int pidfd, int *ret_status) {
    int status;
    if (!process_zombie_status(pid, &status) || sys_pidfd_send_signal(pidfd, 0) < 0) {
        return false;
    }
    *ret_status = status;
    return true;
}

// A pidfd is readable when its process has ended, and has hung up when that was reaped (pidfd_open(2)): then its status is kept.
static bool ask(int pidfd, int *ret_status) {
    struct pidfd_info info = {.mask = INFO_EXIT};
    struct pollfd reaped = {.fd = pidfd};
    int64_t until_ms = clock_now_ms() + REAPED_MS, left_ms = REAPED_MS;
    while (left_ms > 0 && poll(&reaped, 1, (int)left_ms) < 0 && errno == EINTR) {
        left_ms = until_ms - clock_now_ms();
    }
    if (ioctl(pidfd, GET_INFO, &info) < 0 || !(info.mask & INFO_EXIT)) {
        return false;
    }
    *ret_status = info.exit_code;
    return true;
}

bool process_end_status(const struct process_end *end, int pidfd, int *ret_status) {
    return read_events(end->events_fd, ret_status) || read_zombie(end->pid, pidfd, ret_status) ||
           (end->events_fd < 0 && ask(pidfd, ret_status));
}

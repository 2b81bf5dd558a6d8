#include "runtime/container/listener.h"

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/container/init/channel.h"
#include "runtime/kernel/sys.h"
#include "runtime/kernel/unix_socket.h"
#include "specs/oci_seccomp.h"
#include "specs/oci_state.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

bool listener_is_needed(const struct oci_seccomp *seccomp) {
    bool needed = seccomp->default_action == SECCOMP_RET_USER_NOTIF;
    for (size_t i = 0; i < seccomp->syscalls_count && !needed; i++) {
        needed = seccomp->syscalls[i].action == SECCOMP_RET_USER_NOTIF;
    }
    return needed;
}

// An id that no question has: any other descriptor does not know what is asked.
static bool is_listener(int fd) {
    uint64_t none = 0;
    return ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &none) < 0 && errno == ENOENT;
}

// Takes the descriptor out of init as soon as it is there. *ret_fd is -1 when init has something to say instead: why it failed.
static int take_from_init(const struct listener *listener, int number, int *ret_fd, struct err *err) {
    for (int wait_ms = 0;; wait_ms = 1) {
        AUTO_FD int fd = sys_pidfd_getfd(listener->pidfd, number);
        // Before, the shared memory has that number.
        if (fd >= 0 && is_listener(fd)) {
            *ret_fd = fd_take(&fd);
            return 0;
        }
        if (fd < 0 && errno != EBADF) {
            return err_sys(err, "take the listener of the system call filter out of init");
        }
        struct pollfd said = {.fd = listener->channel, .events = POLLIN};
        char byte;
        if (poll(&said, 1, wait_ms) > 0) {
            if (recv(listener->channel, &byte, 1, MSG_PEEK) <= 0) {
                return err_set(err, ERR_STATE, "init died before it had loaded the system call filter");
            }
            *ret_fd = -1;
            return 0;
        }
    }
}

static int send_state(const struct listener *listener, int peer, int fd, struct err *err) {
    AUTO_BUF struct buf text = {0};
    const struct oci_process_state process = {
        .pid = listener->pid,
        .metadata = listener->seccomp->listener_metadata,
        .state = listener->state,
    };
    oci_process_state_write(&process, &text);
    return unix_socket_send_fd(peer, text.data, text.size, fd) < 0
               ? err_sys(err, "send the listener of the system call filter to %s", listener->seccomp->listener_path)
               : 0;
}

int listener_pass_on(const struct listener *listener, const struct channel_message *message, struct err *err) {
    int32_t number;
    if (!listener->seccomp || !listener->seccomp->listener_path || message->size != sizeof(number) || message->fd_count != 1) {
        return err_set(err, ERR_STATE, "init sent a listener that was not asked for");
    }
    memcpy(&number, message->body, sizeof(number));
    AUTO_FD int peer = unix_socket_connect(listener->seccomp->listener_path, SOCK_STREAM);
    if (peer < 0) {
        return err_sys(err, "linux.seccomp.listenerPath: connect to %s", listener->seccomp->listener_path);
    }
    atomic_int *passed_on = mmap(NULL, sizeof(*passed_on), PROT_READ | PROT_WRITE, MAP_SHARED, message->fds[0], 0);
    if (passed_on == MAP_FAILED) {
        return err_sys(err, "map memory to share with init");
    }
    AUTO_FD int fd = -1;
    int result = channel_send(listener->channel, CHANNEL_GO, NULL, 0, NULL, 0, err);
    if (result == 0) {
        result = take_from_init(listener, number, &fd, err);
    }
    if (result == 0 && fd >= 0) {
        result = send_state(listener, peer, fd, err);
    }
    if (result == 0 && fd >= 0) {
        atomic_store(passed_on, 1); // only now: whoever asked before has an answer to wait for
    }
    munmap(passed_on, sizeof(*passed_on));
    if (result < 0) {
        sys_pidfd_send_signal(listener->pidfd, SIGKILL); // it may have its filter already, and would wait in vain
    }
    return result;
}

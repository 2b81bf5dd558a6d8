#include "runtime/container/launch.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/container/init/channel.h"
#include "runtime/container/init/init.h"
#include "runtime/kernel/process.h"
#include "runtime/kernel/procfs.h"
#include "runtime/kernel/sealed.h"
#include "runtime/kernel/sys.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

extern const char init_image[];
extern const char init_image_end[];

void launched_finish(struct launched *launched) {
    fd_close(&launched->pidfd);
    fd_close(&launched->channel);
}

void launch_abort(struct launched *launched) {
    if (launched->pidfd >= 0) {
        sys_pidfd_send_signal(launched->pidfd, SIGKILL);
        siginfo_t end;
        process_reap(launched->pidfd, &end);
    }
    launched_finish(launched);
}

static _Noreturn void give_up(int channel, const char *what) {
    struct err err = {0}, ignored;
    err_sys(&err, "%s", what);
    if (channel_send(channel, CHANNEL_ERROR, &err, sizeof(err), NULL, 0, &ignored) < 0) {
        _exit(125);
    }
    _exit(125);
}

// Of a process that waits for us (our child, not reaped: the number is its own), 0 for the calling one.
static int set_oom_score(const struct launch *launch, pid_t pid, struct err *err) {
    char path[48], text[16];
    AUTO_FD int proc = procfs_open(err);
    if (proc < 0) {
        return -1;
    }
    snprintf(path, sizeof(path), "%d/oom_score_adj", pid);
    snprintf(text, sizeof(text), "%d", launch->oom_score);
    AUTO_FD int fd = pid ? procfs_try_open(proc, path, O_WRONLY) : procfs_try_open_own(proc, "oom_score_adj", O_WRONLY);
    if (fd < 0 || write(fd, text, strlen(text)) < 0) {
        const char *why = errno == EACCES ? " (less than the caller's takes CAP_SYS_RESOURCE)" : "";
        return err_sys(err, "set process.oomScoreAdj to %s%s", text, why);
    }
    return 0;
}

static void set_own_oom_score(const struct launch *launch, int channel) {
    struct err err = {0}, ignored;
    if (launch->set_oom_score && set_oom_score(launch, 0, &err) < 0) {
        (void)!channel_send(channel, CHANNEL_ERROR, &err, sizeof(err), NULL, 0, &ignored);
        _exit(125);
    }
}

static void place_stdio(const struct launch *launch, int channel) {
    for (int i = 0; i < 3; i++) {
        if (launch->stdio[i] >= 0 && dup2(launch->stdio[i], i) < 0) {
            give_up(channel, "place the standard descriptors");
        }
    }
}

struct child {
    struct launch launch;
    int image;
    int channel;
    int parents_end;
};

// In the child: waits for its id maps where it has a user namespace, becomes its root, and turns into the init program.
static void become_init(void *argument) {
    const struct child *child = argument;
    const struct launch *launch = &child->launch;
    int channel = child->channel;
    if (launch->die_with_parent) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    }
    if (!(launch->namespaces & CLONE_NEWUSER)) {
        set_own_oom_score(launch, channel);
    } else {
        char mapped;
        close(child->parents_end); // else its end would not end the channel: we would wait on it for ourselves
        if (fd_read_full(channel, &mapped, 1) != 1) {
            _exit(125); // the parent went away or failed to write the maps
        }
        if (syscall(SYS_setresgid, 0, 0, 0) < 0 || syscall(SYS_setresuid, 0, 0, 0) < 0) {
            give_up(channel, "become root of the user namespace (is id 0 mapped?)");
        }
    }
    place_stdio(launch, channel);
    // What the caller left open is not init's: whoever waits for its end need not wait for `start`.
    if (sys_close_range(3 + (unsigned)launch->kept_fds, UINT_MAX, CLOSE_RANGE_CLOEXEC) < 0) {
        give_up(channel, "mark all descriptors close-on-exec");
    }
    char number[16];
    snprintf(number, sizeof(number), "%d", channel);
    char name[] = "coffer-init";
    char *const args[] = {name, number, NULL};
    char *const environment[] = {NULL};
    if (fcntl(channel, F_SETFD, 0) == 0) {
        sys_execveat(child->image, "", args, environment, AT_EMPTY_PATH);
    }
    give_up(channel, "execute the init program");
}

struct joiner {
    const struct launch *launch;
    int image;
    int channel;
    int report;
};

// In the process between: turns into the init program, which joins and clones (runtime/container/init/join.c). Nothing that the caller
// left open goes along: in a container that is there already, somebody may be waiting for it (CVE-2024-21626).
static void become_joiner(void *argument) {
    const struct joiner *joiner = argument;
    const struct launch *launch = joiner->launch;
    int channel = joiner->channel;
    set_own_oom_score(launch, channel);
    place_stdio(launch, channel);
    if (launch->drop_groups && syscall(SYS_setgroups, 0, NULL) < 0) {
        give_up(channel, "drop the caller's additional groups");
    }
    const int fds[] = {channel, joiner->report, launch->join_user, launch->join_pid, launch->join_process};
    char name[] = "coffer-init", numbers[ARRAY_LEN(fds) + 2][24], die[] = {launch->die_with_parent ? '1' : '0', '\0'};
    if (sys_close_range(3 + (unsigned)launch->kept_fds, UINT_MAX, CLOSE_RANGE_CLOEXEC) < 0) {
        give_up(channel, "mark all descriptors close-on-exec");
    }
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        snprintf(numbers[i], sizeof(numbers[i]), "%d", fds[i]);
        if (fds[i] >= 0 && fcntl(fds[i], F_SETFD, 0) < 0) {
            give_up(channel, "hand over a descriptor");
        }
    }
    snprintf(numbers[ARRAY_LEN(fds)], sizeof(numbers[0]), "%llu", (unsigned long long)launch->namespaces);
    snprintf(numbers[ARRAY_LEN(fds) + 1], sizeof(numbers[0]), "%llu", (unsigned long long)launch->join_namespaces);
    char *const args[] = {name, numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5], numbers[6], die, NULL};
    char *const environment[] = {NULL};
    sys_execveat(joiner->image, "", args, environment, AT_EMPTY_PATH);
    give_up(channel, "execute the init program");
}

// errno of a clone into a container's cgroup.
static int clone_failed(int errnum, struct err *err) {
    const char *why = errnum == EAGAIN ? " (its pids limit may be reached)" : "";
    return err_num(err, errnum, "create a process in the container's cgroup%s", why);
}

// The between's answer for a process that did not come to be.
static int join_failed(const struct launch *launch, const int32_t answer[2], struct err *err) {
    // ESRCH: the process to join is dead. ENOMEM: the pid namespace has lost its first process and takes no more (clone(2)).
    bool refused = answer[0] == INIT_JOIN_REFUSED;
    if (launch->join_process >= 0 && answer[1] == (refused ? ESRCH : ENOMEM)) {
        return err_set(err, ERR_STATE, "the container has just ended");
    }
    if (!refused) {
        return clone_failed(answer[1], err);
    }
    return launch->join_process >= 0 ? err_num(err, answer[1], "join the container's namespaces")
                                     : err_num(err, answer[1], "join the user or pid namespace of the configuration");
}

static pid_t clone_joined(const struct launch *launch, int image, int channel, int *ret_pidfd, struct err *err) {
    int report[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, report) < 0) {
        return err_sys(err, "make a socket pair");
    }
    AUTO_FD int ours = report[0];
    AUTO_FD int theirs = report[1];
    struct joiner joiner = {launch, image, channel, theirs};
    // Born in the cgroup, so that no descriptor of it, which would lead to the host's cgroups, ever comes into the pid namespace; nor
    // could it be joined from inside a cgroup namespace (cgroups(7), nsdelegate).
    pid_t between = process_clone_to_exec(0, launch->cgroup_fd, become_joiner, &joiner, NULL);
    if (between < 0) {
        return clone_failed(errno, err);
    }
    fd_close(&theirs);
    int32_t answer[2];
    ssize_t got = fd_read_full(ours, answer, sizeof(answer));
    while (waitpid(between, NULL, 0) < 0 && errno == EINTR) {
    }
    if (got != (ssize_t)sizeof(answer)) {
        return err_set(err, ERR_SYSTEM, "the process that joins the namespaces died");
    }
    if (answer[0] < 0) {
        return join_failed(launch, answer, err);
    }
    // Our child, not reaped yet: the number cannot have been used again.
    int pidfd = sys_pidfd_open(answer[0], 0);
    if (pidfd < 0) {
        err_sys(err, "open a descriptor of init");
        kill(answer[0], SIGKILL); // its plan may be there already
        while (waitpid(answer[0], NULL, 0) < 0 && errno == EINTR) {
        }
        return -1;
    }
    *ret_pidfd = pidfd;
    return answer[0];
}

// What a process that has ended said last, in place of what is known of its end.
static void take_last_words(int channel, struct err *err) {
    struct channel_message last;
    struct err ignored;
    if (channel_receive(channel, &last, &ignored) < 0) {
        return;
    }
    if (last.type == CHANNEL_ERROR && last.size == sizeof(*err)) {
        memcpy(err, last.body, sizeof(*err));
    }
    channel_message_finish(&last);
}

static pid_t clone_child(const struct launch *launch, int image, int channel, int parents_end, int *ret_pidfd, struct err *err) {
    if (launch->join_user >= 0 || launch->join_pid >= 0 || launch->join_process >= 0) {
        return clone_joined(launch, image, channel, ret_pidfd, err);
    }
    static struct child child; // the child may still read it when we are far from here
    child = (struct child){*launch, image, channel, parents_end};
    // A child with a user namespace of its own needs us to write its maps before it can execute anything as that namespace's root.
    bool waits = launch->namespaces & CLONE_NEWUSER;
    pid_t pid = waits ? process_clone(launch->namespaces, launch->cgroup_fd, ret_pidfd)
                      : process_clone_to_exec(launch->namespaces, launch->cgroup_fd, become_init, &child, ret_pidfd);
    if (pid == 0) {
        become_init(&child);
    }
    if (pid < 0) {
        if ((launch->namespaces & CLONE_NEWUSER) && (errno == EPERM || errno == ENOSPC || errno == EUSERS)) {
            err_sys(err, "create a user namespace");
            return err_in(err, "this host does not allow user namespaces (see user.max_user_namespaces and "
                               "kernel.unprivileged_userns_clone)");
        }
        return err_sys(err, "create the container's process and namespaces");
    }
    return pid;
}

void launch_ready_finish(struct launch_ready *ready) {
    fd_close(&ready->image);
    fd_close(&ready->ours);
    fd_close(&ready->theirs);
}

int launch_make_ready(struct launch_ready *ret_ready, struct err *err) {
    AUTO_FD int image = sealed_program("coffer-init", init_image, (size_t)(init_image_end - init_image), err);
    int pair[2];
    if (image < 0) {
        return -1;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
        return err_sys(err, "make a channel to init");
    }
    *ret_ready = (struct launch_ready){.image = fd_take(&image), .ours = pair[0], .theirs = pair[1]};
    return 0;
}

int launch_ready_init(const struct launch *launch, struct launch_ready *ready, struct launched *ret_launched, struct err *err) {
    struct launched launched = {.pidfd = -1, .channel = ready->ours};
    launched.pid = clone_child(launch, ready->image, ready->theirs, ready->ours, &launched.pidfd, err);
    if (launched.pid < 0) {
        fd_close(&ready->theirs); // ours would keep the channel open
        take_last_words(ready->ours, err);
        return -1;
    }
    ready->ours = -1;
    launch_ready_finish(ready);
    if (launch->namespaces & CLONE_NEWUSER) {
        // In a new user namespace the child could not lower its score any more. A joiner has done so before.
        bool score = launch->set_oom_score && launch->join_user < 0 && launch->join_pid < 0;
        int result = score ? set_oom_score(launch, launched.pid, err) : 0;
        if (result == 0) {
            result = userns_write_maps(launched.pid, &launch->uids, &launch->gids, err);
        }
        if (result == 0 && send(launched.channel, "m", 1, MSG_NOSIGNAL) != 1) {
            result = err_sys(err, "talk to the container's init");
            if (err->errnum == EPIPE) {
                take_last_words(launched.channel, err);
            }
        }
        if (result < 0) {
            launch_abort(&launched);
            return -1;
        }
    }
    *ret_launched = launched;
    return 0;
}

int launch_init(const struct launch *launch, struct launched *ret_launched, struct err *err) {
    struct launch_ready ready = LAUNCH_READY_NONE;
    int result = launch_make_ready(&ready, err) < 0 ? -1 : launch_ready_init(launch, &ready, ret_launched, err);
    launch_ready_finish(&ready);
    return result;
}

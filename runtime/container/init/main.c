#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/container/init/channel.h"
#include "runtime/container/init/init.h"
#include "runtime/container/init/plan.h"
#include "runtime/container/init/wait.h"
#include "runtime/kernel/sys.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

int init_wait_for_go(const struct init *init, struct err *err) {
    struct channel_message message;
    if (channel_receive(init->channel, &message, err) < 0) {
        return -1;
    }
    bool go = message.type == CHANNEL_GO;
    channel_message_finish(&message);
    return go ? 0 : err_set(err, ERR_STATE, "the runtime ended before the container was set up");
}

// Whoever mapped his own id without privilege had to deny setgroups(2) for good (user_namespaces(7)): the caller's groups stay then.
static void ask_groups(struct init *init) {
    char text[8] = "";
    AUTO_FD int fd = open("/proc/self/setgroups", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, text, sizeof(text) - 1) < 4 || strncmp(text, "deny", 4) != 0) {
        return;
    }
    struct plan_process *process = &init->plan->process;
    process->set_groups = false;
    if (process->groups_size > 0) {
        init_warn(init, "process.user.additionalGids: not set, as the user namespace denies setgroups(2)");
    }
}

// What waits for the network namespace, which the parent makes meanwhile, comes last where it can.
static int set_up_mounts(struct init *init, struct err *err) {
    const struct init_plan *plan = init->plan;
    size_t early = init_early_mounts(init);
    if (init_make_root(init, err) < 0 || init_make_mounts(init, early, err) < 0) {
        return -1;
    }
    if (plan->make_devices && init_make_devices(init, err) < 0) {
        return -1;
    }
    if (plan->process.terminal && init_open_console(init, err) < 0) {
        return -1;
    }
    if (early == plan->mount_count) {
        return init_seal_mounts(init, err) < 0 ? -1 : init_hide_paths(init, HIDE_ALL, err);
    }
    if (init_hide_paths(init, HIDE_IN_PROC, err) < 0 || init_make_mounts(init, plan->mount_count, err) < 0) {
        return -1;
    }
    return init_seal_mounts(init, err) < 0 ? -1 : init_hide_paths(init, HIDE_ELSEWHERE, err);
}

// In a container that is there already; with mounts to make, the terminal is one of them.
static int open_joined_console(struct init *init, struct err *err) {
    init->root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return init->root_fd < 0 ? err_sys(err, "open the container's root directory") : init_open_console(init, err);
}

static int set_up(struct init *init, struct err *err) {
    const struct init_plan *plan = init->plan;
    if (plan->ask_groups) {
        ask_groups(init); // while the host's procfs is in reach; the container's may be masked or missing
    }
    if (init_join_namespaces(init, err) < 0) {
        return -1;
    }
    if (plan->mount_namespace && set_up_mounts(init, err) < 0) {
        return -1;
    }
    if (!plan->mount_namespace && plan->process.terminal && open_joined_console(init, err) < 0) {
        return -1;
    }
    if (init_take_network(init, err) < 0) {
        return -1;
    }
    if (plan->ask_before_pivot && channel_send(init->channel, CHANNEL_NAMESPACES, NULL, 0, NULL, 0, err) < 0) {
        return -1;
    }
    // The parent has recorded us and set the limits meanwhile, and run the hooks it was asked for. Nothing of the container's own runs
    // before that.
    if (plan->wait_for_go && init_wait_for_go(init, err) < 0) {
        return -1;
    }
    if (init_run_create_hooks(init, err) < 0) {
        return -1;
    }
    if (plan->mount_namespace && init_enter_root(init, err) < 0) {
        return -1;
    }
    // Now the hooks have furnished the namespaces: a setting may be that of an interface which they moved in.
    return init_name_host(init, err) < 0 ? -1 : init_write_sysctls(init, err);
}

// Waits for `start`: a connection that says GO. From then on it is the channel, so that what goes wrong is told to `start`.
static int await_start(struct init *init, struct err *err) {
    if (channel_send(init->channel, CHANNEL_READY, NULL, 0, NULL, 0, err) < 0) {
        return -1;
    }
    fd_close(&init->channel);
    for (;;) {
        AUTO_FD int peer = wait_small(init_fd(init, init->plan->start_socket));
        if (peer < 0) {
            return err_sys(err, "wait for start");
        }
        struct channel_message message;
        if (channel_receive(peer, &message, err) < 0) {
            // Else `start` would take the end of the connection for the command's beginning.
            struct err ignored;
            (void)!channel_send(peer, CHANNEL_ERROR, err, sizeof(*err), NULL, 0, &ignored);
            continue;
        }
        bool go = message.type == CHANNEL_GO;
        channel_message_finish(&message);
        if (go) {
            init->channel = fd_take(&peer);
            return 0;
        }
    }
}

static int carry_out(struct init *init, struct err *err) {
    const struct init_plan *plan = init->plan;
    char program[PATH_MAX];
    // What the container is made of does not depend on the caller's mask, which hooks and command get back: each mode is told in full.
    init->umask = umask(0);
    if (set_up(init, err) < 0 || init_close_used(init, err) < 0) {
        return -1;
    }
    bool has_process = plan->process.arg_count > 0;
    // Looked up before the wait, so that a missing command is an error of `create` already.
    if (has_process && (init_resolve_user(init, err) < 0 || init_find_program(init, program, sizeof(program), err) < 0)) {
        return -1;
    }
    // Before the wait, too: then a profile that is not loaded is an error of `create`, and startContainer hooks, which are programs of the
    // image, run under the label like the command.
    if (has_process && init_set_label(init, err) < 0) {
        return -1;
    }
    // Whoever called `create` waits for the end of what it wrote to: init must not hold that open.
    if (plan->wait_for_start && (init_take_terminal(init, err) < 0 || await_start(init, err) < 0)) {
        return -1;
    }
    if (!has_process) {
        return err_set(err, ERR_STATE, "the configuration has no process to start");
    }
    // Before the hooks, too: as programs of the image they are not to reach the caller's keys either.
    if (init_join_keyring(init, err) < 0 || init_run_start_hooks(init, err) < 0) {
        return -1;
    }
    if (init_take_identity(init, err) < 0) {
        return -1;
    }
    return plan->process.reaper ? init_reap(init, program, err) : init_exec(init, program, err);
}

static int started_by_hand(void) {
    static const char message[] = "coffer-init is started by coffer, never by hand\n";
    ssize_t written = write(STDERR_FILENO, message, sizeof(message) - 1);
    (void)written;
    return 125;
}

// argv[1] is the number of the channel's descriptor; behind it stands what init_join() is to do first.
int main(int argc, char **argv) {
    char *end = NULL;
    long channel = argc == 2 || argc == 2 + INIT_JOIN_WORDS ? strtol(argv[1], &end, 10) : -1;
    if (channel < 3 || channel > INT_MAX || *end != '\0') {
        return started_by_hand();
    }
    prctl(PR_SET_DUMPABLE, 0);
    prctl(PR_SET_NAME, "coffer-init");
    struct err err = {0};
    struct channel_message message;
    struct init init = {.channel = (int)channel, .root_fd = -1, .fresh_fd = -1, .null_mask = {.fd = -1}, .empty_mask = {.fd = -1}, .console_fd = -1, .proc_fd = -1, .label_fd = -1};
    if (argc > 2 && init_join(&init, argv + 2, &err) < 0) {
        init_send_error(&init, &err);
        return 125;
    }
    // Hooks and the command do not get the channel: both close what they are not to have (hook_run(), init_take_identity()).
    if (channel_receive(init.channel, &message, &err) < 0) {
        init_send_error(&init, &err);
        return err.errnum == EBADF || err.errnum == ENOTSOCK ? started_by_hand() : 125;
    }
    if (message.type != CHANNEL_PLAN) {
        return 125; // the parent went away, or refused before there was a plan
    }
    struct arena arena = {0};
    struct init_plan plan = {0};
    init.plan = &plan;
    init.arena = &arena;
    init.fds = message.fds;
    init.fd_count = message.fd_count;
    int result = wire_decode(&init_plan_record, message.body, message.size, &arena, &plan, &err);
    if (result == 0) {
        result = plan.change == PLAN_CHANGE_NONE ? carry_out(&init, &err) : init_change_mounts(&init, &err);
    }
    if (result < 0) {
        init_send_error(&init, &err);
    }
    return result < 0 ? 125 : 0;
}

#ifdef __SANITIZE_ADDRESS__
// In a sanitised build. Init has no environment to be told by, and no folder that its reports could go to: it aborts, which the parent
// reports. The leak check stops all threads by tracing them, which a process in the middle of leaving its namespaces cannot bear.
const char *__asan_default_options(void);
const char *__asan_default_options(void) {
    return "detect_leaks=0:abort_on_error=1";
}

const char *__ubsan_default_options(void);
const char *__ubsan_default_options(void) {
    return "halt_on_error=1:abort_on_error=1:print_stacktrace=1";
}
#endif

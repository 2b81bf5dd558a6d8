#include "runtime/container/handover.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/container/notify.h"
#include "runtime/container/options.h"
#include "runtime/container/plan.h"
#include "runtime/kernel/unix_socket.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

int handover_pid_file(const char *path, pid_t pid, struct err *err) {
    char text[16];
    int size = snprintf(text, sizeof(text), "%d", pid);
    return fd_replace_file(AT_FDCWD, path, text, (size_t)size, 0644, err) < 0 ? err_in(err, "write the pid file") : 0;
}

int handover_send(const char *flag, const char *path, const char *name, int fd, struct err *err) {
    AUTO_FD int peer = unix_socket_connect(path, SOCK_STREAM);
    if (peer < 0) {
        return err_sys(err, "%s: connect to %s", flag, path);
    }
    return unix_socket_send_fd(peer, name, strlen(name), fd) < 0 ? err_sys(err, "%s: send %s to %s", flag, name, path) : 0;
}

int handover_check_kept(int kept_fds, struct err *err) {
    for (int fd = 3; fd < 3 + kept_fds; fd++) {
        int flags = fcntl(fd, F_GETFD);
        if (flags < 0 || (flags & FD_CLOEXEC) != 0) {
            return err_set(err, ERR_INPUT, "--preserve-fds, LISTEN_FDS: descriptors 3 to %d are to be kept, and %d is not open",
                           2 + kept_fds, fd);
        }
    }
    return 0;
}

enum { TOLD_MAX = 4 };

static bool names_one_of(const char *variable, const char *const *told, size_t count) {
    size_t length = strcspn(variable, "=");
    for (size_t i = 0; i < count; i++) {
        if (strncmp(variable, told[i], length + 1) == 0) {
            return true;
        }
    }
    return false;
}

void handover_tell(const struct container_options *options, struct container_plan *plan) {
    struct plan_process *process = &plan->init.process;
    const char *told[TOLD_MAX];
    size_t count = 0;
    if (options->listen_fds > 0) {
        told[count++] = arena_format(&plan->arena, "LISTEN_FDS=%d", options->listen_fds);
        told[count++] = "LISTEN_PID=1"; // init puts its own number there
        process->listen_pid = true;
    }
    if (options->listen_fds > 0 && options->listen_names) {
        told[count++] = arena_format(&plan->arena, "LISTEN_FDNAMES=%s", options->listen_names);
    }
    if (options->notify_socket) {
        told[count++] = NOTIFY_VARIABLE;
    }
    process->kept_fds = (uint32_t)options->kept_fds;
    if (count == 0) {
        return;
    }
    const char **env = arena_array(&plan->arena, process->env_count + count, sizeof(*env));
    size_t kept = 0;
    for (size_t i = 0; i < process->env_count; i++) {
        if (!names_one_of(process->env[i], told, count)) {
            env[kept++] = process->env[i];
        }
    }
    memcpy(env + kept, told, count * sizeof(*told));
    process->env = env;
    process->env_count = kept + count;
}

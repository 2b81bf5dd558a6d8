#include "runtime/engine/hold.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/container/container.h"
#include "runtime/engine/target.h"
#include "runtime/kernel/process.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

int hold_lock(const struct home *home, const char *id, struct err *err) {
    AUTO_FD int fd = openat(home->live_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int failed = fd < 0 ? -1 : flock(fd, LOCK_EX);
    while (failed < 0 && fd >= 0 && errno == EINTR) {
        failed = flock(fd, LOCK_EX);
    }
    return failed < 0 ? err_sys(err, "lock the run-time folder of container %.12s", id) : fd_take(&fd);
}

// The user may have done it, or it has ended.
static int let_go(const struct target *target, struct err *err) {
    bool done = container_resume(target->home.oci_root, target->id, err) == 0;
    return done || target_state(target) != RECORD_PAUSED ? 0 : -1;
}

// Says first how pausing went. It is told by the end of the socket when we are done, or gone.
static void guard(const struct target *target, int socket) {
    struct err err = {0};
    char nothing;
    setsid();
    int failed = container_pause(target->home.oci_root, target->id, &err);
    (void)!send(socket, &err, sizeof(err), MSG_NOSIGNAL);
    if (failed < 0) {
        _exit(0);
    }
    while (read(socket, &nothing, 1) < 0 && errno == EINTR) {
    }
    _exit(let_go(target, &err) < 0 ? 1 : 0);
}

static int start_guard(struct hold *hold, struct err *err) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
        return err_sys(err, "make a socket");
    }
    hold->socket = pair[0];
    hold->guard = process_clone(0, -1, NULL);
    if (hold->guard == 0) {
        close(pair[0]);
        guard(hold->target, pair[1]);
    }
    close(pair[1]);
    if (hold->guard < 0) {
        hold->guard = 0;
        return err_sys(err, "start a process");
    }
    struct err told;
    if (fd_read_full(hold->socket, &told, sizeof(told)) != sizeof(told)) {
        return err_set(err, ERR_SYSTEM, "a process of ours was killed");
    }
    if (told.kind != ERR_NONE) {
        *err = told;
        return -1;
    }
    return 0;
}

// Below the lock nobody of ours pauses it; others may, and then it is theirs.
int hold_start(struct hold *hold, const struct target *target, struct err *err) {
    hold->target = target;
    hold->lock = hold_lock(&target->home, target->id, err);
    if (hold->lock < 0 && err->errnum != ENOENT) {
        return -1;
    }
    enum record_state state = hold->lock < 0 ? RECORD_EXITED : target_state(target);
    if (state == RECORD_RUNNING && start_guard(hold, err) < 0) {
        hold_finish(hold);
        state = target_state(target);
        if (state == RECORD_RUNNING) {
            return -1;
        }
    }
    return state == RECORD_RUNNING || state == RECORD_PAUSED ? 0 : 1;
}

void hold_finish(struct hold *hold) {
    int status = 0;
    struct err err;
    fd_close(&hold->socket);
    while (hold->guard > 0 && waitpid(hold->guard, &status, 0) < 0 && errno == EINTR) {
    }
    hold->guard = 0;
    if (status != 0 && let_go(hold->target, &err) < 0) {
        log_warn("container %s stays paused: %s; try coffer unpause", hold->target->record.name, err.text);
    }
    fd_close(&hold->lock);
}

#include "runtime/base/clock.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/engine/boot.h"
#include "runtime/engine/control.h"
#include "runtime/engine/engine.h"
#include "runtime/engine/home.h"
#include "runtime/engine/record.h"
#include "runtime/kernel/sys.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

// Who listens on the container's socket is its monitor (unix(7), SO_PEERCRED). The line to it is open while the pidfd is made: had
// it ended before, its number could be another's. ERR_NOT_FOUND: it has none.
static int open_monitor(const struct home *home, const char *id, struct err *err) {
    struct ucred peer;
    socklen_t size = sizeof(peer);
    struct pollfd line = {.events = POLLIN};
    AUTO_FD int fd = control_connect(home, id, err);
    if (fd < 0) {
        return -1;
    }
    AUTO_FD int pidfd = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 ? -1 : sys_pidfd_open(peer.pid, 0);
    if (pidfd < 0 && errno != ESRCH) {
        return err_sys(err, "find the monitor of container %.12s", id);
    }
    line.fd = fd;
    return pidfd >= 0 && poll(&line, 1, 0) == 0 ? fd_take(&pidfd)
                                                : err_set(err, ERR_NOT_FOUND, "container %.12s has no monitor any more", id);
}

// Whether it goes on all the same: nobody could be made its monitor.
static bool runs_alone(const struct home *home, const char *id) {
    return !record_is_running(home, id) && record_runs_alone(home, id);
}

// False: its time is over.
static bool wait_for(int pidfd, int64_t until_ms) {
    struct pollfd end = {.fd = pidfd, .events = POLLIN};
    int ended;
    do {
        int64_t left_ms = until_ms - clock_now_ms();
        ended = poll(&end, 1, left_ms < 0 ? 0 : left_ms < INT_MAX ? (int)left_ms : INT_MAX);
    } while (ended < 0 && errno == EINTR);
    return ended > 0;
}

int boot_halt(const struct engine *engine, int64_t most_ms, struct boot_halted *ret, struct err *err) {
    AUTO_HOME struct home home = HOME_CLOSED;
    AUTO_ARENA struct arena arena = {0};
    const char **ids;
    size_t total = 0, count = 0;
    struct boot_halted halted = {0};
    if (home_open(engine, &home, err) < 0) {
        return -1;
    }
    record_sweep(&home);
    if (record_list(&home, &arena, &ids, err) < 0) {
        return -1;
    }
    // One without a monitor gets one, and that before the monitors of others take up the descriptors.
    for (; ids[total]; total++) {
        record_repair_live(&home, ids[total]);
    }
    int *monitors = arena_array(&arena, total + 1, sizeof(*monitors));
    for (size_t i = 0; i < total; i++) {
        int pidfd = open_monitor(&home, ids[i], err);
        if (pidfd >= 0) {
            sys_pidfd_send_signal(pidfd, SIGTERM);
            monitors[count++] = pidfd;
        } else if (err->kind != ERR_NOT_FOUND || runs_alone(&home, ids[i])) {
            log_warn("%s", err->text);
            halted.untold++;
        }
    }
    int64_t until_ms = clock_now_ms() + most_ms;
    halted.count = count + halted.untold;
    for (size_t i = 0; i < count; i++) {
        halted.left += wait_for(monitors[i], until_ms) ? 0 : 1;
        fd_close(&monitors[i]);
    }
    *ret = halted;
    return 0;
}

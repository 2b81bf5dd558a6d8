#include "runtime/engine/monitor_launch.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/engine/attach.h"
#include "runtime/engine/monitor.h"
#include "runtime/engine/monitor_group.h"
#include "runtime/engine/resources.h"
#include "runtime/engine/start.h"
#include "runtime/kernel/tree.h"

#include <sys/socket.h>
#include <unistd.h>

void launched_monitor_finish(struct launched_monitor *launched) {
    fd_close(&launched->socket);
    fd_close(&launched->pidfd);
}

static void become_monitor(struct start *start, unsigned attached, int socket) {
    const struct monitor_request request = {
        .home = &start->home,
        .dir = &start->dir,
        .record = &start->record,
        .container = {.start = start_container, .adopt = start_adopted, .ended = start_ended, .exec = start_exec,
                      .change_networks = start_change_networks, .change_limits = start_change_limits,
                      .watched = start_watched, .mend = start_mend, .context = start},
        .log = &start->log_options,
        .tty = start->request->tty,
        .interactive = start->request->interactive,
        .adopts = start->adopts,
        .starter_attached = attached,
        .health = &start->health,
        .stop_signal = start->stop_signal,
        .stop_timeout_ms = request_stop_timeout_ms(start->request),
        .restart = start_restart_policy(start),
    };
    struct tree_graves graves = {0};
    start->home.graves = &graves; // until our end: whoever waits for the container's has heard of it by then
    monitor_run(&request, socket);
    monitor_group_leave(start->home.rootless);
    _exit(0);
}

int monitor_launch(struct start *start, unsigned attached, struct launched_monitor *ret, struct err *err) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
        return err_sys(err, "make a socket for the monitor");
    }
    ret->socket = pair[0];
    pid_t pid = monitor_group_clone(&start->home, resources_asked(start->request), &ret->pidfd);
    if (pid < 0) {
        close(pair[1]);
        return err_sys(err, "start the container's monitor");
    }
    if (pid == 0) {
        fd_close(&ret->socket);
        become_monitor(start, attached, pair[1]);
    }
    close(pair[1]);
    record_dir_finish(&start->dir);
    return attach_wait_started(ret->socket, err);
}

#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/container/supervise.h"
#include "runtime/engine/event_log.h"
#include "runtime/engine/health_file.h"
#include "runtime/engine/monitor_state.h"
#include "runtime/kernel/listening.h"

#include <signal.h>
#include <stdio.h>

static const char *id_of(const struct monitor *monitor) {
    return monitor->request->dir->id;
}

void monitor_health_begin(struct monitor *monitor) {
    struct err err;
    health_begin(&monitor->health, monitor->request->health, clock_now_ms());
    if (monitor->health.status != HEALTH_NONE && health_file_begin(monitor->request->home, id_of(monitor), &err) < 0) {
        log_warn("%s", err.text);
    }
}

void monitor_health_end(struct monitor *monitor) {
    health_end(&monitor->health);
    health_probe_end(&monitor->probe);
}

struct pollfd monitor_poll_health(const struct monitor *monitor) {
    return (struct pollfd){.fd = monitor->probe.socket, .events = POLLIN};
}

static void act(struct monitor *monitor, enum health_action action) {
    static const char *const verbs[] = {
        [HEALTH_DO_KILL] = "is killed", [HEALTH_DO_RESTART] = "is restarted", [HEALTH_DO_STOP] = "is stopped"};
    if (action == HEALTH_DO_NOTHING) {
        return;
    }
    monitor_note(monitor, "coffer: unhealthy: %lld checks in a row have failed; the container %s", (long long)monitor->health.streak,
                 verbs[action]);
    if (action == HEALTH_DO_STOP) {
        monitor_stop(monitor, monitor->request->stop_timeout_ms, 0);
    } else if (action == HEALTH_DO_RESTART) {
        monitor_restart(monitor);
    } else {
        monitor_signal(monitor, SIGKILL);
    }
}

static void announce(const struct monitor *monitor) {
    char action[64];
    snprintf(action, sizeof(action), "health_status: %s", health_status_name(monitor->health.status));
    events_add_container(monitor->request->home, &(struct event_log_container){.record = monitor->request->record}, action);
}

static void conclude(struct monitor *monitor, const struct health_probe_end *end) {
    enum health_status before = monitor->health.status;
    enum health_action action = health_checked(&monitor->health, end->result, clock_now_ms());
    if (monitor->health.status != before) {
        announce(monitor);
    }
    monitor_tell_checked(monitor, end->exit_code);
    act(monitor, action);
}

// One that could not be run, or was killed: nobody has written down what came of it.
static void conclude_without(struct monitor *monitor) {
    struct err err;
    conclude(monitor, &(struct health_probe_end){HEALTH_FAILURE, -1});
    if (health_file_set(monitor->request->home, id_of(monitor), monitor->health.status, monitor->health.streak, &err) < 0) {
        log_warn("%s", err.text);
    }
}

static int start_check(struct monitor *monitor, struct err *err) {
    const struct health_probe_request request = {
        .home = monitor->request->home,
        .id = id_of(monitor),
        .container = &monitor->request->container,
        .supervised = monitor->container,
        .health = &monitor->health,
    };
    return health_probe_start(&request, &monitor->probe, err);
}

void monitor_step_health(struct monitor *monitor, const struct pollfd *poll_fd) {
    struct health_probe_end end;
    struct err err;
    int64_t now_ms = clock_now_ms();
    if (poll_fd->revents && poll_fd->fd == monitor->probe.socket) {
        if (health_probe_take(&monitor->probe, &end)) {
            conclude(monitor, &end);
        } else {
            conclude_without(monitor);
        }
    }
    enum health_step step = health_step(&monitor->health, now_ms);
    if (step == HEALTH_PEEK) {
        bool is_open = listening_on_port(supervised_pid(monitor->container), monitor->health.check->port);
        health_peeked(&monitor->health, is_open, now_ms);
        step = health_step(&monitor->health, now_ms);
    }
    if (step == HEALTH_CHECK && start_check(monitor, &err) < 0) {
        log_warn("%s", err.text);
        conclude_without(monitor);
    }
}

int monitor_check_now(struct monitor *monitor, struct err *err) {
    if (monitor->request->health->kind == HEALTH_CHECK_NONE) {
        return err_set(err, ERR_STATE, "it has no health check; see --health-cmd of \"coffer run\"");
    }
    if (!monitor->container) {
        return err_set(err, ERR_STATE, "it waits to be restarted; try again when it runs");
    }
    if (!health_check_now(&monitor->health, clock_now_ms())) {
        return 0;
    }
    if (start_check(monitor, err) < 0) {
        (void)health_checked(&monitor->health, HEALTH_NO_RESULT, clock_now_ms());
        return -1;
    }
    return 0;
}

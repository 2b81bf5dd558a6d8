// events: what a container uses now and then, and when it runs out of memory, until it ends.
#include "runtime/base/buf.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/container/container.h"
#include "runtime/container/opened.h"
#include "runtime/container/removal.h"
#include "runtime/container/stats.h"
#include "runtime/kernel/cgroup_oom.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>

static int open_running(struct opened *opened, const char *root, const char *id, struct err *err) {
    if (opened_find(opened, root, id, err) < 0 || opened_take_cgroup(opened, err) < 0) {
        return -1;
    }
    if (opened->status == OCI_STATUS_STOPPED) {
        return opened_not_running(opened, "watch", err);
    }
    return opened_need_cgroup(opened, "to count what it uses", err);
}

int container_stats(const char *root, const char *id, struct buf *line, struct err *err) {
    AUTO_OPENED struct opened opened = OPENED_NONE;
    if (open_running(&opened, root, id, err) < 0) {
        return -1;
    }
    stats_write(&opened.cgroup, id, opened.record.rdt, line);
    return 0;
}

static int tell_oom(const struct container_watch *watch, struct cgroup_oom *oom, const char *id, struct err *err) {
    for (uint64_t times = cgroup_oom_take(oom); times > 0; times--) {
        AUTO_BUF struct buf line = {0};
        // An id has nothing that JSON would have to escape.
        buf_add_format(&line, "{\"type\":\"oom\",\"id\":\"%s\"}\n", id);
        if (watch->tell(watch->context, &line, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int tell_stats(const struct container_watch *watch, const struct opened *opened, struct err *err) {
    AUTO_BUF struct buf line = {0};
    stats_write(&opened->cgroup, opened->dir.id, opened->record.rdt, &line);
    return watch->tell(watch->context, &line, err);
}

static int left_ms(int64_t deadline) {
    int64_t left = deadline - clock_now_ms();
    return left <= 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

int container_events(const char *root, const char *id, const struct container_watch *watch, struct err *err) {
    AUTO_OPENED struct opened opened = OPENED_NONE;
    AUTO_CGROUP_OOM struct cgroup_oom oom = {.fd = -1};
    if (open_running(&opened, root, id, err) < 0 || cgroup_oom_watch(&opened.cgroup, &oom, err) < 0) {
        return -1;
    }
    AUTO_FD int pidfd = removal_open_process(&opened.record, err);
    if (pidfd < 0) {
        return opened_not_running(&opened, "watch", err);
    }
    int64_t deadline = clock_now_ms() + watch->interval_ms;
    for (;;) {
        struct pollfd waits[] = {{.fd = pidfd, .events = POLLIN}, {.fd = oom.fd, .events = oom.events}};
        int ready = poll(waits, ARRAY_LEN(waits), left_ms(deadline));
        if (ready < 0 && errno != EINTR) {
            return err_sys(err, "wait for events of container \"%s\"", id);
        }
        // The end may have come by it: what was told last is told before the end.
        if (oom.fd >= 0 && ready > 0 && tell_oom(watch, &oom, id, err) < 0) {
            return -1;
        }
        if (ready > 0 && waits[0].revents) {
            return 0;
        }
        if (left_ms(deadline) == 0) {
            deadline = clock_now_ms() + watch->interval_ms;
            if (tell_stats(watch, &opened, err) < 0) {
                return -1;
            }
        }
    }
}

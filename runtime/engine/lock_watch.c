#include "runtime/engine/lock_watch.h"

#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/engine/home.h"
#include "runtime/kernel/folder_events.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>

// Behind an event; and without any, which happens where the host has no more instances of inotify(7), or lost events.
enum { SOON_MS = 1, AT_LATEST_MS = 250 };

void lock_watch_finish(struct lock_watch *watch) {
    fd_close(&watch->events_fd);
    fd_close(&watch->dir_fd);
}

int lock_watch_open(const struct home *home, const char *id, int64_t patience_ms, struct lock_watch *ret, struct err *err) {
    int dir_fd = openat(home->containers_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir_fd < 0) {
        return err_sys(err, "lock the folder of container %.12s", id);
    }
    *ret = (struct lock_watch){.dir_fd = dir_fd, .events_fd = -1, .until_ms = clock_now_ms() + patience_ms, .nap_ms = SOON_MS};
    return 0;
}

bool lock_watch_is_held(const struct lock_watch *watch) {
    if (flock(watch->dir_fd, LOCK_SH | LOCK_NB) < 0) {
        return errno == EWOULDBLOCK;
    }
    flock(watch->dir_fd, LOCK_UN);
    return false;
}

bool lock_watch_take(const struct lock_watch *watch) {
    struct stat status;
    if (flock(watch->dir_fd, LOCK_EX | LOCK_NB) < 0) {
        return false;
    }
    if (fstat(watch->dir_fd, &status) < 0 || status.st_nlink == 0) {
        errno = ENOENT;
        return false;
    }
    return true;
}

// What cannot be watched is looked at again now and then.
static void begin(struct lock_watch *watch, const struct home *home, const char *id) {
    struct err err;
    AUTO_FD int live_fd = openat(home->live_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    watch->events_fd = folder_events_open(&err);
    if (watch->events_fd >= 0) {
        (void)!folder_events_add(watch->events_fd, watch->dir_fd, IN_CLOSE_NOWRITE | IN_DELETE_SELF, &err);
    }
    if (watch->events_fd >= 0 && live_fd >= 0) {
        (void)!folder_events_add(watch->events_fd, live_fd, IN_CREATE, &err);
    }
}

static void pass_over(void *context, const struct folder_event *event) {
    (void)context;
    (void)event;
}

bool lock_watch_wait(struct lock_watch *watch, const struct home *home, const char *id) {
    int64_t left_ms = watch->until_ms - clock_now_ms();
    if (left_ms <= 0) {
        return false;
    }
    if (watch->events_fd < 0) {
        begin(watch, home, id);
        if (watch->events_fd >= 0) {
            return true;
        }
    }
    struct pollfd event = {.fd = watch->events_fd, .events = POLLIN};
    if (poll(&event, 1, watch->nap_ms < left_ms ? watch->nap_ms : (int)left_ms) > 0) {
        folder_events_take(watch->events_fd, pass_over, NULL);
        watch->nap_ms = SOON_MS;
    } else {
        watch->nap_ms = 2 * watch->nap_ms < AT_LATEST_MS ? 2 * watch->nap_ms : AT_LATEST_MS;
    }
    return true;
}

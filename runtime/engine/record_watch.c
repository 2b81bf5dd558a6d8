#include "runtime/engine/record_watch.h"

#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/engine/home.h"
#include "runtime/kernel/folder_events.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/inotify.h>

enum { LAST_ATTEMPT_MS = 500 }; // after an event

void record_watch_finish(struct record_watch *watch) {
    fd_close(&watch->dir_fd);
}

int record_watch_open(const struct home *home, const char *id, int events_fd, struct record_watch *ret, struct err *err) {
    AUTO_FD int dir_fd = openat(home->containers_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir_fd < 0) {
        return err_sys(err, "open the folder of container %.12s", id);
    }
    int folder = folder_events_add(events_fd, dir_fd, IN_CLOSE_NOWRITE, err);
    if (folder < 0) {
        return err_in(err, "container %.12s", id);
    }
    *ret = (struct record_watch){.dir_fd = fd_take(&dir_fd), .folder = folder, .again_ms = -1};
    return 0;
}

void record_watch_notice(struct record_watch *watch, const struct folder_event *event) {
    watch->was_closed |= event->folder < 0 || (event->folder == watch->folder && event->itself);
}

bool record_watch_has_ended(struct record_watch *watch) {
    int64_t now_ms = clock_now_ms();
    if (watch->was_closed) {
        watch->was_closed = false;
        watch->closed_ms = now_ms;
    } else if (now_ms - watch->closed_ms > LAST_ATTEMPT_MS) {
        watch->closed_ms = 0;
    }
    // As long again as it has taken up to now.
    int64_t taken_ms = now_ms - watch->closed_ms;
    watch->again_ms = watch->closed_ms == 0 ? -1 : taken_ms > 0 ? (int)taken_ms : 1;
    // Tried on a descriptor that stays: one of its own, closed again, would be an event.
    if (flock(watch->dir_fd, LOCK_SH | LOCK_NB) < 0) {
        return errno != EWOULDBLOCK;
    }
    flock(watch->dir_fd, LOCK_UN);
    return true;
}

#include "runtime/kernel/cgroup_oom.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/kernel/cgroup.h"
#include "runtime/kernel/cgroup_file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

void cgroup_oom_finish(struct cgroup_oom *oom) {
    fd_close(&oom->fd);
}

static uint64_t kills(int dir_fd) {
    char text[CGROUP_TEXT_SIZE];
    return cgroup_read_text(dir_fd, "memory.events", text) < 0 ? CGROUP_UNKNOWN : cgroup_find_number(text, "oom_kill");
}

static int watch_v2(const struct cgroup *cgroup, struct cgroup_oom *oom, struct err *err) {
    int dir_fd = cgroup_v2_fd(cgroup);
    AUTO_FD int fd = openat(dir_fd, "memory.events", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    char text[CGROUP_TEXT_SIZE];
    if (fd < 0 && errno == ENOENT) {
        return 0;
    }
    // A change is told to who has read the file before.
    if (fd < 0 || fd_read_full(fd, text, sizeof(text)) < 0) {
        return err_sys(err, "watch memory.events of cgroup %s", cgroup->path);
    }
    *oom = (struct cgroup_oom){.fd = fd_take(&fd), .events = POLLPRI, .dir_fd = dir_fd, .count = kills(dir_fd)};
    return 0;
}

// cgroups v1, memory.txt, section 10: "EVENTFD FILE" written to cgroup.event_control.
static int watch_v1(const struct cgroup *cgroup, struct cgroup_oom *oom, struct err *err) {
    int dir_fd = cgroup_dir_fd(cgroup, CGROUP_MEMORY);
    AUTO_FD int file = dir_fd < 0 ? -1 : openat(dir_fd, "memory.oom_control", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (file < 0) {
        return dir_fd < 0 || errno == ENOENT ? 0 : err_sys(err, "watch memory.oom_control of cgroup %s", cgroup->path);
    }
    AUTO_FD int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    char text[32];
    snprintf(text, sizeof(text), "%d %d", event, file);
    if (event < 0 || cgroup_write_text(dir_fd, "cgroup.event_control", text) < 0) {
        return err_sys(err, "watch memory.oom_control of cgroup %s", cgroup->path);
    }
    *oom = (struct cgroup_oom){.fd = fd_take(&event), .events = POLLIN, .dir_fd = dir_fd};
    return 0;
}

int cgroup_oom_watch(const struct cgroup *cgroup, struct cgroup_oom *ret, struct err *err) {
    *ret = (struct cgroup_oom){.fd = -1};
    if (cgroup->count == 0) {
        return 0;
    }
    return cgroup->host->version == CGROUP_V2 ? watch_v2(cgroup, ret, err) : watch_v1(cgroup, ret, err);
}

static uint64_t take_v2(struct cgroup_oom *oom) {
    char text[CGROUP_TEXT_SIZE];
    if (pread(oom->fd, text, sizeof(text), 0) < 0) {
        return 0; // removed
    }
    uint64_t now = kills(oom->dir_fd), before = oom->count;
    if (now == CGROUP_UNKNOWN || now <= before) {
        return 0;
    }
    oom->count = now;
    return now - before;
}

uint64_t cgroup_oom_take(struct cgroup_oom *oom) {
    if (oom->events == POLLPRI) {
        return take_v2(oom);
    }
    uint64_t times = 0;
    char text[CGROUP_TEXT_SIZE];
    // The removal of the group is told by the same descriptor.
    if (read(oom->fd, &times, sizeof(times)) != (ssize_t)sizeof(times) ||
        cgroup_read_text(oom->dir_fd, "memory.oom_control", text) < 0) {
        return 0;
    }
    return times;
}

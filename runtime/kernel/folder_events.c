#include "runtime/kernel/folder_events.h"

#include "runtime/base/err.h"

#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

int folder_events_open(struct err *err) {
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    return fd < 0 ? err_sys(err, "watch folders (inotify_init(2))") : fd;
}

int folder_events_add(int events_fd, int dir_fd, uint32_t mask, struct err *err) {
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", dir_fd);
    int folder = inotify_add_watch(events_fd, path, mask | IN_MASK_ADD | IN_ONLYDIR);
    return folder < 0 ? err_sys(err, "watch a folder (inotify_add_watch(2))") : folder;
}

void folder_events_take(int events_fd, folder_event_fn *take, void *context) {
    _Alignas(struct inotify_event) char room[4096];
    ssize_t size;
    while ((size = read(events_fd, room, sizeof(room))) > 0) {
        for (char *at = room; at < room + size;) {
            const struct inotify_event *event = (const struct inotify_event *)(void *)at;
            const struct folder_event taken = {.folder = event->wd, .mask = event->mask, .itself = event->len == 0};
            take(context, &taken);
            at += sizeof(*event) + event->len;
        }
    }
}

#include "runtime/engine/live.h"

#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/engine/home.h"
#include "runtime/engine/record.h"
#include "runtime/kernel/sys.h"
#include "runtime/kernel/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdalign.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char swept[] = ".swept"; // no id begins with a point

int live_make(const struct home *home, const char *id, struct err *err) {
    return mkdirat(home->live_fd, id, 0711) < 0 && errno != EEXIST ? err_sys(err, "make the container's run-time folder") : 0;
}

static const char *const files[] = {"hosts", "hostname", "resolv.conf"}; // in the order they are written

void live_empty(const struct home *home, const char *id) {
    for (size_t i = ARRAY_LEN(files); i-- > 0;) {
        char path[RECORD_ID_SIZE + 16];
        snprintf(path, sizeof(path), "%.64s/%s", id, files[i]);
        unlinkat(home->live_fd, path, 0);
    }
}

void live_remove(const struct home *home, const char *id) {
    struct err err;
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        char path[RECORD_ID_SIZE + 16];
        snprintf(path, sizeof(path), "%.64s/%s", id, files[i]);
        if (unlinkat(home->live_fd, path, 0) < 0) {
            break; // without the first there are no others
        }
    }
    char path[RECORD_ID_SIZE + 16];
    snprintf(path, sizeof(path), "%.64s/control", id);
    unlinkat(home->live_fd, path, 0);
    if (unlinkat(home->live_fd, id, AT_REMOVEDIR) < 0 && errno != ENOENT && tree_remove(home->live_fd, id, &err) < 0) {
        log_warn("%s", err.text);
    }
}

// Every command begins with this, and mostly there is next to nothing: two calls in place of a stream's seven.
bool live_each(const struct home *home, void (*look)(const struct home *home, const char *id)) {
    alignas(struct dirent) char entries[4096];
    bool found_swept = false;
    ssize_t size;
    if (lseek(home->live_fd, 0, SEEK_SET) < 0) {
        return false;
    }
    while ((size = sys_getdents64(home->live_fd, entries, sizeof(entries))) > 0) {
        for (ssize_t at = 0; at < size;) {
            const struct dirent *entry =
                (const struct dirent *)(const void *)(entries + at); // as the kernel has it (getdents64(2))
            at += entry->d_reclen;
            found_swept = found_swept || strcmp(entry->d_name, swept) == 0;
            if (strlen(entry->d_name) == RECORD_ID_SIZE - 1) {
                look(home, entry->d_name);
            }
        }
    }
    return found_swept;
}

void live_set_swept(const struct home *home) {
    if (mknodat(home->live_fd, swept, S_IFREG | 0600, 0) < 0 && errno != EEXIST) {
        log_warn("note in %s that the store is in order: %s", home->live_path, strerror(errno));
    }
}

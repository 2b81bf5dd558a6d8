#include "runtime/engine/live.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/container/container.h"
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
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char swept[] = ".swept", next[] = ".next"; // no id begins with a point

int live_make(const struct home *home, const char *id, struct err *err) {
    return mkdirat(home->live_fd, id, 0711) < 0 && errno != EEXIST ? err_sys(err, "make the container's run-time folder") : 0;
}

bool live_is_there(const struct home *home, const char *id) {
    return faccessat(home->live_fd, id, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

// --- pipes ---

int live_open_pipe(const struct home *home, const char *id, const char *name) {
    char path[RECORD_ID_SIZE + 16];
    snprintf(path, sizeof(path), "%.64s/%s", id, name);
    return openat(home->live_fd, path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
}

int live_make_pipe(const struct home *home, const char *id, const char *name, int *ret_write_fd, struct err *err) {
    char path[RECORD_ID_SIZE + 16];
    snprintf(path, sizeof(path), "%.64s/%s", id, name);
    // An ordinary user's may be given to an id of the container's user; it can be read by its group, which stays, then.
    int made = mknodat(home->live_fd, path, S_IFIFO | 0640, 0);
    if (made < 0 && errno == EEXIST && unlinkat(home->live_fd, path, 0) == 0) {
        made = mknodat(home->live_fd, path, S_IFIFO | 0640, 0); // an earlier start's
    }
    AUTO_FD int write_fd = made < 0 ? -1 : openat(home->live_fd, path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    AUTO_FD int read_fd = write_fd < 0 ? -1 : live_open_pipe(home, id, name);
    if (read_fd < 0 || (home->rootless && fchmod(read_fd, 0640) < 0)) {
        return err_sys(err, "make the pipe %s/%s for the container's output", home->live_path, path);
    }
    *ret_write_fd = fd_take(&write_fd);
    return fd_take(&read_fd);
}

// --- files ---

static const char *const pipes[] = {"stdout", "stderr", "control"};
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
    for (size_t i = 0; i < ARRAY_LEN(pipes); i++) {
        char path[RECORD_ID_SIZE + 16];
        snprintf(path, sizeof(path), "%.64s/%s", id, pipes[i]);
        unlinkat(home->live_fd, path, 0);
    }
    if (unlinkat(home->live_fd, id, AT_REMOVEDIR) < 0 && errno != ENOENT && tree_remove(home->live_fd, id, &err) < 0) {
        log_warn("%s", err.text);
    }
}

static bool is_swept(const struct home *home) {
    return faccessat(home->live_fd, swept, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

// Calls `look` for so many folders from a place on that a former call has returned, 0 for the beginning; returns the place behind the
// last one, 0 at the end.
static off_t each_from(const struct home *home, off_t place, long most, void (*look)(const struct home *home, const char *id)) {
    alignas(struct dirent) char entries[4096];
    ssize_t size;
    if (lseek(home->live_fd, place, SEEK_SET) < 0) {
        return 0;
    }
    while ((size = sys_getdents64(home->live_fd, entries, sizeof(entries))) > 0) {
        for (ssize_t at = 0; at < size;) {
            const struct dirent *entry =
                (const struct dirent *)(const void *)(entries + at); // as the kernel has it (getdents64(2))
            at += entry->d_reclen;
            if (strlen(entry->d_name) == RECORD_ID_SIZE - 1) {
                look(home, entry->d_name);
                if (--most == 0) {
                    return entry->d_off;
                }
            }
        }
    }
    return 0;
}

bool live_each(const struct home *home, void (*look)(const struct home *home, const char *id)) {
    each_from(home, 0, LONG_MAX, look);
    return is_swept(home);
}

// Every command begins with this, and mostly there is next to nothing: few calls. Folders of folders have a link from each; file systems
// that do not count them say 1. To begin at a random place would mean to read up to it, a millisecond where there are a thousand.
bool live_some(const struct home *home, void (*look)(const struct home *home, const char *id)) {
    enum { FEW = 64, PART = 16 };
    struct stat status;
    off_t place = 0;
    if (fstat(home->live_fd, &status) < 0 || status.st_nlink <= FEW + 2) {
        return live_each(home, look);
    }
    AUTO_FD int fd = openat(home->live_fd, next, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 || pread(fd, &place, sizeof(place), 0) != (ssize_t)sizeof(place) || place < 0) {
        place = 0;
    }
    place = each_from(home, place, PART, look);
    ssize_t written = fd < 0 ? -1 : pwrite(fd, &place, sizeof(place), 0); // a command that cannot leaves the same part to the next
    (void)written;
    return is_swept(home);
}

// --- boots ---

enum { BOOT_ID_SIZE = 37 };

static bool read_boot(char ret_id[BOOT_ID_SIZE]) {
    AUTO_FD int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, ret_id, BOOT_ID_SIZE - 1);
    ret_id[got < 0 ? 0 : got] = '\0';
    return got == BOOT_ID_SIZE - 1;
}

// What an older coffer has noted is a file, and no boot's.
static bool is_of_earlier_boot(const struct home *home) {
    char boot[BOOT_ID_SIZE], noted[BOOT_ID_SIZE];
    ssize_t length = readlinkat(home->live_fd, swept, noted, sizeof(noted));
    return length == BOOT_ID_SIZE - 1 && read_boot(boot) && memcmp(boot, noted, BOOT_ID_SIZE - 1) != 0;
}

// Whoever holds its lock is of this boot, whatever the id says. Other stores may share the root of the containers.
static bool is_earlier(const void *context, const char *id) {
    const struct home *home = context;
    return record_exists(home, id) && !record_is_running(home, id);
}

static void forget(const struct home *home, const char *id) {
    if (!record_is_running(home, id)) {
        live_remove(home, id);
    }
}

// Others that begin meanwhile wait for the lock, and find the note gone. The folders are forgotten before it, so that whoever is killed
// here leaves the work to the next one.
void live_begin(const struct home *home) {
    if (!is_of_earlier_boot(home) || flock(home->live_fd, LOCK_EX) < 0) {
        return;
    }
    if (is_of_earlier_boot(home)) {
        container_forget_earlier(home->oci_root, is_earlier, home);
        (void)live_each(home, forget);
        unlinkat(home->live_fd, swept, 0);
    }
    flock(home->live_fd, LOCK_UN);
}

void live_set_swept(const struct home *home) {
    char boot[BOOT_ID_SIZE];
    if (!read_boot(boot) || (symlinkat(boot, home->live_fd, swept) < 0 && errno != EEXIST)) {
        log_warn("note in %s that the store is in order: %s", home->live_path, strerror(errno));
    }
}

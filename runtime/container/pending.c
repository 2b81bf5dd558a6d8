#include "runtime/container/pending.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/kernel/process.h"
#include "runtime/kernel/sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char folder[] = ".pending"; // no id begins with a point
enum { ENTRIES_BYTES = 4096, PATH_SIZE = sizeof(folder) + PENDING_NAME_SIZE };

int pending_add(int root_fd, const char *id, char name[PENDING_NAME_SIZE], struct err *err) {
    char path[PATH_SIZE];
    snprintf(name, PENDING_NAME_SIZE, "%s,%d", id, (int)getpid());
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    for (;;) {
        if (mknodat(root_fd, path, S_IFREG | 0600, 0) == 0 || errno == EEXIST) {
            return 0;
        }
        if (errno != ENOENT || (mkdirat(root_fd, folder, 0700) < 0 && errno != EEXIST)) {
            name[0] = '\0';
            return err_sys(err, "note in %s what is at work on container \"%s\"", folder, id);
        }
    }
}

void pending_drop(int root_fd, char name[PENDING_NAME_SIZE]) {
    char path[PATH_SIZE];
    if (name[0] != '\0') {
        snprintf(path, sizeof(path), "%s/%s", folder, name);
        unlinkat(root_fd, path, 0);
        name[0] = '\0';
    }
}

// A dead process that nobody has waited for is gone. One of another pid namespace may have the number of one here, or none: then the
// entry stays too long, or goes while it is of use still, which it only is should that process be killed.
static bool is_gone(const char *number) {
    char *end;
    long pid = strtol(number, &end, 10);
    return *end != '\0' || pid <= 0 || pid > INT32_MAX || (process_start_time((pid_t)pid) == 0 && errno == ESRCH);
}

static void look_at(const char *root, int folder_fd, const char *name, bool (*look)(const char *root, const char *id)) {
    char id[PENDING_NAME_SIZE];
    snprintf(id, sizeof(id), "%s", name);
    char *number = strrchr(id, ',');
    if (!number) {
        return;
    }
    *number++ = '\0';
    if (look(root, id) && is_gone(number)) {
        unlinkat(folder_fd, name, 0);
    }
}

// Each command begins with this, and mostly there is nothing: one call in place of a stream's five.
void pending_each(const char *root, bool (*look)(const char *root, const char *id)) {
    char path[4096];
    if (snprintf(path, sizeof(path), "%s/%s", root, folder) >= (int)sizeof(path)) {
        return;
    }
    AUTO_FD int fd = openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    alignas(struct dirent) char entries[ENTRIES_BYTES];
    ssize_t size;
    do {
        size = fd < 0 ? 0 : sys_getdents64(fd, entries, sizeof(entries));
        for (ssize_t at = 0; at < size;) {
            const struct dirent *entry = (const struct dirent *)(const void *)(entries + at); // as the kernel has it (getdents64(2))
            at += entry->d_reclen;
            look_at(root, fd, entry->d_name, look);
        }
    } while (size > ENTRIES_BYTES / 2); // what is left over is looked at by the next command
}

#include "runtime/kernel/namespace.h"

#include "runtime/base/buf.h"
#include "runtime/base/dir.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const struct {
    uint64_t type;
    const char *file;
} kinds[] = {
    {CLONE_NEWUSER, "user"}, {CLONE_NEWNS, "mnt"},  {CLONE_NEWPID, "pid"},       {CLONE_NEWNET, "net"},
    {CLONE_NEWIPC, "ipc"},   {CLONE_NEWUTS, "uts"}, {CLONE_NEWCGROUP, "cgroup"}, {CLONE_NEWTIME, "time"},
};

const uint64_t namespace_all =
    CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP | CLONE_NEWTIME;

int namespace_differing(pid_t pid, uint64_t asked, uint64_t *ret_differing, struct err *err) {
    uint64_t differing = 0;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        char own_path[32], path[48];
        struct stat own, other;
        if ((asked & kinds[i].type) == 0) {
            continue;
        }
        snprintf(own_path, sizeof(own_path), "/proc/self/ns/%s", kinds[i].file);
        snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, kinds[i].file);
        if (stat(own_path, &own) < 0) {
            if (errno == ENOENT) {
                continue; // a kernel without this type
            }
            return err_sys(err, "look at %s", own_path);
        }
        if (stat(path, &other) < 0) {
            return err_sys(err, "look at the %s namespace of process %d", kinds[i].file, (int)pid);
        }
        if (own.st_dev != other.st_dev || own.st_ino != other.st_ino) {
            differing |= kinds[i].type;
        }
    }
    *ret_differing = differing;
    return 0;
}

static const char *file_of(uint64_t type) {
    size_t i = 0;
    while (kinds[i].type != type) {
        i++;
        assert(i < ARRAY_LEN(kinds));
    }
    return kinds[i].file;
}

int namespace_own(uint64_t type, uint64_t *ret_number, struct err *err) {
    char path[32];
    struct stat status;
    snprintf(path, sizeof(path), "/proc/self/ns/%s", file_of(type));
    if (stat(path, &status) < 0) {
        return err_sys(err, "look at %s", path);
    }
    *ret_number = status.st_ino;
    return 0;
}

bool namespace_has_process(uint64_t type, uint64_t number) {
    AUTO_FD int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    AUTO_DIR DIR *stream = proc < 0 ? NULL : dir_stream(proc);
    bool found = false;
    for (const struct dirent *entry; stream && !found && (entry = dir_next(stream));) {
        char path[48];
        struct stat status;
        if (entry->d_name[strspn(entry->d_name, "0123456789")] == '\0') {
            snprintf(path, sizeof(path), "%.20s/ns/%s", entry->d_name, file_of(type));
            found = fstatat(proc, path, &status, 0) == 0 && status.st_ino == number;
        }
    }
    return found;
}

void namespace_add_names(uint64_t namespaces, struct buf *buf) {
    const char *before = "";
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (namespaces & kinds[i].type) {
            buf_add_format(buf, "%s%s", before, kinds[i].file);
            before = ",";
        }
    }
    if (!*before) {
        buf_add_string(buf, "none");
    }
}

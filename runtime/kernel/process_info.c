#include "runtime/kernel/process_info.h"

#include "runtime/base/buf.h"
#include "runtime/base/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { COMMAND_MAX_BYTES = 4096 };

static uint64_t in_ms(unsigned long long ticks) {
    return ticks * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
}

// proc_pid_stat(5): the name may hold anything, brackets too, so the fields begin behind the last one.
static int take_stat(char *text, struct process_info *info, const char **ret_name) {
    char *name = strchr(text, '('), *fields = strrchr(text, ')');
    unsigned long long user, system, start;
    int parent, session;
    if (!name || !fields || sscanf(fields + 1, " %*c %d %*d %d %d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %*d %*d %llu",
                                   &parent, &session, &info->terminal, &user, &system, &start) != 6) {
        return -1;
    }
    *fields = '\0';
    *ret_name = name + 1;
    info->parent = parent;
    info->session = session;
    info->start_ms = in_ms(start);
    info->cpu_ms = in_ms(user + system);
    return 0;
}

static ssize_t read_some(int dir_fd, const char *file, char *room, size_t size) {
    AUTO_FD int fd = openat(dir_fd, file, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : fd_read_full(fd, room, size - 1);
    room[got > 0 ? got : 0] = '\0';
    return got;
}

int process_info_read(pid_t pid, struct process_info *ret, struct buf *command) {
    char path[32], text[1024], line[COMMAND_MAX_BYTES];
    snprintf(path, sizeof(path), "/proc/%d", pid);
    AUTO_FD int dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct process_info info = {.pid = pid};
    struct stat status;
    const char *name;
    // Its folder is its effective user's, but for one that cannot be dumped.
    if (dir < 0 || fstat(dir, &status) < 0 || read_some(dir, "stat", text, sizeof(text)) <= 0 || take_stat(text, &info, &name) < 0) {
        return 1;
    }
    info.uid = status.st_uid;
    char credentials[4096];
    const char *found = read_some(dir, "status", credentials, sizeof(credentials)) > 0 ? strstr(credentials, "\nUid:") : NULL;
    unsigned effective;
    if (found && sscanf(found, "\nUid: %*u %u", &effective) == 1) {
        info.uid = effective;
    }
    ssize_t size = read_some(dir, "cmdline", line, sizeof(line));
    while (size > 0 && line[size - 1] == '\0') {
        size--;
    }
    for (ssize_t i = 0; i < size; i++) {
        line[i] = line[i] ? line[i] : ' ';
    }
    if (size > 0) {
        buf_add_string(command, line);
    } else {
        buf_add_format(command, "[%s]", name);
    }
    *ret = info;
    return 0;
}

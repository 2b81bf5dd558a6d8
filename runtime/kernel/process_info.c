#include "runtime/kernel/process_info.h"

#include "runtime/base/buf.h"
#include "runtime/base/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { COMMAND_MAX_BYTES = 4096 };

static uint64_t in_ms(unsigned long long ticks) {
    return ticks * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
}

// proc_pid_stat(5): the name may hold anything, brackets too, so the fields begin behind the last one.
static int take_stat(char *text, struct process_info *info) {
    char *name = strchr(text, '('), *fields = strrchr(text, ')');
    unsigned long long user, system, start, size;
    long long pages;
    int nice;
    if (!name || !fields ||
        sscanf(fields + 1, " %c %d %d %d %d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %d %u %*d %llu %llu %lld", &info->state,
               &info->parent, &info->group, &info->session, &info->terminal, &user, &system, &nice, &info->threads, &start, &size,
               &pages) != 12) {
        return -1;
    }
    *fields = '\0';
    snprintf(info->name, sizeof(info->name), "%s", name + 1);
    info->nice = nice;
    info->start_ms = in_ms(start);
    info->cpu_ms = in_ms(user + system);
    info->virtual_bytes = size;
    info->resident_bytes = (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
    return 0;
}

static ssize_t read_some(int dir_fd, const char *file, char *room, size_t size) {
    AUTO_FD int fd = openat(dir_fd, file, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : fd_read_full(fd, room, size - 1);
    room[got > 0 ? got : 0] = '\0';
    return got;
}

// proc_pid_status(5)
static void take_status(const char *text, struct process_info *info) {
    const char *line = strstr(text, "\nUid:");
    unsigned id;
    if (line && sscanf(line, "\nUid: %*u %u", &id) == 1) {
        info->uid = id;
    }
    line = strstr(text, "\nGid:");
    if (line && sscanf(line, "\nGid: %*u %u", &id) == 1) {
        info->gid = id;
    }
    // One number for each namespace down to its own.
    line = strstr(text, "\nNSpid:");
    info->inner = info->pid;
    for (line = line ? line + strlen("\nNSpid:") : NULL; line && *line == '\t';) {
        char *end;
        info->inner = (pid_t)strtol(line + 1, &end, 10);
        line = end;
    }
}

int process_info_read(pid_t pid, struct process_info *ret, struct buf *command) {
    char path[32], text[1024], line[COMMAND_MAX_BYTES], status_text[4096];
    snprintf(path, sizeof(path), "/proc/%d", pid);
    AUTO_FD int dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct process_info info = {.pid = pid, .inner = pid};
    struct stat status;
    // Its folder is its effective user's, but for one that cannot be dumped.
    if (dir < 0 || fstat(dir, &status) < 0 || read_some(dir, "stat", text, sizeof(text)) <= 0 || take_stat(text, &info) < 0) {
        return 1;
    }
    info.uid = status.st_uid;
    info.gid = status.st_gid;
    if (read_some(dir, "status", status_text, sizeof(status_text)) > 0) {
        take_status(status_text, &info);
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
        buf_add_format(command, "[%s]", info.name);
    }
    *ret = info;
    return 0;
}

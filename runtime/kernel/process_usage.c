#include "runtime/kernel/process_usage.h"

#include "runtime/base/fd.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_BYTES = 4096, DEVICES_BYTES = 64 << 10 };

static int open_process(pid_t pid) {
    char path[32];
    snprintf(path, sizeof(path), "/proc/%d", pid);
    return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static bool read_text(int dir_fd, const char *file, char *room, size_t size) {
    AUTO_FD int fd = openat(dir_fd, file, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : fd_read_full(fd, room, size - 1);
    room[got > 0 ? got : 0] = '\0';
    return got > 0;
}

// "NAME: VALUE" on a line of its own.
static uint64_t value_of(const char *text, const char *name) {
    const char *at = strstr(text, name);
    return at ? strtoull(at + strlen(name), NULL, 10) : 0;
}

// proc_pid_stat(5): fields begin behind the last bracket.
static void add_stat(const char *text, struct process_usage *sum) {
    const char *fields = strrchr(text, ')');
    uint64_t user, system;
    int64_t children_user, children_system, threads;
    if (fields &&
        sscanf(fields + 1,
               " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64 " %" SCNd64 " %" SCNd64 " %*d %*d %" SCNd64,
               &user, &system, &children_user, &children_system, &threads) == 5) {
        uint64_t ticks = user + system + (uint64_t)children_user + (uint64_t)children_system;
        sum->cpu_us += ticks * 1000000 / (uint64_t)sysconf(_SC_CLK_TCK);
        sum->threads += (uint64_t)threads;
    }
}

void process_usage_add(pid_t pid, struct process_usage *sum) {
    char text[TEXT_BYTES];
    AUTO_FD int dir = open_process(pid);
    if (dir < 0 || !read_text(dir, "stat", text, sizeof(text))) {
        return;
    }
    add_stat(text, sum);
    if (read_text(dir, "status", text, sizeof(text))) {
        sum->memory_bytes += (value_of(text, "\nRssAnon:") + value_of(text, "\nRssShmem:")) * 1024;
    }
    if (read_text(dir, "io", text, sizeof(text))) {
        sum->read_bytes += value_of(text, "\nread_bytes:");
        sum->written_bytes += value_of(text, "\nwrite_bytes:");
    }
}

// Two lines of headings, then "  eth0: BYTES PACKETS ... BYTES ..." with eight numbers for each way.
int process_network_bytes(pid_t pid, uint64_t *ret_received, uint64_t *ret_sent) {
    AUTO_FD int dir = open_process(pid);
    static const char loopback[] = "lo";
    char *text = malloc(DEVICES_BYTES), *state = NULL;
    bool read = text && dir >= 0 && read_text(dir, "net/dev", text, DEVICES_BYTES);
    *ret_received = *ret_sent = 0;
    for (char *line = read ? strtok_r(text, "\n", &state) : NULL; line; line = strtok_r(NULL, "\n", &state)) {
        uint64_t received, sent;
        char *end = strchr(line, ':');
        line += strspn(line, " ");
        if (end && sscanf(end + 1, " %" SCNu64 " %*u %*u %*u %*u %*u %*u %*u %" SCNu64, &received, &sent) == 2 &&
            !((size_t)(end - line) == strlen(loopback) && strncmp(line, loopback, strlen(loopback)) == 0)) {
            *ret_received += received;
            *ret_sent += sent;
        }
    }
    free(text);
    return read ? 0 : -1;
}

#include "runtime/kernel/listening.h"

#include "runtime/base/attr.h"
#include "runtime/base/fd.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ROOM = 4096, STATE_LISTEN = 0x0a };

// "   0: 0100007F:1F90 00000000:0000 0A ..."
static bool read_row(const char *line, unsigned *ret_port, unsigned *ret_state) {
    return sscanf(line, " %*u: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x", ret_port, ret_state) == 2;
}

// The lines of `text`, of which the last is cut, until one does not listen.
static bool find(char *text, uint16_t wanted, bool *ret_over) {
    char *rest = text;
    for (char *line = strsep(&rest, "\n"); rest; line = strsep(&rest, "\n")) {
        unsigned port, state;
        if (!read_row(line, &port, &state)) {
            continue; // the heading
        }
        if (state != STATE_LISTEN) {
            *ret_over = true;
            return false;
        }
        if (port == wanted) {
            return true;
        }
    }
    return false;
}

static bool is_listed(const char *path, uint16_t port) {
    AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    char room[ROOM + 1];
    size_t kept = 0;
    bool over = false;
    while (fd >= 0 && !over) {
        ssize_t got = read(fd, room + kept, ROOM - kept);
        if (got <= 0) {
            return false;
        }
        size_t size = kept + (size_t)got;
        room[size] = '\0';
        const char *end = memrchr(room, '\n', size);
        kept = end ? size - (size_t)(end + 1 - room) : size;
        char cut[ROOM + 1];
        memcpy(cut, room + size - kept, kept);
        if (find(room, port, &over)) {
            return true;
        }
        memcpy(room, cut, kept);
        over = over || kept == ROOM;
    }
    return false;
}

bool listening_on_port(pid_t pid, uint16_t port) {
    static const char *const files[] = {"tcp", "tcp6"};
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        char path[48];
        snprintf(path, sizeof(path), "/proc/%d/net/%s", (int)pid, files[i]);
        if (is_listed(path, port)) {
            return true;
        }
    }
    return false;
}

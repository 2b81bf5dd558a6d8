// A server that plays a script: each step is a request that it waits for and the answer it gives. Two ports, for what leads from
// one host to another. It is a process of its own; what was asked of it stands in memory that both see.
//
//     static const struct script_step steps[] = {{"GET /v2/a", "200 OK\r\nX: y", "body"}};
//     struct script *script = script_start(steps, ARRAY_LEN(steps));
//     ... CHECK(strstr(script->requests[0], "Authorization: ...")); script_stop(script);
//
// In answers @A and @B stand for the ports' addresses, 127.0.0.1:PORT.
#ifndef COFFER_TESTS_UNIT_SCRIPT_SERVER_H
#define COFFER_TESTS_UNIT_SCRIPT_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct script_step {
    const char *request; // how its first line begins
    const char *head;    // of the answer, from the status on, without its last line's end; NULL: it hangs up instead
    const char *body;    // NULL: none
    size_t cut;          // of the body only so many bytes are sent; 0: all
    bool at_b;           // expected at the other port
};

enum { SCRIPT_STEPS = 24, SCRIPT_REQUEST = 4096 };

struct script {
    int listeners[2];
    char addresses[2][32];
    pid_t pid;
    unsigned done;
    unsigned long long bodies[SCRIPT_STEPS];     // their length in bytes
    char body_ends[SCRIPT_STEPS];                // their last byte
    char body_starts[SCRIPT_STEPS][256];         // their first bytes, as a string
    char requests[SCRIPT_STEPS][SCRIPT_REQUEST]; // their heads
    char wrong[256];                             // what was not as scripted
};

static inline int script_listen(char address[32]) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(name);
    if (fd < 0 || bind(fd, (struct sockaddr *)&name, size) < 0 || listen(fd, 16) < 0 ||
        getsockname(fd, (struct sockaddr *)&name, &size) < 0) {
        abort();
    }
    snprintf(address, 32, "127.0.0.1:%u", ntohs(name.sin_port));
    return fd;
}

static inline void script_write(int fd, const char *data, size_t size) {
    while (size > 0) {
        ssize_t put = write(fd, data, size);
        if (put <= 0) {
            return;
        }
        data += put;
        size -= (size_t)put;
    }
}

// Reads a request; returns false for a connection that asked nothing.
static inline bool script_read(struct script *script, unsigned number, int fd) {
    static char room[1 << 16];
    char *request = script->requests[number], *end = NULL;
    size_t size = 0;
    while (!end && size < SCRIPT_REQUEST - 1) {
        ssize_t got = read(fd, request + size, 1);
        if (got <= 0) {
            return false;
        }
        size += (size_t)got;
        request[size] = '\0';
        end = size >= 4 ? strstr(request + size - 4, "\r\n\r\n") : NULL;
    }
    const char *length = strcasestr(request, "\r\nContent-Length:");
    unsigned long long left = length ? strtoull(length + 17, NULL, 10) : 0;
    script->bodies[number] = left;
    while (left > 0) {
        ssize_t got = read(fd, room, left < sizeof(room) ? (size_t)left : sizeof(room));
        if (got <= 0) {
            break;
        }
        if (left == script->bodies[number]) {
            memcpy(script->body_starts[number], room, got < 255 ? (size_t)got : 255);
        }
        left -= (unsigned long long)got;
        script->body_ends[number] = room[got - 1];
    }
    return true;
}

static inline void script_answer(const struct script *script, const struct script_step *step, int fd, bool head_only) {
    char head[4096] = "HTTP/1.1 ", *to = head + strlen(head);
    size_t size = step->body ? strlen(step->body) : 0;
    for (const char *from = step->head; *from && to < head + sizeof(head) - 200; from++) {
        if (*from == '@' && (from[1] == 'A' || from[1] == 'B')) {
            to += sprintf(to, "%s", script->addresses[from[1] - 'A']);
            from++;
        } else {
            *to++ = *from;
        }
    }
    *to = '\0';
    if (!strcasestr(head, "content-length:")) {
        to += sprintf(to, "\r\nContent-Length: %zu", size);
    }
    sprintf(to, "\r\nConnection: close\r\n\r\n");
    script_write(fd, head, strlen(head));
    script_write(fd, step->body ? step->body : "", head_only ? 0 : step->cut ? step->cut : size);
}

static inline void script_play(struct script *script, const struct script_step *steps, unsigned count) {
    struct pollfd fds[2] = {{.fd = script->listeners[0], .events = POLLIN}, {.fd = script->listeners[1], .events = POLLIN}};
    while (script->done < count) {
        const struct script_step *step = &steps[script->done];
        if (poll(fds, 2, 20000) <= 0) {
            return;
        }
        bool at_b = !(fds[0].revents & POLLIN);
        int fd = accept(fds[at_b].fd, NULL, NULL);
        if (fd >= 0 && script_read(script, script->done, fd)) {
            const char *request = script->requests[script->done];
            if ((strncmp(request, step->request, strlen(step->request)) != 0 || at_b != step->at_b) && !script->wrong[0]) {
                snprintf(script->wrong, sizeof(script->wrong), "step %u: expected %s at %c, found %.*s at %c", script->done,
                         step->request, step->at_b ? 'B' : 'A', (int)strcspn(request, "\r"), request, at_b ? 'B' : 'A');
            }
            if (step->head) {
                script_answer(script, step, fd, strncmp(request, "HEAD ", 5) == 0);
            }
            script->done++;
        }
        // What was not read would make the kernel take the answer back.
        shutdown(fd, SHUT_WR);
        char rest[256];
        while (read(fd, rest, sizeof(rest)) > 0) {
        }
        close(fd);
    }
}

static inline struct script *script_start(const struct script_step *steps, size_t count) {
    struct script *script = mmap(NULL, sizeof(*script), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (script == MAP_FAILED || count > SCRIPT_STEPS) {
        abort();
    }
    for (int i = 0; i < 2; i++) {
        script->listeners[i] = script_listen(script->addresses[i]);
    }
    pid_t parent = getpid(), pid = fork();
    if (pid < 0) {
        abort();
    }
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == parent) {
            signal(SIGPIPE, SIG_IGN);
            script_play(script, steps, (unsigned)count);
        }
        _exit(0);
    }
    script->pid = pid; // only the parent writes it
    return script;
}

// Ends it; the memory stays for as long as the test.
static inline void script_stop(struct script *script) {
    kill(script->pid, SIGKILL);
    waitpid(script->pid, NULL, 0);
    close(script->listeners[0]);
    close(script->listeners[1]);
}

// The value of the request's header line, "" for none; overwritten by the next call.
static inline const char *script_header(const struct script *script, unsigned number, const char *name) {
    static char value[SCRIPT_REQUEST];
    char line[128];
    snprintf(line, sizeof(line), "\r\n%s: ", name);
    const char *found = strcasestr(script->requests[number], line);
    size_t length = found ? strcspn(found + strlen(line), "\r") : 0;
    memcpy(value, found ? found + strlen(line) : "", length);
    value[length] = '\0';
    return value;
}

#endif

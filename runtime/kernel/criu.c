#include "runtime/kernel/criu.h"

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/base/quote.h"
#include "runtime/kernel/process.h"
#include "runtime/kernel/sys.h"

#include <errno.h>
#include <limits.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

// As in <sys/mount.h>, which clashes with <linux/mount.h>; the former's MS_ names are enums there.
enum { BIND_TREE = 4096 | 16384, SLAVE_TREE = 1 << 19 | 16384 };
enum { LOG_TAIL_BYTES = 64 << 10, LOG_LINES = 3, EXIT_NO_PROGRAM = 127 };

int criu_find(const char *search_path, char **ret, struct err *err) {
    for (const char *at = search_path; at;) {
        const char *colon = strchr(at, ':');
        size_t length = colon ? (size_t)(colon - at) : strlen(at);
        AUTO_FREE char *path = mem_format("%.*s/criu", (int)(length < PATH_MAX ? length : 0), at);
        struct stat status;
        if (*at == '/' && stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0) {
            *ret = path;
            path = NULL;
            return 0;
        }
        at = colon ? colon + 1 : NULL;
    }
    return err_set(err, ERR_UNSUPPORTED, "there is no program criu in PATH (%s): install criu (the package criu)", search_path);
}

struct child {
    const struct criu_launch *launch;
    int socket;
};

static bool place_descriptors(const struct child *child) {
    const struct criu_launch *launch = child->launch;
    if (launch->quiet) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        for (int fd = 0; fd < 3; fd++) {
            if (null < 0 || dup2(null, fd) < 0) {
                return false;
            }
        }
    }
    if (sys_close_range(3, UINT_MAX, CLOSE_RANGE_CLOEXEC) < 0) {
        return false;
    }
    for (size_t i = 0; i < launch->kept_count; i++) {
        if (launch->kept_fds[i] >= 0 && fcntl(launch->kept_fds[i], F_SETFD, 0) < 0) {
            return false;
        }
    }
    return fcntl(child->socket, F_SETFD, 0) == 0;
}

static _Noreturn void become_criu(const struct child *child) {
    const struct criu_launch *launch = child->launch;
    sigset_t none;
    sigemptyset(&none);
    if (place_descriptors(child) && sigprocmask(SIG_SETMASK, &none, NULL) == 0) {
        char name[] = "criu", verb[] = "swrk", number[16], *path = mem_format("PATH=%s", launch->search_path);
        snprintf(number, sizeof(number), "%d", child->socket);
        char *const args[] = {name, verb, number, NULL}, *const environment[] = {path, NULL};
        execve(launch->program, args, environment);
    }
    _exit(EXIT_NO_PROGRAM);
}

int criu_yard_enter(const char *root, struct criu_yard *ret, struct err *err) {
    AUTO_FD int directory = openat(AT_FDCWD, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    AUTO_FD int outside = openat(AT_FDCWD, "/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
    if (directory < 0 || outside < 0) {
        return err_sys(err, "open our own mount namespace and working directory");
    }
    if (syscall(SYS_unshare, CLONE_NEWNS) < 0) {
        return err_sys(err, "make a mount namespace for criu");
    }
    *ret = (struct criu_yard){.outside = fd_take(&outside), .directory = fd_take(&directory)};
    if (sys_mount(NULL, "/", NULL, SLAVE_TREE, NULL) < 0 || sys_mount(root, root, NULL, BIND_TREE, NULL) < 0) {
        return err_sys(err, "make %s a mount point for criu", root);
    }
    return 0;
}

int criu_yard_leave(struct criu_yard *yard, struct err *err) {
    int result = yard->outside < 0 ? 0
                 : syscall(SYS_setns, yard->outside, CLONE_NEWNS) < 0 || fchdir(yard->directory) < 0
                     ? err_sys(err, "go back to our own mount namespace")
                     : 0;
    fd_close(&yard->outside);
    fd_close(&yard->directory);
    return result;
}

void criu_yard_finish(struct criu_yard *yard) {
    struct err err;
    if (criu_yard_leave(yard, &err) < 0) {
        log_warn("%s", err.text);
    }
}

int criu_start(const struct criu_launch *launch, struct criu *ret, struct err *err) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
        return err_sys(err, "make a socket pair");
    }
    AUTO_FD int ours = pair[0];
    AUTO_FD int theirs = pair[1];
    const struct child child = {launch, theirs};
    pid_t pid = process_clone(0, launch->cgroup_fd, NULL);
    if (pid == 0) {
        become_criu(&child);
    }
    if (pid < 0) {
        return err_sys(err, "start %s", launch->program);
    }
    *ret = (struct criu){.pid = pid, .socket = fd_take(&ours)};
    return 0;
}

static int take_descriptor(struct msghdr *message) {
    int fd = -1;
    for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part)) {
        if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_RIGHTS && part->cmsg_len == CMSG_LEN(sizeof(int)) && fd < 0) {
            memcpy(&fd, CMSG_DATA(part), sizeof(int));
        }
    }
    return fd;
}

// What became of a criu that went away in the middle of the talk.
static int ended(const struct criu *criu, struct err *err) {
    siginfo_t end = {0};
    while (waitid(P_PID, (id_t)criu->pid, &end, WEXITED | WNOWAIT) < 0 && errno == EINTR) {
    }
    if (end.si_code != CLD_EXITED) {
        return err_set(err, ERR_SYSTEM, "criu was killed by signal %d", end.si_status);
    }
    return err_set(err, ERR_SYSTEM, end.si_status == EXIT_NO_PROGRAM ? "criu could not be executed (exit code %d)"
                                                                     : "criu ended without an answer (exit code %d)", end.si_status);
}

static int receive(const struct criu *criu, struct criu_reply *ret, int *ret_fd, struct err *err) {
    AUTO_FREE char *data = mem_alloc(CRIU_MESSAGE_MAX);
    union {
        struct cmsghdr header; // for its alignment
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {.iov_base = data, .iov_len = CRIU_MESSAGE_MAX};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof(control.room)};
    ssize_t got;
    do {
        got = recvmsg(criu->socket, &message, MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    if (got < 0 && errno != ECONNRESET) {
        return err_sys(err, "listen to criu");
    }
    if (got <= 0) {
        return ended(criu, err);
    }
    *ret_fd = take_descriptor(&message);
    return criu_reply_decode(data, (size_t)got, ret, err);
}

static int say(const struct criu *criu, const struct buf *message, struct err *err) {
    ssize_t sent = send(criu->socket, message->data, message->size, MSG_NOSIGNAL);
    if (sent < 0 && errno == EPIPE) {
        return ended(criu, err);
    }
    return sent < 0 ? err_sys(err, "talk to criu") : 0;
}

int criu_ask(const struct criu *criu, const struct criu_talk *talk, struct criu_reply *ret_reply, struct err *err) {
    AUTO_BUF struct buf request = {0};
    criu_put_request(&request, talk->type, talk->options, false);
    if (say(criu, &request, err) < 0) {
        return -1;
    }
    bool failed = false;
    for (;;) {
        AUTO_FD int fd = -1;
        struct err other;
        // What failed first is what is told.
        if (receive(criu, ret_reply, &fd, failed ? &other : err) < 0) {
            return -1;
        }
        if (ret_reply->type != CRIU_NOTIFY) {
            return failed ? -1 : 0;
        }
        if (!failed && talk->notify(talk->context, ret_reply, fd, err) < 0) {
            failed = true;
        }
        AUTO_BUF struct buf answer = {0};
        criu_put_request(&answer, CRIU_NOTIFY, NULL, !failed);
        if (say(criu, &answer, failed ? &other : err) < 0) {
            return -1;
        }
    }
}

void criu_end(struct criu *criu, bool *ret_good) {
    fd_close(&criu->socket);
    if (criu->pid <= 0) {
        return;
    }
    int status = 0;
    while (waitpid(criu->pid, &status, 0) < 0 && errno == EINTR) {
    }
    criu->pid = -1;
    if (ret_good) {
        *ret_good = status == 0;
    }
}

void criu_finish(struct criu *criu) {
    criu_end(criu, NULL);
}

// --- its log ---

// Where the last lines with an error begin, newest last; returns how many.
static size_t find_errors(char *text, const char *lines[LOG_LINES]) {
    size_t count = 0;
    char *state = NULL;
    for (char *line = strtok_r(text, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
        if (!strstr(line, "Error")) {
            continue;
        }
        if (count == LOG_LINES) {
            memmove(lines, lines + 1, (LOG_LINES - 1) * sizeof(*lines));
            count--;
        }
        lines[count++] = line;
    }
    return count;
}

bool criu_last_errors(int dir_fd, const char *name, struct buf *text) {
    AUTO_FD int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)) {
        return false;
    }
    off_t from = status.st_size > LOG_TAIL_BYTES ? status.st_size - LOG_TAIL_BYTES : 0;
    AUTO_FREE char *tail = mem_alloc(LOG_TAIL_BYTES + 1);
    ssize_t got = pread(fd, tail, LOG_TAIL_BYTES, from);
    const char *lines[LOG_LINES];
    size_t count = got > 0 ? find_errors(tail, lines) : 0;
    for (size_t i = 0; i < count; i++) {
        char room[QUOTE_SIZE];
        buf_add_format(text, "%s%s", i > 0 ? ", " : "", quote_text(lines[i], room));
    }
    return true;
}

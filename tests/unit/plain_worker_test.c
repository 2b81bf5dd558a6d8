#include "tests/unit/check.h"
#include "tests/unit/compress.h"

#include "images/plain_worker.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIZE = 6 << 20 };

static void destroy(struct plain_worker **worker) {
    plain_worker_destroy(*worker);
}
#define AUTO_WORKER AUTO(destroy)

static char *noise(void) {
    char *data = mem_alloc(SIZE + 1);
    uint32_t state = 1;
    for (size_t i = 0; i < SIZE; i++) {
        state = state * 1664525u + 1013904223u;
        data[i] = (char)(state >> 24);
    }
    return data;
}

// A file with something in front of the compressed noise.
static int file_of(const char *data, size_t *ret_size) {
    AUTO_BUF struct buf gzip = {0};
    compress_gzip(&gzip, data, SIZE);
    int fd = memfd_create("blob", MFD_CLOEXEC);
    CHECK(fd >= 0 && fd_write_all(fd, "in front", 8) == 0 && fd_write_all(fd, gzip.data, gzip.size) == 0);
    *ret_size = gzip.size;
    return fd;
}

// All that comes, and what is said in the end.
static int drain(struct plain_worker *worker, struct buf *ret, struct err *err) {
    const struct pieces pieces = plain_worker_pieces(worker);
    const uint8_t *data;
    size_t size;
    for (;;) {
        if (pieces.next(pieces.context, &data, &size, err) < 0) {
            return -1;
        }
        if (size == 0) {
            return 0;
        }
        buf_add(ret, data, size);
    }
}

static void note(void *context, uint64_t done) {
    uint64_t *most = context;
    *most = done > *most ? done : *most;
}

CASE(plain_bytes_come_whole) {
    struct err err = {0};
    uint64_t told = 0;
    size_t size;
    AUTO_FREE char *data = noise();
    AUTO_FD int fd = file_of(data, &size);
    AUTO_BUF struct buf found = {0};
    const struct plain_request request = {.input_fd = fd, .offset = 8, .length = size, .progress = note, .progress_context = &told};
    AUTO_WORKER struct plain_worker *worker = plain_worker_create(&request, &err);
    CHECK_INT(drain(worker, &found, &err), 0);
    CHECK_STR(err.text, "");
    CHECK(found.size == SIZE && memcmp(found.data, data, SIZE) == 0);
    CHECK(told >= 1 << 20 && told <= size);
}

CASE(what_is_unsound_is_an_error) {
    struct err err = {0};
    size_t size;
    AUTO_FREE char *data = noise();
    AUTO_FD int fd = file_of(data, &size);
    AUTO_BUF struct buf found = {0};
    struct plain_request request = {.input_fd = fd, .offset = 8, .length = size - 9};
    AUTO_WORKER struct plain_worker *cut = plain_worker_create(&request, &err);
    CHECK_INT(drain(cut, &found, &err), -1);
    CHECK_STR(err.text, "gzip data is cut off");
    request = (struct plain_request){.input_fd = fd, .offset = 8, .length = size, .compression = COMPRESSION_ZSTD};
    AUTO_WORKER struct plain_worker *other = plain_worker_create(&request, &err);
    CHECK_INT(drain(other, &found, &err), -1);
    CHECK_STR(err.text, "data is gzip, but the media type says zstd");
    request = (struct plain_request){.input_fd = fd, .offset = 8, .length = size + 5};
    AUTO_WORKER struct plain_worker *shorter = plain_worker_create(&request, &err);
    CHECK_INT(drain(shorter, &found, &err), -1);
    CHECK(strstr(err.text, "data is 5 bytes short of its stated size") == err.text);
}

static pid_t only_child(void) {
    AUTO_FREE char *text = NULL;
    size_t size;
    struct err err;
    return fd_read_file(AT_FDCWD, "/proc/thread-self/children", 4096, &text, &size, &err) < 0 ? 0 : (pid_t)strtol(text, NULL, 10);
}

// The line of /proc/PID/status that begins with `key`.
static const char *status_line(pid_t pid, const char *key) {
    static char line[128];
    char path[64];
    AUTO_FREE char *text = NULL;
    size_t size;
    struct err err;
    snprintf(path, sizeof(path), "/proc/%d/status", pid);
    if (fd_read_file(AT_FDCWD, path, 1 << 16, &text, &size, &err) < 0) {
        return "(no process)";
    }
    const char *at = strstr(text, key);
    snprintf(line, sizeof(line), "%.*s", at ? (int)strcspn(at, "\n") : 0, at ? at : "");
    return line;
}

static int count_descriptors(pid_t pid) {
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/fd", pid);
    DIR *directory = opendir(path);
    int count = 0;
    for (const struct dirent *row; directory && (row = readdir(directory));) {
        count += row->d_name[0] != '.';
    }
    if (directory) {
        closedir(directory);
    }
    return count;
}

// Nobody reads, so it hangs with its pipe full.
static struct plain_worker *hanging_worker(int fd, size_t size) {
    struct err err = {0};
    const struct plain_request request = {.input_fd = fd, .offset = 8, .length = size};
    struct plain_worker *worker = plain_worker_create(&request, &err);
    CHECK_STR(err.text, "");
    for (int i = 0; i < 500 && strstr(status_line(only_child(), "Seccomp:"), "2") == NULL; i++) {
        usleep(10000);
    }
    return worker;
}

// It does so for an ordinary user, too: nothing that it does needs a privilege.
static void look_at_it(int fd, size_t size) {
    AUTO_WORKER struct plain_worker *worker = hanging_worker(fd, size);
    pid_t pid = only_child();
    CHECK_STR(status_line(pid, "Seccomp:"), "Seccomp:\t2");
    CHECK_STR(status_line(pid, "NoNewPrivs:"), "NoNewPrivs:\t1");
    CHECK_STR(status_line(pid, "CapEff:"), "CapEff:\t0000000000000000");
    CHECK_STR(status_line(pid, "CapPrm:"), "CapPrm:\t0000000000000000");
    CHECK(geteuid() != 0 || count_descriptors(pid) == 6); // three standard ones that lead nowhere, three of its own
}

CASE(it_holds_next_to_nothing) {
    size_t size;
    AUTO_FREE char *data = noise();
    AUTO_FD int fd = file_of(data, &size);
    look_at_it(fd, size);
    CHECK_INT(only_child(), 0);
    if (geteuid() != 0) {
        return;
    }
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        if (setgid(65534) < 0 || setuid(65534) < 0 || prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0) {
            _exit(1);
        }
        look_at_it(fd, size);
        fflush(stdout);
        _exit(check_state.case_failed);
    }
    int status;
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK_INT(status, 0);
}

CASE(a_killed_one_is_an_error_and_nothing_else) {
    struct err err = {0};
    size_t size;
    AUTO_FREE char *data = noise();
    AUTO_FD int fd = file_of(data, &size);
    AUTO_BUF struct buf found = {0};
    AUTO_WORKER struct plain_worker *worker = hanging_worker(fd, size);
    kill(only_child(), SIGKILL);
    CHECK_INT(drain(worker, &found, &err), -1);
    CHECK_STR(err.text, "the unpacker was killed by signal 9");
}

int main(void) {
    RUN(plain_bytes_come_whole);
    RUN(what_is_unsound_is_an_error);
    RUN(it_holds_next_to_nothing);
    RUN(a_killed_one_is_an_error_and_nothing_else);
    return check_done();
}

#include "tests/unit/check.h"
#include "tests/unit/compress.h"
#include "tests/unit/tar_build.h"

#include "images/input.h"
#include "images/unpack_worker.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

struct place {
    char path[64];
    int fd;
};

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where) {
    (void)status;
    (void)kind;
    (void)where;
    return remove(path);
}

static void place_finish(struct place *place) {
    fd_close(&place->fd);
    nftw(place->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
#define AUTO_PLACE AUTO(place_finish)

static void place_init(struct place *place) {
    *place = (struct place){.path = "/tmp/coffer-worker-XXXXXX"};
    CHECK(mkdtemp(place->path) != NULL);
    place->fd = open(place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int file_of(const struct buf *tar) {
    AUTO_BUF struct buf gzip = {0};
    compress_gzip(&gzip, buf_string(tar), tar->size);
    int fd = memfd_create("layer", MFD_CLOEXEC);
    CHECK(fd >= 0 && fd_write_all(fd, gzip.data, gzip.size) == 0);
    return fd;
}

static void destroy(struct unpack_worker **worker) {
    unpack_worker_destroy(*worker);
}
#define AUTO_WORKER AUTO(destroy)

#define NEEDS_ROOT()                                                                                                               \
    if (geteuid() != 0) {                                                                                                          \
        SKIP("needs root, or a user namespace, for chroot");                                                                       \
    }

CASE(a_result_comes_home_whole) {
    NEEDS_ROOT();
    struct err err = {0};
    AUTO_PLACE struct place place;
    place_init(&place);
    AUTO_BUF struct buf tar = {0};
    tar_put_file(&tar, "a/b/file", "hello");
    tar_put_file(&tar, "a/.wh..wh..opq", NULL);
    tar_put(&tar, "hard", '1', "lower/file", NULL);
    tar_put_end(&tar);
    AUTO_FD int input = file_of(&tar);
    const struct unpack_request request = {
        .input_fd = input, .length = INPUT_TO_END, .algorithm = DIGEST_SHA256, .dir_fd = place.fd};
    AUTO_WORKER struct unpack_worker *worker = unpack_worker_create(&request, &err);
    CHECK(worker != NULL);
    struct unpack_result result = {0};
    CHECK_INT(unpack_worker_result(worker, &result, &err), 0);
    CHECK_STR(err.text, "");
    struct digest diff_id, digest;
    digest_of(DIGEST_SHA256, tar.data, tar.size, &diff_id);
    CHECK(digest_of_file(input, 0, result.size, DIGEST_SHA256, "layer", &digest, &err) == 0);
    CHECK(digest_equal(&result.diff_id, &diff_id) && digest_equal(&result.digest, &digest));
    CHECK_INT(result.tar_size, tar.size);
    CHECK_INT(result.entries, 3);
    CHECK_INT(result.implied_count, 3);
    CHECK_INT(result.opaque_count, 1);
    CHECK_STR(result.opaque_dirs[0], "a");
    CHECK_INT(result.link_count, 1);
    CHECK_STR(result.links[0].name, "hard");
    CHECK_STR(result.links[0].target, "lower/file");
    CHECK(faccessat(place.fd, "a/b/file", F_OK, 0) == 0);
    unpack_result_finish(&result);
}

CASE(an_error_comes_home_whole) {
    NEEDS_ROOT();
    struct err err = {0};
    AUTO_PLACE struct place place;
    place_init(&place);
    AUTO_BUF struct buf tar = {0};
    tar_put_file(&tar, "../evil", "x");
    AUTO_FD int input = file_of(&tar);
    const struct unpack_request request = {.input_fd = input, .length = INPUT_TO_END, .dir_fd = place.fd};
    AUTO_WORKER struct unpack_worker *worker = unpack_worker_create(&request, &err);
    struct unpack_result result;
    CHECK_INT(unpack_worker_result(worker, &result, &err), -1);
    CHECK_STR(err.text, "entry \"../evil\": its name has a \"..\" component");
    CHECK_INT(err.kind, ERR_INPUT);
}

// The worker's line of /proc/PID/status that begins with `key`.
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

static pid_t only_child(void) {
    AUTO_FREE char *text = NULL;
    size_t size;
    struct err err;
    if (fd_read_file(AT_FDCWD, "/proc/thread-self/children", 4096, &text, &size, &err) < 0) {
        return 0;
    }
    return (pid_t)strtol(text, NULL, 10);
}

static int count_descriptors(pid_t pid) {
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/fd", pid);
    DIR *directory = opendir(path);
    int count = 0;
    const struct dirent *row;
    while (directory && (row = readdir(directory))) {
        count += row->d_name[0] != '.' ? 1 : 0;
    }
    if (directory) {
        closedir(directory);
    }
    return count;
}

// Starts a worker on a pipe that has given it half a tar, so that it hangs there to be looked at.
static struct unpack_worker *hanging_worker(const struct place *place, int *ret_to_worker) {
    struct err err = {0};
    int pipes[2];
    AUTO_BUF struct buf tar = {0}, gzip = {0};
    AUTO_FREE char *large = mem_alloc(700001);
    for (size_t i = 0; i < 700000; i++) {
        large[i] = (char)('a' + i * 7919 % 26);
    }
    tar_put_file(&tar, "file", large);
    tar_put_end(&tar);
    compress_gzip(&gzip, tar.data, tar.size);
    if (pipe2(pipes, O_CLOEXEC) < 0 || fd_write_all(pipes[1], gzip.data, gzip.size - 100) < 0) {
        return NULL;
    }
    AUTO_FD int input = pipes[0];
    *ret_to_worker = pipes[1];
    const struct unpack_request request = {.input_fd = input, .is_pipe = true, .length = INPUT_TO_END, .dir_fd = place->fd};
    struct unpack_worker *worker = unpack_worker_create(&request, &err);
    CHECK_STR(err.text, "");
    for (int i = 0; i < 500 && strstr(status_line(only_child(), "Seccomp:"), "2") == NULL; i++) {
        usleep(10000);
    }
    return worker;
}

CASE(a_worker_holds_next_to_nothing) {
    NEEDS_ROOT();
    AUTO_PLACE struct place place;
    place_init(&place);
    AUTO_FD int to_worker = -1;
    AUTO_FD int not_for_it = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
    AUTO_WORKER struct unpack_worker *worker = hanging_worker(&place, &to_worker);
    pid_t pid = only_child();
    CHECK_STR(status_line(pid, "Seccomp:"), "Seccomp:\t2");
    CHECK_STR(status_line(pid, "NoNewPrivs:"), "NoNewPrivs:\t1");
    CHECK_STR(status_line(pid, "CapEff:"), "CapEff:\t000000008800001b"); // chown, dac_override, fowner, fsetid, mknod, setfcap
    CHECK_STR(status_line(pid, "CapPrm:"), "CapPrm:\t000000008800001b");
    char path[64], root[PATH_MAX];
    snprintf(path, sizeof(path), "/proc/%d/root", pid);
    ssize_t length = readlink(path, root, sizeof(root) - 1);
    root[length > 0 ? length : 0] = '\0';
    CHECK_STR(root, place.path);
#ifdef __SANITIZE_ADDRESS__
    CHECK(count_descriptors(pid) <= 7);
#else
    CHECK(count_descriptors(pid) <= 7); // three standard ones that lead nowhere, three of its own, the file it writes
#endif
}

CASE(a_killed_worker_is_an_error_and_nothing_else) {
    NEEDS_ROOT();
    struct err err = {0};
    AUTO_PLACE struct place place;
    place_init(&place);
    AUTO_FD int to_worker = -1;
    AUTO_WORKER struct unpack_worker *worker = hanging_worker(&place, &to_worker);
    kill(only_child(), SIGKILL);
    struct unpack_result result;
    CHECK_INT(unpack_worker_result(worker, &result, &err), -1);
    CHECK_STR(err.text, "the unpacker was killed by signal 9");
}

CASE(input_that_stops_is_an_error) {
    NEEDS_ROOT();
    struct err err = {0};
    AUTO_PLACE struct place place;
    place_init(&place);
    AUTO_FD int to_worker = -1;
    AUTO_WORKER struct unpack_worker *worker = hanging_worker(&place, &to_worker);
    fd_close(&to_worker);
    struct unpack_result result;
    CHECK_INT(unpack_worker_result(worker, &result, &err), -1);
    CHECK_STR(err.text, "entry \"file\": gzip data is cut off");
}

CASE(a_worker_given_up_is_gone) {
    NEEDS_ROOT();
    AUTO_PLACE struct place place;
    place_init(&place);
    AUTO_FD int to_worker = -1;
    struct unpack_worker *worker = hanging_worker(&place, &to_worker);
    CHECK(only_child() > 0);
    unpack_worker_destroy(worker);
    CHECK_INT(only_child(), 0);
}

CASE(progress_is_told_and_workers_run_side_by_side) {
    NEEDS_ROOT();
    enum { WORKERS = 3, SIZE = 8 << 20 };
    struct err err = {0};
    struct place places[WORKERS];
    struct unpack_worker *workers[WORKERS];
    AUTO_BUF struct buf tar = {0};
    AUTO_FREE char *noise = mem_alloc(SIZE + 1);
    uint32_t state = 1;
    for (size_t i = 0; i < SIZE; i++) {
        state = state * 1664525u + 1013904223u;
        noise[i] = (char)((state >> 24) | 1);
    }
    tar_put_file(&tar, "noise", noise);
    AUTO_FD int input = file_of(&tar);
    for (int i = 0; i < WORKERS; i++) {
        place_init(&places[i]);
        const struct unpack_request request = {.input_fd = input, .length = INPUT_TO_END, .dir_fd = places[i].fd};
        workers[i] = unpack_worker_create(&request, &err);
        CHECK_STR(err.text, "");
    }
    for (int i = 0; i < WORKERS; i++) {
        while (!unpack_worker_step(workers[i])) {
            struct pollfd fd = {.fd = unpack_worker_fd(workers[i]), .events = POLLIN};
            poll(&fd, 1, -1);
        }
        uint64_t in_bytes, out_bytes;
        unpack_worker_progress(workers[i], &in_bytes, &out_bytes);
        CHECK(in_bytes >= 1 << 20 && out_bytes >= 1 << 20);
        struct unpack_result result = {0};
        CHECK_INT(unpack_worker_result(workers[i], &result, &err), 0);
        CHECK_INT(result.file_bytes, SIZE);
        unpack_result_finish(&result);
        unpack_worker_destroy(workers[i]);
        place_finish(&places[i]);
    }
}

// Becomes root of a new user namespace that has one id: that of an ordinary user outside. Never returns to the tests.
static void enter_user_namespace(uid_t uid) {
    AUTO_FREE char *map = mem_format("0 %u 1", uid);
    // The change of ids makes its files in /proc root's, until it is dumpable again.
    if (setgid(uid) < 0 || setuid(uid) < 0 || prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0 || unshare(CLONE_NEWUSER) < 0) {
        _exit(77);
    }
    struct err err;
    if (fd_write_file(AT_FDCWD, "/proc/self/uid_map", map, &err) < 0 ||
        fd_write_file(AT_FDCWD, "/proc/self/setgroups", "deny", &err) < 0 ||
        fd_write_file(AT_FDCWD, "/proc/self/gid_map", map, &err) < 0) {
        printf("# %s\n", err.text);
        _exit(77);
    }
}

CASE(with_one_id_in_a_user_namespace) {
    NEEDS_ROOT();
    enum { NOBODY = 65534 };
    AUTO_PLACE struct place place;
    place_init(&place);
    CHECK_INT(fchown(place.fd, NOBODY, NOBODY), 0);
    AUTO_BUF struct buf tar = {0};
    struct tar_header header = tar_header_of("dev/null", '3', 0);
    memcpy(header.major, "0000001", 7);
    memcpy(header.minor, "0000003", 7);
    tar_put_pax_text(&tar, "uid", "5000");
    tar_put_file(&tar, "locked/file", "x");
    tar_put_header(&tar, &header);
    tar_put_file(&tar, ".wh.gone", NULL);
    tar_put_file(&tar, "locked/.wh..wh..opq", NULL);
    AUTO_FD int input = file_of(&tar);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        enter_user_namespace(NOBODY);
        struct err err = {0};
        struct unpack_result result = {0};
        struct unpack_request request = {.input_fd = input, .length = INPUT_TO_END, .dir_fd = place.fd};
        struct unpack_worker *worker = unpack_worker_create(&request, &err);
        CHECK_INT(unpack_worker_result(worker, &result, &err), -1);
        CHECK_STR(err.text, "entry \"locked/file\": its owner 5000:0 is not mapped into this user namespace");
        unpack_worker_destroy(worker);
        CHECK_INT(unlinkat(place.fd, "locked/file", 0), 0);
        CHECK_INT(unlinkat(place.fd, "locked", AT_REMOVEDIR), 0);

        request.options = (struct unpack_options){.single_id = true, .devices = UNPACK_DEVICES_SKIP};
        worker = unpack_worker_create(&request, &err);
        err = (struct err){0};
        CHECK_INT(unpack_worker_result(worker, &result, &err), 0);
        CHECK_STR(err.text, "");
        CHECK_INT(result.skipped_devices, 1);
        const struct unpack_stack stack = {.userxattr = true, .single_id = true};
        CHECK_INT(unpack_settle(place.fd, &result, &stack, &err), 0);
        CHECK_STR(err.text, "");
        unpack_worker_destroy(worker);
        unpack_result_finish(&result);
        fflush(stdout);
        _exit(check_state.case_failed);
    }
    int status;
    CHECK_INT(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        SKIP("this host has no user namespaces for ordinary users");
    }
    CHECK_INT(status, 0);
    struct stat file;
    CHECK(fstatat(place.fd, "locked/file", &file, 0) == 0 && file.st_uid == NOBODY && file.st_size == 1);
    CHECK(fstatat(place.fd, "gone", &file, 0) == 0 && S_ISCHR(file.st_mode) && file.st_rdev == 0);
    AUTO_FD int locked = openat(place.fd, "locked", O_RDONLY | O_CLOEXEC);
    char value;
    CHECK_INT(fgetxattr(locked, "user.overlay.opaque", &value, 1), 1);
}

int main(void) {
    RUN(a_result_comes_home_whole);
    RUN(an_error_comes_home_whole);
    RUN(a_worker_holds_next_to_nothing);
    RUN(a_killed_worker_is_an_error_and_nothing_else);
    RUN(input_that_stops_is_an_error);
    RUN(a_worker_given_up_is_gone);
    RUN(with_one_id_in_a_user_namespace);
    RUN(progress_is_told_and_workers_run_side_by_side);
    return check_done();
}

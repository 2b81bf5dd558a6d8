// Files that get their names when they are whole, with O_TMPFILE and on file systems without it, which a filter of system calls
// plays.
#include "tests/unit/check.h"

#include "images/new_file.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/kernel/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/coffer-new-file-XXXXXX";
static int dir_fd = -1;

static const char *content(const char *name) {
    static char text[64];
    AUTO_FD int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    text[size > 0 ? size : 0] = '\0';
    return size < 0 ? "(nothing)" : text;
}

static unsigned count_files(void) {
    AUTO_FREE char *command = mem_format("exit $(ls -A %s | wc -l)", folder);
    int status = system(command); // NOLINT: the tests' own words
    return (unsigned)WEXITSTATUS(status);
}

static void clear(void) {
    AUTO_FREE char *command = mem_format("find %s -mindepth 1 -delete", folder);
    CHECK_INT(system(command), 0); // NOLINT: the tests' own words
}

static int make(const char *name, const char *text, bool replace, struct err *err) {
    AUTO_NEW_FILE struct new_file file = {.fd = -1};
    const struct new_file_place place = {.name = name, .mode = 0640, .replace = replace};
    if (new_file_open(&file, dir_fd, ".own", err) < 0) {
        return -1;
    }
    CHECK_INT(fd_write_all(file.fd, text, strlen(text)), 0);
    return new_file_place(&file, &place, err);
}

CASE(a_new_file_gets_its_name) {
    struct err err = {0};
    struct stat status;
    clear();
    CHECK_INT(make("a", "one", false, &err), 0);
    CHECK_STR(err.text, "");
    CHECK_STR(content("a"), "one");
    CHECK(fstatat(dir_fd, "a", &status, 0) == 0 && (status.st_mode & 07777) == 0640);
    CHECK_INT(make("a", "two", false, &err), 0);
    CHECK_STR(content("a"), "one");
    CHECK_INT(make("a", "three", true, &err), 0);
    CHECK_STR(content("a"), "three");
    CHECK_INT(make("b", "four", true, &err), 0);
    CHECK_INT(count_files(), 2);
}

CASE(what_is_given_up_leaves_nothing) {
    struct err err = {0};
    clear();
    {
        AUTO_NEW_FILE struct new_file file = {.fd = -1};
        CHECK_INT(new_file_open(&file, dir_fd, ".own", &err), 0);
        CHECK_INT(fd_write_all(file.fd, "half", 4), 0);
    }
    CHECK_INT(count_files(), 0);
    CHECK_INT(make("no/such", "x", true, &err), -1);
    CHECK_STR(err.text, "put it in its place as no/such: No such file or directory");
    CHECK_INT(mkdirat(dir_fd, "folder", 0700), 0);
    CHECK_INT(make("folder", "x", true, &err), -1);
    CHECK_STR(err.text, "put it in its place as folder: Is a directory");
    CHECK_INT(count_files(), 1);
}

CASE(what_a_dead_process_left_is_taken_over) {
    struct err err = {0};
    clear();
    AUTO_FD int left = openat(dir_fd, ".own", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    CHECK(fd_write_all(left, "a longer rest", 13) == 0);
    CHECK_INT(make("a", "old", false, &err), 0);
    fd_close(&left);
    left = openat(dir_fd, ".own", O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    CHECK_INT(make("a", "new", true, &err), 0);
    CHECK_STR(content("a"), "new");
    CHECK_STR(content(".own"), "(nothing)");
}

CASE(two_at_once_are_two_whole_files) {
    enum { CHILDREN = 8, TURNS = 50 };
    clear();
    for (int i = 0; i < CHILDREN; i++) {
        if (fork() == 0) {
            struct err err = {0};
            AUTO_FREE char *text = mem_format("%d", i);
            for (int turn = 0; turn < TURNS; turn++) {
                if (make("a", text, true, &err) < 0 && !strstr(err.text, "writing the same")) {
                    printf("# %s\n", err.text);
                    fflush(stdout);
                    _exit(1);
                }
            }
            _exit(0);
        }
    }
    int status, failed = 0;
    while (wait(&status) > 0) {
        failed += status != 0;
    }
    CHECK_INT(failed, 0);
    CHECK_INT(strlen(content("a")), 1);
    CHECK_INT(count_files(), 1);
}

CASE(another_that_writes_the_same_is_told_of) {
    struct err err = {0};
    clear();
    AUTO_NEW_FILE struct new_file file = {.fd = -1};
    CHECK_INT(new_file_open(&file, dir_fd, ".own", &err), 0);
    CHECK_INT(make("a", "x", true, &err), -1);
    CHECK_STR(err.text, "another process is writing the same: .own");
    CHECK_INT(symlinkat("/tmp/elsewhere", dir_fd, ".link"), 0);
    struct new_file other;
    CHECK_INT(new_file_open(&other, dir_fd, ".link", &err), -1);
    CHECK_STR(err.text, "make .link: Too many levels of symbolic links");
}

CASE(a_strangers_file_is_not_written_to) {
    struct err err = {0};
    if (geteuid() != 0) {
        SKIP("needs root, to make a file of another user");
    }
    clear();
    AUTO_FD int theirs = openat(dir_fd, ".own", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    CHECK_INT(fchown(theirs, 65534, 65534), 0);
    CHECK_INT(make("a", "x", true, &err), -1);
    CHECK_STR(err.text, "somebody else's file is in the way: .own");
    CHECK_STR(content(".own"), "");
}

CASE(one_without_a_name_is_made_whoever_is_in_the_way) {
    struct err err = {0};
    char name[64], read_back[2] = "";
    clear();
    snprintf(name, sizeof(name), ".coffer-spool-%d.0", (int)getpid());
    CHECK_INT(symlinkat("/tmp/elsewhere", dir_fd, name), 0);
    AUTO_FD int fd = new_file_nameless(dir_fd, &err);
    CHECK_INT(fd_write_all(fd, "x", 1), 0);
    CHECK_INT(pread(fd, read_back, 1, 0), 1);
    CHECK_STR(read_back, "x");
    CHECK_INT(count_files(), 1); // that link
    CHECK_INT(new_file_nameless(-1, &err), -1);
    CHECK_STR(err.text, "make a temporary file: Bad file descriptor");
}

static void forbid_tmpfile(void) {
    struct err err = {0};
    const struct jail_check check = {
        .number = __NR_openat, .argument = 2, .without = O_TMPFILE & ~O_DIRECTORY, .otherwise = SECCOMP_RET_ERRNO | EOPNOTSUPP};
    const struct jail_filter filter = {.checks = &check, .checks_count = 1, .otherwise = SECCOMP_RET_ALLOW};
    CHECK_INT(jail_filter_calls(&filter, &err), 0);
    CHECK_INT(openat(dir_fd, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600), -1);
}

int main(void) {
    dir_fd = mkdtemp(folder) ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    RUN(a_new_file_gets_its_name);
    RUN(what_is_given_up_leaves_nothing);
    RUN(what_a_dead_process_left_is_taken_over);
    RUN(two_at_once_are_two_whole_files);
    RUN(one_without_a_name_is_made_whoever_is_in_the_way);
    forbid_tmpfile();
    RUN(a_new_file_gets_its_name);
    RUN(what_is_given_up_leaves_nothing);
    RUN(what_a_dead_process_left_is_taken_over);
    RUN(two_at_once_are_two_whole_files);
    RUN(one_without_a_name_is_made_whoever_is_in_the_way);
    RUN(another_that_writes_the_same_is_told_of);
    RUN(a_strangers_file_is_not_written_to);
    clear();
    rmdir(folder);
    return check_done();
}

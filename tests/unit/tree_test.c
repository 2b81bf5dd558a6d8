// Removing trees, and keeping the space that they take until later.
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/kernel/tree.h"
#include "tests/unit/check.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/tree_test.XXXXXX";
static int folder_fd = -1;

static void make(const char *path) {
    CHECK(mkdirat(folder_fd, path, 0755) == 0);
}

static void make_file(const char *path) {
    AUTO_FD int fd = openat(folder_fd, path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && write(fd, "x", 1) == 1);
}

static void make_tree(void) {
    make("top");
    make("top/full");
    make("top/full/empty");
    make("top/empty");
    make_file("top/file");
    make_file("top/full/file");
    CHECK(symlinkat("/etc", folder_fd, "top/link") == 0);
}

static bool is_there(const char *path) {
    return faccessat(folder_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

CASE(a_tree_goes_and_what_a_link_leads_to_stays) {
    struct err err;
    make_tree();
    CHECK(tree_remove(folder_fd, "top", &err) == 0);
    CHECK(!is_there("top"));
    CHECK(access("/etc", F_OK) == 0);
    CHECK(tree_remove(folder_fd, "top", &err) == 0); // what is not there is fine
}

CASE(graves_keep_each_directory_of_what_is_gone) {
    struct err err;
    struct tree_graves graves = {0};
    struct stat status;
    make_tree();
    CHECK(tree_remove_later(folder_fd, "top", &graves, &err) == 0);
    CHECK(!is_there("top"));
    CHECK_INT(graves.count, 4);
    for (size_t i = 0; i < graves.count; i++) {
        CHECK(fstat(graves.fds[i], &status) == 0 && S_ISDIR(status.st_mode) && status.st_nlink == 0);
        CHECK(fcntl(graves.fds[i], F_GETFD) == FD_CLOEXEC);
    }
    int first = graves.fds[0];
    tree_graves_finish(&graves);
    CHECK(graves.count == 0 && fcntl(first, F_GETFD) < 0);
}

CASE(more_than_fit_are_removed_all_the_same) {
    struct err err;
    struct tree_graves graves = {0};
    char path[64];
    make("top");
    for (int i = 0; i < 100; i++) {
        snprintf(path, sizeof(path), "top/%d", i);
        make(path);
    }
    CHECK(tree_remove_later(folder_fd, "top", &graves, &err) == 0);
    CHECK(!is_there("top"));
    CHECK(graves.count == sizeof(graves.fds) / sizeof(*graves.fds));
    tree_graves_finish(&graves);
}

int main(void) {
    CHECK(mkdtemp(folder) != NULL);
    folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    RUN(a_tree_goes_and_what_a_link_leads_to_stays);
    RUN(graves_keep_each_directory_of_what_is_gone);
    RUN(more_than_fit_are_removed_all_the_same);
    fd_close(&folder_fd);
    rmdir(folder);
    return check_done();
}

// What is mounted: the table of mounts, and what a descriptor tells.
#include "tests/unit/check.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/kernel/mount_point.h"
#include "runtime/kernel/mountinfo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

CASE(parents_are_found_by_whole_numbers) {
    static const char table[] = "28 1 254:0 / / rw - ext4 /dev/root rw\n"
                                "128 28 0:5 / /dev rw - devtmpfs none rw\n"
                                "12 128 0:22 / /dev/28\\0401 rw - devpts none rw";
    CHECK_INT(mountinfo_parent(table, 28), 1);
    CHECK_INT(mountinfo_parent(table, 128), 28);
    CHECK_INT(mountinfo_parent(table, 12), 128);
    CHECK_INT(mountinfo_parent(table, 2), 0);
    CHECK_INT(mountinfo_parent(table, 8), 0);
    CHECK_INT(mountinfo_parent("", 1), 0);
}

static bool is_at(const char *table, uint64_t id, const char *expected) {
    char *point = mountinfo_point(table, id);
    bool same = point && expected ? strcmp(point, expected) == 0 : point == expected;
    free(point);
    return same;
}

CASE(points_are_found_and_whole) {
    static const char table[] = "28 1 254:0 / / rw - ext4 /dev/root rw\n"
                                "128 28 0:5 / /a\\040b rw - devtmpfs none rw\n"
                                "12 128 0:22 / /cut\n"
                                "13 128 0:22";
    CHECK(is_at(table, 28, "/"));
    CHECK(is_at(table, 128, "/a b"));
    CHECK(is_at(table, 12, "/cut"));
    CHECK(is_at(table, 13, NULL));
    CHECK(is_at(table, 2, NULL));
    CHECK(is_at("", 0, NULL));
}

CASE(a_descriptor_tells_its_mount) {
    AUTO_FD int root = open("/proc", O_PATH | O_CLOEXEC);
    AUTO_FD int below = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct mount_point of_root = {0}, of_below = {0};
    CHECK_INT(mount_point_look(root, &of_root), 0);
    CHECK_INT(mount_point_look(below, &of_below), 0);
    CHECK(of_root.is_root && !of_below.is_root && of_root.id != 0 && of_root.id == of_below.id);
    char *text = NULL;
    size_t size;
    struct err err = {0};
    CHECK_INT(fd_read_file(AT_FDCWD, "/proc/self/mountinfo", 64 << 20, &text, &size, &err), 0);
    CHECK(mountinfo_parent(text, of_root.id) != 0);
    free(text);
    CHECK_INT(mount_point_look(-1, &of_root), -1);
    CHECK_INT(errno, EBADF);
}

int main(void) {
    RUN(parents_are_found_by_whole_numbers);
    RUN(points_are_found_and_whole);
    RUN(a_descriptor_tells_its_mount);
    return check_done();
}

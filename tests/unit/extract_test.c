// A tar into a tree that is there: what it makes, what it replaces, and that nothing leads it out.
#include "tests/unit/check.h"
#include "tests/unit/tar_build.h"

#include "images/extract.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/kernel/root.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/coffer-extract-XXXXXX";
static struct err err;
static struct extract_result result;

// Runs a script in the folder.
static int run(const char *script) {
    AUTO_FREE char *command = mem_format("cd %s && { %s; } > /dev/null 2>&1", folder, script);
    return system(command); // NOLINT: the tests' own words
}

static int fresh(const char *script) {
    AUTO_FREE char *all = mem_format("rm -rf root out; mkdir root out; echo outside > out/f; cd root; %s", script);
    return run(all);
}

static int open_root(void) {
    AUTO_FREE char *path = mem_format("%s/root", folder);
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int extract(struct buf *tar, const struct extract_options *options) {
    static const char end[2 * TAR_BLOCK_SIZE];
    buf_add(tar, end, sizeof(end));
    AUTO_FD int fd = memfd_create("tar", MFD_CLOEXEC);
    AUTO_FD int root = open_root();
    CHECK(fd >= 0 && root >= 0 && fd_write_all(fd, tar->data, tar->size) == 0 && lseek(fd, 0, SEEK_SET) == 0);
    mode_t mask = umask(0);
    int failed = extract_tar(fd, root, options, &result, &err);
    umask(mask);
    return failed;
}

CASE(makes_and_replaces) {
    AUTO_BUF struct buf tar = {0};
    CHECK_INT(fresh("mkdir sub; echo old > sub/a; ln sub/a kept; ln -s ../out/f sub/link; chmod 700 sub"), 0);
    tar_put(&tar, "./", '5', NULL, NULL);
    tar_put(&tar, "sub/", '5', NULL, NULL);
    tar_put(&tar, "sub/a", '0', NULL, "new");
    tar_put(&tar, "sub/link", '0', NULL, "not through it");
    tar_put(&tar, "sub/hard", '1', "sub/a", NULL);
    tar_put(&tar, "to", '2', "sub/a", NULL);
    tar_put(&tar, "fifo", '6', NULL, NULL);
    tar_put(&tar, "device", '3', NULL, NULL);
    CHECK_INT(extract(&tar, &(struct extract_options){0}), 0);
    CHECK_INT(result.left_out, 1);
    // What had another name keeps its data, what a link leads to, too, and a directory that was there its mode.
    CHECK_INT(run("grep -qx old root/kept && grep -qx new root/sub/a && grep -qx outside out/f && grep -q through root/sub/link && "
                  "test root/sub/a -ef root/sub/hard && test -p root/fifo && test \"$(readlink root/to)\" = sub/a && ! test -e root/device && "
                  "test \"$(stat -c %a root/sub)\" = 700"), 0);
}

CASE(zeros_become_holes) {
    AUTO_BUF struct buf tar = {0};
    enum { SIZE = 3 << 20 };
    AUTO_FREE char *data = mem_alloc(SIZE);
    memcpy(data + (1 << 20) + 17, "middle", 6);
    data[SIZE - 1] = 'e';
    struct tar_header header = tar_header_of("holes", '0', SIZE);
    tar_put_header(&tar, &header);
    tar_put_data(&tar, data, SIZE);
    CHECK_INT(fresh("true"), 0);
    CHECK_INT(extract(&tar, &(struct extract_options){0}), 0);
    AUTO_FREE char *path = mem_format("%s/root/holes", folder);
    struct stat status;
    AUTO_FREE char *back = mem_alloc(SIZE);
    AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0 && fstat(fd, &status) == 0 && status.st_size == SIZE && fd_read_full(fd, back, SIZE) == SIZE);
    CHECK_INT(memcmp(data, back, SIZE), 0);
    CHECK(status.st_blocks * 512 < SIZE / 2);
}

static void put_directory(struct buf *tar, const char *name, unsigned mode) {
    struct tar_header header = tar_header_of(name, '5', 0);
    tar_octal(header.mode, sizeof(header.mode), mode);
    tar_octal(header.uid, sizeof(header.uid), geteuid());
    tar_octal(header.gid, sizeof(header.gid), getegid());
    tar_put_header(tar, &header);
}

CASE(the_last_entry_of_a_directory_counts) {
    AUTO_BUF struct buf tar = {0};
    CHECK_INT(fresh("true"), 0);
    put_directory(&tar, "d/", 0700);
    put_directory(&tar, "d/sub/", 0701);
    put_directory(&tar, "d-e/", 0702);
    put_directory(&tar, "d/sub/", 0711);
    put_directory(&tar, "d/", 0755);
    CHECK_INT(extract(&tar, &(struct extract_options){.owners = true}), 0);
    CHECK_INT(run("test \"$(cd root; stat -c %a d d/sub d-e | paste -sd ' ')\" = '755 711 702'"), 0);
}

#define REFUSED(script, member, type, link, alone, sentence)                                                                           \
    do {                                                                                                                           \
        AUTO_BUF struct buf tar_ = {0};                                                                                            \
        CHECK_INT(fresh(script), 0);                                                                                               \
        tar_put(&tar_, member, type, link, (type) == '0' ? "evil" : NULL);                                                           \
        CHECK_INT(extract(&tar_, &(struct extract_options){.name = alone}), -1);                                                           \
        CHECK_STR(err.text, sentence);                                                                                             \
        CHECK_INT(run("grep -qx outside out/f && test \"$(ls out)\" = f"), 0);                                                     \
    } while (0)

CASE(nothing_leads_out) {
    REFUSED("true", "../out/f", '0', NULL, NULL, "\"../out/f\": its name has a \"..\" component");
    REFUSED("ln -s ../out way", "way/f", '0', NULL, NULL, "\"way/f\": the way to it goes through a symbolic link");
    REFUSED("ln -s ../out way", "way/new/f", '0', NULL, NULL, "\"way/new/f\": the way to it goes through a symbolic link");
    REFUSED("true", "hard", '1', "../out/f", NULL, "\"hard\": its link target: its name has a \"..\" component");
    REFUSED("ln -s ../out way", "hard", '1', "way/f", NULL, "\"hard\": the way to it goes through a symbolic link");
    REFUSED("mkdir d", "d", '0', NULL, NULL, "\"d\": cannot overwrite a directory with what is none");
    REFUSED("touch f", "f/", '5', NULL, NULL, "\"f/\": cannot overwrite what is no directory with one");
    REFUSED("ln -s ../out f", "f/", '5', NULL, NULL, "\"f/\": cannot overwrite what is no directory with one");
    REFUSED("true", ".", '0', NULL, NULL, "\".\": is the root itself, and no directory");
    REFUSED("true", "x/", '5', NULL, "alone", "\"alone\": became a directory while it was copied");
}

CASE(followed_links_stay_inside) {
    AUTO_BUF struct buf tar = {0};
    CHECK_INT(fresh("mkdir usr in out; ln -s ../../../usr in/lib; ln -s /usr lib; ln -s ../../../../out in/out"), 0);
    tar_put(&tar, "lib/", '5', NULL, NULL);
    tar_put(&tar, "lib/a", '0', NULL, "a");
    tar_put(&tar, "../x", '0', NULL, "x");
    CHECK_INT(extract(&tar, &(struct extract_options){.follow = true}), -1);
    CHECK_INT(run("grep -qx a root/usr/a && test -L root/lib && ! test -e x"), 0);
    AUTO_BUF struct buf below = {0};
    tar_put(&below, "lib/b", '0', NULL, "b");
    tar_put(&below, "out/f", '0', NULL, "within");
    tar_put(&below, "hard", '1', "lib/b", NULL);
    CHECK_INT(extract(&below, &(struct extract_options){.follow = true, .below = "in"}), 0);
    CHECK_INT(run("grep -qx b root/usr/b && grep -qx outside out/f && grep -qx within root/out/f && test root/in/hard -ef root/usr/b"), 0);
}

CASE(owners_only_when_asked) {
    if (geteuid() != 0) {
        SKIP("needs root, for owners");
    }
    for (int owners = 0; owners < 2; owners++) {
        AUTO_BUF struct buf tar = {0};
        CHECK_INT(fresh("true"), 0);
        struct tar_header header = tar_header_of("tool", '0', 0);
        tar_octal(header.mode, sizeof(header.mode), 06755);
        tar_octal(header.uid, sizeof(header.uid), 1234);
        tar_put_header(&tar, &header);
        CHECK_INT(extract(&tar, &(struct extract_options){.owners = owners}), 0);
        CHECK_INT(run(owners ? "test \"$(stat -c %u:%a root/tool)\" = 1234:6755" : "test \"$(stat -c %u:%a root/tool)\" = 0:755"), 0);
    }
}

// --- root_find_parent() ---

static const char *parent_of(const char *path) {
    static char text[NAME_MAX + 64];
    char name[NAME_MAX + 1];
    struct stat status, top;
    AUTO_FD int root = open_root();
    AUTO_FD int parent = root_find_parent(root, path, name, &err);
    if (parent < 0) {
        return err.text;
    }
    CHECK(fstat(parent, &status) == 0 && fstat(root, &top) == 0);
    snprintf(text, sizeof(text), "%s%s", status.st_ino == top.st_ino ? "/" : "", name);
    return text;
}

CASE(parents_are_found_within_the_root) {
    CHECK_INT(fresh("mkdir d; ln -s ../../../../f d/up; ln -s /d/new d/abs; ln -s next d/chain; ln -s abs d/next; ln -s loop loop; ln -s /no/x gone"), 0);
    CHECK_STR(parent_of("/f"), "/f");
    CHECK_STR(parent_of("f"), "/f");
    CHECK_STR(parent_of("/d/x///"), "x");
    CHECK_STR(parent_of("/d/up"), "/f");
    CHECK_STR(parent_of("/d/chain"), "new");
    CHECK_STR(parent_of("/../../f"), "/f");
    CHECK_STR(parent_of("/loop"), "open /loop: Too many levels of symbolic links");
    CHECK_STR(parent_of("/gone"), "open directory /no: No such file or directory");
    CHECK_STR(parent_of("/d/.."), "path \"/d/..\": expected one that ends in a name");
    CHECK_STR(parent_of("/"), "path \"/\": expected one that ends in a name");
}

int main(void) {
    if (!mkdtemp(folder)) {
        return 1;
    }
    RUN(makes_and_replaces);
    RUN(zeros_become_holes);
    RUN(the_last_entry_of_a_directory_counts);
    RUN(nothing_leads_out);
    RUN(followed_links_stay_inside);
    RUN(owners_only_when_asked);
    RUN(parents_are_found_within_the_root);
    AUTO_FREE char *command = mem_format("rm -rf %s", folder);
    return system(command) == 0 ? check_done() : 1; // NOLINT: the tests' own words
}

// What GNU tar and bsdtar pack, in each of their formats, comes out as they unpack it themselves; and a copied tree is the tree.
#include "tests/unit/check.h"
#include "tests/unit/tree_compare.h"

#include "images/copytree.h"
#include "images/input.h"
#include "images/tree_pack.h"
#include "images/unpack.h"
#include "runtime/base/err.h"

#include <ftw.h>

static char folder[] = "/tmp/coffer-peer-XXXXXX";

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where) {
    (void)status;
    (void)kind;
    (void)where;
    return remove(path);
}

// Runs a script in the folder.
static int run(const char *script) {
    AUTO_FREE char *command = mem_format("cd %s && { %s; } > /dev/null 2>&1", folder, script);
    return system(command); // NOLINT: the tests' own words
}

static char *in_folder(const char *name) {
    return mem_format("%s/%s", folder, name);
}

static int open_fresh(const char *name) {
    AUTO_FREE char *path = in_folder(name);
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return mkdir(path, 0755) < 0 ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void compare(const char *left_name, const char *right_name) {
    AUTO_FREE char *left = in_folder(left_name), *right = in_folder(right_name);
    unsigned things;
    CHECK_INT(tree_differences(left, right, &things), 0);
    CHECK(things > 40);
}

static const char make_tree[] =
    "mkdir -p tree/usr/bin tree/etc tree/var/empty tree/deep && cd tree && "
    "printf hello > etc/motd && printf secret > etc/shadow && chmod 640 etc/shadow && chown 0:42 etc/shadow && "
    "head -c 3000000 /dev/urandom > usr/bin/large && chmod 4755 usr/bin/large && ln usr/bin/large usr/bin/hard && "
    "ln -s ../../etc/motd usr/bin/soft && ln -s /etc/motd abs && mkfifo fifo && mknod null c 1 3 && mknod loop b 7 200 && "
    "truncate -s 5000000 sparse && printf abc | dd of=sparse bs=1 seek=2000000 conv=notrunc && "
    "printf xyz | dd of=sparse bs=1 seek=4000000 conv=notrunc && truncate -s 1000000 hole && "
    "chmod 1777 var/empty && chmod 2755 var && chown 7:8 var && "
    "n=d; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do mkdir -p deep/$n; n=$n/directory-with-a-long-name-$i; done && "
    "printf x > deep/d/directory-with-a-long-name-1/file && "
    "ln -s $(printf '%0200d' 1) longlink && printf x > $(printf '%0150d' 2) && printf x > 'odd name \"quoted\"' && "
    "touch -d '1969-12-31 23:59:58.25 UTC' old && touch -d '2001-02-03 04:05:06.789012345 UTC' etc/motd && "
    "{ setfattr -n user.note -v hello etc/motd; setcap cap_net_raw+ep usr/bin/large; true; } && "
    "for i in $(seq 40); do printf $i > var/f$i; done; true";

static void against(const char *pack, const char *unpack) {
    struct err err = {0};
    struct unpack_result result = {0};
    if (run(pack) != 0) {
        printf("# cannot: %s\n", pack);
        CHECK(false);
        return;
    }
    AUTO_FD int theirs = open_fresh("theirs");
    AUTO_FD int ours = open_fresh("ours");
    AUTO_FREE char *archive = in_folder("archive");
    AUTO_FD int fd = open(archive, O_RDONLY | O_CLOEXEC);
    CHECK(theirs >= 0 && ours >= 0 && fd >= 0 && run(unpack) == 0);
    struct input input;
    input_init_file(&input, fd, 0, INPUT_TO_END, DIGEST_NONE);
    CHECK_INT(unpack_layer(&input, ours, &(struct unpack_options){0}, &result, &err), 0);
    CHECK_STR(err.text, "");
    input_finish(&input);
    unpack_result_finish(&result);
    compare("theirs", "ours");
}

// bsdtar goes breadth first: without the delay GNU tar sets times of directories it still writes to.
#define GNU_UNPACK "tar --delay-directory-restore --numeric-owner --xattrs --xattrs-include='*' -p -xf archive -C theirs"

#define NEEDS_ROOT()                                                                                                               \
    if (geteuid() != 0) {                                                                                                          \
        SKIP("needs root, for owners and devices");                                                                                \
    }

CASE(gnu_formats) {
    NEEDS_ROOT();
    against("tar --format=gnu -cf archive -C tree .", GNU_UNPACK);
    against("tar --format=gnu -Szcf archive -C tree .", GNU_UNPACK);
    against("tar --format=pax --xattrs --xattrs-include='*' -cf archive -C tree .", GNU_UNPACK);
    against("tar --format=pax --sparse-version=0.0 -Szcf archive -C tree .", GNU_UNPACK);
    against("tar --format=pax --sparse-version=0.1 -Szcf archive -C tree .", GNU_UNPACK);
    against("tar --format=pax --sparse-version=1.0 -Szcf archive -C tree .", GNU_UNPACK);
    // ustar has no room for some of it; GNU tar leaves that out and complains.
    against("tar --format=ustar -cf archive -C tree . || true", GNU_UNPACK);
    against("tar --format=v7 -cf archive -C tree . || true", GNU_UNPACK);
}

CASE(bsdtar_formats) {
    NEEDS_ROOT();
    if (run("command -v bsdtar") != 0) {
        SKIP("this host has no bsdtar (package libarchive-tools)");
    }
    against("bsdtar --format=pax -zcf archive -C tree .", GNU_UNPACK);
    against("bsdtar --format=gnutar -cf archive -C tree .", GNU_UNPACK);
}

// Of all that a layer keeps of a tree.
static struct digest diff_id_of(int dir_fd) {
    const struct tree_pack_options options = {.record_fd = -1, .output_fd = -1};
    struct tree_pack_result result = {0};
    struct err err = {0};
    CHECK_INT(tree_pack(dir_fd, &options, &result, &err), 0);
    CHECK_STR(err.text, "");
    CHECK(chdir("/") == 0);
    return result.diff_id;
}

static bool same_trees(int left_fd, int right_fd) {
    const struct digest left = diff_id_of(left_fd), right = diff_id_of(right_fd);
    return digest_equal(&left, &right);
}

CASE(a_copied_tree_is_the_tree) {
    NEEDS_ROOT();
    struct err err = {0};
    struct copytree_result first = {0}, second = {0};
    AUTO_FREE char *tree = in_folder("tree");
    AUTO_FD int from = open(tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    AUTO_FD int to = open_fresh("ours");
    CHECK_INT(copytree(from, to, &(struct copytree_options){0}, &first, &err), 0);
    CHECK_STR(err.text, "");
    compare("tree", "ours");
    AUTO_FD int again = open_fresh("again");
    CHECK_INT(copytree(to, again, &(struct copytree_options){0}, &second, &err), 0);
    CHECK(same_trees(from, to) && same_trees(to, again));
    CHECK_INT(first.entries, second.entries);

    // A filled hole is the same data; one byte is not.
    run("cp --sparse=never --preserve=all ours/hole ours/full && mv ours/full ours/hole && touch -r tree ours");
    AUTO_FD int filled = open_fresh("again");
    CHECK_INT(copytree(to, filled, &(struct copytree_options){0}, &second, &err), 0);
    CHECK(same_trees(from, filled));
    run("printf y | dd of=ours/hole bs=1 seek=70000 conv=notrunc; touch -r tree/hole ours/hole");
    AUTO_FD int changed = open_fresh("again");
    CHECK_INT(copytree(to, changed, &(struct copytree_options){0}, &second, &err), 0);
    CHECK(!same_trees(from, changed));
}

// Whiteouts of one overlay are one inode: no link may lead to what is not copied.
CASE(what_no_layer_can_have_is_left_out_under_all_its_names) {
    NEEDS_ROOT();
    struct err err = {0};
    struct copytree_result result = {0};
    CHECK(run("mkdir upper && cd upper && mknod a c 0 0 && ln a b && ln a c && : > d && "
              "python3 -c 'import os, socket; socket.socket(socket.AF_UNIX).bind(\"s\"); os.link(\"s\", \"t\")'") == 0);
    AUTO_FREE char *upper = in_folder("upper");
    AUTO_FD int from = open(upper, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    AUTO_FD int to = open_fresh("ours");
    CHECK_INT(copytree(from, to, &(struct copytree_options){0}, &result, &err), 0);
    CHECK_STR(err.text, "");
    CHECK_INT(result.skipped_devices, 3);
    CHECK_INT(result.skipped_sockets, 2);
    CHECK(run("test \"$(ls ours)\" = d") == 0);
}

CASE(copying_stops_at_what_it_may_not_do) {
    NEEDS_ROOT();
    struct err err = {0};
    struct copytree_result result = {0};
    AUTO_FREE char *tree = in_folder("tree");
    AUTO_FD int from = open(tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    AUTO_FD int to = open_fresh("ours");
    CHECK_INT(copytree(from, to, &(struct copytree_options){.devices = UNPACK_DEVICES_REFUSE}, &result, &err), -1);
    CHECK_STR(err.text, "copy \"loop\": is a device, which only root can make");
    AUTO_FD int inside = open_fresh("tree/inside"); // a copy into its own source ends
    CHECK_INT(copytree(from, inside, &(struct copytree_options){.devices = UNPACK_DEVICES_SKIP}, &result, &err), 0);
    CHECK_INT(result.skipped_devices, 2);
    CHECK(faccessat(inside, "inside/inside", F_OK, 0) < 0 && faccessat(inside, "inside", F_OK, 0) == 0);
}

int main(void) {
    if (!mkdtemp(folder) || run(make_tree) != 0) {
        printf("# cannot make the tree in %s\n", folder);
    }
    RUN(gnu_formats);
    RUN(bsdtar_formats);
    RUN(a_copied_tree_is_the_tree);
    RUN(what_no_layer_can_have_is_left_out_under_all_its_names);
    RUN(copying_stops_at_what_it_may_not_do);
    nftw(folder, remove_one, 64, FTW_DEPTH | FTW_PHYS);
    return check_done();
}

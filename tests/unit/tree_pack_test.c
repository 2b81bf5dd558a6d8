// A directory tree as a tar: what is unpacked from it is the tree again, the record with the tree is the tar again, and the same
// tree always gives the same one.
#include "tests/unit/check.h"
#include "tests/unit/tree_compare.h"

#include "images/input.h"
#include "images/repack.h"
#include "images/tree_pack_worker.h"
#include "images/unpack.h"
#include "images/verify.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"

#include <errno.h>
#include <ftw.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

static char folder[] = "/tmp/coffer-tree-pack-XXXXXX";

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

static int open_folder(const char *name) {
    AUTO_FREE char *path = mem_format("%s/%s", folder, name);
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int open_fresh(const char *name) {
    AUTO_FREE char *path = mem_format("%s/%s", folder, name);
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return mkdir(path, 0755) < 0 ? -1 : open_folder(name);
}

#define NEEDS_ROOT()                                                                                                               \
    if (geteuid() != 0) {                                                                                                          \
        SKIP("needs root, for owners and devices");                                                                                \
    }

struct packed {
    int tar, record;
    struct tree_pack_result result;
    struct err err;
};

static void packed_finish(struct packed *packed) {
    fd_close(&packed->tar);
    fd_close(&packed->record);
}
#define AUTO_PACKED AUTO(packed_finish)

// Packs the tree into two files in memory; err.text is empty on success.
static void pack_fd(struct packed *packed, int dir_fd, enum tree_signs signs) {
    *packed = (struct packed){.tar = memfd_create("tar", MFD_CLOEXEC), .record = memfd_create("record", MFD_CLOEXEC)};
    const struct tree_pack_options options = {.signs = signs, .record_fd = packed->record, .output_fd = packed->tar};
    int failed = tree_pack(dir_fd, &options, &packed->result, &packed->err);
    CHECK((failed < 0) == (packed->err.text[0] != '\0'));
    CHECK(chdir("/") == 0);
}

static void pack(struct packed *packed, const char *name, enum tree_signs signs) {
    AUTO_FD int dir_fd = open_folder(name);
    CHECK(dir_fd >= 0);
    pack_fd(packed, dir_fd, signs);
}

static void read_back(int fd, struct buf *ret) {
    struct err err = {0};
    char *data;
    size_t size;
    CHECK(lseek(fd, 0, SEEK_SET) == 0 && fd_read_rest(fd, 64 << 20, "the tar", &data, &size, &err) == 0);
    buf_add(ret, data, size);
    free(data);
}

static bool same_bytes(int left_fd, int right_fd) {
    AUTO_BUF struct buf left = {0}, right = {0};
    read_back(left_fd, &left);
    read_back(right_fd, &right);
    return left.size == right.size && memcmp(left.data, right.data, left.size) == 0;
}

static void check_same_tree(const char *left_name, const char *right_name) {
    AUTO_FREE char *left = mem_format("%s/%s", folder, left_name), *right = mem_format("%s/%s", folder, right_name);
    unsigned things;
    CHECK_INT(tree_differences(left, right, &things), 0);
    CHECK(things > 5);
}

// The tar unpacked, and settled as a lowest layer.
static void unpack(struct packed *packed, const char *name, bool userxattr) {
    AUTO(unpack_result_finish) struct unpack_result result = {0};
    struct err err = {0};
    struct input input;
    AUTO_FD int dir_fd = open_fresh(name);
    const struct unpack_stack nothing = {.userxattr = userxattr};
    input_init_file(&input, packed->tar, 0, INPUT_TO_END, DIGEST_NONE);
    CHECK_INT(unpack_layer(&input, dir_fd, &(struct unpack_options){0}, &result, &err), 0);
    CHECK_STR(err.text, "");
    CHECK_INT(unpack_settle(dir_fd, &result, &nothing, &err), 0);
    CHECK_STR(err.text, "");
    CHECK(digest_equal(&result.diff_id, &packed->result.diff_id));
    CHECK_INT(result.tar_size, packed->result.tar_size);
    CHECK_INT(result.file_bytes, packed->result.file_bytes);
    CHECK_INT(result.entries, packed->result.entries);
    CHECK_INT(result.implied_count, 0);
    CHECK_INT(result.link_count, 0);
    input_finish(&input);
}

// The record and the tree are the tar, and are what they should be to the check of a store.
static void check_record(const struct packed *packed, const char *name) {
    AUTO(verify_result_finish) struct verify_result verified = {0};
    struct repack_result result = {0};
    struct err err = {0};
    struct input record;
    AUTO_FD int dir_fd = open_folder(name);
    AUTO_FD int output = memfd_create("again", MFD_CLOEXEC);
    input_init_file(&record, packed->record, 0, INPUT_TO_END, DIGEST_NONE);
    CHECK_INT(repack_layer(&record, dir_fd, &(struct repack_options){.output_fd = output}, &result, &err), 0);
    CHECK_STR(err.text, "");
    CHECK(digest_equal(&result.diff_id, &packed->result.diff_id) && same_bytes(output, packed->tar));
    input_finish(&record);
    CHECK_INT(verify_layer(packed->record, dir_fd, &(struct verify_options){0}, &verified, &err), 0);
    CHECK_STR(err.text, "");
    CHECK(verified.is_read && digest_equal(&verified.diff_id, &packed->result.diff_id));
    for (size_t i = 0; i < verified.differences_count; i++) {
        CHECK_STR(verified.differences[i].problem, "none");
    }
    CHECK(chdir("/") == 0);
}

// The names in the tar, as GNU tar lists them, one a line.
static void check_names(const struct packed *packed, const char *expected) {
    AUTO_BUF struct buf tar = {0}, names = {0};
    AUTO_FREE char *path = mem_format("%s/listed.tar", folder), *listing = mem_format("%s/listing", folder);
    AUTO_FD int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    read_back(packed->tar, &tar);
    CHECK(fd_write_all(file, tar.data, tar.size) == 0 && run("tar -tf listed.tar --quoting-style=literal | tee listing") == 0);
    AUTO_FD int fd = open(listing, O_RDONLY | O_CLOEXEC);
    read_back(fd, &names);
    CHECK_STR(buf_string(&names), expected);
}

static const char make_tree[] =
    "rm -rf tree && mkdir -p tree/usr/bin tree/etc tree/var/empty tree/a tree/a-b && cd tree && "
    "printf hello > etc/motd && printf secret > etc/shadow && chmod 640 etc/shadow && chown 0:42 etc/shadow && "
    "head -c 3000001 /dev/urandom > usr/bin/large && chmod 4755 usr/bin/large && ln usr/bin/large usr/bin/hard && "
    "head -c 262144 /dev/urandom > usr/bin/chunk && head -c 512 /dev/urandom > usr/bin/block && "
    "ln usr/bin/large a/first && ln -s ../../etc/motd usr/bin/soft && ln usr/bin/soft a/soft && ln -s /etc/motd abs && "
    "mkfifo fifo && ln fifo other && mknod null c 1 3 && mknod loop b 7 200 && printf x > a-b/x && printf x > a/x && : > none && "
    "chmod 1777 var/empty && chmod 2755 var && chown 70000:3000000 var && chmod 711 . && chown 5:6 . && "
    "ln -s $(printf '%0200d' 1) longlink && printf x > $(printf '%0150d' 2) && printf x > 'odd \"name\"' && printf x > \"$(printf "
    "'b\\nc')\" && "
    "touch -d '1969-12-31 23:59:58.25 UTC' fifo && touch -d '2001-02-03 04:05:06.789012345 UTC' etc/motd && "
    "{ setfattr -n user.note -v hello etc/motd; setfattr -n user.a -v '' etc/motd; setfattr -n user.dir -v x etc; "
    "setfattr -n user.root -v x .; setcap cap_net_raw+ep usr/bin/large; true; } && "
    "touch -d '2002-02-03 04:05:06.7 UTC' . etc; true";

CASE(what_is_unpacked_is_the_tree) {
    NEEDS_ROOT();
    AUTO_PACKED struct packed packed;
    CHECK(run(make_tree) == 0);
    pack(&packed, "tree", TREE_SIGNS_IGNORE);
    CHECK_STR(packed.err.text, "");
    CHECK_INT(lseek(packed.tar, 0, SEEK_END), packed.result.tar_size);
    CHECK_INT(packed.result.left_out, 0);
    unpack(&packed, "ours", false);
    check_same_tree("tree", "ours");
    check_record(&packed, "tree");
    check_record(&packed, "ours");
}

CASE(gnu_tar_and_bsdtar_unpack_it) {
    NEEDS_ROOT();
    AUTO_PACKED struct packed packed;
    AUTO_BUF struct buf tar = {0};
    AUTO_FREE char *path = mem_format("%s/theirs.tar", folder);
    CHECK(run(make_tree) == 0);
    pack(&packed, "tree", TREE_SIGNS_IGNORE);
    read_back(packed.tar, &tar);
    AUTO_FD int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(fd_write_all(file, tar.data, tar.size) == 0);
    CHECK(run("rm -rf theirs && mkdir theirs && "
              "tar --numeric-owner --xattrs --xattrs-include='*' --delay-directory-restore -p -xf theirs.tar -C theirs") == 0);
    check_same_tree("tree", "theirs");
    if (run("command -v bsdtar") == 0) {
        // It leaves the root's time alone, and takes the fraction of a time before 1970 to the wrong side.
        CHECK(run("rm -rf theirs && mkdir theirs && bsdtar --numeric-owner -p -xf theirs.tar -C theirs && "
                  "touch -r tree/fifo theirs/fifo && touch -r tree theirs") == 0);
        check_same_tree("tree", "theirs");
    }
}

CASE(names_are_sorted_and_links_lead_to_the_first) {
    AUTO_PACKED struct packed packed;
    CHECK(run("rm -rf names && mkdir -p names/b/z names/b/a names/b-c names/B && cd names && : > b/a/x && : > b/z/.wgone && "
              ": > b.c && ln b.c B/b && : > a && ln -s x $(printf '\\377')") == 0);
    pack(&packed, "names", TREE_SIGNS_IGNORE);
    check_names(&packed, "./\nB/\nB/b\na\nb/\nb/a/\nb/a/x\nb/z/\nb/z/.wgone\nb-c/\nb.c\n\xff\n");
    CHECK(run("tar -tvf listed.tar | grep -q 'b.c link to B/b$'") == 0);
}

// What is not in the tar changes nothing; what is does.
CASE(the_same_tree_gives_the_same_tar) {
    NEEDS_ROOT();
    AUTO_PACKED struct packed first, same, changed;
    CHECK(run(make_tree) == 0 &&
          run("truncate -s 1000000 tree/hole && touch -d @5 tree/hole && touch -d @5 tree && cp -a tree copied") == 0);
    pack(&first, "tree", TREE_SIGNS_IGNORE);
    CHECK(run("cp --sparse=never --preserve=all copied/hole full && mv full copied/hole && touch -a copied/none && "
              "touch -d @5 copied") == 0);
    pack(&same, "copied", TREE_SIGNS_IGNORE);
    CHECK(digest_equal(&first.result.diff_id, &same.result.diff_id) && same_bytes(first.tar, same.tar));
    CHECK(same_bytes(first.record, same.record));
    static const char *const changes[] = {"printf y | dd of=copied/hole bs=1 seek=70000 conv=notrunc && touch -d @5 copied/hole",
                                          "touch -d @5.000000001 copied/hole", "touch -d @5 copied/hole && chmod 600 copied/hole",
                                          "chown 1 copied/hole", "setfattr -n user.x -v y copied/hole"};
    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        struct digest before = same.result.diff_id;
        CHECK(run(changes[i]) == 0);
        pack(&changed, "copied", TREE_SIGNS_IGNORE);
        CHECK(!digest_equal(&before, &changed.result.diff_id));
        packed_finish(&changed);
        packed_finish(&same);
        pack(&same, "copied", TREE_SIGNS_IGNORE);
    }
}

// As overlayfs leaves them: whiteouts of one tree are one inode.
#define WITH_SIGNS                                                                                                                 \
    "rm -rf upper && mkdir -p upper/dir/opaque/sub upper/plain && cd upper && mknod gone c 0 0 && ln gone dir/gone && "            \
    "ln gone dir/opaque/old && : > dir/opaque/sub/new && : > plain/x && "

#define NAMES_WITH_SIGNS                                                                                                           \
    "./\ndir/\ndir/.wh.gone\ndir/opaque/\ndir/opaque/.wh..wh..opq\ndir/opaque/.wh.old\ndir/opaque/sub/\ndir/opaque/sub/new\n"      \
    ".wh.gone\nplain/\nplain/x\n"

CASE(signs_of_overlayfs_become_whiteouts) {
    NEEDS_ROOT();
    AUTO_PACKED struct packed packed, ignored;
    if (run(WITH_SIGNS "setfattr -n trusted.overlay.opaque -v y dir/opaque && setfattr -n trusted.overlay.opaque -v x plain && "
                       "setfattr -n trusted.overlay.origin -v z plain/x && setfattr -n user.overlay.opaque -v y plain") != 0) {
        SKIP("no trusted attributes here");
    }
    pack(&packed, "upper", TREE_SIGNS_TRUSTED);
    CHECK_STR(packed.err.text, "");
    check_names(&packed, NAMES_WITH_SIGNS);
    unpack(&packed, "ours", false);
    // What is not opaque is not in the tar, and neither are whiteouts' links.
    CHECK(run("setfattr -x trusted.overlay.opaque upper/plain; setfattr -x user.overlay.opaque upper/plain; "
              "setfattr -x trusted.overlay.origin upper/plain/x; cd upper; "
              "for f in gone dir/gone dir/opaque/old; do d=$(dirname $f); touch -r $d ../time; rm $f; mknod $f c 0 0; "
              "touch -r ../time $d; chmod 0 $f ../ours/$f; touch -d @5 $f; touch -h -d @5 ../ours/$f; done") == 0);
    check_same_tree("upper", "ours");
    check_record(&packed, "ours");
    pack(&ignored, "ours", TREE_SIGNS_IGNORE);
    check_names(&ignored, "./\ndir/\ndir/opaque/\ndir/opaque/sub/\ndir/opaque/sub/new\nplain/\nplain/x\n");
    CHECK_INT(ignored.result.left_out, 3);
}

CASE(signs_of_a_user_s_overlayfs_become_whiteouts) {
    AUTO_PACKED struct packed packed;
    if (run(WITH_SIGNS "setfattr -n user.overlay.opaque -v y dir/opaque") != 0) {
        SKIP("no whiteouts or user attributes here");
    }
    pack(&packed, "upper", TREE_SIGNS_USER);
    check_names(&packed, NAMES_WITH_SIGNS);
    unpack(&packed, "ours", true);
    check_record(&packed, "ours");
}

CASE(the_worker_makes_the_same) {
    NEEDS_ROOT();
    AUTO_PACKED struct packed packed;
    struct err err = {0};
    bool trusted = run(WITH_SIGNS "setfattr -n trusted.overlay.opaque -v y dir/opaque") == 0;
    CHECK(run(make_tree) == 0 && run("chmod 0 tree/etc; rm -rf upper/tree; mv tree upper") == 0);
    AUTO_FD int dir_fd = open_folder("upper");
    pack_fd(&packed, dir_fd, trusted ? TREE_SIGNS_TRUSTED : TREE_SIGNS_USER);
    for (int turn = 0; turn < 3; turn++) {
        AUTO_FD int output = turn < 2 ? memfd_create("output", MFD_CLOEXEC) : -1;
        struct tree_pack_result result = {0};
        const struct tree_pack_request request = {.dir_fd = dir_fd,
                                                  .signs = trusted ? TREE_SIGNS_TRUSTED : TREE_SIGNS_USER,
                                                  .output_fd = output,
                                                  .writes_record = turn == 1};
        CHECK_INT(tree_pack_in_worker(&request, &result, &err), 0);
        CHECK_STR(err.text, "");
        CHECK(digest_equal(&result.diff_id, &packed.result.diff_id) && result.tar_size == packed.result.tar_size);
        CHECK(result.entries == packed.result.entries && result.file_bytes == packed.result.file_bytes);
        CHECK(turn == 2 || same_bytes(output, turn == 1 ? packed.record : packed.tar));
    }
    AUTO_FD int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    struct tree_pack_request request = {.dir_fd = dir_fd, .output_fd = full};
    CHECK_INT(tree_pack_in_worker(&request, &packed.result, &err), -1);
    CHECK_STR(err.text, "pack \"tree/a/first\": write the tar: No space left on device");
    request.writes_record = true;
    CHECK_INT(tree_pack_in_worker(&request, &packed.result, &err), -1);
    CHECK_STR(err.text, "write the record of the layer's tar: No space left on device");
    request.signs = TREE_SIGNS_COUNT;
    CHECK_INT(tree_pack_in_worker(&request, &packed.result, &err), -1);
    CHECK_STR(err.text, "the unpacker's request makes no sense");
}

static void refuses(const char *script, enum tree_signs signs, const char *text) {
    AUTO_PACKED struct packed packed;
    AUTO_FREE char *whole = mem_format("rm -rf refused && mkdir -p refused/dir && cd refused && %s", script);
    if (run(whole) != 0) {
        printf("# cannot: %s\n", script);
        CHECK(false);
        return;
    }
    pack(&packed, "refused", signs);
    CHECK_STR(packed.err.text, text);
    CHECK_INT(packed.err.kind, ERR_UNSUPPORTED);
}

CASE(what_a_tar_cannot_say_is_refused) {
    NEEDS_ROOT();
    static const char named[] = "pack \"dir/.wh.x\": is named as whiteouts are in layers (.wh.), and would delete something there";
    refuses(": > dir/.wh.x", TREE_SIGNS_IGNORE, named);
    refuses("mkdir dir/.wh.x", TREE_SIGNS_IGNORE, named);
    refuses("mknod dir/.wh.x c 0 0", TREE_SIGNS_TRUSTED, named);
    refuses(": > dir/f && setfattr -n user.a=b -v c dir/f", TREE_SIGNS_IGNORE,
            "pack \"dir/f\": its extended attribute \"user.a=b\" has a name that no tar can hold");
    refuses("truncate -s 1048577M f", TREE_SIGNS_IGNORE, "pack \"f\": makes the tar larger than the limit of 1099511627776 bytes");
    refuses("mknod $(printf '%0252d' 1) c 0 0", TREE_SIGNS_TRUSTED,
            "pack "
            "\"00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
            "00000"
            "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
            "0000000000001"
            "\": was deleted, and the name of its whiteout would be longer than 255 bytes");
    refuses(": > dir/f && setfattr -n trusted.overlay.metacopy -v c dir/f", TREE_SIGNS_TRUSTED,
            "pack \"dir/f\": has only a reference to a lower layer (trusted.overlay.metacopy), expected a tree that was mounted "
            "without "
            "redirect_dir and metacopy");
    refuses("setfattr -n user.overlay.redirect -v c dir", TREE_SIGNS_USER,
            "pack \"dir\": has only a reference to a lower layer (user.overlay.redirect), expected a tree that was mounted without "
            "redirect_dir and metacopy");
}

CASE(mount_points_are_refused) {
    NEEDS_ROOT();
    if (run("rm -rf refused && mkdir -p refused/dir && mount -t tmpfs none refused/dir") != 0) {
        SKIP("mounts cannot be made here");
    }
    AUTO_PACKED struct packed packed;
    pack(&packed, "refused", TREE_SIGNS_IGNORE);
    CHECK_STR(packed.err.text, "pack \"dir\": is a mount point");
    CHECK(run("umount refused/dir") == 0);
}

CASE(sockets_are_left_out) {
    AUTO_PACKED struct packed packed;
    CHECK(run("rm -rf sockets && mkdir sockets && cd sockets && : > a && "
              "python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"s\")'") == 0);
    pack(&packed, "sockets", TREE_SIGNS_IGNORE);
    check_names(&packed, "./\na\n");
    CHECK_INT(packed.result.left_out, 1);
}

// Deeper than there are descriptors, and then deeper than a path is long.
CASE(depth_is_bounded_by_paths_alone) {
    AUTO_PACKED struct packed packed, longer;
    AUTO_FD int root = open_fresh("deep");
    AUTO_FD int at = open_folder("deep");
    CHECK(fchdir(root) == 0);
    for (int i = 0; i < 2047; i++) { // 4,093 bytes
        CHECK(mkdir("d", 0755) == 0 && chdir("d") == 0);
    }
    pack_fd(&packed, root, TREE_SIGNS_IGNORE);
    CHECK_STR(packed.err.text, "");
    CHECK_INT(packed.result.entries, 2048);
    CHECK(fchdir(at) == 0);
    for (int i = 0; i < 2047; i++) {
        CHECK(chdir("d") == 0);
    }
    CHECK(mkdir("ee", 0755) == 0);
    pack_fd(&longer, root, TREE_SIGNS_IGNORE);
    CHECK(strstr(longer.err.text, "has a path of more than 4095 bytes"));
    CHECK(run("rm -rf deep") == 0);
}

int main(void) {
    if (!mkdtemp(folder)) {
        printf("# cannot make %s\n", folder);
    }
    RUN(what_is_unpacked_is_the_tree);
    RUN(gnu_tar_and_bsdtar_unpack_it);
    RUN(names_are_sorted_and_links_lead_to_the_first);
    RUN(the_same_tree_gives_the_same_tar);
    RUN(signs_of_overlayfs_become_whiteouts);
    RUN(signs_of_a_user_s_overlayfs_become_whiteouts);
    RUN(the_worker_makes_the_same);
    RUN(what_a_tar_cannot_say_is_refused);
    RUN(mount_points_are_refused);
    RUN(sockets_are_left_out);
    RUN(depth_is_bounded_by_paths_alone);
    nftw(folder, remove_one, 64, FTW_DEPTH | FTW_PHYS);
    return check_done();
}

#include "tests/unit/check.h"
#include "tests/unit/compress.h"
#include "tests/unit/tar_build.h"

#include "images/input.h"
#include "images/unpack.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

// A scratch folder with a layer in it, and something beside the layer that hostile tars aim at.
struct place {
    char path[64];
    int fd;    // of the layer
    int above; // of the folder
    struct unpack_result result;
    struct err err;
};

static void place_finish(struct place *place) {
    unpack_result_finish(&place->result);
    fd_close(&place->fd);
    fd_close(&place->above);
    if (place->path[0]) {
        // Not nftw(3): there are paths in it that are longer than PATH_MAX from here.
        char command[128];
        snprintf(command, sizeof(command), "rm -rf %s", place->path);
        CHECK_INT(system(command), 0);
    }
}
#define AUTO_PLACE AUTO(place_finish)

static void place_init(struct place *place) {
    *place = (struct place){.path = "/tmp/coffer-unpack-XXXXXX", .fd = -1, .above = -1};
    CHECK(mkdtemp(place->path) != NULL);
    place->above = open(place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(mkdirat(place->above, "layer", 0700) == 0 && mkdirat(place->above, "outside", 0755) == 0);
    place->fd = openat(place->above, "layer", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(place->fd >= 0);
}

static int unpack_with(struct place *place, const struct buf *tar, const struct unpack_options *options) {
    AUTO_BUF struct buf gzip = {0};
    compress_gzip(&gzip, buf_string(tar), tar->size);
    struct input input;
    input_init_memory(&input, gzip.data, gzip.size, DIGEST_SHA256);
    struct unpack_options own = *options;
    own.single_id = own.single_id || geteuid() != 0;
    return unpack_layer(&input, place->fd, &own, &place->result, &place->err);
}

static int unpack(struct place *place, const struct buf *tar) {
    return unpack_with(place, tar, &(struct unpack_options){0});
}

// "mode uid gid size link-count" of a thing in the layer, or why it cannot be seen.
static const char *look(const struct place *place, const char *path) {
    static char text[4][128];
    static unsigned turn;
    char *to = text[turn++ % 4];
    struct stat status;
    if (fstatat(place->fd, path, &status, AT_SYMLINK_NOFOLLOW) < 0) {
        return strerror(errno);
    }
    snprintf(to, sizeof(text[0]), "%o %u %u %lld %lu", status.st_mode, status.st_uid, status.st_gid,
             S_ISDIR(status.st_mode) ? 0LL : (long long)status.st_size,
             S_ISDIR(status.st_mode) ? 1UL : (unsigned long)status.st_nlink);
    return to;
}

static long long time_of(const struct place *place, const char *path) {
    struct stat status = {0};
    fstatat(place->fd, path, &status, AT_SYMLINK_NOFOLLOW);
    return (long long)status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec;
}

static bool is_whiteout(const struct place *place, const char *path) {
    struct stat status;
    return fstatat(place->fd, path, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISCHR(status.st_mode) && status.st_rdev == 0;
}

static bool lists(const char *const *list, size_t count, const char *path) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i], path) == 0) {
            return true;
        }
    }
    return false;
}

#define NEEDS_ROOT()                                                                                                               \
    if (geteuid() != 0) {                                                                                                          \
        SKIP("needs root, to give files to other owners");                                                                         \
    }

// Unpacks what must be refused, with this message; nothing may appear outside of the layer.
static void refuse_with(const struct buf *tar, const char *message, const struct unpack_options *options) {
    AUTO_PLACE struct place place;
    place_init(&place);
    CHECK_INT(unpack_with(&place, tar, options), -1);
    CHECK_STR(place.err.text, message);
    CHECK(faccessat(place.above, "outside/evil", F_OK, AT_SYMLINK_NOFOLLOW) < 0);
    CHECK(faccessat(place.above, "evil", F_OK, AT_SYMLINK_NOFOLLOW) < 0);
    CHECK(access("/evil", F_OK) < 0);
}

static void refuse(const struct buf *tar, const char *message) {
    refuse_with(tar, message, &(struct unpack_options){0});
}

static void refuse_one(const char *name, char type, const char *link, const char *message) {
    AUTO_BUF struct buf tar = {0};
    tar_put(&tar, name, type, link, NULL);
    tar_put_end(&tar);
    refuse(&tar, message);
}

CASE(all_kinds_with_their_attributes) {
    NEEDS_ROOT();
    AUTO_BUF struct buf tar = {0}, records = {0};
    AUTO_PLACE struct place place;
    place_init(&place);
    struct tar_header header = tar_header_of("./", '5', 0);
    memcpy(header.mode, "0000750", 7);
    tar_put_header(&tar, &header);
    header = tar_header_of("bin/", '5', 0);
    memcpy(header.mode, "0002775", 7);
    memcpy(header.gid, "0000010", 7);
    tar_put_header(&tar, &header);
    header = tar_header_of("/bin/su", '0', 3);
    memcpy(header.mode, "0004755", 7);
    memcpy(header.uid, "0000007", 7);
    tar_put_header(&tar, &header);
    tar_put_data(&tar, "elf", 3);
    tar_put_file(&tar, "bin/plain", "x"); // its directory's group must not come down to it
    tar_put(&tar, "bin/hard", '1', "/bin/su", NULL);
    tar_put(&tar, "bin/soft", '2', "/etc/passwd", NULL);
    header = tar_header_of("null", '3', 0);
    memcpy(header.major, "0000001", 7);
    memcpy(header.minor, "0000003", 7);
    tar_put_header(&tar, &header);
    tar_put(&tar, "fifo", '6', NULL, NULL);
    pax_text(&records, "mtime", "1234567890.123456789");
    tar_put_pax(&tar, 'x', &records);
    tar_put_dir(&tar, "tmp");
    tar_put_file(&tar, "tmp/later", "later");
    tar_put_end(&tar);
    CHECK_INT(unpack(&place, &tar), 0);
    CHECK_STR(place.err.text, "");
    CHECK_STR(look(&place, "."), "40750 0 0 0 1");
    CHECK_STR(look(&place, "bin"), "42775 0 8 0 1");
    CHECK_STR(look(&place, "bin/su"), "104755 7 0 3 2");
    CHECK_STR(look(&place, "bin/plain"), "100644 0 0 1 1");
    CHECK_STR(look(&place, "bin/hard"), "104755 7 0 3 2");
    CHECK_STR(look(&place, "bin/soft"), "120777 0 0 11 1");
    CHECK_STR(look(&place, "null"), "20644 0 0 0 1");
    CHECK_STR(look(&place, "fifo"), "10644 0 0 0 1");
    CHECK_INT(time_of(&place, "tmp"), 1234567890123456789);
    CHECK_INT(time_of(&place, "bin"), 1000000000000000000);
    CHECK_INT(time_of(&place, "."), 1000000000000000000);
    CHECK_INT(time_of(&place, "bin/soft"), 1000000000000000000);
    CHECK_INT(place.result.entries, 10);
    CHECK_INT(place.result.file_bytes, 9);
    CHECK_INT(place.result.implied_count, 0);
    CHECK_INT(place.result.tar_size, tar.size);
    struct digest digest;
    digest_of(DIGEST_SHA256, tar.data, tar.size, &digest);
    CHECK(digest_equal(&digest, &place.result.diff_id));
}

CASE(names_that_climb_are_refused) {
    refuse_one("../evil", '0', NULL, "entry \"../evil\": its name has a \"..\" component");
    refuse_one("a/../../outside/evil", '0', NULL, "entry \"a/../../outside/evil\": its name has a \"..\" component");
    refuse_one("..", '5', NULL, "entry \"..\": its name has a \"..\" component");
    refuse_one("a/..", '5', NULL, "entry \"a/..\": its name has a \"..\" component");
    refuse_one("hard", '1', "../outside/evil", "entry \"hard\": its link target has a \"..\" component");
    refuse_one("", '0', NULL, "entry \"\": its name is empty");
    AUTO_BUF struct buf tar = {0};
    tar_put_pax_text(&tar, "path", "../outside/evil");
    tar_put_file(&tar, "innocent", "x");
    refuse(&tar, "entry \"../outside/evil\": its name has a \"..\" component");
    buf_clear(&tar);
    tar_put_pax_text(&tar, "linkpath", "../outside/evil");
    tar_put(&tar, "innocent", '1', "target", NULL);
    refuse(&tar, "entry \"innocent\": its link target has a \"..\" component");
}

CASE(absolute_names_stay_in_the_layer) {
    AUTO_BUF struct buf tar = {0};
    AUTO_PLACE struct place place;
    place_init(&place);
    tar_put_file(&tar, "//evil", "x");
    tar_put(&tar, "/link", '1', "/evil", NULL);
    CHECK_INT(unpack(&place, &tar), 0);
    CHECK(faccessat(place.fd, "evil", F_OK, 0) == 0 && faccessat(place.fd, "link", F_OK, 0) == 0);
    CHECK(access("/evil", F_OK) < 0);
}

CASE(nothing_goes_through_links) {
    AUTO_BUF struct buf tar = {0};
    tar_put(&tar, "way", '2', "../outside", NULL);
    size_t link_only = tar.size;
    tar_put_file(&tar, "way/evil", "x");
    refuse(&tar, "entry \"way/evil\": its parent \"way\" is a symbolic link, not a directory");
    tar.size = link_only;
    tar_put(&tar, "way/.wh.evil", '0', NULL, NULL);
    refuse(&tar, "entry \"way/.wh.evil\": its parent \"way\" is a symbolic link, not a directory");
    tar.size = link_only;
    tar_put(&tar, "way/.wh..wh..opq", '0', NULL, NULL);
    refuse(&tar, "entry \"way/.wh..wh..opq\": its parent \"way\" is a symbolic link, not a directory");
    tar.size = link_only;
    tar_put(&tar, "way/a/b/evil", '5', NULL, NULL);
    refuse(&tar, "entry \"way/a/b/evil\": its parent \"way\" is a symbolic link, not a directory");
    tar.size = link_only;
    tar_put(&tar, "hard", '1', "way/evil", NULL);
    refuse(&tar, "entry \"hard\": the way to its link target goes through something that is not a directory");
    tar.size = link_only;
    tar_put_dir(&tar, "way");
    refuse(&tar, "entry \"way\": is a directory, but an entry before it made it something else or the same again");
    tar.size = link_only;
    tar_put_file(&tar, "way", "x");
    refuse(&tar, "entry \"way\": is a file, but an entry before it made it something else or the same again");

    buf_clear(&tar); // inside the layer it is no better
    tar_put_dir(&tar, "real");
    tar_put(&tar, "way", '2', "real", NULL);
    tar_put_file(&tar, "way/evil", "x");
    refuse(&tar, "entry \"way/evil\": its parent \"way\" is a symbolic link, not a directory");
    buf_clear(&tar);
    tar_put_file(&tar, "file", "x");
    tar_put_file(&tar, "file/evil", "x");
    refuse(&tar, "entry \"file/evil\": its parent \"file\" is a file, not a directory");
}

// A hard link to a symbolic link is the link itself.
CASE(hard_links_do_not_follow) {
    AUTO_BUF struct buf tar = {0};
    AUTO_PLACE struct place place;
    place_init(&place);
    tar_put(&tar, "soft", '2', "/etc/passwd", NULL);
    tar_put(&tar, "hard", '1', "soft", NULL);
    CHECK_INT(unpack(&place, &tar), 0);
    struct stat status;
    CHECK(fstatat(place.fd, "hard", &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(status.st_mode) && status.st_nlink == 2);
    buf_clear(&tar);
    tar_put_dir(&tar, "dir");
    tar_put(&tar, "hard", '1', "dir", NULL);
    refuse(&tar, "entry \"hard\": its link target is a directory");
    refuse_one("hard", '1', "hard", "entry \"hard\": is a hard link to itself or to the root");
    refuse_one("hard", '1', "/", "entry \"hard\": is a hard link to itself or to the root");
}

CASE(the_root_is_a_directory) {
    refuse_one(".", '2', "/etc", "entry \".\": is the root itself, expected a directory, found a symbolic link");
    refuse_one("./.", '0', NULL, "entry \"./.\": is the root itself, expected a directory, found a file");
    refuse_one("./.", '3', NULL, "entry \"./.\": is the root itself, expected a directory, found a character device");
}

CASE(entries_stand_once_directories_may_repeat) {
    AUTO_BUF struct buf tar = {0};
    tar_put_file(&tar, "f", "x");
    tar_put_file(&tar, "./f", "y");
    refuse(&tar, "entry \"./f\": is a file, but an entry before it made it something else or the same again");
    buf_clear(&tar);
    tar_put_dir(&tar, "d");
    tar_put_file(&tar, "d", "x");
    refuse(&tar, "entry \"d\": is a file, but an entry before it made it a directory");

    AUTO_PLACE struct place place;
    place_init(&place);
    buf_clear(&tar);
    tar_put_dir(&tar, "d");
    tar_put_file(&tar, "d/f", "x");
    struct tar_header header = tar_header_of("d/", '5', 0);
    memcpy(header.mode, "0001700", 7);
    memcpy(header.mtime, "00000000007", 11);
    tar_put_header(&tar, &header);
    CHECK_INT(unpack(&place, &tar), 0);
    CHECK(strncmp(look(&place, "d"), "41700 ", 6) == 0);
    CHECK_INT(time_of(&place, "d"), 7000000000);
}

CASE(names_have_bounds) {
    AUTO_BUF struct buf tar = {0};
    char component[400], path[PATH_MAX + 200];
    memset(component, 'c', sizeof(component) - 1);
    component[256] = '\0';
    tar_put_long(&tar, 'L', component);
    tar_put_file(&tar, "short", NULL);
    AUTO_PLACE struct place place;
    place_init(&place);
    CHECK_INT(unpack(&place, &tar), -1);
    CHECK(strstr(place.err.text, "its name has a component of more than 255 bytes") != NULL);
    size_t length = 0;
    while (length < PATH_MAX + 100) {
        path[length] = length % 2 ? '/' : 'p';
        length++;
    }
    path[length] = '\0';
    buf_clear(&tar);
    tar_put_long(&tar, 'L', path);
    tar_put_file(&tar, "short", NULL);
    CHECK_INT(unpack(&place, &tar), -1);
    CHECK(strstr(place.err.text, "its name is longer than 4095 bytes") != NULL);
    path[PATH_MAX - 1] = '\0'; // as deep as it gets
    buf_clear(&tar);
    tar_put_long(&tar, 'L', path);
    tar_put_dir(&tar, "short");
    AUTO_PLACE struct place deep;
    place_init(&deep);
    CHECK_INT(unpack(&deep, &tar), 0);
    CHECK_INT(deep.result.implied_count, 2048); // 2047 and the root
}

CASE(limits_of_size_and_count) {
    AUTO_BUF struct buf tar = {0};
    for (int i = 0; i < 5; i++) {
        char name[16];
        snprintf(name, sizeof(name), "f%d", i);
        tar_put_file(&tar, name, "x");
    }
    refuse_with(&tar, "tar has more than the limit of 4 entries", &(struct unpack_options){.max_entries = 4});
    refuse_with(&tar, "data unpacks to more than the limit of 4096 bytes", &(struct unpack_options){.max_bytes = 4096});
}

CASE(whiteouts_delete_below_and_spare_the_layer) {
    AUTO_BUF struct buf tar = {0};
    AUTO_PLACE struct place place;
    place_init(&place);
    tar_put_file(&tar, "dir/.wh.gone", NULL);
    tar_put_file(&tar, "dir/.wh.file", NULL); // before and behind what takes its place
    tar_put_file(&tar, "dir/file", "x");
    tar_put_file(&tar, "dir/other", "x");
    tar_put_file(&tar, "dir/.wh.other", NULL);
    tar_put_file(&tar, ".wh.before", NULL);
    tar_put_dir(&tar, "before");
    tar_put_dir(&tar, "behind");
    tar_put_file(&tar, ".wh.behind", NULL);
    tar_put_file(&tar, ".wh.implied", NULL);
    tar_put_file(&tar, "implied/file", "x");
    tar_put_file(&tar, ".wh.twice", NULL);
    tar_put_file(&tar, ".wh.twice", NULL);
    tar_put_file(&tar, ".wh..wh.plnk/1.2", "aufs");
    CHECK_INT(unpack(&place, &tar), 0);
    CHECK_STR(place.err.text, "");
    CHECK(is_whiteout(&place, "dir/gone") && is_whiteout(&place, "twice"));
    CHECK(!is_whiteout(&place, "dir/file") && !is_whiteout(&place, "dir/other"));
    CHECK(faccessat(place.fd, ".wh.before", F_OK, 0) < 0 && faccessat(place.fd, ".wh..wh.plnk", F_OK, 0) < 0);
    CHECK_INT(place.result.opaque_count, 3);
    CHECK(lists(place.result.opaque_dirs, 3, "before") && lists(place.result.opaque_dirs, 3, "behind") &&
          lists(place.result.opaque_dirs, 3, "implied"));
    CHECK_INT(place.result.implied_count, 3);
    CHECK(lists(place.result.implied_dirs, 3, "dir") && lists(place.result.implied_dirs, 3, "implied") &&
          lists(place.result.implied_dirs, 3, "."));
}

CASE(opaque_markers_are_listed) {
    AUTO_BUF struct buf tar = {0};
    AUTO_PLACE struct place place;
    place_init(&place);
    tar_put_dir(&tar, "a/b");
    tar_put_file(&tar, "a/b/.wh..wh..opq", NULL);
    tar_put_file(&tar, ".wh..wh..opq", NULL);
    CHECK_INT(unpack(&place, &tar), 0);
    CHECK_INT(place.result.opaque_count, 2);
    CHECK(lists(place.result.opaque_dirs, 2, "a/b") && lists(place.result.opaque_dirs, 2, "."));
    CHECK(faccessat(place.fd, "a/b/.wh..wh..opq", F_OK, 0) < 0);
}

CASE(whiteouts_of_nothing_are_refused) {
    refuse_one(".wh.", '0', NULL, "entry \".wh.\": is a whiteout of nothing");
    refuse_one("a/.wh.", '0', NULL, "entry \"a/.wh.\": is a whiteout of nothing");
    refuse_one("a/.wh..", '0', NULL, "entry \"a/.wh..\": is a whiteout of nothing");
    refuse_one("a/.wh...", '0', NULL, "entry \"a/.wh...\": is a whiteout of nothing");
    refuse_one(".wh.a/b", '0', NULL, "entry \".wh.a/b\": lies in a directory whose name is a whiteout's");
    AUTO_BUF struct buf tar = {0};
    tar_put_file(&tar, ".wh.a", NULL);
    tar_put(&tar, "hard", '1', "a", NULL);
    refuse(&tar, "entry \"hard\": its link target is deleted by this layer");
}

CASE(orders_to_overlayfs_do_not_come_out_of_tars) {
    NEEDS_ROOT();
    AUTO_BUF struct buf tar = {0}, records = {0};
    AUTO_PLACE struct place place;
    place_init(&place);
    pax_text(&records, "SCHILY.xattr.trusted.overlay.opaque", "y");
    pax_text(&records, "SCHILY.xattr.user.overlay.opaque", "y");
    pax_text(&records, "SCHILY.xattr.security.selinux", "system_u:object_r:etc_t:s0");
    pax_text(&records, "SCHILY.xattr.trusted.other", "y");
    tar_put_pax(&tar, 'x', &records);
    tar_put_dir(&tar, "dir");
    tar_put(&tar, "whiteout", '3', NULL, NULL);
    CHECK_INT(unpack(&place, &tar), 0);
    CHECK_INT(place.result.dropped_xattrs, 4);
    CHECK_INT(place.result.skipped_devices, 1);
    CHECK(faccessat(place.fd, "whiteout", F_OK, AT_SYMLINK_NOFOLLOW) < 0);
    AUTO_FD int dir = openat(place.fd, "dir", O_RDONLY | O_CLOEXEC);
    CHECK_INT(flistxattr(dir, NULL, 0), 0);
}

CASE(capabilities_and_other_attributes_survive_the_owner) {
    NEEDS_ROOT();
    AUTO_BUF struct buf tar = {0}, records = {0};
    AUTO_PLACE struct place place;
    place_init(&place);
    const struct vfs_cap_data capability = {
        .magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE,
        .data = {{.permitted = 1 << CAP_NET_RAW}},
    };
    pax_add(&records, "SCHILY.xattr.security.capability", &capability, sizeof(capability));
    pax_text(&records, "SCHILY.xattr.user.note", "hello");
    pax_text(&records, "uid", "1000");
    tar_put_pax(&tar, 'x', &records);
    struct tar_header header = tar_header_of("ping", '0', 4);
    memcpy(header.mode, "0006755", 7);
    tar_put_header(&tar, &header);
    tar_put_data(&tar, "ping", 4);
    CHECK_INT(unpack(&place, &tar), 0);
    CHECK_STR(look(&place, "ping"), "106755 1000 0 4 1");
    AUTO_FD int fd = openat(place.fd, "ping", O_RDONLY | O_CLOEXEC);
    char value[64];
    CHECK_INT(fgetxattr(fd, "security.capability", value, sizeof(value)), sizeof(capability));
    CHECK(memcmp(value, &capability, sizeof(capability)) == 0);
    if (fgetxattr(fd, "user.note", value, sizeof(value)) != 5) {
        CHECK_INT(place.result.dropped_xattrs, 1); // /tmp's file system has none
    }
}

CASE(holes_stay_holes) {
    AUTO_BUF struct buf tar = {0}, records = {0};
    AUTO_PLACE struct place place;
    place_init(&place);
    pax_text(&records, "GNU.sparse.size", "100000000");
    pax_text(&records, "GNU.sparse.name", "sparse");
    pax_text(&records, "GNU.sparse.map", "50000000,3,100000000,0");
    tar_put_pax(&tar, 'x', &records);
    tar_put_file(&tar, "GNUSparseFile.1/sparse", "abc");
    CHECK_INT(unpack(&place, &tar), 0);
    struct stat status;
    CHECK(fstatat(place.fd, "sparse", &status, 0) == 0 && status.st_size == 100000000 && status.st_blocks < 1000);
    AUTO_FD int fd = openat(place.fd, "sparse", O_RDONLY | O_CLOEXEC);
    char data[5];
    CHECK(pread(fd, data, 5, 49999999) == 5 && memcmp(data, "\0abc\0", 5) == 0);
}

CASE(devices_by_policy) {
    AUTO_BUF struct buf tar = {0};
    struct tar_header header = tar_header_of("dev/null", '3', 0);
    memcpy(header.major, "0000001", 7);
    memcpy(header.minor, "0000003", 7);
    tar_put_header(&tar, &header);
    AUTO_PLACE struct place skipped;
    place_init(&skipped);
    CHECK_INT(unpack_with(&skipped, &tar, &(struct unpack_options){.devices = UNPACK_DEVICES_SKIP}), 0);
    CHECK_INT(skipped.result.skipped_devices, 1);
    CHECK(faccessat(skipped.fd, "dev/null", F_OK, 0) < 0);
    // Refusing is for the rest of the tree: what lies below /dev no container sees.
    AUTO_PLACE struct place refused;
    place_init(&refused);
    CHECK_INT(unpack_with(&refused, &tar, &(struct unpack_options){.devices = UNPACK_DEVICES_REFUSE}), 0);
    CHECK_INT(refused.result.skipped_devices, 1);
    AUTO_BUF struct buf elsewhere = {0};
    header = tar_header_of("opt/dev/null", '3', 0);
    memcpy(header.major, "0000001", 7);
    memcpy(header.minor, "0000003", 7);
    tar_put_header(&elsewhere, &header);
    refuse_with(&elsewhere, "entry \"opt/dev/null\": is a character device, which only root can make",
                &(struct unpack_options){.devices = UNPACK_DEVICES_REFUSE});
}

CASE(one_id_keeps_the_callers_owner) {
    AUTO_BUF struct buf tar = {0};
    AUTO_PLACE struct place place;
    place_init(&place);
    tar_put_pax_text(&tar, "uid", "4294967294");
    tar_put_file(&tar, "f", "x");
    CHECK_INT(unpack_with(&place, &tar, &(struct unpack_options){.single_id = true}), 0);
    struct stat status;
    CHECK(fstatat(place.fd, "f", &status, 0) == 0 && status.st_uid == geteuid());
}

// Settling on lower layers.

static int settle(struct place *place, const int *lowers, size_t count) {
    const struct unpack_stack stack = {.lower_fds = lowers, .lower_count = count};
    return unpack_settle(place->fd, &place->result, &stack, &place->err);
}

CASE(implied_directories_look_as_below) {
    NEEDS_ROOT();
    AUTO_BUF struct buf below = {0}, above = {0};
    AUTO_PLACE struct place lower, upper;
    place_init(&lower);
    place_init(&upper);
    struct tar_header header = tar_header_of("etc", '5', 0);
    memcpy(header.mode, "0002711", 7);
    memcpy(header.uid, "0000005", 7);
    tar_put_header(&below, &header);
    tar_put(&below, "link", '2', "etc", NULL);
    tar_put_file(&above, "etc/file", "x");
    tar_put_file(&above, "link/file", "x");
    tar_put_file(&above, "new/file", "x");
    tar_put_file(&above, ".wh.cut", NULL);
    CHECK_INT(unpack(&lower, &below), 0);
    CHECK_INT(unpack(&upper, &above), 0);
    CHECK_INT(settle(&upper, &lower.fd, 1), 0);
    CHECK_STR(upper.err.text, "");
    CHECK_STR(look(&upper, "etc"), "42711 5 0 0 1");
    CHECK_INT(time_of(&upper, "etc"), 1000000000000000000);
    CHECK_STR(look(&upper, "link"), "40755 0 0 0 1");
    CHECK_STR(look(&upper, "new"), "40755 0 0 0 1");
}

CASE(hard_links_into_lower_layers_are_copied_up) {
    NEEDS_ROOT();
    AUTO_BUF struct buf below = {0}, between = {0}, above = {0};
    AUTO_PLACE struct place lower, middle, upper;
    place_init(&lower);
    place_init(&middle);
    place_init(&upper);
    struct tar_header header = tar_header_of("usr", '5', 0);
    memcpy(header.mode, "0000751", 7);
    tar_put_header(&below, &header);
    tar_put_dir(&below, "usr/bin");
    header = tar_header_of("usr/bin/su", '0', 3);
    memcpy(header.mode, "0004755", 7);
    memcpy(header.uid, "0000007", 7);
    tar_put_header(&below, &header);
    tar_put_data(&below, "elf", 3);
    tar_put_file(&below, "gone", "x");
    tar_put_file(&below, "hidden/file", "x");
    tar_put_file(&between, ".wh.gone", NULL);
    tar_put_dir(&between, "hidden");
    tar_put_file(&between, "hidden/.wh..wh..opq", NULL);
    tar_put(&above, "hard", '1', "usr/bin/su", NULL);
    tar_put(&above, "second", '1', "hard", NULL);
    tar_put(&above, "third", '1', "usr/bin/su", NULL);
    CHECK_INT(unpack(&lower, &below), 0);
    CHECK_INT(unpack(&middle, &between), 0);
    CHECK_INT(unpack(&upper, &above), 0);
    CHECK_INT(upper.result.link_count, 3);
    const int lowers[] = {middle.fd, lower.fd};
    CHECK_INT(settle(&middle, &lower.fd, 1), 0);
    CHECK_INT(settle(&upper, lowers, 2), 0);
    CHECK_STR(upper.err.text, "");
    CHECK_STR(look(&upper, "hard"), "104755 7 0 3 4");
    CHECK_STR(look(&upper, "usr/bin/su"), "104755 7 0 3 4");
    CHECK_STR(look(&upper, "usr"), "40751 0 0 0 1");
    CHECK_INT(time_of(&upper, "usr/bin/su"), 1000000000000000000);
    CHECK_INT(time_of(&upper, "usr/bin"), 1000000000000000000);

    static const char *const missing[] = {"gone", "hidden/file", "never/was"};
    for (size_t i = 0; i < ARRAY_LEN(missing); i++) {
        AUTO_PLACE struct place bad;
        char expected[200];
        place_init(&bad);
        buf_clear(&above);
        tar_put(&above, "hard", '1', missing[i], NULL);
        CHECK_INT(unpack(&bad, &above), 0);
        CHECK_INT(settle(&bad, lowers, 2), -1);
        snprintf(expected, sizeof(expected), "entry \"hard\": its link target \"%s\" is neither in this layer nor below it",
                 missing[i]);
        CHECK_STR(bad.err.text, expected);
    }
}

CASE(opaque_directories_are_marked) {
    NEEDS_ROOT();
    AUTO_BUF struct buf tar = {0};
    AUTO_PLACE struct place place;
    place_init(&place);
    tar_put_dir(&tar, "dir");
    tar_put_file(&tar, "dir/.wh..wh..opq", NULL);
    CHECK_INT(unpack(&place, &tar), 0);
    CHECK_INT(settle(&place, NULL, 0), 0);
    AUTO_FD int dir = openat(place.fd, "dir", O_RDONLY | O_CLOEXEC);
    char value = 0;
    CHECK_INT(fgetxattr(dir, "trusted.overlay.opaque", &value, 1), 1);
    CHECK_INT(value, 'y');
    CHECK_INT(time_of(&place, "dir"), 1000000000000000000);
}

int main(void) {
    RUN(all_kinds_with_their_attributes);
    RUN(names_that_climb_are_refused);
    RUN(absolute_names_stay_in_the_layer);
    RUN(nothing_goes_through_links);
    RUN(hard_links_do_not_follow);
    RUN(the_root_is_a_directory);
    RUN(entries_stand_once_directories_may_repeat);
    RUN(names_have_bounds);
    RUN(limits_of_size_and_count);
    RUN(whiteouts_delete_below_and_spare_the_layer);
    RUN(opaque_markers_are_listed);
    RUN(whiteouts_of_nothing_are_refused);
    RUN(orders_to_overlayfs_do_not_come_out_of_tars);
    RUN(capabilities_and_other_attributes_survive_the_owner);
    RUN(holes_stay_holes);
    RUN(devices_by_policy);
    RUN(one_id_keeps_the_callers_owner);
    RUN(implied_directories_look_as_below);
    RUN(hard_links_into_lower_layers_are_copied_up);
    RUN(opaque_directories_are_marked);
    return check_done();
}

// What a record says that a layer's directory holds, and how a directory differs from it.
#include "tests/unit/check.h"
#include "tests/unit/compress.h"
#include "tests/unit/tar_build.h"

#include "images/input.h"
#include "images/verify.h"
#include "images/verify_expected.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int expect(struct buf *tar, struct expected_tree *ret, struct err *err) {
    struct input input;
    tar_put_end(tar);
    input_init_memory(&input, tar->data, tar->size, DIGEST_NONE);
    int result = expected_read(&input, COMPRESSION_NONE, ret, err);
    input_finish(&input);
    return result;
}

// As tar_put_file(), without its body, which is shorter than a block: what stands for it are as many zeros.
static void put_bodiless(struct buf *tar, const char *name, size_t size) {
    static const char zeros[TAR_BLOCK_SIZE];
    struct tar_header header = tar_header_of(name, '0', size);
    tar_put_header(tar, &header);
    buf_add(tar, zeros, size);
    buf_add(tar, zeros, TAR_BLOCK_SIZE - size);
}

CASE(entries_are_sorted_and_found) {
    AUTO_EXPECTED struct expected_tree tree = {0};
    AUTO_BUF struct buf tar = {0};
    struct err err = {0};
    tar_put_dir(&tar, "b");
    put_bodiless(&tar, "./b//file", 5);
    tar_put(&tar, "/a", '2', "target", NULL);
    tar_put(&tar, "b-c", '1', "b/file", NULL);
    CHECK(expect(&tar, &tree, &err) == 0);
    CHECK_STR(err.text, "");
    CHECK_INT(tree.count, 4);
    CHECK_STR(tree.items[0].path, "a");
    CHECK_STR(tree.items[0].entry.link, "target");
    CHECK_STR(tree.items[3].path, "b/file");
    CHECK_INT(tree.items[3].entry.size, 5);
    CHECK_INT(expected_find(&tree, "b-c")->kind, EXPECTED_LINK);
    CHECK_STR(expected_find(&tree, "b-c")->entry.link, "b/file");
    CHECK_INT(expected_find(&tree, "b/file")->kind, EXPECTED_ENTRY); // though it is a link's target
    CHECK(!expected_find(&tree, "b/fil") && !expected_find(&tree, "c"));
    CHECK(expected_has_below(&tree, "b") && !expected_has_below(&tree, "a") && !expected_has_below(&tree, "b-c"));
}

CASE(of_directories_the_last_entry_counts) {
    AUTO_EXPECTED struct expected_tree tree = {0};
    AUTO_BUF struct buf tar = {0};
    struct err err = {0};
    struct tar_header header = tar_header_of("a/", '5', 0);
    tar_put_dir(&tar, "a");
    tar_octal(header.mode, sizeof(header.mode), 0700);
    tar_put_header(&tar, &header);
    CHECK(expect(&tar, &tree, &err) == 0);
    CHECK_INT(tree.count, 1);
    CHECK_INT(tree.items[0].entry.mode, 0700);
    CHECK(tree.items[0].repeated);
}

CASE(whiteouts_are_covered_by_what_the_layer_brings) {
    AUTO_EXPECTED struct expected_tree tree = {0};
    AUTO_BUF struct buf tar = {0};
    struct err err = {0};
    tar_put_file(&tar, ".wh.gone", "");
    tar_put_file(&tar, "x/.wh.file", "");
    put_bodiless(&tar, "x/file", 3);
    tar_put_dir(&tar, "x/dir");
    tar_put_file(&tar, "x/.wh.dir", "");
    tar_put_file(&tar, "x/.wh.implied", "");
    put_bodiless(&tar, "x/implied/below", 3);
    tar_put_file(&tar, "y/.wh..wh..opq", "");
    tar_put_file(&tar, ".wh..wh..opq", "");
    tar_put_file(&tar, ".wh..wh.plnk/1", "");
    CHECK(expect(&tar, &tree, &err) == 0);
    CHECK_STR(err.text, "");
    CHECK_INT(expected_find(&tree, "gone")->kind, EXPECTED_WHITEOUT);
    CHECK_INT(expected_find(&tree, "x/file")->kind, EXPECTED_ENTRY);
    CHECK(!expected_find(&tree, "x/file")->opaque);
    CHECK(expected_find(&tree, "x/dir")->opaque);
    CHECK_INT(expected_find(&tree, "x/implied")->kind, EXPECTED_OPAQUE);
    CHECK_INT(expected_find(&tree, "y")->kind, EXPECTED_OPAQUE);
    CHECK(expected_find(&tree, ".")->opaque);
    CHECK_INT(tree.count, 7);
}

CASE(a_whiteout_of_nothing_is_no_record) {
    const char *names[] = {".wh.", "a/.wh.", ".wh..", "a/.wh...", ".wh.a/.wh.b"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        AUTO_EXPECTED struct expected_tree tree = {0};
        AUTO_BUF struct buf tar = {0};
        struct err err = {0};
        tar_put_file(&tar, names[i], "");
        CHECK(expect(&tar, &tree, &err) < 0);
        CHECK(strstr(err.text, i < 4 ? "is a whiteout of nothing" : "lies in a directory whose name is a whiteout's") != NULL);
    }
}

CASE(what_lies_below_is_expected_of_lower_layers_alone) {
    AUTO_EXPECTED struct expected_tree tree = {0};
    AUTO_BUF struct buf tar = {0};
    struct err err = {0};
    tar_put(&tar, "here/link", '1', "there/file", NULL);
    CHECK(expect(&tar, &tree, &err) == 0);
    CHECK_INT(expected_find(&tree, "there/file")->kind, EXPECTED_BELOW);
    CHECK(expected_has_below(&tree, "there"));
}

CASE(a_record_that_is_rubbish_ends) {
    AUTO_EXPECTED struct expected_tree tree = {0};
    AUTO_BUF struct buf tar = {0};
    struct err err = {0};
    struct tar_header header = tar_header_of("huge", '0', 0);
    memset(header.size, 0, sizeof(header.size)); // base-256
    header.size[0] = (char)0x80;
    header.size[5] = 0x7f;
    tar_put_header(&tar, &header);
    CHECK(expect(&tar, &tree, &err) < 0);
    CHECK_STR(err.text, "entry \"huge\": is beyond the limit of 1099511627776 bytes in files");
}

// --- a directory ---

struct place {
    char path[64];
    int fd, record;
};

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where) {
    (void)status;
    (void)kind;
    (void)where;
    return remove(path);
}

static void place_finish(struct place *place) {
    CHECK(chdir("/") == 0);
    fd_close(&place->fd);
    fd_close(&place->record);
    nftw(place->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
#define AUTO_PLACE AUTO(place_finish)

static void place_init(struct place *place, struct buf *tar) {
    AUTO_BUF struct buf record = {0};
    *place = (struct place){.path = "/tmp/coffer-verify-XXXXXX", .record = memfd_create("record", MFD_CLOEXEC)};
    CHECK(mkdtemp(place->path) != NULL);
    place->fd = open(place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    tar_put_end(tar);
    compress_zstd(&record, tar->data, tar->size);
    CHECK(fd_write_all(place->record, record.data, record.size) == 0);
}

static void make_file(const struct place *place, const char *name, const char *text, mode_t mode) {
    const struct timespec times[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}}; // as tar_header_of() has it
    AUTO_FD int fd = openat(place->fd, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && fd_write_all(fd, text, strlen(text)) == 0 && fchmod(fd, mode) == 0 && futimens(fd, times) == 0);
}

// "path: problem" a line.
static void verify(const struct place *place, struct buf *said, bool *ret_read) {
    AUTO(verify_result_finish) struct verify_result result = {0};
    const struct verify_options options = {.single_id = true};
    struct err err = {0};
    CHECK(verify_layer(place->record, place->fd, &options, &result, &err) == 0);
    CHECK_STR(err.text, "");
    for (size_t i = 0; i < result.differences_count; i++) {
        buf_add_format(said, "%s: %s\n", result.differences[i].path, result.differences[i].problem);
    }
    *ret_read = result.is_read;
}

CASE(a_directory_that_is_as_its_tar) {
    AUTO_BUF struct buf tar = {0}, said = {0};
    AUTO_PLACE struct place place;
    bool is_read;
    put_bodiless(&tar, "file", 5);
    place_init(&place, &tar);
    make_file(&place, "file", "hello", 0644);
    verify(&place, &said, &is_read);
    CHECK_STR(buf_string(&said), "");
    CHECK(is_read);
}

CASE(differences_are_told_by_their_paths) {
    AUTO_BUF struct buf tar = {0}, said = {0};
    AUTO_PLACE struct place place;
    bool is_read;
    put_bodiless(&tar, "file", 5);
    tar_put(&tar, "link", '2', "there", NULL);
    tar_put_dir(&tar, "missing");
    place_init(&place, &tar);
    make_file(&place, "file", "hell", 0600);
    make_file(&place, "link", "no link", 0644);
    verify(&place, &said, &is_read);
    CHECK(strstr(buf_string(&said), "file: its mode is 0600, expected 0644\n"));
    CHECK(strstr(buf_string(&said), "file: it has 4 bytes, expected 5\n"));
    CHECK(strstr(buf_string(&said), "link: is a file, expected a symbolic link\n"));
    CHECK(strstr(buf_string(&said), "missing: is missing\n"));
    CHECK(!is_read);
}

CASE(links_out_of_the_layer_are_not_followed) {
    AUTO_BUF struct buf tar = {0}, said = {0};
    AUTO_PLACE struct place place;
    bool is_read;
    put_bodiless(&tar, "etc/passwd", 5);
    place_init(&place, &tar);
    CHECK(symlinkat("/etc", place.fd, "etc") == 0);
    verify(&place, &said, &is_read);
    CHECK_STR(buf_string(&said), "etc: is a symbolic link, expected a directory\netc/passwd: is missing\n");
    CHECK(!is_read);
}

int main(void) {
    RUN(entries_are_sorted_and_found);
    RUN(of_directories_the_last_entry_counts);
    RUN(whiteouts_are_covered_by_what_the_layer_brings);
    RUN(a_whiteout_of_nothing_is_no_record);
    RUN(what_lies_below_is_expected_of_lower_layers_alone);
    RUN(a_record_that_is_rubbish_ends);
    RUN(a_directory_that_is_as_its_tar);
    RUN(differences_are_told_by_their_paths);
    RUN(links_out_of_the_layer_are_not_followed);
    return check_done();
}

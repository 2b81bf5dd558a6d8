// A layer's tar, unpacked and made again, is the same one to the last bit, whoever wrote it.
#include "tests/unit/check.h"
#include "tests/unit/tar_build.h"

#include "images/input.h"
#include "images/repack_worker.h"
#include "images/unpack_worker.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"

#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct place {
    char path[64];
    int fd;
    int record; // of the tar that was unpacked there
};

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where) {
    (void)status;
    (void)kind;
    (void)where;
    return remove(path);
}

static void place_finish(struct place *place) {
    fd_close(&place->fd);
    fd_close(&place->record);
    nftw(place->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
#define AUTO_PLACE AUTO(place_finish)

static void place_init(struct place *place) {
    *place = (struct place){.path = "/tmp/coffer-repack-XXXXXX", .record = memfd_create("record", MFD_CLOEXEC)};
    CHECK(mkdtemp(place->path) != NULL);
    place->fd = open(place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

#define NEEDS_ROOT()                                                                                                               \
    if (geteuid() != 0) {                                                                                                          \
        SKIP("needs root, or a user namespace, for chroot");                                                                       \
    }

static bool unpack(struct place *place, int input_fd) {
    struct err err = {0};
    struct unpack_result result = {0};
    const struct unpack_request request = {
        .input_fd = input_fd,
        .length = INPUT_TO_END,
        .dir_fd = place->fd,
        .has_record = true,
        .record_fd = place->record,
        .options.devices = UNPACK_DEVICES_SKIP,
    };
    struct unpack_worker *worker = unpack_worker_create(&request, &err);
    int failed = worker ? unpack_worker_result(worker, &result, &err) : -1;
    CHECK_STR(err.text, "");
    unpack_worker_destroy(worker);
    unpack_result_finish(&result);
    return failed == 0;
}

static int repack(const struct place *place, int output_fd, enum compression compression, struct repack_result *ret,
                  struct err *err) {
    const struct repack_request request = {
        .record_fd = place->record, .dir_fd = place->fd, .output_fd = output_fd, .compression = compression};
    AUTO_REPACK_WORKER struct repack_worker *worker = repack_worker_create(&request, err);
    return worker ? repack_worker_result(worker, ret, err) : -1;
}

static bool same_bytes(int fd, const struct buf *tar) {
    AUTO_FREE char *text = NULL;
    size_t size;
    struct err err;
    return lseek(fd, 0, SEEK_SET) == 0 && fd_read_rest(fd, tar->size + 1, "tar", &text, &size, &err) == 0 && size == tar->size &&
           memcmp(text, tar->data, size) == 0;
}

// What was compressed, decompressed by our own reader, is the tar again.
static void check_packed(int fd, const struct repack_result *result, enum compression compression) {
    struct err err = {0};
    struct input input;
    struct inflate inflate;
    struct digest digest, diff_id;
    const uint8_t *data;
    size_t size = 1;
    const struct inflate_options options = {.declared = compression, .any_ratio = true};
    input_init_file(&input, fd, 0, INPUT_TO_END, DIGEST_SHA256);
    inflate_init(&inflate, &input, &options);
    while (size > 0 && inflate_next(&inflate, &data, &size, &err) == 0) {
    }
    CHECK_STR(err.text, "");
    CHECK_INT(inflate.bytes, result->tar_size);
    CHECK_INT(input.bytes, result->size);
    input_digest(&input, &digest);
    inflate_digest(&inflate, &diff_id);
    CHECK(digest_equal(&digest, &result->digest) && digest_equal(&diff_id, &result->diff_id));
    inflate_finish(&inflate);
    input_finish(&input);
}

// Unpacks and makes it again in every compression.
static void check_round(const struct buf *tar) {
    AUTO_PLACE struct place place;
    place_init(&place);
    AUTO_FD int input = memfd_create("tar", MFD_CLOEXEC);
    CHECK(fd_write_all(input, tar->data, tar->size) == 0);
    if (!unpack(&place, input)) {
        return;
    }
    struct digest diff_id;
    digest_of(DIGEST_SHA256, tar->data, tar->size, &diff_id);
    for (enum compression compression = COMPRESSION_NONE; compression < COMPRESSION_COUNT; compression++) {
        struct err err = {0};
        struct repack_result result = {0};
        AUTO_FD int output = memfd_create("output", MFD_CLOEXEC);
        CHECK_INT(repack(&place, output, compression, &result, &err), 0);
        CHECK_STR(err.text, "");
        CHECK(digest_equal(&result.diff_id, &diff_id));
        CHECK_INT(result.tar_size, tar->size);
        if (compression == COMPRESSION_NONE) {
            CHECK(same_bytes(output, tar) && digest_equal(&result.digest, &diff_id));
        } else {
            check_packed(output, &result, compression);
        }
    }
}

CASE(a_tar_of_ours_comes_back_bit_by_bit) {
    NEEDS_ROOT();
    AUTO_BUF struct buf tar = {0};
    tar_put_dir(&tar, "./");
    tar_put_dir(&tar, "a/");
    tar_put_file(&tar, "a/empty", "");
    tar_put_file(&tar, "a/short", "hello");
    tar_put(&tar, "hard", '1', "a/short", NULL);
    tar_put(&tar, "soft", '2', "a/short", NULL);
    tar_put(&tar, "null", '3', NULL, NULL); // 0:0: left out
    tar_put_file(&tar, ".wh.gone", "a whiteout with data in it");
    tar_put_file(&tar, ".wh..wh..opq", NULL);
    tar_put_end(&tar);
    check_round(&tar);
}

CASE(bodies_of_every_length_around_a_block) {
    NEEDS_ROOT();
    AUTO_BUF struct buf tar = {0};
    AUTO_FREE char *body = mem_alloc(1026);
    for (int size = 510; size < 1026; size++) {
        char name[16];
        memset(body, 'a' + size % 26, (size_t)size);
        snprintf(name, sizeof(name), "f%d", size);
        tar_put_file(&tar, name, body);
    }
    tar_put_end(&tar);
    check_round(&tar);
}

CASE(paddings_and_ends_that_nobody_reads) {
    NEEDS_ROOT();
    AUTO_BUF struct buf tar = {0};
    tar_put_file(&tar, "a", "hello");
    memset(tar.data + tar.size - 400, 'x', 400);
    tar_put_file(&tar, "b", "hello");
    tar_put_end(&tar);
    buf_add(&tar, "what stands behind the end", 26);
    check_round(&tar);
}

CASE(a_body_larger_than_any_buffer) {
    NEEDS_ROOT();
    enum { SIZE = (3 << 20) + 5 };
    AUTO_BUF struct buf tar = {0};
    AUTO_FREE char *body = mem_alloc(SIZE + 1);
    for (int i = 0; i < SIZE; i++) {
        body[i] = (char)('a' + (i * 2654435761u >> 13) % 26);
    }
    tar_put_file(&tar, "large", body);
    tar_put_file(&tar, "small", "x");
    tar_put_end(&tar);
    check_round(&tar);
}

// A tree with what archives tell in different ways: long names, a sparse file, links, attributes, an odd time.
static void make_tree(const char *path) {
    char command[2048];
    snprintf(command, sizeof(command),
             "cd %s && long=d/$(printf 'n%%.0s' $(seq 200))/$(printf 'm%%.0s' $(seq 120)) && mkdir -p $long && echo x > $long/f && "
             "truncate -s 3M sparse && printf abc | dd of=sparse bs=1 seek=1048570 conv=notrunc status=none && "
             "printf end | dd of=sparse bs=1 seek=3000001 conv=notrunc status=none && ln sparse hard && ln -s d/nothing soft && "
             "head -c 300000 /dev/urandom > random && touch -d '1969-12-31 23:59:58.25 UTC' random && : > empty && "
             "chown 3000000:2 empty && setfattr -n user.key -v 'a value' random && chmod 4711 random",
             path);
    CHECK_INT(system(command), 0);
}

CASE(tars_of_gnu_tar_in_all_its_forms) {
    NEEDS_ROOT();
    static const char *const flags[] = {
        "--format=gnu",
        "--format=gnu --sparse",
        "--format=posix --xattrs",
        "--format=posix --sparse --sparse-version=0.0",
        "--format=posix --sparse --sparse-version=0.1",
        "--format=posix --sparse --sparse-version=1.0",
    };
    AUTO_PLACE struct place tree;
    place_init(&tree);
    make_tree(tree.path);
    for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
        char command[256];
        AUTO_BUF struct buf tar = {0};
        snprintf(command, sizeof(command), "tar -C %s %s -c .", tree.path, flags[i]);
        FILE *pipe = popen(command, "re");
        size_t got;
        while ((got = fread(buf_reserve(&tar, 65536), 1, 65536, pipe)) > 0) {
            tar.size += got;
        }
        CHECK_INT(pclose(pipe), 0);
        check_round(&tar);
    }
}

// Unpacks one file "a/f", changes something by the command in the layer's directory, and expects this to be said.
static void check_change(const char *change, const char *message) {
    char command[128];
    struct err err = {0};
    struct repack_result result = {0};
    AUTO_PLACE struct place place;
    place_init(&place);
    AUTO_BUF struct buf tar = {0};
    struct digest diff_id;
    tar_put_file(&tar, "a/f", "hello");
    tar_put_end(&tar);
    digest_of(DIGEST_SHA256, tar.data, tar.size, &diff_id);
    AUTO_FD int input = memfd_create("tar", MFD_CLOEXEC);
    CHECK(fd_write_all(input, tar.data, tar.size) == 0 && unpack(&place, input));
    snprintf(command, sizeof(command), "cd %s && %s", place.path, change);
    CHECK_INT(system(command), 0);
    int failed = repack(&place, -1, COMPRESSION_NONE, &result, &err);
    CHECK_STR(err.text, message);
    CHECK_INT(failed, *message ? -1 : 0);
    CHECK(*message || !digest_equal(&result.diff_id, &diff_id));
}

CASE(what_was_changed_meanwhile_is_found) {
    NEEDS_ROOT();
    check_change("echo HELLO > a/f", "");
    check_change("rm a/f", "entry \"a/f\": is not in the layer any more");
    check_change("rm a/f && ln -s /etc/passwd a/f", "entry \"a/f\": is not in the layer any more");
    check_change("rm -r a && ln -s /etc a", "entry \"a/f\": is not in the layer any more");
    check_change("rm a/f && mkfifo a/f", "entry \"a/f\": is no file any more");
    check_change("printf hi > a/f", "entry \"a/f\": has become shorter than it was");
}

static void check_record(const void *data, size_t size, const char *message) {
    struct err err = {0};
    struct repack_result result = {0};
    AUTO_PLACE struct place place;
    place_init(&place);
    CHECK(fd_write_all(place.record, data, size) == 0);
    CHECK_INT(repack(&place, -1, COMPRESSION_NONE, &result, &err), -1);
    CHECK_STR(err.text, message);
}

CASE(a_record_that_is_none) {
    NEEDS_ROOT();
    check_record("", 0, "data is uncompressed, but the media type says zstd");
    check_record("\x28\xb5\x2f\xfd rubbish", 12, "zstd data is damaged: Data corruption detected");
}

CASE(a_reader_that_goes_ends_the_worker) {
    NEEDS_ROOT();
    struct err err = {0};
    struct repack_result result = {0};
    AUTO_PLACE struct place place;
    place_init(&place);
    AUTO_BUF struct buf tar = {0};
    tar_put_file(&tar, "a", "hello");
    tar_put_end(&tar);
    AUTO_FD int input = memfd_create("tar", MFD_CLOEXEC);
    CHECK(fd_write_all(input, tar.data, tar.size) == 0 && unpack(&place, input));
    int pipes[2];
    CHECK_INT(pipe2(pipes, O_CLOEXEC), 0);
    AUTO_FD int to_write = pipes[1];
    fd_close(&pipes[0]);
    CHECK_INT(repack(&place, to_write, COMPRESSION_NONE, &result, &err), -1);
    CHECK(err.text[0] != '\0');
}

int main(void) {
    RUN(a_tar_of_ours_comes_back_bit_by_bit);
    RUN(bodies_of_every_length_around_a_block);
    RUN(paddings_and_ends_that_nobody_reads);
    RUN(a_body_larger_than_any_buffer);
    RUN(tars_of_gnu_tar_in_all_its_forms);
    RUN(what_was_changed_meanwhile_is_found);
    RUN(a_record_that_is_none);
    RUN(a_reader_that_goes_ends_the_worker);
    return check_done();
}

// Partial files: what their note says, which are taken, and that one has one owner.
#include "images/partial.h"
#include "images/partial_note.h"
#include "images/store.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/kernel/tree.h"
#include "tests/unit/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct place {
    char folder[32];
    struct store *store;
    struct digest digest;
    struct err err;
};

static void place_init(struct place *place) {
    *place = (struct place){.folder = "/tmp/partial_test.XXXXXX"};
    CHECK(mkdtemp(place->folder));
    AUTO_FREE char *path = mem_format("%s/store", place->folder);
    CHECK(store_open(path, STORE_CREATE, &place->store, &place->err) == 0);
    digest_of(DIGEST_SHA256, "hello", 5, &place->digest);
}

static void place_finish(struct place *place) {
    store_close(place->store);
    AUTO_FD int parent = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(tree_remove(parent, strrchr(place->folder, '/') + 1, &place->err) == 0);
}
#define AUTO_PLACE AUTO(place_finish)

// As the fetcher does.
static void fill(const struct partial *partial, uint64_t from, const char *bytes) {
    char note[PARTIAL_NOTE_SIZE + 1];
    struct stat status;
    AUTO_FD int fd = partial_writer(partial);
    CHECK(fd >= 0 && fstat(fd, &status) == 0);
    if (status.st_size == 0) {
        partial_note_format(from, note);
        CHECK(fd_write_all(fd, note, PARTIAL_NOTE_SIZE) == 0);
    }
    CHECK(fd_write_all(fd, bytes, strlen(bytes)) == 0);
}

CASE(a_note_is_one_line_of_a_fixed_length) {
    char note[PARTIAL_NOTE_SIZE + 1];
    uint64_t from = 1;
    partial_note_format(4000000, note);
    CHECK_STR(note, "coffer partial 1 00000000003d0900\n");
    CHECK(partial_note_parse(note, PARTIAL_NOTE_SIZE, &from) == 0);
    CHECK_INT(from, 4000000);
    partial_note_format(UINT64_MAX, note);
    CHECK(partial_note_parse(note, PARTIAL_NOTE_SIZE, &from) == 0 && from == UINT64_MAX);
    CHECK(partial_note_parse(note, PARTIAL_NOTE_SIZE - 1, &from) < 0);
    note[PARTIAL_NOTE_SIZE - 2] = 'F';
    CHECK(partial_note_parse(note, PARTIAL_NOTE_SIZE, &from) < 0);
    note[PARTIAL_NOTE_SIZE - 2] = '\0';
    CHECK(partial_note_parse(note, PARTIAL_NOTE_SIZE, &from) < 0);
    partial_note_format(0, note);
    note[PARTIAL_NOTE_SIZE - 1] = ' ';
    CHECK(partial_note_parse(note, PARTIAL_NOTE_SIZE, &from) < 0);
}

CASE(what_was_kept_is_found_and_grows) {
    AUTO_PLACE struct place place;
    struct partial partial, other;
    place_init(&place);
    CHECK(!partial_find(place.store, &place.digest, 100, &partial));
    CHECK(partial_create(place.store, &place.digest, &partial));
    fill(&partial, 7, "abc");
    fill(&partial, 0, "de"); // behind what is there, whatever else is said
    CHECK(!partial_find(place.store, &place.digest, 100, &other));
    CHECK(!partial_create(place.store, &place.digest, &other));
    partial_finish(&partial);
    partial_finish(&partial);
    CHECK(!partial_create(place.store, &place.digest, &other)); // there is something in it
    CHECK(partial_find(place.store, &place.digest, 12, &partial));
    CHECK_INT(partial.from, 7);
    CHECK_INT(partial.to, 12);
    partial_remove(&partial);
    CHECK(!partial_find(place.store, &place.digest, 12, &partial));
}

CASE(its_writer_can_only_append) {
    AUTO_PLACE struct place place;
    struct partial partial;
    char byte;
    place_init(&place);
    CHECK(partial_create(place.store, &place.digest, &partial));
    fill(&partial, 0, "abc");
    AUTO_FD int fd = partial_writer(&partial);
    CHECK(read(fd, &byte, 1) < 0 && errno == EBADF);
    CHECK(pwrite(fd, "x", 1, 0) == 1);
    CHECK(pread(partial.fd, &byte, 1, 0) == 1 && byte == 'c');
    partial_remove(&partial);
}

CASE(one_that_cannot_be_right_is_removed) {
    AUTO_PLACE struct place place;
    struct partial partial;
    place_init(&place);
    CHECK(partial_create(place.store, &place.digest, &partial));
    fill(&partial, 7, "abcde");
    partial_finish(&partial);
    CHECK(!partial_find(place.store, &place.digest, 11, &partial));
    CHECK(!store_has(place.store, "partials/sha256-2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"));
    CHECK(partial_create(place.store, &place.digest, &partial));
    fill(&partial, UINT64_MAX, "abcde");
    partial_finish(&partial);
    CHECK(!partial_find(place.store, &place.digest, UINT64_MAX, &partial));
    // One that holds nothing is not left behind at all.
    CHECK(partial_create(place.store, &place.digest, &partial));
    fill(&partial, 0, "");
    partial_finish(&partial);
    CHECK(!store_has(place.store, "partials/sha256-2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"));
}

CASE(a_link_in_its_place_is_not_followed) {
    AUTO_PLACE struct place place;
    struct partial partial;
    place_init(&place);
    CHECK(mkdirat(place.store->fd, "partials", 0700) == 0);
    CHECK(symlinkat("/etc/passwd", place.store->fd,
                    "partials/sha256-2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824") == 0);
    CHECK(!partial_find(place.store, &place.digest, 1 << 20, &partial));
    CHECK(!partial_create(place.store, &place.digest, &partial));
}

static void count(void *context, uint64_t bytes, bool in_use) {
    unsigned *counts = context;
    counts[in_use] += bytes > 0;
}

CASE(a_sweep_takes_the_old_and_leaves_those_in_use) {
    AUTO_PLACE struct place place;
    struct partial partial, other;
    struct digest digest;
    unsigned counts[2] = {0};
    uint64_t bytes = 0;
    place_init(&place);
    digest_of(DIGEST_SHA512, "other", 5, &digest);
    CHECK_INT(partial_sweep(place.store, 0, &bytes), 0);
    CHECK(partial_create(place.store, &place.digest, &partial) && partial_create(place.store, &digest, &other));
    fill(&partial, 0, "abc");
    fill(&other, 0, "abc");
    partial_finish(&other);
    partial_each(place.store, count, counts);
    CHECK(counts[0] == 1 && counts[1] == 1);
    CHECK_INT(partial_sweep(place.store, 60, &bytes), 0);
    CHECK_INT(partial_sweep(place.store, 0, &bytes), 1);
    CHECK(bytes > 0);
    CHECK(!partial_find(place.store, &digest, 100, &other));
    partial_finish(&partial);
    CHECK(partial_find(place.store, &place.digest, 100, &partial));
    partial_remove(&partial);
}

int main(void) {
    RUN(a_note_is_one_line_of_a_fixed_length);
    RUN(what_was_kept_is_found_and_grows);
    RUN(its_writer_can_only_append);
    RUN(one_that_cannot_be_right_is_removed);
    RUN(a_link_in_its_place_is_not_followed);
    RUN(a_sweep_takes_the_old_and_leaves_those_in_use);
    return check_done();
}

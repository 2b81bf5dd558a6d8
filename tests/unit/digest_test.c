#include "tests/unit/check.h"

#include "images/digest.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"

#include <sys/mman.h>
#include <unistd.h>

#define EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ABC_SHA256 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define ABC_SHA512                                                                                                                 \
    "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54c" \
    "a49f"

CASE(known_answers) { // FIPS 180-4 examples
    struct digest digest;
    digest_of(DIGEST_SHA256, "", 0, &digest);
    CHECK_STR(digest.hex, EMPTY_SHA256);
    digest_of(DIGEST_SHA256, "abc", 3, &digest);
    CHECK_STR(digest.hex, ABC_SHA256);
    digest_of(DIGEST_SHA512, "abc", 3, &digest);
    CHECK_STR(digest.hex, ABC_SHA512);
    char text[DIGEST_TEXT_SIZE];
    CHECK_STR(digest_format(&digest, text), "sha512:" ABC_SHA512);
}

CASE(pieces_hash_like_the_whole_and_a_finished_hasher_starts_anew) {
    struct hasher hasher;
    struct digest digest;
    hasher_init(&hasher, DIGEST_SHA256);
    for (int round = 0; round < 2; round++) {
        hasher_update(&hasher, "a", 1);
        hasher_update(&hasher, "", 0);
        hasher_update(&hasher, "bc", 2);
        hasher_finish(&hasher, &digest);
        CHECK_STR(digest.hex, ABC_SHA256);
    }
}

CASE(parse_takes_the_grammar_and_nothing_else) {
    struct err err = {0};
    struct digest digest = {0}, other = {0};
    CHECK_INT(digest_parse("sha256:" ABC_SHA256, &digest, &err), 0);
    CHECK_INT(digest.algorithm, DIGEST_SHA256);
    CHECK_INT(digest_parse("sha512:" ABC_SHA512, &other, &err), 0);
    CHECK(!digest_equal(&digest, &other));
    CHECK(digest_equal(&digest, &digest));
    CHECK(!digest_equal(&(struct digest){0}, &(struct digest){0}));

    static const struct {
        const char *text, *message;
    } bad[] = {
        {"", "digest \"\": expected sha256: or sha512: and lower-case hex digits"},
        {"sha256", "digest \"sha256\": expected sha256: or sha512: and lower-case hex digits"},
        {"a\033[2J", "digest \"a\\x1b[2J\": expected sha256: or sha512: and lower-case hex digits"},
        {"md5:00", "digest \"md5:00\": expected sha256: or sha512: and lower-case hex digits"},
        {"SHA256:" ABC_SHA256, "digest \"SHA256:" ABC_SHA256 "\": expected sha256: or sha512: and lower-case hex digits"},
        {"none:", "digest \"none:\": expected sha256: or sha512: and lower-case hex digits"},
        {"sha256:../..", "digest \"sha256:../..\": expected 64 lower-case hex digits behind sha256:"},
        {"sha512:" ABC_SHA256, "digest \"sha512:" ABC_SHA256 "\": expected 128 lower-case hex digits behind sha512:"},
        {"sha256:" ABC_SHA256 "0", "digest \"sha256:" ABC_SHA256 "0\": expected 64 lower-case hex digits behind sha256:"},
        {"sha256:BA7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
         "digest \"sha256:BA7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\": expected 64 lower-case hex digits "
         "behind sha256:"},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CHECK_INT(digest_parse(bad[i].text, &other, &err), -1);
        CHECK_STR(err.text, bad[i].message);
        CHECK_INT(err.kind, ERR_INPUT);
    }
}

CASE(a_window_of_a_file) {
    struct err err = {0};
    struct digest digest;
    AUTO_FD int fd = memfd_create("window", MFD_CLOEXEC);
    CHECK(fd_write_all(fd, "..abc..", 7) == 0);
    CHECK_INT(digest_of_file(fd, 2, 3, DIGEST_SHA256, "window", &digest, &err), 0);
    CHECK_STR(digest.hex, ABC_SHA256);
    CHECK_INT(digest_of_file(fd, 2, 9, DIGEST_SHA256, "window", &digest, &err), -1);
    CHECK_STR(err.text, "window: ends after 5 of 9 bytes");
    CHECK_INT(err.kind, ERR_CORRUPT);
}

int main(void) {
    RUN(known_answers);
    RUN(pieces_hash_like_the_whole_and_a_finished_hasher_starts_anew);
    RUN(parse_takes_the_grammar_and_nothing_else);
    RUN(a_window_of_a_file);
    return check_done();
}

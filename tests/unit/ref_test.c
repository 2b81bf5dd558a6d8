// Image references: docker's grammar, what is made of short forms, and what is said about wrong ones.
#include "images/ref.h"
#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "tests/unit/check.h"

#include <stddef.h>

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct {
    const char *text, *registry, *repository, *tag, *digest, *familiar;
} sound[] = {
    {"busybox", "docker.io", "library/busybox", "latest", NULL, "busybox:latest"},
    {"busybox:1.36", "docker.io", "library/busybox", "1.36", NULL, "busybox:1.36"},
    {"docker.io/busybox", "docker.io", "library/busybox", "latest", NULL, "busybox:latest"},
    {"index.docker.io/library/busybox", "docker.io", "library/busybox", "latest", NULL, "busybox:latest"},
    {"team/app", "docker.io", "team/app", "latest", NULL, "team/app:latest"},
    {"quay.io/a/b/c:x_Y-1.0", "quay.io", "a/b/c", "x_Y-1.0", NULL, "quay.io/a/b/c:x_Y-1.0"},
    {"localhost/app", "localhost", "app", "latest", NULL, "localhost/app:latest"},
    {"localhost:5000/app", "localhost:5000", "app", "latest", NULL, "localhost:5000/app:latest"},
    {"app:5000", "docker.io", "library/app", "5000", NULL, "app:5000"},
    {"[::1]:5000/app:1", "[::1]:5000", "app", "1", NULL, "[::1]:5000/app:1"},
    {"Reg/app", "Reg", "app", "latest", NULL, "Reg/app:latest"},
    {"a__b/c-----d.e_f", "docker.io", "a__b/c-----d.e_f", "latest", NULL, "a__b/c-----d.e_f:latest"},
    {"x@sha256:" HEX64, "docker.io", "library/x", NULL, "sha256:" HEX64, "x@sha256:" HEX64},
    {"x:1@sha256:" HEX64, "docker.io", "library/x", "1", "sha256:" HEX64, "x:1@sha256:" HEX64},
    {"docker.io/a.b/c", "docker.io", "a.b/c", "latest", NULL, "docker.io/a.b/c:latest"},
};

CASE(sound_references) {
    for (size_t i = 0; i < ARRAY_LEN(sound); i++) {
        AUTO_ARENA struct arena arena = {0};
        struct err err = {0};
        struct image_ref ref, again;
        CHECK(image_ref_parse(&arena, sound[i].text, &ref, &err) == 0);
        CHECK_STR(ref.registry, sound[i].registry);
        CHECK_STR(ref.repository, sound[i].repository);
        CHECK_STR(ref.tag ? ref.tag : "", sound[i].tag ? sound[i].tag : "");
        CHECK_STR(ref.digest ? ref.digest : "", sound[i].digest ? sound[i].digest : "");
        const char *familiar = image_ref_familiar(&arena, &ref);
        CHECK_STR(familiar, sound[i].familiar);
        CHECK(image_ref_parse(&arena, familiar, &again, &err) == 0);
        CHECK_STR(again.name, ref.name);
    }
}

static const struct {
    const char *text, *message;
} wrong[] = {
    {"", "the image name is empty"},
    {"Alpine", "image name \"Alpine\": expected lower-case letters, found \"Alpine\""},
    {"a//b", "image name \"a//b\": expected lower-case letters and digits parted by one of . _ __ -, found \"\""},
    {"/a", "image name \"/a\": expected lower-case letters and digits parted by one of . _ __ -, found \"\""},
    {"a/", "image name \"a/\": expected lower-case letters and digits parted by one of . _ __ -, found \"\""},
    {"a___b", "image name \"a___b\": expected lower-case letters and digits parted by one of . _ __ -, found \"a___b\""},
    {"a..b", "image name \"a..b\": expected lower-case letters and digits parted by one of . _ __ -, found \"a..b\""},
    {"-a", "image name \"-a\": expected lower-case letters and digits parted by one of . _ __ -, found \"-a\""},
    {"a:", "image name \"a:\": expected a tag of at most 128 letters, digits and . _ -, found \"\""},
    {"a:.b", "image name \"a:.b\": expected a tag of at most 128 letters, digits and . _ -, found \".b\""},
    {"a:b+c", "image name \"a:b+c\": expected a tag of at most 128 letters, digits and . _ -, found \"b+c\""},
    {"h:x/a", "image name \"h:x/a\": expected a registry's host name, perhaps with a port, found \"h:x\""},
    {"-h.x/a", "image name \"-h.x/a\": expected a registry's host name, perhaps with a port, found \"-h.x\""},
    {"../a", "image name \"../a\": expected a registry's host name, perhaps with a port, found \"..\""},
    {"[::1/a", "image name \"[::1/a\": expected a registry's host name, perhaps with a port, found \"[::1\""},
    {"a@", "image name \"a@\": digest \"\": expected sha256: or sha512: and lower-case hex digits"},
    {"a@sha256:12", "image name \"a@sha256:12\": digest \"sha256:12\": expected 64 lower-case hex digits behind sha256:"},
    {HEX64, "image name \"" HEX64 "\" is 64 hex digits, which are an image's id, not a name"},
};

CASE(wrong_references) {
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        AUTO_ARENA struct arena arena = {0};
        struct err err = {0};
        struct image_ref ref;
        CHECK(image_ref_parse(&arena, wrong[i].text, &ref, &err) < 0);
        CHECK_STR(err.text, wrong[i].message);
        CHECK_INT(err.kind, ERR_INPUT);
    }
}

CASE(lengths_are_bounded) {
    AUTO_ARENA struct arena arena = {0};
    struct err err = {0};
    struct image_ref ref;
    char *tag = arena_format(&arena, "a:%0128d", 0), *name = arena_format(&arena, "localhost/%0245d", 0);
    CHECK(image_ref_parse(&arena, tag, &ref, &err) == 0);
    CHECK(image_ref_parse(&arena, arena_format(&arena, "%s0", tag), &ref, &err) < 0);
    CHECK(image_ref_parse(&arena, name, &ref, &err) == 0);
    CHECK(image_ref_parse(&arena, arena_format(&arena, "%s0", name), &ref, &err) < 0);
    CHECK(image_ref_parse(&arena, arena_format(&arena, "a%0999d", 0), &ref, &err) < 0);
}

CASE(ids) {
    const char *hex;
    CHECK(image_id_like("abcd", &hex));
    CHECK(image_id_like("sha256:abcd", &hex));
    CHECK_STR(hex, "abcd");
    CHECK(image_id_like(HEX64, &hex));
    CHECK(!image_id_like("abc", &hex));
    CHECK(!image_id_like("abcg", &hex));
    CHECK(!image_id_like("ABCD", &hex));
    CHECK(!image_id_like(HEX64 "0", &hex));
}

int main(void) {
    RUN(sound_references);
    RUN(wrong_references);
    RUN(lengths_are_bounded);
    RUN(ids);
    return check_done();
}

// Lists of images: their file, their document, and what changes do to them.
#include "images/list.h"
#include "images/list_source.h"
#include "images/store.h"
#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/kernel/tree.h"
#include "tests/unit/check.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIGEST(letter) "sha256:" letter letter letter letter letter letter letter letter
#define EIGHT(letter) letter letter letter letter letter letter letter letter
#define ONE DIGEST(EIGHT("1"))
#define TWO DIGEST(EIGHT("2"))
#define OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"

// A fresh store for each case.
struct place {
    char folder[sizeof("/tmp/list_test.XXXXXX")];
    struct store *store;
    struct image_ref ref;
    struct arena arena;
    struct err err;
};

static void place_init(struct place *place) {
    *place = (struct place){.folder = "/tmp/list_test.XXXXXX"};
    CHECK(mkdtemp(place->folder));
    AUTO_FREE char *path = mem_format("%s/store", place->folder);
    CHECK(store_open(path, STORE_CREATE, &place->store, &place->err) == 0);
    CHECK(list_name_parse(&place->arena, "localhost:5000/team/app", &place->ref, &place->err) == 0);
}

static void place_finish(struct place *place) {
    store_close(place->store);
    AUTO_FD int parent = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(tree_remove(parent, place->folder + strlen("/tmp/"), &place->err) == 0);
    arena_finish(&place->arena);
}

static struct list_item item(const char *digest, const char *name, struct image_platform *platform) {
    return (struct list_item){.name = name,
                              .descriptor = {.media_type = OCI_MANIFEST, .digest = digest, .size = 7, .platform = platform}};
}

static int add(struct place *place, enum list_edit_mode mode, const struct list_item *items, size_t count) {
    AUTO_LIST_EDIT struct list_edit edit = LIST_EDIT_NONE;
    return list_edit_begin(&edit, place->store, &place->ref, mode, &place->err) < 0 ||
                   list_edit_add(&edit, items, count, &place->err) < 0 || list_edit_commit(&edit, &place->err) < 0
               ? -1
               : 0;
}

CASE(what_is_written_is_read) {
    struct place place __attribute__((cleanup(place_finish)));
    place_init(&place);
    const char *features[] = {"sse4", NULL};
    struct image_platform platform = {
        .os = "linux", .architecture = "arm", .variant = "v7", .os_version = "1", .features = features, .features_count = 1};
    struct text_pair note = {"a\x1b", "b\n"};
    struct list_item wanted[] = {item(ONE, "docker.io/library/app:1", &platform), item(TWO, "sha256:abcd", NULL)};
    wanted[0].descriptor.annotations = &note;
    wanted[0].descriptor.annotations_count = 1;
    wanted[1].image = TWO;
    struct list list;
    CHECK(!list_exists(place.store, &place.ref));
    CHECK(add(&place, LIST_NEW, wanted, 2) == 0);
    CHECK(list_exists(place.store, &place.ref));
    CHECK(list_read(place.store, &place.ref, &place.arena, &list, &place.err) == 0);
    CHECK_INT(list.items_count, 2);
    CHECK_STR(list.items[0].descriptor.digest, ONE);
    CHECK_STR(list.items[0].descriptor.platform->features[0], "sse4");
    CHECK_STR(list.items[0].descriptor.annotations[0].name, "a\x1b");
    CHECK(!list.items[0].image);
    CHECK_STR(list.items[1].image, TWO);
    CHECK_STR(list_platform_text(&place.arena, list.items[0].descriptor.platform), "linux/arm/v7");
    CHECK_STR(list_platform_text(&place.arena, list.items[1].descriptor.platform), "no platform");
    CHECK(add(&place, LIST_NEW, wanted, 1) < 0);
    CHECK_STR(
        place.err.text,
        "list localhost:5000/team/app:latest exists already; give --amend to add to it, or remove it first (coffer manifest rm)");
}

CASE(a_digest_is_listed_once_unless_it_comes_twice_at_once) {
    struct place place __attribute__((cleanup(place_finish)));
    place_init(&place);
    struct image_platform arm = {.os = "linux", .architecture = "arm64"}, amd = {.os = "linux", .architecture = "amd64"};
    struct list_item first[] = {item(ONE, "docker.io/library/app:1", &arm), item(TWO, "docker.io/library/app:2", &amd)};
    struct list_item twice[] = {item(ONE, "docker.io/library/app:3", &arm), item(ONE, "docker.io/library/app:3", &amd)};
    struct list list;
    size_t at, count;
    CHECK(add(&place, LIST_EITHER, first, 2) == 0 && add(&place, LIST_CHANGE, twice, 2) == 0);
    CHECK(list_read(place.store, &place.ref, &place.arena, &list, &place.err) == 0);
    CHECK_INT(list.items_count, 3);
    CHECK_STR(list.items[0].descriptor.digest, TWO);
    CHECK(list_find(&list, "app:3", &place.arena, &at, &count, &place.err) == 0);
    CHECK_INT(at, 1);
    CHECK_INT(count, 2);
    CHECK(list_find(&list, TWO, &place.arena, &at, &count, &place.err) == 0);
    CHECK_INT(at, 0);
    CHECK(list_find(&list, "app:\x1b", &place.arena, &at, &count, &place.err) < 0);
    CHECK_STR(
        place.err.text,
        "list localhost:5000/team/app:latest: there is no item \"app:\\x1b\"; \"coffer manifest inspect\" shows their digests");
    AUTO_LIST_EDIT struct list_edit edit = LIST_EDIT_NONE;
    CHECK(list_edit_begin(&edit, place.store, &place.ref, LIST_CHANGE, &place.err) == 0);
    CHECK(list_edit_remove(&edit, "docker.io/library/app:3", &place.err) == 0);
    CHECK_INT(edit.list.items_count, 1);
}

CASE(there_is_an_end_to_lists) {
    struct place place __attribute__((cleanup(place_finish)));
    place_init(&place);
    struct list_item *items = arena_array(&place.arena, LIST_MAX_ITEMS + 1, sizeof(*items));
    for (unsigned i = 0; i <= LIST_MAX_ITEMS; i++) {
        items[i] = item(arena_format(&place.arena, "sha256:%064x", i), "docker.io/library/app:1", NULL);
    }
    CHECK(add(&place, LIST_NEW, items, LIST_MAX_ITEMS) == 0);
    CHECK(add(&place, LIST_CHANGE, items, 1) == 0);
    CHECK(add(&place, LIST_CHANGE, items + LIST_MAX_ITEMS, 1) < 0);
    CHECK_STR(place.err.text, "list localhost:5000/team/app:latest: would have 1025 items; at most 1024 can be listed");
    char *text = arena_alloc(&place.arena, 5 << 20);
    memset(text, 'x', (5 << 20) - 1);
    struct text_pair note = {"a", text};
    items[0].descriptor.annotations = &note;
    items[0].descriptor.annotations_count = 1;
    CHECK(add(&place, LIST_CHANGE, items, 1) < 0);
    CHECK_STR(place.err.text, "the list: is larger than 4194304 bytes");
}

CASE(two_forms_of_the_document) {
    struct place place __attribute__((cleanup(place_finish)));
    place_init(&place);
    AUTO_BUF struct buf text = {0};
    struct image_platform platform = {.os = "linux", .architecture = "amd64"};
    struct list_item one = item(ONE, "x", &platform);
    struct list list = {.ref = place.ref, .items = &one, .items_count = 1};
    CHECK(list_render(&list, LIST_V2S2, &text, &place.err) < 0);
    CHECK_STR(place.err.text,
              "--format v2s2: " ONE " is an OCI manifest, which docker's manifest lists do not list; push it as oci");
    one.descriptor.media_type = DOCKER_MANIFEST;
    CHECK(list_render(&list, LIST_V2S2, &text, &place.err) == 0);
    CHECK_STR(
        text.data,
        "{\n  \"schemaVersion\": 2,\n  \"mediaType\": \"application/vnd.docker.distribution.manifest.list.v2+json\",\n"
        "  \"manifests\": [\n    {\n      \"mediaType\": \"" DOCKER_MANIFEST "\",\n      \"digest\": \"" ONE "\",\n"
        "      \"size\": 7,\n      \"platform\": {\n        \"architecture\": \"amd64\",\n        \"os\": \"linux\"\n      }\n"
        "    }\n  ]\n}\n");
}

CASE(names_of_lists) {
    struct place place __attribute__((cleanup(place_finish)));
    place_init(&place);
    struct image_ref *names, ref;
    size_t count;
    CHECK(list_names(place.store, &place.arena, &names, &count, &place.err) == 0);
    CHECK_INT(count, 0);
    CHECK(add(&place, LIST_NEW, NULL, 0) == 0);
    CHECK(image_ref_parse(&place.arena, "a", &place.ref, &place.err) == 0 && add(&place, LIST_NEW, NULL, 0) == 0);
    CHECK(mkdirat(place.store->fd, "lists/.hidden", 0700) == 0 && mkdirat(place.store->fd, "lists/A", 0700) == 0);
    CHECK(symlinkat("a", place.store->fd, "lists/A/b") == 0);
    CHECK(list_names(place.store, &place.arena, &names, &count, &place.err) == 0);
    CHECK_INT(count, 2);
    CHECK_STR(names[0].name, "docker.io/library/a");
    CHECK_STR(names[1].name, "localhost:5000/team/app");
    CHECK(list_remove(place.store, &names[1], &place.err) == 0);
    CHECK(list_remove(place.store, &names[1], &place.err) < 0);
    CHECK_STR(place.err.text, "list localhost:5000/team/app:latest is not in the store; make it with \"coffer manifest create\"");
    CHECK(list_name_parse(&place.arena, "a@" ONE, &ref, &place.err) < 0);
    // A link where a list should be leads nowhere.
    CHECK(symlinkat("/etc/hostname", place.store->fd, "lists/docker.io+library+a/2") == 0);
    CHECK(image_ref_parse(&place.arena, "a:2", &ref, &place.err) == 0);
    struct list list;
    CHECK(list_read(place.store, &ref, &place.arena, &list, &place.err) < 0);
}

CASE(words_of_platforms) {
    struct err err;
    CHECK(list_platform_check(&(struct image_platform){.os = "windows", .os_version = "10.0.17763.1234"}, &err) == 0);
    CHECK(list_platform_check(&(struct image_platform){.os = "a b"}, &err) < 0);
    CHECK_STR(err.text, "os: expected a word of letters, digits and \"._+-\", found \"a b\"");
    const char *features[] = {"x", "\xe2\x80\xae", NULL};
    CHECK(list_platform_check(&(struct image_platform){.features = features, .features_count = 2}, &err) < 0);
    CHECK_STR(err.text, "features: expected a word of letters, digits and \"._+-\", found \"\\xe2\\x80\\xae\"");
}

int main(void) {
    RUN(what_is_written_is_read);
    RUN(a_digest_is_listed_once_unless_it_comes_twice_at_once);
    RUN(there_is_an_end_to_lists);
    RUN(two_forms_of_the_document);
    RUN(names_of_lists);
    RUN(words_of_platforms);
    return check_done();
}

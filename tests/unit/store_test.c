// The store: what it takes for one, locks, names, and above all that processes may die anywhere.
#include "images/catalog.h"
#include "images/gc.h"
#include "images/image.h"
#include "images/import.h"
#include "images/layer.h"
#include "images/staging.h"
#include "images/store.h"
#include "images/tags.h"
#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/base/strv.h"
#include "runtime/kernel/tree.h"
#include "tests/unit/check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// A fresh folder for each case, with a small root file system beside the store.
struct place {
    char *folder;
    char *path; // of the store
    char *root;
    struct store *store;
    struct err err;
};

static void write_small(const char *folder, const char *name) {
    AUTO_FREE char *path = mem_format("%s/%s", folder, name);
    AUTO_FD int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    CHECK(fd >= 0 && fd_write_all(fd, name, strlen(name)) == 0);
}

static void place_init(struct place *place) {
    const char *base = getenv("TMPDIR"); // a real file system, where there is a choice
    *place = (struct place){.folder = mem_format("%s/store_test.XXXXXX", base ? base : "/var/tmp")};
    CHECK(mkdtemp(place->folder));
    place->path = mem_format("%s/a/store", place->folder);
    place->root = mem_format("%s/root", place->folder);
    CHECK(mkdir(place->root, 0755) == 0);
    write_small(place->root, "one");
    CHECK(store_open(place->path, STORE_CREATE, &place->store, &place->err) == 0);
}

static void place_finish(struct place *place) {
    store_close(place->store);
    char *slash = strrchr(place->folder, '/');
    *slash = '\0';
    AUTO_FD int parent = open(place->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(tree_remove(parent, slash + 1, &place->err) == 0);
    free(place->folder);
    free(place->path);
    free(place->root);
}

#define AUTO_PLACE AUTO(place_finish)

static size_t count_entries(const struct place *place, const char *name) {
    AUTO_FREE char *path = mem_format("%s/%s", place->path, name);
    DIR *stream = opendir(path);
    size_t count = 0;
    CHECK(stream);
    for (const struct dirent *entry; stream && (entry = readdir(stream));) {
        count += entry->d_name[0] != '.';
    }
    closedir(stream);
    return count;
}

static int import_as(struct place *place, const char *name, const char *root) {
    AUTO_ARENA struct arena arena = {0};
    struct image_ref ref;
    const char *id;
    CHECK(image_ref_parse(&arena, name, &ref, &place->err) == 0);
    const struct import_options options = {.source = root, .name = &ref};
    return import_image(place->store, &options, &arena, &id, &place->err);
}

CASE(a_store_is_made_once_and_for_its_owner) {
    AUTO_PLACE struct place place;
    struct stat status;
    struct store *other = NULL;
    place_init(&place);
    CHECK(stat(place.path, &status) == 0 && (status.st_mode & 07777) == 0700);
    CHECK(store_open(place.path, 0, &other, &place.err) == 0);
    store_close(other);
    AUTO_FREE char *missing = mem_format("%s/missing", place.folder);
    CHECK(store_open(missing, 0, &other, &place.err) < 0);
    CHECK_INT(place.err.kind, ERR_NOT_FOUND);
    CHECK(store_open(place.root, STORE_CREATE, &other, &place.err) < 0);
    AUTO_FREE char *message = mem_format("%s is no store: it holds \"one\", but no file \"version\"", place.root);
    CHECK_STR(place.err.text, message);
}

CASE(a_store_half_made_is_completed) {
    AUTO_PLACE struct place place;
    struct store *other = NULL;
    place_init(&place);
    CHECK(unlinkat(place.store->fd, "layers", AT_REMOVEDIR) == 0 && unlinkat(place.store->fd, "tags", AT_REMOVEDIR) == 0);
    CHECK(store_open(place.path, STORE_CREATE, &other, &place.err) == 0);
    store_close(other);
    CHECK(store_has(place.store, "tags") && store_has(place.store, "layers"));
}

CASE(chain_ids_are_those_of_the_specification) {
    struct digest a, b, chain;
    digest_of(DIGEST_SHA256, "a", 1, &a);
    digest_of(DIGEST_SHA256, "b", 1, &b);
    layer_chain_id(NULL, &a, &chain);
    CHECK(digest_equal(&chain, &a));
    layer_chain_id(&a, &b, &chain);
    char text[2 * DIGEST_TEXT_SIZE], one[DIGEST_TEXT_SIZE], other[DIGEST_TEXT_SIZE];
    snprintf(text, sizeof(text), "%s %s", digest_format(&a, one), digest_format(&b, other));
    struct digest expected;
    digest_of(DIGEST_SHA256, text, strlen(text), &expected);
    CHECK(digest_equal(&chain, &expected));
}

CASE(names_of_all_lengths_come_and_go) {
    AUTO_PLACE struct place place;
    AUTO_ARENA struct arena arena = {0};
    AUTO_STAGING struct staging staging = {0};
    static const char hex[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    struct image_ref longest, by_digest;
    struct tag *tags;
    size_t count;
    place_init(&place);
    CHECK(staging_init(&staging, place.store, &place.err) == 0);
    char *name = arena_format(&arena, "localhost:5000/%0200d/%039d:%0128d", 0, 0, 0);
    CHECK(image_ref_parse(&arena, name, &longest, &place.err) == 0);
    CHECK(image_ref_parse(&arena, arena_format(&arena, "a/b@sha256:%s", hex), &by_digest, &place.err) == 0);
    for (int i = 0; i < 2; i++) { // over itself, too
        CHECK(tag_set(place.store, &staging, &longest, hex, &place.err) == 0);
        CHECK(tag_set(place.store, &staging, &by_digest, hex, &place.err) == 0);
    }
    CHECK(tag_list(place.store, &arena, &tags, &count, &place.err) == 0);
    CHECK_INT(count, 2);
    CHECK_STR(tags[0].ref.digest, by_digest.digest);
    CHECK_STR(tags[1].ref.name, longest.name);
    CHECK_STR(tags[1].image, hex);
    CHECK(tag_remove(place.store, &longest, &place.err) == 0 && tag_remove(place.store, &longest, &place.err) == 0);
    CHECK(tag_remove(place.store, &by_digest, &place.err) == 0);
    CHECK_INT(count_entries(&place, "tags"), 0);
    staging_finish(&staging);
}

CASE(a_running_container_keeps_its_image) {
    AUTO_PLACE struct place place;
    AUTO_STRV struct strv untagged = {0}, deleted = {0};
    struct catalog_removal removal = {&untagged, &deleted};
    struct gc_result result = {0};
    struct image *image = NULL;
    place_init(&place);
    CHECK(import_as(&place, "x:1", place.root) == 0);
    CHECK(image_open(place.store, "x:1", &image, &place.err) == 0);
    CHECK_INT(image->lower_count, 1);
    CHECK(faccessat(place.store->layers_fd, image->lower[0], F_OK, 0) == 0);
    CHECK(catalog_remove(place.store, "x:1", false, &removal, &place.err) < 0);
    CHECK_INT(place.err.kind, ERR_STATE);
    CHECK_STR(place.err.text, "image x:1 is in use by a running container; stop it first");
    CHECK_INT(untagged.count, 0);
    CHECK(catalog_remove(place.store, "x:1", true, &removal, &place.err) == 0);
    CHECK_STR(untagged.items[0], "x:1");
    CHECK_INT(deleted.count, 0);
    CHECK(gc_run(place.store, &result, &place.err) == 0);
    CHECK(faccessat(place.store->layers_fd, image->lower[0], F_OK, 0) == 0);
    // What runs it may be a child that has only the descriptor.
    AUTO_FD int kept = fcntl(image->lock_fd, F_DUPFD_CLOEXEC, 3);
    AUTO_FREE char *id = mem_copy_string(image->id);
    image_close(image);
    CHECK(catalog_remove(place.store, id, true, &removal, &place.err) < 0);
    fd_close(&kept);
    CHECK(catalog_remove(place.store, id, false, &removal, &place.err) == 0);
    CHECK(gc_run(place.store, &result, &place.err) == 0);
    CHECK_INT(count_entries(&place, "layers"), 0);
    CHECK_INT(count_entries(&place, "blobs/sha256"), 0);
}

CASE(the_collector_passes_over_what_somebody_is_about_to_need) {
    AUTO_PLACE struct place place;
    AUTO_STRV struct strv untagged = {0}, deleted = {0};
    struct catalog_removal removal = {&untagged, &deleted};
    struct gc_result result = {0};
    struct image *image = NULL;
    place_init(&place);
    CHECK(import_as(&place, "x:1", place.root) == 0 && image_open(place.store, "x:1", &image, &place.err) == 0);
    struct digest diff_id;
    struct layer layer = {.fd = -1};
    CHECK(digest_parse(image->config.diff_ids[0], &diff_id, &place.err) == 0);
    CHECK_INT(layer_find(place.store, &diff_id, &diff_id, &layer, &place.err), 1);
    image_close(image);
    CHECK(catalog_remove(place.store, "x:1", false, &removal, &place.err) == 0);
    CHECK(gc_run(place.store, &result, &place.err) == 0);
    CHECK_INT(count_entries(&place, "layers"), 1);
    layer_finish(&layer);
    CHECK(gc_run(place.store, &result, &place.err) == 0);
    CHECK_INT(count_entries(&place, "layers"), 0);
    CHECK_INT(layer_find(place.store, &diff_id, &diff_id, &layer, &place.err), 0);
}

CASE(beginnings_of_ids) {
    AUTO_PLACE struct place place;
    AUTO_ARENA struct arena arena = {0};
    const char *path;
    struct image_ref ref;
    place_init(&place);
    static const char *const records[] = {"images/abcd11.json", "images/abcd22.json", "images/ef0123.json"};
    for (size_t i = 0; i < ARRAY_LEN(records); i++) {
        AUTO_FD int fd = openat(place.store->fd, records[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        CHECK(fd >= 0);
    }
    CHECK(image_find(place.store, "abcd1", &arena, &path, &ref, &place.err) == 0);
    CHECK_STR(path, "images/abcd11.json");
    CHECK(image_find(place.store, "sha256:ef01", &arena, &path, &ref, &place.err) == 0);
    CHECK(image_find(place.store, "abcd", &arena, &path, &ref, &place.err) < 0);
    CHECK_STR(place.err.text, "abcd is the beginning of 2 images' ids; give more digits");
    CHECK(image_find(place.store, "ef0", &arena, &path, &ref, &place.err) < 0);
    CHECK_INT(place.err.kind, ERR_NOT_FOUND);
}

static void reap(pid_t pid) {
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
    }
}

CASE(what_the_dead_leave_is_swept_and_what_the_living_have_is_not) {
    AUTO_PLACE struct place place;
    AUTO_STAGING struct staging ours = {0};
    place_init(&place);
    pid_t pid = fork();
    if (pid == 0) {
        struct staging theirs = {0};
        struct err err = {0};
        int fd = staging_init(&theirs, place.store, &err) < 0 ? -1 : staging_make_dir(&theirs, "layer", &err);
        raise(fd < 0 ? SIGABRT : SIGKILL);
    }
    reap(pid);
    CHECK(staging_init(&ours, place.store, &place.err) == 0);
    CHECK(staging_write(&ours, "file", "x", 1, &place.err) == 0);
    CHECK_INT(count_entries(&place, "staging"), 2);
    gc_sweep(place.store);
    CHECK_INT(count_entries(&place, "staging"), 1);
    CHECK(faccessat(ours.fd, "file", F_OK, 0) == 0);
    staging_finish(&ours);
    CHECK_INT(count_entries(&place, "staging"), 0);
}

// Kills an import at a random moment, again and again. Whatever is there then must be whole, and nothing else be there.
CASE(a_killed_import_leaves_all_or_nothing) {
    AUTO_PLACE struct place place;
    place_init(&place);
    for (int i = 0; i < 300; i++) {
        AUTO_FREE char *name = mem_format("file-%d", i);
        write_small(place.root, name);
    }
    unsigned seed = (unsigned)time(NULL);
    printf("# seed %u\n", seed);
    int whole = 0;
    for (int round = 0; round < 60; round++) {
        pid_t pid = fork();
        if (pid == 0) {
            _exit(import_as(&place, "killed:1", place.root) < 0);
        }
        usleep((useconds_t)rand_r(&seed) % 15000);
        kill(pid, SIGKILL);
        reap(pid);
        gc_sweep(place.store);
        // A worker that was just being started dies with its parent, but not at the same moment, and has the lock until then.
        for (int look = 0; look < 500 && count_entries(&place, "staging") > 0; look++) {
            (void)poll(NULL, 0, 10);
            staging_sweep(place.store);
        }
        CHECK_INT(count_entries(&place, "staging"), 0);
        struct image *image = NULL;
        if (image_open(place.store, "killed:1", &image, &place.err) == 0) {
            whole++;
            CHECK(faccessat(place.store->layers_fd, image->lower[0], F_OK, 0) == 0);
            CHECK_INT(count_entries(&place, "layers"), 1);
            image_close(image);
            AUTO_STRV struct strv untagged = {0}, deleted = {0};
            struct catalog_removal removal = {&untagged, &deleted};
            struct gc_result result = {0};
            CHECK(catalog_remove(place.store, "killed:1", false, &removal, &place.err) == 0);
            CHECK(gc_run(place.store, &result, &place.err) == 0);
        }
        // An image whose name was not yet given stays as one without.
        AUTO_ARENA struct arena arena = {0};
        struct catalog_image *images;
        size_t count;
        CHECK(catalog_list(place.store, &arena, &images, &count, &place.err) == 0);
        CHECK_INT(count_entries(&place, "layers"), count > 0 ? 1 : 0);
        AUTO_STRV struct strv untagged = {0}, deleted = {0};
        struct catalog_removal removal = {&untagged, &deleted};
        struct gc_result result = {0};
        CHECK(catalog_prune(place.store, false, &removal, &place.err) == 0 && gc_run(place.store, &result, &place.err) == 0);
        CHECK_INT(count_entries(&place, "layers"), 0);
    }
    printf("# %d of 60 came through\n", whole);
}

int main(void) {
    RUN(a_store_is_made_once_and_for_its_owner);
    RUN(a_store_half_made_is_completed);
    RUN(chain_ids_are_those_of_the_specification);
    RUN(names_of_all_lengths_come_and_go);
    RUN(a_running_container_keeps_its_image);
    RUN(the_collector_passes_over_what_somebody_is_about_to_need);
    RUN(beginnings_of_ids);
    RUN(what_the_dead_leave_is_swept_and_what_the_living_have_is_not);
    RUN(a_killed_import_leaves_all_or_nothing);
    return check_done();
}

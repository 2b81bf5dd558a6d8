// Making good what was found. images/check.h says how.
#include "images/check_state.h"
#include "images/claims.h"
#include "images/digest.h"
#include "images/gc.h"
#include "images/load.h"
#include "images/ref.h"
#include "images/staging.h"
#include "images/store.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/base/strv.h"
#include "runtime/kernel/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOUND_FOLDER "lost+found"

static void PRINTF_LIKE(3, 4) keep(struct check *check, struct check_finding *finding, const char *format, ...) {
    char text[ERR_TEXT_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    finding->outcome = CHECK_KEPT;
    finding->remedy = arena_copy_string(check->arena, text);
}

// --- what the store can make good by itself; under its lock ---

static int open_plain(const struct check *check, const char *path) {
    return openat(check->store->fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
}

static int repair_mode(struct check *check, const struct check_finding *finding) {
    struct stat status;
    AUTO_FD int fd = open_plain(check, finding->path);
    if (fd < 0 && errno == ELOOP) { // a link has no mode
        return fchownat(check->store->fd, finding->path, geteuid(), getegid(), AT_SYMLINK_NOFOLLOW);
    }
    if (fd < 0 || fstat(fd, &status) < 0 || (status.st_uid != geteuid() && fchown(fd, geteuid(), getegid()) < 0)) {
        return -1;
    }
    return fchmod(fd, S_ISDIR(status.st_mode) ? 0700 : 0600);
}

static int repair_folder(struct check *check, const struct check_finding *finding) {
    return mkdirat(check->store->fd, finding->path, 0700) < 0 && errno != EEXIST ? -1 : 0;
}

// Somebody may miss it: to where file systems put what they find. A name that is taken gets a number.
static int move_foreign(struct check *check, const struct check_finding *finding) {
    enum { TRIES = 1000 };
    AUTO_FREE char *flat = mem_copy_string(finding->path);
    if (mkdirat(check->store->fd, FOUND_FOLDER, 0700) < 0 && errno != EEXIST) {
        return -1;
    }
    AUTO_FD int fd = openat(check->store->fd, FOUND_FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    for (char *at = flat; *at; at++) {
        *at = *at == '/' ? '+' : *at;
    }
    size_t length = strlen(flat), most = NAME_MAX - sizeof(".999");
    for (int i = 0; fd >= 0 && i < TRIES; i++) {
        AUTO_FREE char *name = i == 0 ? mem_format("%.*s", (int)(length < most ? length : most), flat)
                                      : mem_format("%.*s.%d", (int)(length < most ? length : most), flat, i);
        if (sys_renameat2(check->store->fd, finding->path, fd, name, RENAME_NOREPLACE) == 0) {
            return 0;
        }
        if (errno != EEXIST) {
            return -1;
        }
    }
    return -1;
}

// The last one takes the repository's folder with it.
static int remove_tag(struct check *check, const struct check_finding *finding) {
    AUTO_FREE char *folder = mem_format("%.*s", (int)(strrchr(finding->path, '/') - finding->path), finding->path);
    if (unlinkat(check->store->fd, finding->path, 0) < 0 && errno != ENOENT) {
        return -1;
    }
    (void)unlinkat(check->store->fd, folder, AT_REMOVEDIR);
    return 0;
}

static int (*const simple_repairs[CHECK_KIND_COUNT])(struct check *, const struct check_finding *) = {
    [CHECK_FOLDER] = repair_folder,
    [CHECK_MODE] = repair_mode,
    [CHECK_FOREIGN] = move_foreign,
    [CHECK_TAG] = remove_tag,
};

// What was no directory has made room by now: missing folders are made again at the end, whatever was found.
int check_repair_store(struct check *check, struct err *err) {
    struct store *store = check->store;
    for (size_t i = 0; i < check->findings_count; i++) {
        struct check_finding *finding = &check->findings[i];
        if (!simple_repairs[finding->kind]) {
            continue;
        }
        finding->outcome = CHECK_REPAIRED;
        if (simple_repairs[finding->kind](check, finding) < 0) {
            keep(check, finding, "%s", strerror(errno));
        }
    }
    for (size_t i = 0; check_is_whole(check) && store_folders[i]; i++) {
        if (mkdirat(store->fd, store_folders[i], 0700) < 0 && errno != EEXIST) {
            return err_sys(err, "make directory %s/%s", store->path, store_folders[i]);
        }
    }
    if (check_is_whole(check) && store->layers_fd < 0) {
        store->layers_fd = openat(store->fd, "layers", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return store->layers_fd < 0 ? err_sys(err, "open %s/layers", store->path) : 0;
    }
    return 0;
}

// --- images ---

static bool concerns(const struct check_finding *finding, const char *hex) {
    for (size_t i = 0; i < finding->images_count; i++) {
        if (strcmp(finding->images[i], hex) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_pulled(const struct check_finding *finding) {
    return finding->kind == CHECK_RECORD || finding->kind == CHECK_BLOB || finding->kind == CHECK_LAYER;
}

// Whether it is damage of this image that waits to be repaired; what could not be brought for one image may be for another.
static bool is_open(const struct check_finding *finding, const char *hex) {
    return is_pulled(finding) && (finding->outcome == CHECK_FOUND || finding->outcome == CHECK_KEPT) && concerns(finding, hex);
}

static bool is_damaged(const struct check *check, const struct check_image *image) {
    for (size_t i = 0; image->selected && i < check->findings_count; i++) {
        if (is_open(&check->findings[i], image->hex)) {
            return true;
        }
    }
    return false;
}

static void set_outcome(struct check *check, const char *hex, enum check_outcome outcome, const char *remedy) {
    for (size_t i = 0; i < check->findings_count; i++) {
        struct check_finding *finding = &check->findings[i];
        if (is_open(finding, hex)) {
            finding->outcome = outcome;
            finding->remedy = remedy;
        }
    }
}

// What a load has to bring for it.
static void plan_repair(const struct check *check, const char *hex, struct strv *layers, bool *ret_record) {
    static const char folder[] = "layers/";
    for (size_t i = 0; i < check->findings_count; i++) {
        const struct check_finding *finding = &check->findings[i];
        if (!is_open(finding, hex)) {
            continue;
        }
        if (finding->kind == CHECK_LAYER && !strv_has(layers, finding->path + strlen(folder))) {
            strv_add(layers, finding->path + strlen(folder));
        }
        *ret_record = *ret_record || finding->kind == CHECK_RECORD || finding->kind == CHECK_LAYER;
    }
}

// From one repository, by a digest, or without `ref` from a file or directory.
static int bring(struct check *check, const char *source, const struct image_ref *ref, const struct load_repair *repair,
                 struct err *err) {
    struct load_image *images;
    size_t count;
    const struct load_options options = {
        .source = source,
        .input_fd = -1,
        .registry = ref ? check->options->registry : NULL,
        .ref = ref,
        .devices = check->options->no_devices ? UNPACK_DEVICES_REFUSE : UNPACK_DEVICES_MAKE,
        .single_id = check->options->single_id,
        .workers = check->options->workers,
        .repair = repair,
    };
    return load_images(check->store, &options, check->arena, &images, &count, err);
}

// By one digest in each repository that it has a name in. False: err says why the last one has not got it.
static bool bring_digest(struct check *check, const struct check_image *image, const char *digest, const struct load_repair *repair,
                         struct err *err) {
    const char *last = "";
    for (size_t i = 0; i < check->tags_count; i++) {
        struct image_ref ref = check->tags[i].ref;
        if (strcmp(check->tags[i].image, image->hex) != 0 || strcmp(ref.name, last) == 0) { // sorted by name
            continue;
        }
        last = ref.name;
        ref.digest = digest;
        ref.tag = NULL;
        if (bring(check, image_ref_familiar(check->arena, &ref), &ref, repair, err) == 0) {
            return true;
        }
    }
    return false;
}

// From the sources that were given; by its manifest; and by the digests that it is called by, which are all there is where the
// record does not say it.
static int bring_from_anywhere(struct check *check, const struct check_image *image, const struct load_repair *repair,
                               struct err *err) {
    const char *manifest = image->readable ? image->record.manifest : NULL;
    err_set(err, ERR_NOT_FOUND, "it has no name in a registry that says its digest");
    bool brought = false;
    for (size_t i = 0; check->options->sources && check->options->sources[i] && !brought; i++) {
        brought = bring(check, check->options->sources[i], NULL, repair, err) == 0;
    }
    brought = brought || (manifest && bring_digest(check, image, manifest, repair, err));
    for (size_t i = 0; i < check->tags_count && !brought; i++) {
        const char *digest = check->tags[i].ref.digest;
        if (digest && strcmp(check->tags[i].image, image->hex) == 0 && !(manifest && strcmp(digest, manifest) == 0)) {
            brought = bring_digest(check, image, digest, repair, err);
        }
    }
    return brought ? 0 : -1;
}

// No use in bringing what cannot be put in its place.
static int check_use(struct check *check, const char *hex, const struct strv *layers, struct err *err) {
    AUTO_CLAIMS struct claims claims = {0};
    AUTO_FD int lock = store_lock(check->store, err);
    return lock < 0 ? -1 : claims_take(check->store, hex, layers, &claims, err);
}

static void repair_image(struct check *check, const struct check_image *image) {
    AUTO_STRV struct strv layers = {0};
    const char *algorithm = digest_algorithm_name(strlen(image->hex) == 64 ? DIGEST_SHA256 : DIGEST_SHA512);
    struct load_repair repair = {.id = arena_format(check->arena, "%s:%s", algorithm, image->hex), .layers = &layers};
    struct err err = {0};
    plan_repair(check, image->hex, &layers, &repair.record);
    if (check_use(check, image->hex, &layers, &err) == 0 && bring_from_anywhere(check, image, &repair, &err) == 0) {
        set_outcome(check, image->hex, CHECK_REPAIRED, NULL);
        return;
    }
    set_outcome(check, image->hex, CHECK_KEPT, arena_copy_string(check->arena, err.text));
}

// Its names and its record, damaged as they may be. Layers and documents are then collected, if no other image needs them.
static int remove_image(struct check *check, const char *hex, struct err *err) {
    static const struct strv none;
    AUTO_CLAIMS struct claims claims = {0};
    char path[IMAGE_RECORD_PATH_SIZE];
    struct tag *tags;
    size_t count;
    AUTO_FD int lock = store_lock(check->store, err);
    if (lock < 0 || claims_take(check->store, hex, &none, &claims, err) < 0 ||
        tag_list(check->store, check->arena, &tags, &count, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        if (strcmp(tags[i].image, hex) == 0 && tag_remove(check->store, &tags[i].ref, err) < 0) {
            return -1;
        }
    }
    image_record_path(hex, path);
    return unlinkat(check->store->fd, path, 0) < 0 && errno != ENOENT ? err_sys(err, "remove %s/%s", check->store->path, path) : 0;
}

// Which ones is decided before the first goes: two of them may share what is damaged.
static void remove_kept(struct check *check) {
    AUTO_FREE bool *removed = mem_array(check->images_count + 1, sizeof(*removed));
    for (size_t i = 0; i < check->images_count; i++) {
        removed[i] = is_damaged(check, &check->images[i]);
    }
    for (size_t i = 0; i < check->images_count; i++) {
        const char *hex = check->images[i].hex;
        struct err err = {0};
        if (removed[i] && remove_image(check, hex, &err) == 0) {
            set_outcome(check, hex, CHECK_REMOVED, NULL);
        } else if (removed[i]) {
            set_outcome(check, hex, CHECK_KEPT, arena_copy_string(check->arena, err.text));
        }
    }
}

// --- leftovers ---

static void collect(struct check *check) {
    struct gc_result result = {0};
    struct err err = {0};
    staging_sweep(check->store);
    int failed = gc_run(check->store, &result, &err);
    for (size_t i = 0; i < check->findings_count; i++) {
        struct check_finding *finding = &check->findings[i];
        if (finding->kind != CHECK_LEFTOVER) {
            continue;
        }
        finding->outcome = CHECK_REPAIRED;
        if (failed < 0 && strncmp(finding->path, "staging/", 8) != 0) {
            keep(check, finding, "%s", err.text);
        }
    }
}

int check_repair_images(struct check *check, struct err *err) {
    if (check->store->layers_fd < 0) { // of one image only
        return err_set(err, ERR_CORRUPT, "the store %s has no folder \"layers\"; repair all of it", check->store->path);
    }
    for (size_t i = 0; i < check->images_count; i++) {
        if (is_damaged(check, &check->images[i])) {
            repair_image(check, &check->images[i]);
        }
    }
    if (check->options->force) {
        remove_kept(check);
    }
    if (check_is_whole(check) || check->options->force) {
        collect(check);
    }
    return 0;
}

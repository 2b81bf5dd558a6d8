// Records of images, the documents they were made from, and the names that lead to them.
#include "images/blob.h"
#include "images/check_state.h"
#include "images/digest.h"
#include "images/image.h"
#include "images/layer.h"
#include "images/source.h"
#include "images/store.h"
#include "runtime/base/buf.h"
#include "runtime/base/dir.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/base/quote.h"
#include "specs/image_manifest.h"
#include "specs/json.h"
#include "specs/json_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { SHA256_DIGITS = 64, SHA512_DIGITS = 128 };

// Messages of readers begin with the file's path, which a finding has already.
static const char *without_path(const char *text, const char *path) {
    size_t length = strlen(path);
    return strncmp(text, path, length) == 0 && strncmp(text + length, ": ", 2) == 0 ? text + length + 2 : text;
}

static bool is_file(const struct check *check, const char *path) {
    struct stat status;
    return fstatat(check->store->fd, path, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(status.st_mode);
}

static struct check_image *find_image(const struct check *check, const char *hex) {
    for (size_t i = 0; i < check->images_count; i++) {
        if (strcmp(check->images[i].hex, hex) == 0) {
            return &check->images[i];
        }
    }
    return NULL;
}

static void PRINTF_LIKE(3, 4) bad_record(struct check *check, const struct check_image *image, const char *format, ...) {
    char path[IMAGE_RECORD_PATH_SIZE], problem[ERR_TEXT_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(problem, sizeof(problem), format, args);
    va_end(args);
    check_concerns(check, check_found(check, CHECK_RECORD, image_record_path(image->hex, path), "%s", problem), image->hex);
}

// --- documents ---

// Its bytes, held against its name. False: a finding says what is wrong.
static bool check_blob(struct check *check, const struct check_image *image, const char *digest, struct source_document *ret) {
    char path[IMAGE_RECORD_PATH_SIZE], expected[DIGEST_TEXT_SIZE];
    struct digest wanted, found;
    struct err err = {0};
    const char *problem = NULL;
    image_record_blob_path(digest, path);
    if (digest_parse(digest, &wanted, &err) < 0) {
        bad_record(check, image, "it names a document by no digest: %s", err.text);
        return false;
    }
    AUTO_FREE char *data = NULL;
    size_t size = 0;
    AUTO_FD int fd = openat(check->store->fd, path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    if (!is_file(check, path) || fd < 0) {
        problem = store_has(check->store, path) ? "is no file that can be read" : "is missing";
    } else if (fd_read_rest(fd, JSON_MAX_BYTES, path, &data, &size, &err) < 0) {
        problem = without_path(err.text, path);
    } else {
        digest_of(wanted.algorithm, data, size, &found);
        if (!digest_equal(&wanted, &found)) {
            problem = arena_format(check->arena, "its digest is %s", digest_format(&found, expected));
        }
    }
    if (problem) {
        check_concerns(check, check_found(check, CHECK_BLOB, path, "%s", problem), image->hex);
        return false;
    }
    *ret = (struct source_document){.text = arena_copy(check->arena, data, size), .size = size, .digest = wanted};
    return true;
}

static void check_manifest(struct check *check, const struct check_image *image) {
    struct source_document blob;
    struct image_manifest manifest;
    struct err err = {0};
    const char *digest = image->record.manifest;
    if (!digest || !check_blob(check, image, digest, &blob)) {
        return;
    }
    const struct json_document document = {.name = digest, .text = blob.text, .size = blob.size};
    if (image_manifest_decode(&document, NULL, check->arena, &manifest, &err) < 0) {
        bad_record(check, image, "it names a manifest that is none: %s", err.text);
    } else if (manifest.kind != IMAGE_MANIFEST || strcmp(manifest.config.digest, image->record.id) != 0) {
        bad_record(check, image, "it names a manifest of another image, %s", digest);
    }
}

// --- records ---

static void write_config(const struct image_config *config, struct buf *text) {
    struct json_writer writer = {.buf = text};
    struct image_config copy = *config;
    copy.history_count = 0;
    image_config_write(&copy, &writer, NULL);
}

static void check_settings(struct check *check, const struct check_image *image) {
    AUTO_BUF struct buf here = {0}, there = {0};
    write_config(&image->record.config, &here);
    write_config(&image->config, &there);
    if (strcmp(buf_string(&here), buf_string(&there)) != 0) {
        bad_record(check, image, "it says other things than the image's configuration");
    }
}

// Each layer is there by its diff id or, where it needs those below it, by the chain's.
static void check_chain(struct check *check, const struct check_image *image) {
    const struct image_record *record = &image->record;
    const struct digest *below = NULL;
    struct digest chain, diff_id;
    struct err err = {0};
    if (record->layers_count != image->config.diff_ids_count) {
        bad_record(check, image, "it has %zu layers, expected %zu as the image's configuration has", record->layers_count,
                   image->config.diff_ids_count);
        return;
    }
    for (size_t i = 0; i < record->layers_count; i++) {
        const char *key = record->layers[i].key;
        if (digest_parse(image->config.diff_ids[i], &diff_id, &err) < 0) {
            bad_record(check, image, "the image's configuration has a diff id that is none: %s", err.text);
            return;
        }
        layer_chain_id(below, &diff_id, &chain);
        below = &chain;
        if (strcmp(key, diff_id.hex) != 0 && strcmp(key, chain.hex) != 0) {
            bad_record(check, image, "its layer %zu is %s, expected %s or %s", i + 1, key, diff_id.hex, chain.hex);
        }
    }
}

static void check_config(struct check *check, struct check_image *image) {
    struct source_document blob;
    struct err err = {0};
    if (!check_blob(check, image, image->record.id, &blob)) {
        return;
    }
    const struct json_document document = {.name = image->record.id, .text = blob.text, .size = blob.size};
    if (image_config_decode(&document, check->arena, &image->config, &err) < 0) {
        image->config = (struct image_config){0};
        bad_record(check, image, "it names a configuration that is none: %s", err.text);
        return;
    }
    check_settings(check, image);
    check_chain(check, image);
}

// What others take for names of files must be such.
static bool is_well_formed(struct check *check, const struct check_image *image, const struct image_record *record) {
    struct digest id;
    char quoted[QUOTE_SIZE];
    struct err err = {0};
    if (digest_parse(record->id, &id, &err) < 0) {
        bad_record(check, image, "%s", err.text);
        return false;
    }
    if (strcmp(id.hex, image->hex) != 0) {
        bad_record(check, image, "it is the record of %s", record->id);
        return false;
    }
    if (record->manifest && digest_parse(record->manifest, &id, &err) < 0) {
        bad_record(check, image, "%s", err.text);
        return false;
    }
    for (size_t i = 0; i < record->layers_count; i++) {
        if (!check_is_hex(record->layers[i].key, SHA256_DIGITS)) {
            bad_record(check, image, "its layer %zu has no key: %s", i + 1, quote_text(record->layers[i].key, quoted));
            return false;
        }
    }
    return true;
}

static void check_record(struct check *check, struct check_image *image) {
    char path[IMAGE_RECORD_PATH_SIZE];
    struct err err = {0};
    image_record_path(image->hex, path);
    if (!is_file(check, path)) {
        return; // the layout says so
    }
    // Without a lock: who removes the image meanwhile would take us for a running container.
    if (image_record_read(check->store, path, check->arena, &image->record, &err) < 0) {
        if (image->selected) {
            bad_record(check, image, "%s", without_path(err.text, path));
        }
        return;
    }
    size_t findings = check->findings_count;
    image->readable = is_well_formed(check, image, &image->record);
    if (!image->selected) {
        check->findings_count = findings;
    } else if (image->readable) {
        check_config(check, image);
        check_manifest(check, image);
    }
}

// --- names ---

static bool leads_by_digest(const struct check *check, const char *hex) {
    for (size_t i = 0; i < check->tags_count; i++) {
        if (check->tags[i].ref.digest && strcmp(check->tags[i].image, hex) == 0) {
            return true;
        }
    }
    return false;
}

// A digest says what was there: it can be brought again. A tag alone may stand for something else by now.
static void check_target(struct check *check, const struct tag *tag, const char *path) {
    char record[IMAGE_RECORD_PATH_SIZE];
    if (find_image(check, tag->image)) {
        return;
    }
    if (!leads_by_digest(check, tag->image)) {
        check_found(check, CHECK_TAG, path, "leads to image %.12s, which is not there", tag->image);
        return;
    }
    struct check_image *image = &check->images[check->images_count++];
    *image = (struct check_image){.hex = tag->image, .selected = true};
    check_concerns(check, check_found(check, CHECK_RECORD, image_record_path(image->hex, record), "is missing"), image->hex);
}

static void check_name(struct check *check, DIR *files, const char *folder, const char *file) {
    char expected[TAG_PATH_SIZE];
    struct tag tag;
    struct stat status;
    AUTO_FREE char *path = mem_format("tags/%s/%s", folder, file);
    if (fstatat(dirfd(files), file, &status, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISLNK(status.st_mode)) {
        return; // the layout says so
    }
    if (!tag_read(dirfd(files), folder, file, check->arena, &tag) || !check_is_hex(tag.image, strlen(tag.image))) {
        check_found(check, CHECK_TAG, path, "is no link to an image's record");
    } else if (strcmp(tag_path(&tag.ref, expected), path) != 0) {
        check_found(check, CHECK_TAG, path, "is no name of an image");
    } else {
        check_target(check, &tag, path);
    }
}

static void check_names(struct check *check) {
    AUTO_DIR DIR *folders = check_list(check, "tags");
    for (const struct dirent *folder; folders && (folder = dir_next(folders));) {
        AUTO_FREE char *path = mem_format("tags/%s", folder->d_name);
        AUTO_DIR DIR *files = check_list(check, path);
        for (const struct dirent *file; files && (file = dir_next(files));) {
            check_name(check, files, folder->d_name, file->d_name);
        }
    }
}

// --- what nobody needs ---

static int compare(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

// Paths of the blobs that images and digests in names need, sorted.
static const char **list_needed(struct check *check, size_t *ret_count) {
    char path[IMAGE_RECORD_PATH_SIZE];
    const char **needed = arena_array(check->arena, 2 * check->images_count + check->tags_count + 1, sizeof(*needed));
    size_t count = 0;
    for (size_t i = 0; i < check->images_count; i++) {
        const struct image_record *record = &check->images[i].record;
        needed[count++] = arena_copy_string(check->arena, image_record_blob_path(record->id, path));
        if (record->manifest) {
            needed[count++] = arena_copy_string(check->arena, image_record_blob_path(record->manifest, path));
        }
    }
    for (size_t i = 0; i < check->tags_count; i++) {
        if (check->tags[i].ref.digest) {
            needed[count++] = arena_copy_string(check->arena, image_record_blob_path(check->tags[i].ref.digest, path));
        }
    }
    if (count > 0) {
        qsort(needed, count, sizeof(*needed), compare);
    }
    *ret_count = count;
    return needed;
}

static void check_unneeded(struct check *check) {
    static const char *const folders[] = {"blobs/sha256", "blobs/sha512"};
    size_t count;
    for (size_t i = 0; i < check->images_count; i++) {
        if (!check->images[i].readable) {
            return; // nobody can tell what it needs
        }
    }
    const char **needed = list_needed(check, &count);
    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        AUTO_DIR DIR *stream = check_list(check, folders[i]);
        for (const struct dirent *entry; stream && (entry = dir_next(stream));) {
            const char *path = arena_format(check->arena, "%s/%s", folders[i], entry->d_name);
            if (is_file(check, path) && check_is_hex(entry->d_name, strlen(entry->d_name)) &&
                !(count > 0 && bsearch(&path, needed, count, sizeof(*needed), compare))) {
                check_found(check, CHECK_LEFTOVER, path, "is needed by no image");
            }
        }
    }
}

// --- which ---

// The image that a word of the command line stands for; one whose record is missing, too.
static int select_one(struct check *check, const char *name, struct err *err) {
    static const char folder[] = "images/";
    char path[TAG_PATH_SIZE], other[TAG_PATH_SIZE];
    struct image_ref ref;
    struct err ignored;
    const char *found, *hex = NULL;
    if (image_ref_parse(check->arena, name, &ref, &ignored) == 0) {
        tag_path(&ref, path);
        for (size_t i = 0; i < check->tags_count && !hex; i++) {
            hex = strcmp(tag_path(&check->tags[i].ref, other), path) == 0 ? check->tags[i].image : NULL;
        }
    }
    if (!hex) {
        if (image_find(check->store, name, check->arena, &found, &ref, err) < 0) {
            return -1;
        }
        if (strncmp(found, folder, strlen(folder)) != 0) {
            return err_set(err, ERR_CORRUPT, "%s: its name leads to no record of an image; check the whole store", name);
        }
        found += strlen(folder);
        hex = arena_format(check->arena, "%.*s", (int)strcspn(found, "."), found);
    }
    struct check_image *image = find_image(check, hex);
    if (!image) {
        image = &check->images[check->images_count++];
        *image = (struct check_image){.hex = hex};
        bad_record(check, image, "is missing");
    }
    image->selected = true;
    return 0;
}

static size_t count_words(const char *const *words) {
    size_t count = 0;
    while (words && words[count]) {
        count++;
    }
    return count;
}

int check_images(struct check *check, struct err *err) {
    const char **ids;
    size_t count = 0, words = count_words(check->options->images);
    struct err wrong = {0};
    check->tags_count = 0;
    // A folder that is missing has nothing in it; the layout says so.
    if (tag_list(check->store, check->arena, &check->tags, &check->tags_count, &wrong) < 0 && wrong.errnum != ENOENT) {
        *err = wrong;
        return -1;
    }
    if (image_record_list(check->store, check->arena, &ids, &count, &wrong) < 0) {
        if (wrong.errnum != ENOENT) {
            *err = wrong;
            return -1;
        }
        count = 0;
    }
    // Names may lead to images that are not there: each to one.
    check->images = arena_array(check->arena, count + check->tags_count + words + 1, sizeof(*check->images));
    for (size_t i = 0; i < count; i++) {
        if (strlen(ids[i]) == SHA256_DIGITS || strlen(ids[i]) == SHA512_DIGITS) { // others do not belong here: the layout says so
            check->images[check->images_count++] = (struct check_image){.hex = ids[i], .selected = check_is_whole(check)};
        }
    }
    count = check->images_count;
    for (size_t i = 0; i < words; i++) {
        if (select_one(check, check->options->images[i], err) < 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < count; i++) {
        check_record(check, &check->images[i]);
    }
    if (check_is_whole(check)) {
        check_names(check);
        check_unneeded(check);
    }
    return 0;
}

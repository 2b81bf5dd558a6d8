// A directory with an OCI layout: blobs come to their names when they are whole and proven, and index.json gets an entry more.
// (OCI image-spec v1.1, image-layout.md.)
#include "images/copy_target.h"
#include "images/input.h"
#include "images/layout_index.h"
#include "images/new_file.h"
#include "runtime/base/buf.h"
#include "runtime/base/dir.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/kernel/root.h"
#include "specs/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOB_PATH_SIZE = sizeof("blobs/sha256/") + DIGEST_HEX_MAX };

static const char own_prefix[] = ".coffer-"; // of files on their way

struct layout {
    int fd;
};

static const char *blob_path(const struct digest *digest, char path[BLOB_PATH_SIZE]) {
    snprintf(path, BLOB_PATH_SIZE, "blobs/%s/%s", digest_algorithm_name(digest->algorithm), digest->hex);
    return path;
}

// One that is empty was being made by a process that died, or for which the disk was full.
static int write_version(int dir_fd, struct err *err) {
    static const char name[] = "oci-layout";
    struct stat status;
    if (fstatat(dir_fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && (!S_ISREG(status.st_mode) || status.st_size > 0)) {
        return 0;
    }
    return fd_replace_file_synced(dir_fd, name, layout_version_text, strlen(layout_version_text), 0644, err);
}

// Blobs on their way whose writers have died, where the file system has no files without names: the living hold a lock.
static void sweep(int dir_fd) {
    AUTO_FD int fd = root_try_open(dir_fd, "blobs", O_RDONLY | O_DIRECTORY);
    AUTO_DIR DIR *stream = fd < 0 ? NULL : dir_stream(fd);
    for (const struct dirent *entry; stream && (entry = dir_next(stream));) {
        if (strncmp(entry->d_name, own_prefix, strlen(own_prefix)) != 0) {
            continue;
        }
        AUTO_FD int left = openat(fd, entry->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (left >= 0 && flock(left, LOCK_EX | LOCK_NB) == 0) {
            (void)unlinkat(fd, entry->d_name, 0);
        }
    }
}

// Under the lock of those who copy into one layout.
static int prepare(int dir_fd, struct err *err) {
    bool made;
    sweep(dir_fd);
    return root_make_missing_dir(dir_fd, "blobs", 0755, &made, err) < 0 ||
                   root_make_missing_dir(dir_fd, "blobs/sha256", 0755, &made, err) < 0 ||
                   root_make_missing_dir(dir_fd, "blobs/sha512", 0755, &made, err) < 0 || write_version(dir_fd, err) < 0
               ? -1
               : 0;
}

static int open_layout(struct copy_target *target, const char *rest, struct err *err) {
    struct layout *layout = arena_alloc(&target->arena, sizeof(*layout));
    layout->fd = -1;
    target->state = layout;
    copy_target_split_tag(target, rest);
    if (mkdir(target->path, 0755) < 0 && errno != EEXIST) {
        return err_sys(err, "make directory %s", target->path);
    }
    layout->fd = open(target->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (layout->fd < 0) {
        return err_sys(err, "open %s", target->path);
    }
    if (flock(layout->fd, LOCK_EX) < 0) {
        return err_sys(err, "lock %s", target->path);
    }
    int result = prepare(layout->fd, err);
    (void)flock(layout->fd, LOCK_UN);
    return result < 0 ? err_in(err, "%s", target->path) : 0;
}

static void finish(struct copy_target *target) {
    struct layout *layout = target->state;
    fd_close(&layout->fd);
}

// A file of another size is rubbish that somebody left; it goes.
static int has_blob(const struct layout *layout, const struct digest *digest, uint64_t size, struct err *err) {
    char path[BLOB_PATH_SIZE];
    struct stat status;
    AUTO_FD int fd = root_try_open(layout->fd, blob_path(digest, path), O_PATH | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &status) < 0) {
        return 0;
    }
    if (S_ISREG(status.st_mode) && (uint64_t)status.st_size == size) {
        return 1;
    }
    return unlinkat(layout->fd, path, 0) < 0 ? err_sys(err, "remove %s, which has another size", path) : 0;
}

static int has(struct copy_target *target, const struct copy_part *part, enum copy_state *ret_state, struct err *err) {
    *ret_state = COPY_PRESENT;
    return has_blob(target->state, &part->digest, part->size, err);
}

static int put_pieces(const struct layout *layout, const struct digest *digest, uint64_t size, const struct pieces *pieces,
                      struct err *err) {
    AUTO_NEW_FILE struct new_file file = {.fd = -1};
    char own[64], path[BLOB_PATH_SIZE];
    snprintf(own, sizeof(own), "blobs/%s%d", own_prefix, (int)getpid());
    if (new_file_open(&file, layout->fd, own, err) < 0) {
        return -1;
    }
    const struct sink sink = sink_to_fd(&file.fd);
    const struct new_file_place place = {.name = blob_path(digest, path), .mode = 0644};
    return pieces_pass(pieces, &sink, digest, size, NULL, err) < 0 ? -1 : new_file_place(&file, &place, err);
}

static int put(struct copy_target *target, struct copy_part *part, struct err *err) {
    struct pieces pieces;
    if (copy_part_open(part, &pieces, err) < 0) {
        return -1;
    }
    int result = put_pieces(target->state, &part->digest, part->size, &pieces, err);
    copy_part_close(part);
    return result;
}

// --- index.json ---

static int read_index(struct copy_target *target, struct image_manifest *ret, struct err *err) {
    const struct layout *layout = target->state;
    AUTO_FD int fd = root_try_open(layout->fd, "index.json", O_RDONLY);
    char *text;
    size_t size;
    if (fd < 0 && errno == ENOENT) {
        *ret = (struct image_manifest){0};
        return 0;
    }
    if (fd < 0) {
        return err_sys(err, "open index.json");
    }
    if (fd_read_rest(fd, JSON_MAX_BYTES, "index.json", &text, &size, err) < 0) {
        return -1;
    }
    const struct json_document document = {.name = "index.json", .text = text, .size = size};
    int result = image_manifest_decode(&document, NULL, &target->arena, ret, err);
    free(text);
    return result;
}

static int write_index(struct copy_target *target, const struct image_descriptor *entry, struct err *err) {
    const struct layout *layout = target->state;
    AUTO_BUF struct buf text = {0};
    struct image_manifest index;
    if (read_index(target, &index, err) < 0) {
        return -1;
    }
    AUTO_FREE struct image_descriptor *items = mem_array(index.manifests_count + 1, sizeof(*items));
    size_t count = 0;
    for (size_t i = 0; i < index.manifests_count; i++) {
        if (!layout_index_replaces(entry, &index.manifests[i])) {
            items[count++] = index.manifests[i];
        }
    }
    items[count++] = *entry;
    layout_index_write(items, count, &text);
    return fd_replace_file_synced(layout->fd, "index.json", text.data, text.size, 0644, err);
}

static int add_to_index(struct copy_target *target, const char *media_type, const struct source_document *document,
                        struct err *err) {
    const struct layout *layout = target->state;
    char digest[DIGEST_TEXT_SIZE];
    struct text_pair name = {.name = LAYOUT_REF_ANNOTATION, .value = target->tag};
    const struct image_descriptor entry = {
        .media_type = media_type,
        .digest = digest_format(&document->digest, digest),
        .size = (int64_t)document->size,
        .annotations = &name,
        .annotations_count = target->tag ? 1 : 0,
    };
    if (flock(layout->fd, LOCK_EX) < 0) { // two copies into one layout
        return err_sys(err, "lock it");
    }
    int result = write_index(target, &entry, err);
    (void)flock(layout->fd, LOCK_UN);
    return result;
}

static int put_text(const struct layout *layout, const struct source_document *document, struct err *err) {
    struct input input;
    int there = has_blob(layout, &document->digest, document->size, err);
    if (there != 0) {
        return there < 0 ? -1 : 0;
    }
    input_init_memory(&input, document->text, document->size, DIGEST_NONE);
    const struct pieces pieces = pieces_of_input(&input);
    int result = put_pieces(layout, &document->digest, document->size, &pieces, err);
    input_finish(&input);
    return result;
}

static int put_document(struct copy_target *target, const char *media_type, const struct source_document *document, bool is_root,
                        struct err *err) {
    int result = put_text(target->state, document, err);
    return result < 0 || (is_root && add_to_index(target, media_type, document, err) < 0) ? err_in(err, "%s", target->path) : 0;
}

const struct copy_target_ops copy_target_layout = {
    .prefix = "oci:",
    .keeps_urls = true,
    .open = open_layout,
    .has = has,
    .put = put,
    .put_document = put_document,
    .finish = finish,
};

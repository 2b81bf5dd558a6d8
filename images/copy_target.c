#include "images/copy_target.h"

#include "images/registry.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/kernel/root.h"
#include "specs/image_manifest.h"
#include "specs/json.h"
#include "specs/json_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOB_PATH_SIZE = sizeof("blobs/sha256/") + DIGEST_HEX_MAX, STEP = 1 << 20 };

static const char ref_annotation[] = "org.opencontainers.image.ref.name";

static const char *blob_path(const struct digest *digest, char path[BLOB_PATH_SIZE]) {
    snprintf(path, BLOB_PATH_SIZE, "blobs/%s/%s", digest_algorithm_name(digest->algorithm), digest->hex);
    return path;
}

// "oci:DIR[:TAG]": the tag is what stands behind the last colon, where that can be one and there is no such directory.
static int split(struct copy_target *target, const char *text, struct err *err) {
    static const char prefix[] = "oci:";
    if (strncmp(text, prefix, sizeof(prefix) - 1) != 0 || !text[sizeof(prefix) - 1]) {
        return err_set(err, ERR_INPUT, "%s: expected a target of the form REGISTRY/REPOSITORY:TAG or oci:DIR[:TAG]", text);
    }
    char *path = arena_copy_string(&target->arena, text + sizeof(prefix) - 1);
    char *colon = strrchr(path, ':');
    if (colon && colon > path && image_tag_valid(colon + 1) && access(path, F_OK) < 0) {
        *colon = '\0';
        target->tag = colon + 1;
    }
    target->path = path;
    return 0;
}

static int write_new(int dir_fd, const char *name, const char *text, struct err *err) {
    AUTO_FD int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0 && errno == EEXIST) {
        return 0;
    }
    return fd < 0 || fd_write_all(fd, text, strlen(text)) < 0 ? err_sys(err, "write %s", name) : 0;
}

static int open_layout(struct copy_target *target, struct err *err) {
    if (mkdir(target->path, 0755) < 0 && errno != EEXIST) {
        return err_sys(err, "make directory %s", target->path);
    }
    target->fd = open(target->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (target->fd < 0) {
        return err_sys(err, "open %s", target->path);
    }
    bool made;
    if (root_make_missing_dir(target->fd, "blobs", 0755, &made, err) < 0 ||
        root_make_missing_dir(target->fd, "blobs/sha256", 0755, &made, err) < 0 ||
        root_make_missing_dir(target->fd, "blobs/sha512", 0755, &made, err) < 0) {
        return -1;
    }
    return write_new(target->fd, "oci-layout", "{\"imageLayoutVersion\": \"1.0.0\"}\n", err);
}

int copy_target_init(struct copy_target *target, const struct copy_options *options, struct err *err) {
    *target = (struct copy_target){.options = options, .registry = options->to.registry, .ref = options->to.ref, .fd = -1};
    if (target->registry) {
        return 0;
    }
    if (split(target, options->to.text, err) < 0) {
        return -1;
    }
    return open_layout(target, err) < 0 ? err_in(err, "%s", target->path) : 0;
}

void copy_target_finish(struct copy_target *target) {
    fd_close(&target->fd);
    arena_finish(&target->arena);
}

// A file of another size is rubbish that somebody left; it goes.
static int layout_has(struct copy_target *target, const struct digest *digest, uint64_t size, struct err *err) {
    char path[BLOB_PATH_SIZE];
    struct stat status;
    AUTO_FD int fd = root_try_open(target->fd, blob_path(digest, path), O_PATH | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &status) < 0) {
        return 0;
    }
    if (S_ISREG(status.st_mode) && (uint64_t)status.st_size == size) {
        return 1;
    }
    return unlinkat(target->fd, path, 0) < 0 ? err_sys(err, "remove %s, which has another size", path) : 0;
}

int copy_target_has(struct copy_target *target, const struct digest *digest, uint64_t size, enum copy_state *ret_state,
                    struct err *err) {
    const struct copy_end *from = &target->options->from;
    uint64_t there;
    *ret_state = COPY_PRESENT;
    if (!target->registry) {
        return layout_has(target, digest, size, err);
    }
    int found = registry_has_blob(target->registry, target->ref, digest, &there, err);
    if (found != 0 || !from->registry || strcmp(from->ref->registry, target->ref->registry) != 0 ||
        strcmp(from->ref->repository, target->ref->repository) == 0) {
        return found;
    }
    *ret_state = COPY_MOUNTED;
    return registry_mount_blob(target->registry, target->ref, digest, from->ref->repository, err);
}

// What is told of an upload on its way.
struct sending {
    const struct copy_options *options;
    const char *digest;
    uint64_t size;
};

static void tell(void *context, uint64_t sent) {
    const struct sending *sending = context;
    if (sending->options->progress) {
        sending->options->progress(sending->options->progress_context, sending->digest, COPY_SENDING, sent, sending->size);
    }
}

static int copy_bytes(const struct source_blob *blob, int to, struct sending *sending, struct hasher *hasher, struct err *err) {
    AUTO_FREE char *room = mem_resize(NULL, STEP, 1);
    for (uint64_t done = 0; done < blob->size;) {
        size_t wanted = blob->size - done < STEP ? (size_t)(blob->size - done) : STEP;
        ssize_t got = pread(blob->fd, room, wanted, (off_t)(blob->offset + done));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return got < 0 ? err_sys(err, "read it") : err_set(err, ERR_CORRUPT, "became shorter while it was read");
        }
        hasher_update(hasher, room, (size_t)got);
        if (fd_write_all(to, room, (size_t)got) < 0) {
            return err_sys(err, "write it");
        }
        done += (uint64_t)got;
        tell(sending, done);
    }
    return 0;
}

// A file on its way: without a name, where the file system has such files, so that a kill leaves nothing; else with one of its own.
struct new_file {
    int fd;
    char name[64]; // below the layout; "": none
};

static int new_file_open(const struct copy_target *target, struct new_file *ret, struct err *err) {
    *ret = (struct new_file){.fd = openat(target->fd, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600)};
    if (ret->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT)) {
        snprintf(ret->name, sizeof(ret->name), "blobs/.coffer-%d", (int)getpid());
        ret->fd = openat(target->fd, ret->name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    }
    return ret->fd < 0 ? err_sys(err, "make a file in %s", target->path) : 0;
}

static void new_file_finish(const struct copy_target *target, struct new_file *file) {
    if (file->name[0]) {
        (void)unlinkat(target->fd, file->name, 0);
    }
    fd_close(&file->fd);
}

// Only what is whole and proven gets its name.
static int place(const struct copy_target *target, struct new_file *file, const struct digest *digest, struct err *err) {
    char path[BLOB_PATH_SIZE], self[64];
    snprintf(self, sizeof(self), "/proc/self/fd/%d", file->fd);
    if (fchmod(file->fd, 0644) < 0 || fsync(file->fd) < 0) {
        return err_sys(err, "write it to disk");
    }
    int result = file->name[0] ? renameat(target->fd, file->name, target->fd, blob_path(digest, path))
                               : linkat(AT_FDCWD, self, target->fd, blob_path(digest, path), AT_SYMLINK_FOLLOW);
    if (result < 0 && errno != EEXIST) {
        return err_sys(err, "put %s in its place", path);
    }
    return 0;
}

static int fill_file(struct copy_target *target, struct new_file *file, const struct digest *digest, const struct source_blob *blob,
                     struct sending *sending, struct err *err) {
    struct hasher hasher;
    struct digest found;
    char text[DIGEST_TEXT_SIZE];
    hasher_init(&hasher, digest->algorithm);
    if (copy_bytes(blob, file->fd, sending, &hasher, err) < 0) {
        return -1;
    }
    hasher_finish(&hasher, &found);
    if (!digest_equal(&found, digest)) {
        return err_set(err, ERR_CORRUPT, "its digest is %s", digest_format(&found, text));
    }
    return place(target, file, digest, err);
}

static int put_file(struct copy_target *target, const struct digest *digest, const struct source_blob *blob,
                    struct sending *sending, struct err *err) {
    struct new_file file;
    if (new_file_open(target, &file, err) < 0) {
        return -1;
    }
    int result = fill_file(target, &file, digest, blob, sending, err);
    new_file_finish(target, &file);
    return result;
}

int copy_target_put(struct copy_target *target, const struct digest *digest, const struct source_blob *blob, struct err *err) {
    char text[DIGEST_TEXT_SIZE];
    struct sending sending = {.options = target->options, .digest = digest_format(digest, text), .size = blob->size};
    const struct registry_content content = {
        .fd = blob->fd, .offset = blob->offset, .size = blob->size, .progress = tell, .context = &sending};
    int result = target->registry ? registry_put_blob(target->registry, target->ref, digest, &content, err)
                                  : put_file(target, digest, blob, &sending, err);
    return result < 0 ? err_in(err, "blob %s", text) : 0;
}

// --- index.json ---

static void write_platform(struct json_writer *writer, const struct image_platform *platform) {
    json_write_open(writer, "platform", '{');
    json_write_string(writer, "architecture", platform->architecture ? platform->architecture : "");
    json_write_string(writer, "os", platform->os ? platform->os : "");
    if (platform->variant) {
        json_write_string(writer, "variant", platform->variant);
    }
    if (platform->os_version) {
        json_write_string(writer, "os.version", platform->os_version);
    }
    json_write_close(writer, '}');
}

static void write_descriptor(struct json_writer *writer, const struct image_descriptor *descriptor) {
    json_write_open(writer, NULL, '{');
    json_write_string(writer, "mediaType", descriptor->media_type);
    json_write_string(writer, "digest", descriptor->digest);
    json_write_i64(writer, "size", descriptor->size);
    if (descriptor->platform) {
        write_platform(writer, descriptor->platform);
    }
    if (descriptor->annotations_count > 0) {
        json_write_pairs(writer, "annotations", descriptor->annotations, descriptor->annotations_count);
    }
    if (descriptor->artifact_type) {
        json_write_string(writer, "artifactType", descriptor->artifact_type);
    }
    json_write_close(writer, '}');
}

// The entry takes the place of one with the same name, and of the same image without one.
static bool is_replaced(const struct copy_target *target, const struct image_descriptor *old, const char *digest) {
    const char *name = image_annotation(old->annotations, old->annotations_count, ref_annotation);
    return name ? target->tag && strcmp(name, target->tag) == 0 : strcmp(old->digest, digest) == 0;
}

static int read_index(struct copy_target *target, struct image_manifest *ret, struct err *err) {
    AUTO_FD int fd = root_try_open(target->fd, "index.json", O_RDONLY);
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

static int add_to_index(struct copy_target *target, const char *media_type, const struct source_document *document,
                        struct err *err) {
    AUTO_BUF struct buf text = {0};
    struct json_writer writer = {.buf = &text, .indent = "  "};
    struct image_manifest index;
    char digest[DIGEST_TEXT_SIZE];
    struct text_pair name = {.name = ref_annotation, .value = target->tag};
    const struct image_descriptor entry = {
        .media_type = media_type,
        .digest = digest_format(&document->digest, digest),
        .size = (int64_t)document->size,
        .annotations = &name,
        .annotations_count = target->tag ? 1 : 0,
    };
    if (flock(target->fd, LOCK_EX) < 0) { // two copies into one layout
        return err_sys(err, "lock %s", target->path);
    }
    if (read_index(target, &index, err) < 0) {
        return -1;
    }
    json_write_open(&writer, NULL, '{');
    json_write_u64(&writer, "schemaVersion", 2);
    json_write_string(&writer, "mediaType", "application/vnd.oci.image.index.v1+json");
    json_write_open(&writer, "manifests", '[');
    for (size_t i = 0; i < index.manifests_count; i++) {
        if (!is_replaced(target, &index.manifests[i], digest)) {
            write_descriptor(&writer, &index.manifests[i]);
        }
    }
    write_descriptor(&writer, &entry);
    json_write_close(&writer, ']');
    json_write_close(&writer, '}');
    int result = fd_replace_file_synced(target->fd, "index.json", text.data, text.size, 0644, err);
    (void)flock(target->fd, LOCK_UN);
    return result;
}

static int put_document_file(struct copy_target *target, const struct source_document *document, struct err *err) {
    int has = layout_has(target, &document->digest, document->size, err);
    if (has != 0) {
        return has < 0 ? -1 : 0;
    }
    struct new_file file;
    if (new_file_open(target, &file, err) < 0) {
        return -1;
    }
    int result = fd_write_all(file.fd, document->text, document->size) < 0 ? err_sys(err, "write a manifest to %s", target->path)
                                                                           : place(target, &file, &document->digest, err);
    new_file_finish(target, &file);
    return result;
}

int copy_target_put_document(struct copy_target *target, const char *media_type, const struct source_document *document,
                             bool is_root, struct err *err) {
    char digest[DIGEST_TEXT_SIZE];
    struct digest taken;
    if (!target->registry) {
        int result = put_document_file(target, document, err);
        return result < 0 || (is_root && add_to_index(target, media_type, document, err) < 0) ? err_in(err, "%s", target->path) : 0;
    }
    struct image_ref ref = *target->ref;
    if (!is_root || !ref.tag) {
        ref.tag = NULL;
        ref.digest = digest_format(&document->digest, digest);
    }
    return registry_put_manifest(target->registry, &ref, media_type, document->text, document->size, &taken, err);
}

// A directory as skopeo's "dir:" has it (images/source_dir.c): of one image at a time. What it held before stays whole until the
// new manifest.json takes the old one's place; then what only the old image had goes.
#include "images/copy_target.h"
#include "images/digest_set.h"
#include "images/new_file.h"
#include "runtime/base/dir.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_SIZE = sizeof(".manifest.json") + DIGEST_HEX_MAX };

static const char version_name[] = "version", version_text[] = "Directory Transport Version: 1.1\n";
static const char manifest_ending[] = ".manifest.json";
static const char own_name[] = ".coffer-new"; // of a file on its way

struct state {
    int fd;
    struct digest_set blobs, manifests; // of the new image
};

static bool is_empty(int dir_fd) {
    AUTO_DIR DIR *stream = dir_stream(dir_fd);
    bool empty = stream != NULL;
    for (const struct dirent *item; empty && (item = dir_next(stream));) {
        empty = strcmp(item->d_name, own_name) == 0;
    }
    return empty;
}

static int put_text(int dir_fd, const char *name, const void *text, size_t size, struct err *err) {
    AUTO_NEW_FILE struct new_file file = {.fd = -1};
    const struct new_file_place place = {.name = name, .mode = 0644, .replace = true};
    if (new_file_open(&file, dir_fd, own_name, err) < 0) {
        return -1;
    }
    return fd_write_all(file.fd, text, size) < 0 ? err_sys(err, "write %s", name) : new_file_place(&file, &place, err);
}

static int write_version(int dir_fd, struct err *err) {
    if (faccessat(dir_fd, version_name, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        return 0;
    }
    if (!is_empty(dir_fd)) {
        return err_set(err, ERR_EXISTS,
                       "expected a new or empty directory, or one that has held an image, with a file \"version\"");
    }
    return put_text(dir_fd, version_name, version_text, strlen(version_text), err);
}

static int open_dir(struct copy_target *target, const char *rest, struct err *err) {
    struct state *state = arena_alloc(&target->arena, sizeof(*state));
    state->fd = -1;
    target->state = state;
    target->path = arena_copy_string(&target->arena, rest);
    if (mkdir(target->path, 0755) < 0 && errno != EEXIST) {
        return err_sys(err, "make directory %s", target->path);
    }
    state->fd = open(target->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (state->fd < 0) {
        return err_sys(err, "open %s", target->path);
    }
    if (flock(state->fd, LOCK_EX | LOCK_NB) < 0) {
        return errno == EWOULDBLOCK ? err_set(err, ERR_STATE, "%s: another process is writing to it", target->path)
                                    : err_sys(err, "lock %s", target->path);
    }
    return write_version(state->fd, err) < 0 ? err_in(err, "%s", target->path) : 0;
}

static void finish(struct copy_target *target) {
    struct state *state = target->state;
    digest_set_finish(&state->blobs);
    digest_set_finish(&state->manifests);
    fd_close(&state->fd);
}

// A file of another size is rubbish that somebody left; it is replaced.
static int has(struct copy_target *target, const struct copy_part *part, enum copy_state *ret_state, struct err *err) {
    struct state *state = target->state;
    struct stat status;
    (void)err;
    *ret_state = COPY_PRESENT;
    digest_set_add(&state->blobs, &part->digest);
    return fstatat(state->fd, part->digest.hex, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(status.st_mode) &&
           (uint64_t)status.st_size == part->size;
}

static int put_pieces(const struct state *state, const struct copy_part *part, const struct pieces *pieces, struct err *err) {
    AUTO_NEW_FILE struct new_file file = {.fd = -1};
    if (new_file_open(&file, state->fd, own_name, err) < 0) {
        return -1;
    }
    const struct sink sink = sink_to_fd(&file.fd);
    const struct new_file_place place = {.name = part->digest.hex, .mode = 0644, .replace = true};
    return pieces_pass(pieces, &sink, &part->digest, part->size, NULL, err) < 0 ? -1 : new_file_place(&file, &place, err);
}

static int put(struct copy_target *target, struct copy_part *part, struct err *err) {
    struct pieces pieces;
    if (copy_part_open(part, &pieces, err) < 0) {
        return -1;
    }
    int result = put_pieces(target->state, part, &pieces, err);
    copy_part_close(part);
    return result;
}

static int put_document(struct copy_target *target, const char *media_type, const struct source_document *document, bool is_root,
                        struct err *err) {
    struct state *state = target->state;
    char name[NAME_SIZE];
    (void)media_type;
    snprintf(name, sizeof(name), "%s%s", is_root ? "" : document->digest.hex, is_root ? manifest_ending + 1 : manifest_ending);
    if (!is_root) {
        digest_set_add(&state->manifests, &document->digest);
    }
    if (put_text(state->fd, name, document->text, document->size, err) < 0) {
        return err_in(err, "%s", target->path);
    }
    return fsync(state->fd) < 0 ? err_sys(err, "write %s to disk", target->path) : 0;
}

// Whether the name is that of a part of an image which is not this one.
static bool is_old(const struct state *state, const char *name) {
    struct digest digest = {0};
    size_t length = strspn(name, "0123456789abcdef");
    const char *ending = name + length;
    bool is_manifest = strcmp(ending, manifest_ending) == 0;
    if (strncmp(name, "signature-", 10) == 0) { // of the old image
        return name[10] && name[10 + strspn(name + 10, "0123456789")] == '\0';
    }
    digest.algorithm = length == 2 * SHA256_DIGEST_SIZE   ? DIGEST_SHA256
                       : length == 2 * SHA512_DIGEST_SIZE ? DIGEST_SHA512
                                                          : DIGEST_NONE;
    if (digest.algorithm == DIGEST_NONE || (*ending && !is_manifest)) {
        return false;
    }
    memcpy(digest.hex, name, length);
    return !digest_set_has(is_manifest ? &state->manifests : &state->blobs, &digest);
}

static int end(struct copy_target *target, struct digest *digest, struct err *err) {
    const struct state *state = target->state;
    (void)digest;
    AUTO_DIR DIR *stream = dir_stream(state->fd);
    if (!stream) {
        return err_sys(err, "read directory %s", target->path);
    }
    for (const struct dirent *item; (item = dir_next(stream));) {
        if (is_old(state, item->d_name)) {
            (void)unlinkat(state->fd, item->d_name, 0); // a file too many does no harm
        }
    }
    return 0;
}

const struct copy_target_ops copy_target_dir = {
    .prefix = "dir:",
    .open = open_dir,
    .has = has,
    .put = put,
    .put_document = put_document,
    .end = end,
    .finish = finish,
};

#include "images/repack.h"

#include "images/deflate.h"
#include "images/tar.h"
#include "images/unpack.h"
#include "images/unpack_path.h"
#include "images/unpack_state.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/base/quote.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFER_BYTES = 256 << 10, REPORT_EVERY_BYTES = 4 << 20 };

struct repack {
    const struct repack_options *options;
    struct unpack_parents parents;
    struct inflate inflate;
    struct tar_reader tar;
    struct deflate deflate;
    struct hasher hasher; // of the tar
    uint64_t tar_size, reported;
    uint8_t *buffer; // the tar's next bytes
    size_t filled;
    struct err failure; // of writing, told by add() only at the next chance
    bool failed;
};

static int flush(struct repack *repack, struct err *err) {
    const struct repack_options *options = repack->options;
    hasher_update(&repack->hasher, repack->buffer, repack->filled);
    if (deflate_write(&repack->deflate, repack->buffer, repack->filled, err) < 0) {
        return -1;
    }
    repack->tar_size += repack->filled;
    repack->filled = 0;
    if (options->progress && repack->tar_size - repack->reported >= REPORT_EVERY_BYTES) {
        repack->reported = repack->tar_size;
        options->progress(options->progress_context, repack->tar_size, repack->tar_size);
    }
    return 0;
}

// What the reader has seen of the record goes into the tar as it is.
static void add(void *context, const void *data, size_t size) {
    struct repack *repack = context;
    const uint8_t *from = data;
    while (size > 0 && !repack->failed) {
        size_t room = BUFFER_BYTES - repack->filled, step = size < room ? size : room;
        memcpy(repack->buffer + repack->filled, from, step);
        repack->filled += step;
        from += step;
        size -= step;
        repack->failed = repack->filled == BUFFER_BYTES && flush(repack, &repack->failure) < 0;
    }
}

static int check(const struct repack *repack, struct err *err) {
    if (repack->failed) {
        *err = repack->failure;
        return -1;
    }
    return 0;
}

static int add_piece(struct repack *repack, int fd, const struct tar_piece *piece, struct err *err) {
    for (size_t done = 0; done < piece->size;) {
        size_t room = BUFFER_BYTES - repack->filled, step = piece->size - done < room ? piece->size - done : room;
        ssize_t got = pread(fd, repack->buffer + repack->filled, step, (off_t)(piece->offset + done));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return got < 0 ? err_sys(err, "read") : err_set(err, ERR_CORRUPT, "has become shorter than it was");
        }
        done += (size_t)got;
        repack->filled += (size_t)got;
        if (repack->filled == BUFFER_BYTES && flush(repack, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int open_file(struct repack *repack, const char *path, struct err *err) {
    struct unpack_parent parent;
    const char *name;
    struct stat status;
    AUTO_FD int fd = -1;
    if (unpack_parents_open(&repack->parents, path, &parent, &name) == 0) {
        fd = openat(parent.fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    }
    if (fd < 0 && (errno == ENOENT || errno == ELOOP || errno == ENOTDIR)) {
        return err_set(err, ERR_CORRUPT, "is not in the layer any more");
    }
    if (fd < 0 || fstat(fd, &status) < 0) {
        return err_sys(err, "open it");
    }
    return S_ISREG(status.st_mode) ? fd_take(&fd) : err_set(err, ERR_CORRUPT, "is no file any more");
}

// The decision which members' data was taken, and is not in the record, is the unpacker's: see one_entry() in unpack.c.
static int one_entry(struct repack *repack, const struct tar_entry *entry, struct err *err) {
    char path[PATH_MAX];
    struct tar_piece piece;
    if (entry->type != TAR_FILE || entry->size == 0) {
        return 0;
    }
    if (unpack_path_clean(entry->name, "its name", path, err) < 0) {
        return -1;
    }
    if (unpack_is_marker(path)) {
        return 0;
    }
    AUTO_FD int fd = open_file(repack, path, err);
    if (fd < 0) {
        return -1;
    }
    do {
        if (check(repack, err) < 0 || tar_data(&repack->tar, &piece, err) < 0 || add_piece(repack, fd, &piece, err) < 0) {
            return -1;
        }
    } while (piece.size > 0);
    return 0;
}

static int all_entries(struct repack *repack, struct err *err) {
    struct tar_entry entry;
    int more;
    while ((more = tar_next(&repack->tar, &entry, err)) > 0) {
        if (one_entry(repack, &entry, err) < 0) {
            char quoted[QUOTE_SIZE];
            return err_in(err, "entry %s", quote_text(entry.name, quoted));
        }
    }
    return more < 0 || check(repack, err) < 0 || flush(repack, err) < 0 ? -1 : 0;
}

int repack_layer(struct input *record, int dir_fd, const struct repack_options *options, struct repack_result *ret,
                 struct err *err) {
    struct repack repack = {.options = options, .buffer = mem_resize(NULL, BUFFER_BYTES, 1)};
    struct repack_result result = {0};
    const struct inflate_options inflate_options = {.declared = COMPRESSION_ZSTD, .max_bytes = UNPACK_MAX_BYTES, .any_ratio = true};
    const struct deflate_options deflate_options = {.fd = options->output_fd, .compression = options->compression};
    hasher_init(&repack.hasher, DIGEST_SHA256);
    inflate_init(&repack.inflate, record, &inflate_options);
    tar_init(&repack.tar, &repack.inflate);
    repack.tar.bodiless = true;
    repack.tar.seen = add;
    repack.tar.seen_context = &repack;
    deflate_init(&repack.deflate, &deflate_options);
    unpack_parents_init(&repack.parents, dir_fd, getegid());
    int failed = all_entries(&repack, err) < 0 || deflate_end(&repack.deflate, &result.digest, err) < 0 ? -1 : 0;
    hasher_finish(&repack.hasher, &result.diff_id);
    result.tar_size = repack.tar_size;
    result.size = repack.deflate.bytes;
    unpack_parents_finish(&repack.parents);
    deflate_finish(&repack.deflate);
    tar_finish(&repack.tar);
    inflate_finish(&repack.inflate);
    free(repack.buffer);
    if (failed == 0) {
        *ret = result;
    }
    return failed;
}

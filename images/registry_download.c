// Blobs into descriptors: exchanges that go on where they were cut off. Where a file has a part of the blob, what is before it and
// what is behind it are asked for, each by an exchange of its own, and the part goes into the pipe in between.
#include "images/registry_state.h"

#include "runtime/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

enum piece {
    PIECE_HEAD, // up to what is kept
    PIECE_KEPT,
    PIECE_TAIL, // what is behind it, or all
    PIECE_NONE, // there is nothing behind it, or it cannot be read
};

struct registry_download {
    struct registry *registry;
    const struct image_ref *ref;
    struct registry_blob blob;
    enum piece piece;
    uint64_t at;    // of PIECE_KEPT: bytes of the blob that are done
    struct err err; // of PIECE_NONE; ERR_NONE: it is done
    const char *path, *what;
    struct exchange exchange; // of PIECE_HEAD and PIECE_TAIL
    struct arena arena;
};

static void begin(struct registry_download *download, enum piece piece, uint64_t start, uint64_t until) {
    const struct registry_blob *blob = &download->blob;
    const struct exchange_request request = {
        .method = "GET",
        .path = download->path,
        .actions = "pull",
        .what = download->what,
        .body_fd = -1,
        .out_fd = blob->out_fd,
        .size = blob->size,
        .start = start,
        .until = until,
        .max_bytes = blob->size > 0 ? blob->size : 1,
        .mirrors = true,
        .keeps = piece == PIECE_TAIL && blob->keeps,
        .keep_fd = blob->keep_fd,
    };
    download->piece = piece;
    exchange_finish(&download->exchange);
    exchange_start(&download->exchange, download->registry, download->ref, &request);
}

int registry_download_start(struct registry *registry, const struct image_ref *ref, const struct registry_blob *blob,
                            struct registry_download **ret, struct err *err) {
    struct registry_download *download = mem_alloc(sizeof(*download));
    char text[DIGEST_TEXT_SIZE];
    digest_format(blob->digest, text);
    *download = (struct registry_download){.registry = registry, .ref = ref, .blob = *blob};
    download->path = arena_format(&download->arena, "/blobs/%s", text);
    download->what = arena_format(&download->arena, "%s: blob %s", ref->name, text);
    if (!blob->kept.has) {
        begin(download, PIECE_TAIL, 0, 0);
    } else if (blob->kept.from > 0) {
        begin(download, PIECE_HEAD, 0, blob->kept.from);
    } else {
        download->piece = PIECE_KEPT;
    }
    if (download->piece != PIECE_KEPT && download->exchange.phase == EXCHANGE_FAILED) {
        *err = download->exchange.err;
        registry_download_end(download);
        return -1;
    }
    *ret = download;
    return 0;
}

void registry_download_end(struct registry_download *download) {
    if (download) {
        exchange_finish(&download->exchange);
        arena_finish(&download->arena);
        free(download);
    }
}

// --- what is kept ---

// splice(2) that tells of a pipe without a reader by its result alone.
static ssize_t splice_quietly(int from, off64_t *offset, int to, size_t size) {
    static const struct timespec now;
    sigset_t pipe_only, before;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    sigprocmask(SIG_BLOCK, &pipe_only, &before);
    ssize_t moved = splice(from, offset, to, NULL, size, SPLICE_F_NONBLOCK);
    int reason = errno;
    if (moved < 0 && reason == EPIPE && !sigismember(&before, SIGPIPE)) {
        (void)sigtimedwait(&pipe_only, NULL, &now);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    errno = reason;
    return moved;
}

// As much as the pipe takes. 1: all of it is there, 0: not yet.
static int give_kept(struct registry_download *download, struct err *err) {
    const struct registry_kept *kept = &download->blob.kept;
    enum { STEP = 1 << 20 };
    while (download->at < kept->to) {
        uint64_t left = kept->to - download->at;
        off64_t offset = (off64_t)(kept->offset + download->at - kept->from);
        ssize_t moved = splice_quietly(kept->fd, &offset, download->blob.out_fd, left < STEP ? (size_t)left : STEP);
        if (moved < 0 && errno == EINTR) {
            continue;
        }
        if (moved < 0 && errno == EAGAIN) {
            return 0;
        }
        if (moved < 0) {
            return err_sys(err, "%s: read what is kept of it", download->what);
        }
        if (moved == 0) {
            return err_set(err, ERR_CORRUPT, "%s: what is kept of it became shorter", download->what);
        }
        download->at += (uint64_t)moved;
    }
    return 1;
}

static void step_kept(struct registry_download *download) {
    int done = give_kept(download, &download->err);
    if (done > 0 && download->blob.kept.to < download->blob.size) {
        begin(download, PIECE_TAIL, download->blob.kept.to, 0);
    } else if (done != 0) {
        download->piece = PIECE_NONE;
    }
}

void registry_download_step(struct registry_download *download) {
    const struct exchange *exchange = &download->exchange;
    if (download->piece == PIECE_HEAD && exchange_ended(exchange)) {
        const struct fetch_answer *answer = exchange->fetch ? exchange_answer(exchange) : NULL;
        bool is_part = exchange->phase == EXCHANGE_DONE && exchange->request.until > 0 && (!answer || answer->status == 206) &&
                       registry_download_bytes(download) == download->blob.kept.from;
        if (!is_part) {
            download->piece = PIECE_TAIL; // a refusal, or all at once: it is the last
            return;
        }
        download->piece = PIECE_KEPT;
        download->at = download->blob.kept.from;
    }
    if (download->piece == PIECE_KEPT) {
        step_kept(download);
    }
}

int registry_download_wait_fd(const struct registry_download *download) {
    return download->piece == PIECE_KEPT ? download->blob.out_fd : -1;
}

// --- what is to be kept ---

void registry_download_keep(struct registry_download *download, int keep_fd) {
    download->blob.keeps = true;
    download->blob.keep_fd = keep_fd;
    if (download->piece == PIECE_TAIL) {
        exchange_keep(&download->exchange, keep_fd);
    }
}

int registry_download_keep_errnum(const struct registry_download *download) {
    return download->piece == PIECE_TAIL ? exchange_keep_errnum(&download->exchange) : 0;
}

// --- the end ---

bool registry_download_ended(const struct registry_download *download) {
    return download->piece == PIECE_NONE || (download->piece == PIECE_TAIL && exchange_ended(&download->exchange));
}

// A request under way again begins with what is there already.
uint64_t registry_download_bytes(const struct registry_download *download) {
    const struct exchange *exchange = &download->exchange;
    if (download->piece == PIECE_KEPT || download->piece == PIECE_NONE) {
        return download->at;
    }
    bool runs = exchange->fetch && (exchange->phase == EXCHANGE_RUNS || exchange->phase == EXCHANGE_DONE);
    uint64_t bytes = runs ? fetch_bytes(exchange->fetch) : 0;
    return bytes > exchange->received ? bytes : exchange->received;
}

static int refuse_length(const struct registry_download *download, struct err *err) {
    return err_set(err, ERR_CORRUPT, "%s: has %llu bytes, expected %llu", download->what,
                   (unsigned long long)registry_download_bytes(download), (unsigned long long)download->blob.size);
}

int registry_download_result(const struct registry_download *download, struct err *err) {
    const struct exchange *exchange = &download->exchange;
    if (download->piece == PIECE_NONE) {
        *err = download->err;
        return download->err.kind == ERR_NONE ? 0 : -1;
    }
    if (exchange->phase == EXCHANGE_FAILED) {
        *err = exchange->err;
        return -1;
    }
    const struct fetch_answer *answer = exchange->fetch ? exchange_answer(exchange) : NULL;
    if (answer && answer->status != 200 && answer->status != 206) {
        return exchange_refused(exchange, err);
    }
    return registry_download_bytes(download) == download->blob.size ? 0 : refuse_length(download, err);
}

// Not one whose line was cut, or whom the registry has refused.
bool registry_download_blames_kept(const struct registry_download *download) {
    const struct exchange *exchange = &download->exchange;
    if (!download->blob.kept.has || download->piece == PIECE_NONE) {
        return download->blob.kept.has;
    }
    const struct fetch_answer *answer = exchange->fetch ? exchange_answer(exchange) : NULL;
    return exchange->phase == EXCHANGE_FAILED ? !exchange->transient
                                              : !answer || answer->status == 200 || answer->status == 206 || answer->status == 416;
}

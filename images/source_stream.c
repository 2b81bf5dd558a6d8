// Blobs in pieces: of a file its window, of a registry the download as it comes, of the store a layer as it is made a tar again;
// these two through a pipe.
#include "images/input.h"
#include "images/layer_tar.h"
#include "images/registry.h"
#include "images/source_state.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

enum { PIPE_BYTES = 1 << 20, STEP = 128 << 10 };

struct source_stream {
    struct source *source;
    struct digest digest;
    const char *url; // where the descriptor says it is as well; NULL: nowhere
    struct source_blob window;
    struct input input;                 // of a file
    struct registry_download *download; // NULL: it is a file, or a layer
    struct layer_tar layer;
    struct repack_worker *worker; // of a layer, until its end is known
    bool is_pipe, is_layer;
    int to_read, to_write; // the pipe; what the worker writes to is not ours any more
    uint64_t left;         // bytes of it to come
    uint8_t *room;
};

static int open_pipe(struct source_stream *stream, struct err *err) {
    int pipes[2];
    if (pipe2(pipes, O_CLOEXEC) < 0) {
        return err_sys(err, "make a pipe");
    }
    stream->to_read = pipes[0];
    stream->to_write = pipes[1];
    (void)fcntl(stream->to_write, F_SETPIPE_SZ, PIPE_BYTES); // more than a user's share is not needed
    stream->room = mem_alloc(STEP);
    stream->is_pipe = true;
    return 0;
}

static int start_download(struct source_stream *stream, struct err *err) {
    struct source *source = stream->source;
    if (open_pipe(stream, err) < 0) {
        return -1;
    }
    const struct registry_blob blob = {.digest = &stream->digest, .size = stream->left, .out_fd = stream->to_write};
    return registry_download_start(source->registry, source->ref, &blob, &stream->download, err);
}

static int start_layer(struct source_stream *stream, const char *key, struct err *err) {
    if (layer_tar_open(stream->source->store, key, &stream->layer, err) < 0 || open_pipe(stream, err) < 0) {
        return -1;
    }
    stream->is_layer = true;
    stream->worker = layer_tar_start(&stream->layer, stream->to_write, COMPRESSION_NONE, err);
    fd_close(&stream->to_write);
    return stream->worker ? 0 : -1;
}

static int start(struct source_stream *stream, struct err *err) {
    const char *layer = source_store_layer(stream->source, &stream->digest);
    return layer ? start_layer(stream, layer, err) : stream->source->kind == SOURCE_REGISTRY ? start_download(stream, err) : 0;
}

struct source_stream *source_stream_open(struct source *source, const struct image_descriptor *descriptor, struct err *err) {
    struct source_blob blob;
    struct digest digest;
    char room[SOURCE_BLOB_PATH_SIZE];
    const char *path;
    if (digest_parse(descriptor->digest, &digest, err) < 0 || source_find_blob(source, descriptor, room, &path, &blob, err) < 0) {
        return NULL;
    }
    struct source_stream *stream = mem_alloc(sizeof(*stream));
    *stream = (struct source_stream){
        .source = source, .digest = digest, .window = blob, .to_read = -1, .to_write = -1, .left = blob.size};
    stream->layer = (struct layer_tar){.layer.fd = -1, .record_fd = -1, .fs_fd = -1};
    stream->url = descriptor->urls_count > 0 ? descriptor->urls[0] : NULL;
    input_init_file(&stream->input, blob.fd, blob.offset, blob.size, DIGEST_NONE);
    if (start(stream, err) < 0) {
        source_stream_close(stream);
        return NULL;
    }
    return stream;
}

void source_stream_close(struct source_stream *stream) {
    if (!stream) {
        return;
    }
    registry_download_end(stream->download);
    repack_worker_destroy(stream->worker);
    layer_tar_finish(&stream->layer);
    fd_close(&stream->to_read);
    fd_close(&stream->to_write);
    input_finish(&stream->input);
    free(stream->room);
    free(stream);
}

void source_stream_give(struct source_stream *stream, struct source_blob *ret_window, int *ret_give_pipe) {
    *ret_window = stream->window;
    *ret_give_pipe = fd_take(&stream->to_read);
}

int source_stream_wait_fd(const struct source_stream *stream, int *ret_timeout_ms) {
    bool runs = stream->to_write >= 0;
    if (stream->worker) {
        *ret_timeout_ms = -1;
        return repack_worker_fd(stream->worker);
    }
    *ret_timeout_ms = runs ? registry_timeout_ms(stream->source->registry) : -1;
    return runs ? registry_fd(stream->source->registry) : -1;
}

static int say_elsewhere(const struct source_stream *stream, struct err *err) {
    return err->kind == ERR_NOT_FOUND && stream->url ? source_say_elsewhere(stream->url, err) : -1;
}

// A download whose reader is gone says only that: the reader knows why.
int source_stream_feed(struct source_stream *stream, struct err *err) {
    if (stream->to_write < 0) {
        return 0;
    }
    if (registry_step(stream->source->registry, err) < 0) {
        return -1;
    }
    if (registry_download_ended(stream->download)) {
        fd_close(&stream->to_write);
        return registry_download_result(stream->download, err) < 0 && err->errnum != EPIPE ? say_elsewhere(stream, err) : 0;
    }
    return 0;
}

// The worker's last word: whether what it wrote is the layer.
static int end_layer(struct source_stream *stream, struct err *err) {
    struct repack_result result;
    int failed = layer_tar_result(&stream->layer, stream->worker, &result, err);
    repack_worker_destroy(stream->worker);
    stream->worker = NULL;
    return failed;
}

int source_stream_feed_rest(struct source_stream *stream, struct err *err) {
    bool ended = stream->to_write < 0 || source_registry_wait(stream->source, stream->download, err) == 0;
    return ended ? 0 : say_elsewhere(stream, err);
}

// Waits for bytes or for news of the download, and takes the news in. Returns whether there may be bytes.
static int wait_for_bytes(struct source_stream *stream, struct err *err) {
    int timeout_ms;
    struct pollfd polls[2] = {{.fd = stream->to_read, .events = POLLIN},
                              {.fd = source_stream_wait_fd(stream, &timeout_ms), .events = POLLIN}};
    if (poll(polls, 2, timeout_ms) < 0 && errno != EINTR) {
        return err_sys(err, "wait for the blob");
    }
    if (stream->worker && polls[1].revents) {
        (void)repack_worker_step(stream->worker); // what it tells must not fill its pipe: then it would wait for us
    }
    return source_stream_feed(stream, err) < 0 ? -1 : polls[0].revents != 0;
}

// The end of what the worker wrote; of fewer bytes it says why.
static int take_layer_end(struct source_stream *stream, struct err *err) {
    return end_layer(stream, err) < 0 ? -1
           : stream->left > 0         ? err_set(err, ERR_CORRUPT, "ends %llu bytes early", (unsigned long long)stream->left)
                                      : 0;
}

// A worker is read to its end: were it waited for with bytes still to come, both would wait for ever.
static int take_bytes(struct source_stream *stream, size_t size, size_t *ret_size, struct err *err) {
    if (size > stream->left) {
        return err_set(err, ERR_CORRUPT, "has more than the %llu bytes that the store says it has",
                       (unsigned long long)stream->window.size);
    }
    stream->left -= size;
    *ret_size = size;
    return 0;
}

int source_stream_next(struct source_stream *stream, const uint8_t **ret_data, size_t *ret_size, struct err *err) {
    if (!stream->is_pipe) {
        return input_next(&stream->input, ret_data, ret_size, err);
    }
    *ret_data = stream->room;
    *ret_size = 0;
    if (stream->left == 0 && !stream->is_layer) {
        return source_stream_feed_rest(stream, err);
    }
    for (;;) {
        int ready = wait_for_bytes(stream, err);
        if (ready < 0) {
            return -1;
        }
        size_t most = stream->is_layer || stream->left > STEP ? STEP : (size_t)stream->left;
        ssize_t got = ready ? read(stream->to_read, stream->room, most) : -1;
        if (ready && got < 0 && errno != EINTR) {
            return err_sys(err, stream->is_layer ? "read what the unpacker writes" : "read what the registry sends");
        }
        if (got > 0) {
            return take_bytes(stream, (size_t)got, ret_size, err);
        }
        if (got == 0) {
            return stream->is_layer ? take_layer_end(stream, err)
                                    : err_set(err, ERR_CORRUPT, "ends %llu bytes early", (unsigned long long)stream->left);
        }
    }
}

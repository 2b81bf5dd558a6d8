// The plain bytes of a compressed blob, from a process that can do nothing but decompress: the unpacker (images/unpack_worker.h),
// which for this has not even a file system, and needs no privilege. What it hands out is a stranger's: hold it against a digest.
#ifndef COFFER_IMAGES_PLAIN_WORKER_H
#define COFFER_IMAGES_PLAIN_WORKER_H

#include "images/inflate.h"
#include "images/pieces.h"
#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stdint.h>

struct err;
struct plain_worker;
struct source_stream;

struct plain_request {
    int input_fd; // a window of a file, or a pipe; open until the worker is destroyed
    uint64_t offset, length;
    bool is_pipe;                 // that somebody else fills
    struct source_stream *feed;   // what fills the pipe meanwhile; NULL: it is a file, or somebody else's pipe
    enum compression compression; // as the media type says; COMPRESSION_ANY: whatever it is

    // Told now and then of the compressed bytes that have been read; NULL: not at all.
    void (*progress)(void *context, uint64_t done);
    void *progress_context;
};

// Threads must not run while it starts. NULL with err.
struct plain_worker *plain_worker_create(const struct plain_request *request, struct err *err) MUST_CHECK;
void plain_worker_destroy(struct plain_worker *worker); // kills it if it is still at it; NULL is fine

// The plain bytes; they end when the whole input has proved sound.
struct pieces plain_worker_pieces(struct plain_worker *worker);

#endif

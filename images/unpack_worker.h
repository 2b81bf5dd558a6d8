// unpack_layer() in a process of its own that can do nothing else; several side by side unpack an image's layers.
//
// Theory of operation. A layer's bytes go through a decompressor and a tar reader before any digest can vouch for them. So the
// process that reads them is started for this one layer, from a program of its own in a sealed memfd (images/unpacker), and has
// nothing that is worth taking over: three descriptors for the work and a pipe home, the layer's directory as its root (chroot),
// the capabilities to own, mark and make files but none over the
// system, no_new_privs, and a system call filter of some thirty calls on files, beyond which the kernel kills it. It dies with its
// parent. What it says comes home over the pipe, is bounded and decoded by tables, and its lists of paths are believed to be no
// more than paths below the layer. A process that is killed is an error like any other.
//
// Threads must not run while a worker is started. The caller keeps input and directory open until the worker has ended.
#ifndef COFFER_IMAGES_UNPACK_WORKER_H
#define COFFER_IMAGES_UNPACK_WORKER_H

#include "images/unpack.h"

struct unpack_worker;

struct unpack_request {
    int input_fd;
    bool is_pipe;                    // read as it comes; otherwise a window of a file, which several workers may share
    uint64_t offset;                 // of the window
    uint64_t length;                 // INPUT_TO_END: to the end of the file or pipe
    enum digest_algorithm algorithm; // for the compressed bytes; DIGEST_NONE where they are verified elsewhere
    int dir_fd;                      // fresh directory, opened for reading
    bool has_record;                 // of the layer's tar (images/tar_record.h), to be written to record_fd, an empty file
    int record_fd;
    struct unpack_options options; // its progress callback is not used
};

// Starts. Needs CAP_SYS_CHROOT, at least in the user namespace of the caller. NULL with err.
struct unpack_worker *unpack_worker_create(const struct unpack_request *request, struct err *err) MUST_CHECK;

// Becomes readable when there is progress, and at the end: for poll(2).
int unpack_worker_fd(const struct unpack_worker *worker);

// Takes in what the worker has said, without waiting. True once it has ended.
bool unpack_worker_step(struct unpack_worker *worker);

// Bytes done as last heard: compressed ones read, plain ones unpacked.
void unpack_worker_progress(const struct unpack_worker *worker, uint64_t *ret_in_bytes, uint64_t *ret_out_bytes);

// Waits for the end and gives the result, which is the caller's. Once only.
int unpack_worker_result(struct unpack_worker *worker, struct unpack_result *ret_result, struct err *err) MUST_CHECK;

// Kills a worker that is still at it, and waits for it. NULL is fine.
void unpack_worker_destroy(struct unpack_worker *worker);

#endif

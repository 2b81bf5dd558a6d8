// repack_layer() in a process of its own, confined as the one that unpacks (images/unpack_worker.h).
//
// Threads must not run while a worker is started. The caller keeps the descriptors open until the worker has ended.
#ifndef COFFER_IMAGES_REPACK_WORKER_H
#define COFFER_IMAGES_REPACK_WORKER_H

#include "images/repack.h"

struct repack_worker;

struct repack_request {
    int record_fd; // a file, read from its start
    int dir_fd;    // the layer's directory, opened for reading
    int output_fd; // a file or pipe; -1: only the digests count
    enum compression compression;
};

// Starts. Needs CAP_SYS_CHROOT, at least in the user namespace of the caller. NULL with err.
struct repack_worker *repack_worker_create(const struct repack_request *request, struct err *err) MUST_CHECK;

// Becomes readable when there is progress, and at the end: for poll(2).
int repack_worker_fd(const struct repack_worker *worker);

// Takes in what the worker has said, without waiting. True once it has ended.
bool repack_worker_step(struct repack_worker *worker);

// Bytes of the tar done, as last heard.
uint64_t repack_worker_progress(const struct repack_worker *worker);

// Waits for the end. Once only.
int repack_worker_result(struct repack_worker *worker, struct repack_result *ret, struct err *err) MUST_CHECK;

// Kills a worker that is still at it, and waits for it. NULL is fine.
void repack_worker_destroy(struct repack_worker *worker);
void repack_worker_cleanup(struct repack_worker **worker);
#define AUTO_REPACK_WORKER AUTO(repack_worker_cleanup)

#endif

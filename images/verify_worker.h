// verify_layer() in a process of its own, confined as the one that unpacks (images/unpack_worker.h).
//
// Threads must not run while a worker is started. The caller keeps the descriptors open until the worker has ended.
#ifndef COFFER_IMAGES_VERIFY_WORKER_H
#define COFFER_IMAGES_VERIFY_WORKER_H

#include "images/verify.h"

struct verify_worker;

struct verify_request {
    int record_fd; // a file, read from its start
    int dir_fd;    // the layer's directory, opened for reading
    bool single_id, no_devices;
};

// Starts. Needs CAP_SYS_CHROOT, at least in the user namespace of the caller. NULL with err.
struct verify_worker *verify_worker_create(const struct verify_request *request, struct err *err) MUST_CHECK;

// Becomes readable when there is progress, and at the end: for poll(2).
int verify_worker_fd(const struct verify_worker *worker);

// Takes in what the worker has said, without waiting. True once it has ended.
bool verify_worker_step(struct verify_worker *worker);

// Bytes of the tar done, as last heard.
uint64_t verify_worker_progress(const struct verify_worker *worker);

// Waits for the end and gives the result, which is the caller's. Once only.
int verify_worker_result(struct verify_worker *worker, struct verify_result *ret, struct err *err) MUST_CHECK;

// Kills a worker that is still at it, and waits for it. NULL is fine.
void verify_worker_destroy(struct verify_worker *worker);

#endif

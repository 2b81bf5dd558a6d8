// The unpacker as a process (images/unpack_worker.h says why, and how it is confined): starting it for one job, hearing it out, and
// its end. Private to the room; unpack_worker.h, repack_worker.h, verify_worker.h, plain_worker.h and tree_pack_worker.h are its
// jobs.
#ifndef COFFER_IMAGES_LAYER_WORKER_H
#define COFFER_IMAGES_LAYER_WORKER_H

#include "images/unpack_message.h"
#include "runtime/base/attr.h"
#include "runtime/base/buf.h"

#include <stdbool.h>

struct err;

struct layer_worker {
    int pidfd; // -1: it has been waited for, or never was
    int pipe;  // to read
    bool ended;
    struct buf heard; // a message not yet whole
    struct progress progress;
    bool has_last; // the message that ends it: a result or an error
    struct message last;
    char *last_body;
};

// What it is given, all borrowed until it has ended.
struct layer_worker_ends {
    int input_fd;
    int dir_fd;    // of JOB_PLAIN: any
    int output_fd; // -1: none
};

// How many work side by side: as many as there are processors, or as was wished (0: nothing was), bounded.
enum { LAYER_WORKERS_MAX = 32 };
unsigned layer_workers_for(unsigned wished);

// Fills in the order's parent and has_output. Threads must not run.
int layer_worker_start(struct layer_worker *worker, const struct layer_worker_ends *ends, struct unpack_order *order,
                       struct err *err) MUST_CHECK;

// Takes in what it has said, without waiting. True once it has ended.
bool layer_worker_step(struct layer_worker *worker);

// Waits for the end. The result's body is worker->last_body, of worker->last.size bytes, to be decoded; an error is the worker's
// own.
int layer_worker_wait(struct layer_worker *worker, struct err *err) MUST_CHECK;

// Kills one that is still at it, and waits for it.
void layer_worker_finish(struct layer_worker *worker);

#endif

// tree_pack() in a process of its own, confined as the one that unpacks (images/unpack_worker.h).
#ifndef COFFER_IMAGES_TREE_PACK_WORKER_H
#define COFFER_IMAGES_TREE_PACK_WORKER_H

#include "images/tree_pack.h"

#include <stdbool.h>

struct tree_pack_request {
    int dir_fd; // the tree, opened for reading
    enum tree_signs signs;
    int output_fd;      // a file or pipe; -1: only the diff id counts
    bool writes_record; // to output_fd, in place of the tar
};

// Starts it and waits for its end. Threads must not run. Needs CAP_SYS_CHROOT, at least in the user namespace of the caller.
int tree_pack_in_worker(const struct tree_pack_request *request, struct tree_pack_result *ret, struct err *err) MUST_CHECK;

#endif

// commit: a container's writable layer as the topmost one of a new image; export: all its files as one tar.
#ifndef COFFER_ENGINE_COMMIT_H
#define COFFER_ENGINE_COMMIT_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stdint.h>

struct arena;
struct engine;
struct err;
struct image_ref;
struct strv;

struct commit_request {
    const char *container;
    const struct image_ref *name; // NULL: none
    const char *author, *message; // NULL: none
    const struct strv *changes;   // instructions (images/change.h)
    bool pause;                   // one that runs is held meanwhile
};

// What was mounted is not in the image, nor are places that were made to mount on. *ret_id: "sha256:...", in the arena; *ret_left_out: sockets.
int engine_commit(const struct engine *engine, const struct commit_request *request, struct arena *arena, const char **ret_id,
                  uint64_t *ret_left_out, struct err *err) MUST_CHECK;

// Writes to output_fd a tar of its root file system, without what is mounted there, as docker does. The container may run.
int engine_export(const struct engine *engine, const char *name, int output_fd, uint64_t *ret_left_out, struct err *err) MUST_CHECK;

#endif

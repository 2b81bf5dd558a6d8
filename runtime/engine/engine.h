// engine: containers of images. What the CLI, and later compose, call.
#ifndef COFFER_ENGINE_ENGINE_H
#define COFFER_ENGINE_ENGINE_H

#include "runtime/base/attr.h"

#include <stdbool.h>

struct err;
struct run_request;

struct engine {
    const char *store;    // absolute paths
    const char *root;     // run-time state of the engine itself
    const char *oci_root; // of the low level
};

// Runs a container in the foreground and returns when it has ended. *ret_status: its exit code, or 128 + signal.
int engine_run(const struct engine *engine, const struct run_request *request, int *ret_status, struct err *err) MUST_CHECK;

// Removes a container by name or id; with force one that runs is killed first.
int engine_remove(const struct engine *engine, const char *name, bool force, struct err *err) MUST_CHECK;

#endif

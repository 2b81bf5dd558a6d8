// The engine as a command's context has it.
#ifndef COFFER_CLI_COMMANDS_ENGINE_H
#define COFFER_CLI_COMMANDS_ENGINE_H

#include "cli/context.h"
#include "runtime/base/log.h"
#include "runtime/engine/engine.h"

static inline struct engine engine_of(const struct context *context) {
    return (struct engine){
        .store = context->store_dir, .root = context->root_dir, .oci_root = context->oci_dir, .user_bus = context->user_bus};
}

// Its exit code. Why the kernel has killed it is said in one line.
static inline int engine_end_status(const struct engine_end *end) {
    if (end->why[0]) {
        log_warn("container %.12s: %s", end->id, end->why);
    }
    return end->status;
}

#endif

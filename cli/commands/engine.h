// The engine as a command's context has it.
#ifndef COFFER_CLI_COMMANDS_ENGINE_H
#define COFFER_CLI_COMMANDS_ENGINE_H

#include "cli/context.h"
#include "runtime/engine/engine.h"

static inline struct engine engine_of(const struct context *context) {
    return (struct engine){.store = context->store_dir, .root = context->root_dir, .oci_root = context->oci_dir};
}

#endif

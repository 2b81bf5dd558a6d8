// Removing containers that have ended: `container prune`, and the first part of `system prune`.
#ifndef COFFER_CLI_COMMANDS_CONTAINER_PRUNE_H
#define COFFER_CLI_COMMANDS_CONTAINER_PRUNE_H

#include "runtime/base/attr.h"

#include <stdint.h>

struct buf;
struct context;
struct err;
struct strv;

// Says what it removed in buf, a line each, and adds what their files took to *bytes. filters: those of container_filter.h for
// prune.
int containers_prune(struct context *context, const struct strv *filters, struct buf *buf, uint64_t *bytes,
                     struct err *err) MUST_CHECK;

#endif

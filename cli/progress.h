// How far a load is: on a terminal a line a layer and one for all together, drawn over again in place; elsewhere a line for each layer
// that is done, so that a log shows that something happens.
#ifndef COFFER_CLI_PROGRESS_H
#define COFFER_CLI_PROGRESS_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct load_layer;

struct progress {
    int fd; // borrowed
    bool in_use;
    bool terminal;
    int lines;         // drawn, to be drawn over
    int64_t drawn_ms;  // when
    int64_t start_ms;
    uint8_t *told; // elsewhere: which layers have had their line
    size_t told_count;
};

void progress_init(struct progress *progress, int fd);

// A load_options.progress: context is the struct progress.
void progress_update(void *context, const struct load_layer *layers, size_t count);

// Leaves the cursor below what was drawn. Zeroed is fine.
void progress_finish(struct progress *progress);
#define AUTO_PROGRESS AUTO(progress_finish)

#endif

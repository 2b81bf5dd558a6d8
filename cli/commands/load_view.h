// What is shown of a load on its way: lines for people on standard error, or events for programs on standard output.
//
// An event is a JSON object on a line of its own: {"event":"layer","layer":"sha256:...","state":"waiting|running|done|present",
// "done":BYTES,"size":BYTES,"resumed":BYTES}, of compressed bytes, at every change of state and meanwhile twice a second; resumed:
// of them, those that are there from a pull that was broken off. At the end, of each image,
// {"event":"image","id":"sha256:...","names":[...]}.
#ifndef COFFER_CLI_COMMANDS_LOAD_VIEW_H
#define COFFER_CLI_COMMANDS_LOAD_VIEW_H

#include "images/load.h"
#include "runtime/base/attr.h"

#include <stdbool.h>

struct arena;
struct progress;

struct load_view {
    struct progress *progress; // of people
    bool begun;
    unsigned first, total; // lines
    bool *done;
    enum load_state *states; // told last, of programs
    int64_t told_ms;
};

enum load_view_kind { LOAD_VIEW_LINES, LOAD_VIEW_EVENTS };

// Sets the options' callback; the view must outlive the load.
void load_view_init(struct load_view *view, enum load_view_kind kind, struct load_options *options);
void load_view_finish(struct load_view *view); // a zeroed one is fine
#define AUTO_LOAD_VIEW AUTO(load_view_finish)

// The event at the end.
void load_view_image(const struct load_image *image, struct arena *arena);

#endif

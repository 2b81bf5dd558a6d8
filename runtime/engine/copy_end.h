// One end of a copy. Private to the engine.
#ifndef COFFER_ENGINE_COPY_END_H
#define COFFER_ENGINE_COPY_END_H

#include "runtime/base/arena.h"
#include "runtime/base/attr.h"
#include "runtime/engine/aside.h"
#include "runtime/engine/copy.h"
#include "runtime/engine/files.h"

#include <stdbool.h>
#include <stdint.h>

enum copy_kind { COPY_HOST, COPY_CONTAINER, COPY_STREAM };

struct copy_end {
    enum copy_kind kind;
    const char *container;
    const char *path; // absolute, without "." and "..", nor a slash at its end
    const char *base; // its last component; "" for the root
    bool contents;    // it ended in "/.": what is in it, not itself
    bool directory;   // it ended in "/" or "/."
    struct files files; // of a container
};

#define COPY_END_NONE                                                                                                              \
    { .files = FILES_NONE }

struct copy_task {
    const struct copy_request *request;
    const struct copy_end *from, *to;
    int input, output; // of the pipe
};

int copy_end_parse(struct arena *arena, const char *text, const char *cwd, struct copy_end *ret, struct err *err) MUST_CHECK;
int copy_end_open(struct copy_end *end, const struct engine *engine, struct err *err) MUST_CHECK;
void copy_end_finish(struct copy_end *end);

// The work of a process at one end, which does nothing behind it.
int copy_end_send(void *task, struct aside_report *report) MUST_CHECK; // struct copy_task
int copy_end_take(void *task, struct aside_report *report) MUST_CHECK;

#endif

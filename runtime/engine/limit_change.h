// limit_change: limits and the restart policy of a container that is there, changed, be it that it runs or not: `update`. Who runs
// it has its wish; where nobody does, the command changes the record itself.
//
// Between the two go, as bytes of CONTROL_UPDATE, the changes as a run_request (request_json.h) that has them and nothing else.
#ifndef COFFER_ENGINE_LIMIT_CHANGE_H
#define COFFER_ENGINE_LIMIT_CHANGE_H

#include "runtime/base/attr.h"

#include <stdbool.h>

struct arena;
struct err;
struct home;
struct record;
struct run_request;

// Makes the changes: in the kernel where it runs, then in the wish, and in the record's text of it. *ret is the new wish, in the
// arena, as is the text. What the kernel refuses changes nothing.
struct limit_change {
    const struct home *home;
    struct record *record;
    const struct run_request *request; // as it was
    const char *text;                  // of the changes
    bool runs;
};
int limit_change(const struct limit_change *change, struct arena *arena, const struct run_request **ret,
                 struct err *err) MUST_CHECK;

#endif

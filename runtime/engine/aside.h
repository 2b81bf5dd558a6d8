// aside: a process of ours that does one piece of work with files of containers, in namespaces and behind walls that the caller
// does not enter himself, and ends. Its last words come home in memory that both have. Private to the engine.
//
// Owned by the caller: start, wait, finish. It dies with the caller, unless it becomes another user: then it says so again.
#ifndef COFFER_ENGINE_ASIDE_H
#define COFFER_ENGINE_ASIDE_H

#include "runtime/base/attr.h"
#include "runtime/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct home;

struct aside_report {
    struct err err;
    uint64_t left_out; // sockets and devices
    char answer[128];  // what the work was for, where that is a short text
};

struct aside {
    pid_t pid;                   // 0: it was never started, or has been waited for
    struct aside_report *report; // shared; NULL before the start
};

struct aside_request {
    int (*work)(void *context, struct aside_report *report); // the rest of the process: 0, or -1 with report->err
    void *context;
    bool keeps_output; // its standard output is ours; the others, and this one else, are /dev/null
    int close_fd;      // of ours, which it must not hold, such as the other end of its pipe; -1: none
};

// Signals of broken pipes are ignored there.
int aside_start(struct aside *aside, const struct aside_request *request, struct err *err) MUST_CHECK;

// 0 or -1; what it said is in aside->report.
int aside_wait(struct aside *aside) MUST_CHECK;

// Kills one that is still at it.
void aside_finish(struct aside *aside);
#define AUTO_ASIDE AUTO(aside_finish)

// Opens something in a process aside that has our descriptors, so that what it opens there is ours; after its end. What else it
// does is its own affair. Returns the descriptor.
int aside_open(int (*open)(void *context, struct err *err), void *context, struct err *err) MUST_CHECK;

// In there: becomes root of an ordinary user's namespace, to whom files of his containers belong. As root it does nothing.
int aside_enter_own(const struct home *home, struct err *err) MUST_CHECK;

// Asks again for its death with the caller's, which a change of user takes back.
void aside_stay_bound(void);

#endif

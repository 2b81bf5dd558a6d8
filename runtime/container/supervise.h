// supervise: a container for a process that looks after it (the engine's monitor): its child, but not bound to its life.
//
// Should the supervisor be killed, the container goes on, and whoever comes by finds it by its id as one that `create` and `start`
// made.
#ifndef COFFER_CONTAINER_SUPERVISE_H
#define COFFER_CONTAINER_SUPERVISE_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct container_options;
struct err;
struct supervised;

// Makes the container and lets its command run. give_stdio is taken. Kinds of errors as container_run() has them; nothing is left then.
int container_supervise(const struct container_options *options, struct supervised **ret, struct err *err) MUST_CHECK;

// One that runs, made by a supervisor that is gone, perhaps. ERR_STATE when it does not run. Its console is lost.
int container_adopt(const char *root, const char *id, struct supervised **ret, struct err *err) MUST_CHECK;

pid_t supervised_pid(const struct supervised *supervised);
int supervised_pidfd(const struct supervised *supervised);   // borrowed; readable when it has ended
int supervised_console(const struct supervised *supervised); // the pty's master, borrowed; -1 without a terminal

// How it ended.
struct supervised_end {
    int status;         // exit code, or 128 + signal
    bool is_unknown;    // an adopted one's, where the kernel tells it to nobody but the parent (process_end.h)
    int signal;         // 0: it has exited
    bool out_of_memory; // the kernel has killed something in it for want of memory
    int64_t memory_limit_bytes; // then: the container's own that was reached; 0: it was none
    int system_call;            // that its filter has killed it for; -1: none, or nobody knows
    char system_call_name[32];  // "" where it is not known
};

// Waits for the end, reaps it, and removes all that the container was made of.
int supervised_collect(struct supervised *supervised, struct supervised_end *ret, struct err *err) MUST_CHECK;

void supervised_destroy(struct supervised *supervised); // leaves the container alone; NULL is fine

#endif

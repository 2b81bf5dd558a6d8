// What processes use, as proc(5) counts it for each of them: for groups of processes that no control group counts.
#ifndef COFFER_KERNEL_PROCESS_USAGE_H
#define COFFER_KERNEL_PROCESS_USAGE_H

#include "runtime/base/attr.h"

#include <stdint.h>
#include <sys/types.h>

struct process_usage {
    uint64_t cpu_us;       // with what its children have used that were waited for
    uint64_t memory_bytes; // its own: anonymous, and shared memory
    uint64_t threads;
    uint64_t read_bytes, written_bytes; // of storage; 0 where the kernel does not tell us
};

// Adds those of one process. One that is gone adds nothing.
void process_usage_add(pid_t pid, struct process_usage *sum);

// What the interfaces of the process's network namespace have received and sent, but for loopback. -1 when that cannot be told.
int process_network_bytes(pid_t pid, uint64_t *ret_received, uint64_t *ret_sent) MUST_CHECK;

#endif

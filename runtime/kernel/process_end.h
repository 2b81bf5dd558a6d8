// How a process ends that is no child of ours: who adopts a container wants to know, and only its parent is told by wait(2).
//
// Since Linux 6.15 the kernel keeps the status for whoever has a pidfd (pidfd_open(2), PIDFD_GET_INFO). Before, the connector of process
// events tells it (Documentation/driver-api/connector.rst, <linux/cn_proc.h>), to root in the first network and pid namespaces; a filter
// lets no other event through. Elsewhere nobody tells it. Until its parent has
// reaped it, its line in /proc has it, too, where it is not 0.
#ifndef COFFER_KERNEL_PROCESS_END_H
#define COFFER_KERNEL_PROCESS_END_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <sys/types.h>

struct process_end {
    pid_t pid;
    int events_fd; // -1: not needed, or not to be had
};

// While it runs.
void process_end_watch(struct process_end *end, pid_t pid, int pidfd);
void process_end_finish(struct process_end *end);

// Its status as wait(2) has it, once it has ended: waits, where it must, until its parent has reaped it, for a bounded
// time. False where nobody tells.
bool process_end_status(const struct process_end *end, int pidfd, int *ret_status) MUST_CHECK;

#endif

// Making processes: clone3(2) with namespaces and a cgroup, and helper programs.
#ifndef COFFER_KERNEL_PROCESS_H
#define COFFER_KERNEL_PROCESS_H

#include "runtime/base/attr.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

// fork(2) into new namespaces (CLONE_NEW* flags) and, when cgroup_fd >= 0, straight into that cgroup v2 directory (Linux 5.7).
// The child has no threads and no atfork handlers run: for programs with one thread. Returns the pid, 0 in the child, -1 with errno.
// *ret_pidfd, where wanted, is a close-on-exec descriptor of the child.
pid_t process_clone(uint64_t namespaces, int cgroup_fd, int *ret_pidfd) MUST_CHECK;

// The same without a copy of our memory, as vfork(2): the child runs `body` on a stack of its own in our memory while we are held
// until it executes another program or ends. It must do no more than a vfork'ed child may, and not return. Spares the copying of page
// tables and the page faults behind it, a tenth of a millisecond. Where there is no such way, it is process_clone().
pid_t process_clone_to_exec(uint64_t namespaces, int cgroup_fd, void (*body)(void *), void *argument, int *ret_pidfd) MUST_CHECK;

// Gives back the memory that this has used, for a process that is going to be there for long.
void process_trim(void);

// Waits for the end of a child, which is reaped; what it was like is in *ret_end (waitid(2)). One that is no child any more leaves it zeroed.
void process_reap(int pidfd, siginfo_t *ret_end);

// Starts a program of the host by its absolute path, with an empty environment, /dev/null as input and its output and errors as one
// pipe, whose end to read is *ret_output. The caller waits for it.
pid_t process_spawn(char *const argv[], int *ret_output, struct err *err) MUST_CHECK;

// The signals that this process ignores, bit n-1 for signal n (proc_pid_status(5), SigIgn): one file read in place of 64 questions.
// All of them where that cannot be told.
uint64_t process_ignored_signals(void);

enum { PROCESS_NAME_SIZE = 16 };

// The name a process has (proc_pid_comm(5)), a zombie too. -1 when there is none of that number.
int process_name(pid_t pid, char ret_name[PROCESS_NAME_SIZE]) MUST_CHECK;

// The start time of a process in clock ticks since boot (field 22 of /proc/PID/stat, proc_pid_stat(5)): with the boot id it tells a
// process from a later one of the same number. 0 when there is no such process, or it is a zombie (errno is
// ESRCH), and when it cannot be asked for.
uint64_t process_start_time(pid_t pid);

// The same, and whether it runs no program any more but has not ended yet: the first process of a pid namespace waits there until somebody
// has waited for each of the others.
uint64_t process_look(pid_t pid, bool *ret_ending);

// The status of a process that has ended and that nobody has waited for yet, as wait(2) has it (field 52 of /proc/PID/stat). False when it
// is none of these, or the status is 0: the kernel says 0 as well to whom it does not want to tell.
bool process_zombie_status(pid_t pid, int *ret_status) MUST_CHECK;

#endif

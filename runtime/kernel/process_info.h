// What proc(5) tells of one process: the part of it that lists of processes show.
#ifndef COFFER_KERNEL_PROCESS_INFO_H
#define COFFER_KERNEL_PROCESS_INFO_H

#include "runtime/base/attr.h"

#include <stdint.h>
#include <sys/types.h>

struct buf;

struct process_info {
    pid_t pid;
    pid_t parent;
    pid_t inner;         // its number in its own pid namespace
    pid_t group, session;
    uid_t uid;           // effective
    gid_t gid;           // effective
    char state;          // R, S, D, Z, T, ...
    int nice;
    unsigned threads;
    uint64_t virtual_bytes, resident_bytes;
    char name[16];
    int terminal;        // device number of its controlling terminal, 0 for none
    uint64_t start_ms;   // after boot
    uint64_t cpu_ms;     // user and system time
};

// 0; 1 when there is no such process any more. The command line, or "[name]" of a process without one, is appended to the buf, as the
// process wrote it: control characters too.
int process_info_read(pid_t pid, struct process_info *ret, struct buf *command) MUST_CHECK;

#endif

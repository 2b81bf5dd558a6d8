// Names of system calls and the numbers they have, for each architecture that the filter knows. As of Linux 6.18.
#ifndef COFFER_KERNEL_SYSCALLS_H
#define COFFER_KERNEL_SYSCALLS_H

#include <stdint.h>

enum syscall_architecture {
    SYSCALL_X86_64,
    SYSCALL_I386,
    SYSCALL_X32, // without its bit, 0x40000000
    SYSCALL_AARCH64,
    SYSCALL_ARM,
    SYSCALL_RISCV64,
    SYSCALL_PPC64LE,
    SYSCALL_S390X,
    SYSCALL_S390,
    SYSCALL_ARCHITECTURE_COUNT
};

// On i386, ppc64le and s390 calls of sockets and of System V's IPC are also parts of two others, told by the first argument.
enum { SYSCALL_SOCKETCALL = 102, SYSCALL_IPC = 117, SYSCALL_IPC_PARTS = 100 };

// Without pointers: what the loader need not adjust stays the file's, where each process that lives on would have a copy of its own.
struct syscall_row {
    char name[32];
    int32_t numbers[SYSCALL_ARCHITECTURE_COUNT]; // -1: there is none
    uint8_t part; // the first argument of socketcall(2) that means it, or SYSCALL_IPC_PARTS and that of ipc(2); 0: it is no part
};

// The table is looked through by first letters: an index for whoever has many names to look up.
struct syscall_index {
    uint16_t starts[258]; // of each byte, the first row whose name begins with it or a higher one
};

void syscall_index_fill(struct syscall_index *index);

// NULL for a name that no architecture has.
const struct syscall_row *syscall_find(const struct syscall_index *index, const char *name);

// All rows, for tests; ends with an empty name.
extern const struct syscall_row syscall_rows[];

#endif

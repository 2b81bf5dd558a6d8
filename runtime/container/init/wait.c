#include "runtime/container/init/wait.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

// Bounds of the linker: the program's headers and code begin there, and end before what its relocations have written to.
extern const char __ehdr_start[];
extern void (*const __init_array_start[])(void);

enum { PAGE = 4096, WAIT_CODE_BYTES = 256, STACK_KEPT_BYTES = 1024, STACK_LOOKED_AT_BYTES = 64 * 1024 };

// Without the C library, whose code lies elsewhere: a second page, which brings its neighbours.
static inline long bare_call(long number, long a, long b, long c, long d) {
#ifdef __x86_64__
    long result;
    register long fourth __asm__("r10") = d;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth) : "rcx", "r11", "memory");
    return result;
#else
    long result = syscall(number, a, b, c, d);
    return result < 0 ? -errno : result;
#endif
}

static uintptr_t page_of(uintptr_t address) {
    return address & ~(uintptr_t)(PAGE - 1);
}

__attribute__((noinline)) static int unmap_and_wait(int listener, uintptr_t begin, uintptr_t end) {
    bare_call(SYS_madvise, (long)begin, (long)(end - begin), MADV_DONTNEED, 0);
    long peer;
    do {
        peer = bare_call(SYS_accept4, listener, 0, 0, SOCK_CLOEXEC);
    } while (peer == -EINTR || peer == -ECONNABORTED);
    return (int)peer;
}

int wait_small(int listener) {
    uintptr_t begin = (uintptr_t)__ehdr_start, end = page_of((uintptr_t)__init_array_start), here = (uintptr_t)unmap_and_wait;
    // The kernel maps what lies around a page that is touched, within the area of the same advice: this one is made its own.
    uintptr_t first = page_of(here), last = page_of(here + WAIT_CODE_BYTES);
    madvise((void *)first, last + PAGE - first, MADV_RANDOM);
    uintptr_t stack = page_of((uintptr_t)__builtin_frame_address(0) - STACK_KEPT_BYTES);
    madvise((void *)(stack - STACK_LOOKED_AT_BYTES), STACK_LOOKED_AT_BYTES, MADV_DONTNEED); // nothing there: no harm
    int peer = unmap_and_wait(listener, begin, end > begin ? end : begin);
    if (peer < 0) {
        errno = -peer;
        return -1;
    }
    return peer;
}

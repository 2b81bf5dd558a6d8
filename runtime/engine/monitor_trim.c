// The monitor's memory: what a start has used, and living does not, goes back to the kernel. There is a monitor for each container.
#include "runtime/base/arena.h"
#include "runtime/base/clock.h"
#include "runtime/engine/monitor_state.h"
#include "runtime/kernel/process.h"
#include "specs/json.h"

#include <link.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    FIRST_MS = 100, // one that is soon over is not worth it
    AGAIN_MS = 1000,
    DEEP_BYTES = 512 << 10, // below us, of the stack
    NEAR_BYTES = 4096,
};

// The program's own pages, which are in the page cache: what is needed again is there at once.
static void trim_program(uintptr_t page) {
    extern const char __ehdr_start[];
    const ElfW(Ehdr) *head = (const ElfW(Ehdr) *)(const void *)__ehdr_start;
    const ElfW(Phdr) *part = (const ElfW(Phdr) *)(const void *)(__ehdr_start + head->e_phoff);
    for (unsigned i = 0; i < head->e_phnum; i++, part++) {
        if (part->p_type == PT_LOAD && !(part->p_flags & PF_W)) {
            uintptr_t start = ((uintptr_t)__ehdr_start + part->p_vaddr) & ~(page - 1);
            uintptr_t end = ((uintptr_t)__ehdr_start + part->p_vaddr + part->p_memsz + page - 1) & ~(page - 1);
            (void)madvise((void *)start, end - start, MADV_DONTNEED);
        }
    }
}

static void trim_stack(uintptr_t page) {
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    uintptr_t top = (here - NEAR_BYTES) & ~(page - 1);
    (void)madvise((void *)(top - DEEP_BYTES), DEEP_BYTES, MADV_DONTNEED); // (also where the stack has not been yet: ENOMEM)
}

void monitor_trim_later(struct monitor *monitor, bool has_started) {
    if (has_started) {
        monitor->trim_at_ms = clock_now_ms() + FIRST_MS;
    } else if (monitor->trim_at_ms == 0) {
        monitor->trim_at_ms = clock_now_ms() + AGAIN_MS;
    }
}

static void trim_buf(struct buf *buf) {
    if (buf->size == 0) {
        buf_finish(buf);
    }
}

void monitor_trim_when_due(struct monitor *monitor) {
    if (monitor->trim_at_ms == 0 || clock_now_ms() < monitor->trim_at_ms) {
        return;
    }
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    monitor->trim_at_ms = 0;
    log_file_trim(monitor->log);
    trim_buf(&monitor->input);
    for (size_t i = 0; i < monitor->client_count; i++) {
        trim_buf(&monitor->clients[i].kept);
    }
    arena_trim();
    json_trim();
    process_trim();
    trim_program(page);
    trim_stack(page);
}

#include "runtime/base/arena.h"

#include "runtime/base/mem.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 8192, STATIC_BLOCKS = 16 };

struct arena_block {
    struct arena_block *next;
    size_t room;
    size_t used; // known once a newer one has taken its place
    alignas(max_align_t) char data[];
};
enum { BLOCK_ROOM = BLOCK_BYTES - sizeof(struct arena_block) };

// The first blocks lie in the program itself. A start needs about that many, and the C library's allocator would make a system call
// for each, twice: it keeps nothing that is free. One bit a block, taken with atomic operations, as arenas may be other threads'.
static struct {
    uint32_t taken;
    alignas(BLOCK_BYTES) char blocks[STATIC_BLOCKS][BLOCK_BYTES];
} fixed;

static struct arena_block *take_fixed(void) {
    uint32_t taken = __atomic_load_n(&fixed.taken, __ATOMIC_RELAXED);
    for (;;) {
        unsigned at = (unsigned)__builtin_ctz(~taken);
        if (at >= STATIC_BLOCKS) {
            return NULL;
        }
        if (__atomic_compare_exchange_n(&fixed.taken, &taken, taken | 1u << at, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
            return (struct arena_block *)(void *)fixed.blocks[at];
        }
    }
}

// Memory of an arena is zeroed, so what was used is wiped for the next one; no more than that: a page that nobody touched costs a fault.
static void give_back(struct arena_block *block, size_t used) {
    uintptr_t start = (uintptr_t)fixed.blocks, at = (uintptr_t)block;
    if (at < start || at >= start + sizeof(fixed.blocks)) {
        free(block);
        return;
    }
    memset(block, 0, sizeof(*block) + used);
    __atomic_and_fetch(&fixed.taken, ~(1u << (at - start) / BLOCK_BYTES), __ATOMIC_RELEASE);
}

void arena_finish(struct arena *arena) {
    struct arena_block *block = arena->blocks;
    size_t used = arena->used;
    while (block) {
        struct arena_block *next = block->next;
        give_back(block, used);
        block = next;
        used = next ? next->used : 0;
    }
    *arena = (struct arena){0};
}

void arena_trim(void) {
    for (unsigned i = 0; i < STATIC_BLOCKS; i++) {
        unsigned first = i;
        while (i < STATIC_BLOCKS && (fixed.taken & 1u << i) == 0) {
            i++;
        }
        if (i > first) {
            mem_wipe(fixed.blocks[first], (size_t)(i - first) * BLOCK_BYTES); // as it is to be for the next one
        }
    }
}

static struct arena_block *new_block(size_t room) {
    struct arena_block *block = room == BLOCK_ROOM ? take_fixed() : NULL;
    if (!block) {
        block = mem_alloc(room > SIZE_MAX - sizeof(struct arena_block) ? SIZE_MAX : sizeof(struct arena_block) + room);
    }
    block->room = room;
    return block;
}

void *arena_alloc(struct arena *arena, size_t size) {
    size_t aligned = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    if (aligned < size) {
        aligned = SIZE_MAX; // cannot be had; mem_alloc stops the program
    }
    if (!arena->blocks || arena->blocks->room - arena->used < aligned) {
        struct arena_block *block = new_block(aligned > BLOCK_ROOM ? aligned : BLOCK_ROOM);
        if (arena->blocks) {
            arena->blocks->used = arena->used;
        }
        block->next = arena->blocks;
        arena->blocks = block;
        arena->used = 0;
    }
    void *memory = arena->blocks->data + arena->used;
    arena->used += aligned;
    return memory;
}

void *arena_array(struct arena *arena, size_t count, size_t size) {
    size_t total;
    if (__builtin_mul_overflow(count, size, &total)) {
        total = SIZE_MAX;
    }
    return arena_alloc(arena, total);
}

char *arena_copy(struct arena *arena, const void *data, size_t size) {
    char *copy = arena_alloc(arena, size + 1);
    if (size > 0) {
        memcpy(copy, data, size);
    }
    return copy;
}

char *arena_copy_string(struct arena *arena, const char *text) {
    return arena_copy(arena, text, strlen(text));
}

char *arena_format(struct arena *arena, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    size_t size = length > 0 ? (size_t)length : 0;
    char *text = arena_alloc(arena, size + 1);
    vsnprintf(text, size + 1, format, again);
    va_end(again);
    return text;
}

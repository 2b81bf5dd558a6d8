#include "runtime/base/arena.h"

#include "runtime/base/mem.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 8192 - 64 };

struct arena_block {
    struct arena_block *next;
    size_t room;
    alignas(max_align_t) char data[];
};

void arena_finish(struct arena *arena) {
    struct arena_block *block = arena->blocks;
    while (block) {
        struct arena_block *next = block->next;
        free(block);
        block = next;
    }
    *arena = (struct arena){0};
}

void *arena_alloc(struct arena *arena, size_t size) {
    size_t aligned = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    if (aligned < size) {
        aligned = SIZE_MAX; // cannot be had; mem_alloc stops the program
    }
    if (!arena->blocks || arena->blocks->room - arena->used < aligned) {
        size_t room = aligned > BLOCK_BYTES ? aligned : BLOCK_BYTES;
        struct arena_block *block =
            mem_alloc(room > SIZE_MAX - sizeof(struct arena_block) ? SIZE_MAX : sizeof(struct arena_block) + room);
        block->room = room;
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

// An arena holds all that was made from one document or one request; it is freed as a whole. Zeroed is empty.
// Memory from it is zeroed, aligned for any type, and lives until arena_finish(). Nothing from it is freed singly.
#ifndef COFFER_BASE_ARENA_H
#define COFFER_BASE_ARENA_H

#include "runtime/base/attr.h"

#include <stddef.h>

struct arena_block;

struct arena {
    struct arena_block *blocks;
    size_t used; // bytes of the newest block
};

void arena_finish(struct arena *arena);
#define AUTO_ARENA AUTO(arena_finish)

// Gives what no arena uses back to the kernel: for a process that is going to be there for long. Only while no other thread has arenas.
void arena_trim(void);

void *arena_alloc(struct arena *arena, size_t size) __attribute__((malloc, returns_nonnull, alloc_size(2)));
void *arena_array(struct arena *arena, size_t count, size_t size) __attribute__((malloc, returns_nonnull, alloc_size(2, 3)));
char *arena_copy_string(struct arena *arena, const char *text) __attribute__((malloc, returns_nonnull));
char *arena_copy(struct arena *arena, const void *data, size_t size) __attribute__((malloc, returns_nonnull)); // NUL behind it
char *arena_format(struct arena *arena, const char *format, ...) __attribute__((malloc, returns_nonnull)) PRINTF_LIKE(2, 3);

#endif

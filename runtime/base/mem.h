// Allocation that cannot fail: a small tool that is out of memory has nothing better to do than to say so and stop (exit code 125).
// Sizes that come from outside are bounded by their reader before they get here.
#ifndef COFFER_BASE_MEM_H
#define COFFER_BASE_MEM_H

#include "runtime/base/attr.h"

#include <stddef.h>

void *mem_alloc(size_t size) __attribute__((malloc, returns_nonnull, alloc_size(1)));              // zeroed
void *mem_array(size_t count, size_t size) __attribute__((malloc, returns_nonnull, alloc_size(1, 2))); // zeroed; overflow stops
void *mem_resize(void *memory, size_t count, size_t size) __attribute__((returns_nonnull));         // new part not zeroed
char *mem_copy_string(const char *text) __attribute__((malloc, returns_nonnull));
char *mem_format(const char *format, ...) __attribute__((malloc, returns_nonnull)) PRINTF_LIKE(1, 2);

// Clean-up for `AUTO_FREE char *text`; works for a pointer of any type.
// Gives back to the kernel what of it is whole pages: it reads as zeros then. For arrays of the program's own that begin as zeros.
void mem_wipe(void *memory, size_t size);

void mem_cleanup(void *pointer_to_pointer);
#define AUTO_FREE AUTO(mem_cleanup)

#endif

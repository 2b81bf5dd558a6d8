#include "runtime/base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static _Noreturn void out_of_memory(void) {
    static const char message[] = "coffer: out of memory\n";
    ssize_t written = write(STDERR_FILENO, message, sizeof(message) - 1);
    (void)written;
    _exit(125);
}

void *mem_alloc(size_t size) {
    void *memory = calloc(1, size ? size : 1);
    if (!memory) {
        out_of_memory();
    }
    return memory;
}

void *mem_array(size_t count, size_t size) {
    void *memory = calloc(count ? count : 1, size ? size : 1);
    if (!memory) {
        out_of_memory();
    }
    return memory;
}

void *mem_resize(void *memory, size_t count, size_t size) {
    void *resized = reallocarray(memory, count ? count : 1, size ? size : 1);
    if (!resized) {
        out_of_memory();
    }
    return resized;
}

char *mem_copy_string(const char *text) {
    size_t size = strlen(text) + 1;
    return memcpy(mem_alloc(size), text, size);
}

char *mem_format(const char *format, ...) {
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int length = vasprintf(&text, format, args);
    va_end(args);
    if (length < 0) {
        out_of_memory();
    }
    return text;
}

void mem_wipe(void *memory, size_t size) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t start = ((uintptr_t)memory + page - 1) & ~(page - 1), end = ((uintptr_t)memory + size) & ~(page - 1);
    if (start < end) {
        (void)madvise((void *)start, end - start, MADV_DONTNEED);
    }
}

void mem_cleanup(void *pointer_to_pointer) {
    void *memory;
    memcpy(&memory, pointer_to_pointer, sizeof(memory));
    free(memory);
}

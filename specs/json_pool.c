// Memory for jansson: a pool that only grows while a document is in memory, and is empty again when the last value is gone.
//
// A document is many small pieces that live and die together. The C library's allocator makes system calls for the first and the
// last piece of each size, which were a fifth of all calls of a start. Here a piece costs an addition. What jansson frees before the
// document's end (tables that grew) is lost until then, which at worst doubles what a document takes; its size is bounded before.
//
// jansson's hooks have no context to hand over, hence the static state. Documents are decoded by one thread.
#include "runtime/base/mem.h"
#include "specs/json.h"

#include <jansson.h>
#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

#ifndef __SANITIZE_ADDRESS__ // which is to see each piece

enum { FIRST_BYTES = 64 << 10, BLOCK_BYTES = 256 << 10 };

struct pool_block {
    struct pool_block *next;
    alignas(max_align_t) char data[];
};

static struct {
    size_t live; // pieces
    char *next;
    size_t left;
    struct pool_block *blocks; // beyond the first one
    alignas(max_align_t) char first[FIRST_BYTES];
} pool;

static void reset(void) {
    while (pool.blocks) {
        struct pool_block *block = pool.blocks;
        pool.blocks = block->next;
        free(block);
    }
    pool.next = pool.first;
    pool.left = sizeof(pool.first);
}

static void *take(size_t size) {
    size_t aligned = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    if (aligned < size) {
        return NULL; // jansson's own arithmetic went over; it reports that
    }
    if (!pool.next) {
        reset();
    }
    if (aligned > pool.left) {
        size_t room = aligned > BLOCK_BYTES ? aligned : BLOCK_BYTES;
        struct pool_block *block = room > SIZE_MAX - sizeof(*block) ? NULL : malloc(sizeof(*block) + room);
        if (!block) {
            return NULL;
        }
        block->next = pool.blocks;
        pool.blocks = block;
        pool.next = block->data;
        pool.left = room;
    }
    void *memory = pool.next;
    pool.next += aligned;
    pool.left -= aligned;
    pool.live++;
    return memory;
}

static void drop(void *memory) {
    if (memory && --pool.live == 0) {
        reset();
    }
}

void json_trim(void) {
    if (pool.live == 0) {
        mem_wipe(pool.first, sizeof(pool.first));
    }
}

// Before main: a value that was made with one allocator must not be freed with another.
__attribute__((constructor)) static void use_pool(void) {
    json_set_alloc_funcs(take, drop);
}

#else

void json_trim(void) {
}

#endif

// Mount options, a line each: what a bundle, an image or a user writes.
#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/container/mount_options.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    AUTO_ARENA struct arena arena = {0};
    struct err err = {0};
    char *text = arena_copy(&arena, data, size);
    const char **options = arena_array(&arena, size + 2, sizeof(*options));
    size_t count = 0;
    for (char *at = text; at;) {
        options[count++] = at;
        at = strchr(at, '\n');
        if (at) {
            *at++ = '\0';
        }
    }
    struct mount_options read;
    if (mount_options_read(&arena, options, count, &read, &err) < 0) {
        if (err.kind != ERR_INPUT || !*err.text) {
            abort();
        }
        return 0;
    }
    // An attribute is set or cleared. The ways to update the access time are one field of the kernel's, cleared as a whole.
    const uint64_t atime = 0x70;
    if ((read.set & read.clear & ~atime) || (read.tree_set & read.tree_clear & ~atime) || read.data_count > count) {
        abort();
    }
    size_t sum = 0;
    for (size_t i = 0; i < read.data_count; i++) {
        sum += strlen(read.data[i]);
    }
    __asm__ volatile("" : : "r"(sum));
    return 0;
}

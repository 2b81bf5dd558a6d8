// What a record says that a layer's directory holds. Blocks that look like headers get a sound checksum first, or hardly any input
// would get past it.
#include "images/input.h"
#include "images/verify_expected.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "tests/fuzz/tar_mend.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_clean(const char *path) {
    for (const char *at = path; at; at = strchr(at, '/') ? strchr(at, '/') + 1 : NULL) {
        size_t length = strcspn(at, "/");
        if (length == 0 || (length == 2 && strncmp(at, "..", 2) == 0) || (length == 1 && *at == '.' && strcmp(path, ".") != 0)) {
            return false;
        }
    }
    return true;
}

// Each path once, in order, clean, and found again.
static void check_tree(const struct expected_tree *tree) {
    for (size_t i = 0; i < tree->count; i++) {
        const struct expected *item = &tree->items[i];
        if (!is_clean(item->path) || expected_find(tree, item->path) != item ||
            (i > 0 && strcmp(tree->items[i - 1].path, item->path) >= 0)) {
            abort();
        }
        char *slash = strrchr(item->path, '/') ? mem_copy_string(item->path) : NULL;
        if (slash) {
            *strrchr(slash, '/') = '\0';
            if (!expected_has_below(tree, slash)) {
                abort();
            }
            free(slash);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    AUTO_EXPECTED struct expected_tree tree = {0};
    struct input input;
    struct err err = {0};
    uint8_t *mended = mem_resize(NULL, size + 1, 1);
    memcpy(mended, data, size);
    mend_checksums(mended, size);
    input_init_memory(&input, mended, size, DIGEST_NONE);
    if (expected_read(&input, COMPRESSION_NONE, &tree, &err) == 0) {
        check_tree(&tree);
    }
    input_finish(&input);
    free(mended);
    return 0;
}

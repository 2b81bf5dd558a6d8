// The tar reader on foreign bytes. Blocks that look like headers get a sound checksum first, or hardly any input would get past it.
#include "images/digest.h"
#include "images/inflate.h"
#include "images/input.h"
#include "images/tar.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "tests/fuzz/tar_mend.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t *copy = mem_resize(NULL, size + 1, 1);
    memcpy(copy, data, size);
    mend_checksums(copy, size);
    struct err err;
    struct input input;
    struct inflate inflate;
    struct tar_reader tar;
    struct tar_entry entry;
    // Not compressed, so that the fuzzer sees what its bytes do.
    const struct inflate_options options = {.declared = COMPRESSION_NONE};
    input_init_memory(&input, copy, size, DIGEST_NONE);
    inflate_init(&inflate, &input, &options);
    tar_init(&tar, &inflate);
    while (tar_next(&tar, &entry, &err) > 0) {
        if (entry.type >= TAR_TYPE_COUNT || strlen(entry.name) + strlen(entry.link) > 1 << 22 || entry.mode > 07777) {
            abort();
        }
        for (size_t i = 0; i < entry.xattr_count; i++) {
            if (entry.xattrs[i].name[0] == '\0' || entry.xattrs[i].value[entry.xattrs[i].size] != '\0') {
                abort();
            }
        }
        struct tar_piece piece;
        uint64_t at = 0;
        while (tar_data(&tar, &piece, &err) == 0 && piece.size > 0) {
            if (piece.offset < at || piece.offset + piece.size > entry.size) {
                abort();
            }
            at = piece.offset + piece.size;
        }
    }
    tar_finish(&tar);
    inflate_finish(&inflate);
    input_finish(&input);
    free(copy);
    return 0;
}

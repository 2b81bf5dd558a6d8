// Gives blocks that look like headers of a tar a sound checksum, or hardly any input of a fuzzer would get past it.
#ifndef COFFER_TESTS_FUZZ_TAR_MEND_H
#define COFFER_TESTS_FUZZ_TAR_MEND_H

#include "images/tar_field.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

static inline void mend_checksums(uint8_t *data, size_t size) {
    for (size_t at = 0; at + TAR_BLOCK_SIZE <= size; at += TAR_BLOCK_SIZE) {
        struct tar_header *header = (struct tar_header *)(void *)(data + at);
        if (memcmp(header->magic, "ustar", 5) == 0) {
            unsigned sum = 0;
            memset(header->checksum, ' ', sizeof(header->checksum));
            for (size_t i = 0; i < TAR_BLOCK_SIZE; i++) {
                sum += data[at + i];
            }
            snprintf(header->checksum, sizeof(header->checksum), "%06o", sum);
        }
    }
}

#endif

// Makes tars in memory, sound and hostile ones, for the tests of the reader and the unpacker.
#ifndef COFFER_TESTS_UNIT_TAR_BUILD_H
#define COFFER_TESTS_UNIT_TAR_BUILD_H

#include "images/tar_field.h"
#include "runtime/base/buf.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

static inline void tar_octal(char *field, size_t size, uint64_t number) {
    char digits[32];
    snprintf(digits, sizeof(digits), "%0*llo", (int)size - 1, (unsigned long long)number);
    memcpy(field, digits, size);
}

// Cut off where it does not fit, without a NUL then, as headers have it.
static inline void tar_text(char *field, size_t size, const char *text) {
    size_t length = strlen(text);
    memcpy(field, text, length < size ? length : size);
}

static inline struct tar_header tar_header_of(const char *name, char type, size_t size) {
    struct tar_header header;
    memset(&header, 0, sizeof(header));
    tar_text(header.name, sizeof(header.name), name);
    tar_octal(header.mode, sizeof(header.mode), type == '5' ? 0755 : 0644);
    tar_octal(header.uid, sizeof(header.uid), 0);
    tar_octal(header.gid, sizeof(header.gid), 0);
    tar_octal(header.size, sizeof(header.size), size);
    tar_octal(header.mtime, sizeof(header.mtime), 1000000000);
    header.type = type;
    memcpy(header.magic, "ustar\00000", 8);
    return header;
}

static inline void tar_put_header(struct buf *tar, struct tar_header *header) {
    memset(header->checksum, ' ', sizeof(header->checksum));
    unsigned sum = 0;
    for (size_t i = 0; i < sizeof(*header); i++) {
        sum += ((const unsigned char *)header)[i];
    }
    snprintf(header->checksum, sizeof(header->checksum), "%06o", sum);
    header->checksum[7] = ' ';
    buf_add(tar, header, sizeof(*header));
}

static inline void tar_put_data(struct buf *tar, const void *data, size_t size) {
    static const char zeros[TAR_BLOCK_SIZE];
    buf_add(tar, data, size);
    buf_add(tar, zeros, -size & (TAR_BLOCK_SIZE - 1));
}

static inline void tar_put(struct buf *tar, const char *name, char type, const char *link, const char *data) {
    size_t size = data ? strlen(data) : 0;
    struct tar_header header = tar_header_of(name, type, size);
    tar_text(header.link, sizeof(header.link), link ? link : "");
    tar_put_header(tar, &header);
    tar_put_data(tar, data ? data : "", size);
}

static inline void tar_put_file(struct buf *tar, const char *name, const char *data) {
    tar_put(tar, name, '0', NULL, data);
}

static inline void tar_put_dir(struct buf *tar, const char *name) {
    tar_put(tar, name, '5', NULL, NULL);
}

// One pax record with the length that counts itself.
static inline void pax_add(struct buf *records, const char *key, const void *value, size_t size) {
    size_t length = strlen(key) + size + 3, digits = 1;
    for (;;) {
        size_t total = length + digits;
        size_t needed = total < 10 ? 1 : total < 100 ? 2 : total < 1000 ? 3 : total < 10000 ? 4 : total < 100000 ? 5 : 6;
        if (needed == digits) {
            break;
        }
        digits = needed;
    }
    buf_add_format(records, "%zu %s=", length + digits, key);
    buf_add(records, value, size);
    buf_add_char(records, '\n');
}

static inline void pax_text(struct buf *records, const char *key, const char *value) {
    pax_add(records, key, value, strlen(value));
}

static inline void tar_put_pax(struct buf *tar, char type, const struct buf *records) {
    struct tar_header header = tar_header_of("PaxHeaders/x", type, records->size);
    tar_put_header(tar, &header);
    tar_put_data(tar, buf_string(records), records->size);
}

// An extended header with one record.
static inline void tar_put_pax_text(struct buf *tar, const char *key, const char *value) {
    AUTO_BUF struct buf records = {0};
    pax_text(&records, key, value);
    tar_put_pax(tar, 'x', &records);
}

static inline void tar_put_long(struct buf *tar, char type, const char *name) {
    struct tar_header header = tar_header_of("././@LongLink", type, strlen(name) + 1);
    memcpy(header.magic, "ustar  ", 8);
    tar_put_header(tar, &header);
    tar_put_data(tar, name, strlen(name) + 1);
}

static inline void tar_put_end(struct buf *tar) {
    static const char zeros[2 * TAR_BLOCK_SIZE];
    buf_add(tar, zeros, sizeof(zeros));
}

#endif

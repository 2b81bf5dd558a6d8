#include "images/tar_field.h"

#include <assert.h>
#include <string.h>

static_assert(sizeof(struct tar_header) == TAR_BLOCK_SIZE, "a header is one block");
static_assert(sizeof(struct tar_gnu_sparse_block) == TAR_BLOCK_SIZE, "a sparse map's block is one block");

enum tar_dialect tar_header_dialect(const struct tar_header *header) {
    if (memcmp(header->magic, "ustar  ", 8) == 0) { // with the NUL
        return TAR_GNU;
    }
    if (memcmp(header->magic, "ustar", 6) == 0) {
        return memcmp(header->star_trailer, "tar", 4) == 0 ? TAR_STAR : TAR_USTAR;
    }
    return TAR_V7;
}

bool tar_header_checksum_agrees(const struct tar_header *header) {
    uint64_t stated;
    if (tar_field_unsigned(header->checksum, sizeof(header->checksum), &stated) < 0) {
        return false;
    }
    const unsigned char *bytes = (const unsigned char *)header;
    uint64_t sum = 0, high = 0;
    for (size_t i = 0; i < TAR_BLOCK_SIZE; i++) {
        sum += bytes[i];
        high += bytes[i] >> 7;
    }
    for (size_t i = 0; i < sizeof(header->checksum); i++) {
        unsigned char byte = (unsigned char)header->checksum[i];
        sum = sum - byte + ' ';
        high -= byte >> 7;
    }
    return sum == stated || sum - 256 * high == stated;
}

bool tar_block_is_zero(const void *block) {
    const char *bytes = block;
    return bytes[0] == '\0' && memcmp(bytes, bytes + 1, TAR_BLOCK_SIZE - 1) == 0;
}

// Two's complement, big endian; the top bit of the first byte only marks the form.
static int base256(const unsigned char *field, size_t size, int64_t *ret_number) {
    bool negative = (field[0] & 0x40) != 0;
    unsigned char fill = negative ? 0xff : 0x00;
    uint64_t number = negative ? UINT64_MAX : 0;
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = i == 0 ? (unsigned char)((field[0] & 0x7f) | (negative ? 0x80 : 0)) : field[i];
        if (number >> 56 != fill) {
            return -1;
        }
        number = number << 8 | byte;
    }
    if ((number >> 63 != 0) != negative) {
        return -1;
    }
    memcpy(ret_number, &number, sizeof(number));
    return 0;
}

static bool is_padding(char byte) {
    return byte == ' ' || byte == '\0';
}

int tar_field_number(const char *field, size_t size, int64_t *ret_number) {
    if (field[0] & (char)0x80) {
        return base256((const unsigned char *)field, size, ret_number);
    }
    size_t i = 0;
    while (i < size && is_padding(field[i])) {
        i++;
    }
    int64_t number = 0; // 12 octal digits at most: cannot overflow
    for (; i < size && field[i] >= '0' && field[i] <= '7'; i++) {
        number = number << 3 | (field[i] - '0');
    }
    for (; i < size; i++) {
        if (!is_padding(field[i])) {
            return -1;
        }
    }
    *ret_number = number;
    return 0;
}

int tar_field_unsigned(const char *field, size_t size, uint64_t *ret_number) {
    int64_t number;
    if (tar_field_number(field, size, &number) < 0 || number < 0) {
        return -1;
    }
    *ret_number = (uint64_t)number;
    return 0;
}

int tar_decimal(const char *text, size_t size, uint64_t *ret_number) {
    uint64_t number = 0;
    if (size == 0) {
        return -1;
    }
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9' || __builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, (uint64_t)(text[i] - '0'), &number)) {
            return -1;
        }
    }
    if (number > INT64_MAX) {
        return -1;
    }
    *ret_number = number;
    return 0;
}

int tar_decimal_time(const char *text, size_t size, struct timespec *ret_time) {
    bool negative = size > 0 && text[0] == '-';
    if (negative) {
        text++;
        size--;
    }
    const char *point = memchr(text, '.', size);
    uint64_t seconds;
    if (tar_decimal(text, point ? (size_t)(point - text) : size, &seconds) < 0) {
        return -1;
    }
    long nanoseconds = 0, unit = 100000000;
    bool finer = false;
    for (const char *at = point ? point + 1 : text + size; at < text + size; at++) {
        if (*at < '0' || *at > '9') {
            return -1;
        }
        nanoseconds += (*at - '0') * unit;
        finer = finer || (unit == 0 && *at != '0');
        unit /= 10;
    }
    int64_t whole = (int64_t)seconds;
    if (negative) {
        // -1.25 s is second -2 and 0.75 s.
        whole = -whole;
        nanoseconds += finer ? 1 : 0;
        if (nanoseconds > 0) {
            whole -= 1;
            nanoseconds = 1000000000 - nanoseconds;
        }
    }
    *ret_time = (struct timespec){.tv_sec = whole, .tv_nsec = nanoseconds};
    return 0;
}

// The fields of a tar header block: their places, and the numbers in them. Private to the room.
#ifndef COFFER_IMAGES_TAR_FIELD_H
#define COFFER_IMAGES_TAR_FIELD_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct err;

enum { TAR_BLOCK_SIZE = 512 };

struct tar_header {
    char name[100];
    char mode[8];
    char uid[8];
    char gid[8];
    char size[12];
    char mtime[12];
    char checksum[8];
    char type;
    char link[100];
    char magic[8]; // with the version
    char user_name[32];
    char group_name[32];
    char major[8];
    char minor[8];
    union {
        char prefix[155]; // ustar
        struct {
            char prefix[131];
            char atime[12];
            char ctime[12];
        } star;
        struct {
            char atime[12];
            char ctime[12];
            char unused[17];
            struct tar_gnu_sparse {
                char offset[12];
                char size[12];
            } sparse[4];
            char is_extended;
            char real_size[12];
        } gnu;
    };
    char padding[8];
    char star_trailer[4];
};

// One of the further blocks of an old GNU sparse map.
struct tar_gnu_sparse_block {
    struct tar_gnu_sparse sparse[21];
    char is_extended;
    char padding[7];
};

enum tar_dialect { TAR_V7, TAR_USTAR, TAR_STAR, TAR_GNU };
enum tar_dialect tar_header_dialect(const struct tar_header *header);

// POSIX sums unsigned bytes; some old archivers summed signed ones, and both are taken.
bool tar_header_checksum_agrees(const struct tar_header *header);
bool tar_block_is_zero(const void *block);

// Octal, padded with spaces and NULs on either side, or GNU's base-256, which may be negative. An empty field is 0.
int tar_field_number(const char *field, size_t size, int64_t *ret_number) MUST_CHECK;

// The same where a negative number makes no sense.
int tar_field_unsigned(const char *field, size_t size, uint64_t *ret_number) MUST_CHECK;

// A decimal number as pax records and sparse maps have them: digits only. Not beyond INT64_MAX.
int tar_decimal(const char *text, size_t size, uint64_t *ret_number) MUST_CHECK;

// A pax time: seconds with an optional sign and fraction; what is finer than a nanosecond is cut off downward.
int tar_decimal_time(const char *text, size_t size, struct timespec *ret_time) MUST_CHECK;

#endif

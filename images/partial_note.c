#include "images/partial_note.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char beginning[] = "coffer partial 1 ";

enum { BEGINNING = sizeof(beginning) - 1, DIGITS = 16 };

_Static_assert((int)PARTIAL_NOTE_SIZE == BEGINNING + DIGITS + 1, "as it is formatted");

void partial_note_format(uint64_t from, char note[PARTIAL_NOTE_SIZE + 1]) {
    snprintf(note, PARTIAL_NOTE_SIZE + 1, "%s%016" PRIx64 "\n", beginning, from);
}

int partial_note_parse(const char *bytes, size_t size, uint64_t *ret_from) {
    static const char digits[] = "0123456789abcdef";
    uint64_t from = 0;
    if (size < PARTIAL_NOTE_SIZE || memcmp(bytes, beginning, BEGINNING) != 0 || bytes[PARTIAL_NOTE_SIZE - 1] != '\n') {
        return -1;
    }
    for (size_t i = 0; i < DIGITS; i++) {
        const char *digit = memchr(digits, bytes[BEGINNING + i], sizeof(digits) - 1);
        if (!digit) {
            return -1;
        }
        from = from << 4 | (uint64_t)(digit - digits);
    }
    *ret_from = from;
    return 0;
}

#include "runtime/base/quote.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

// Those that turn the direction of writing would show a text in another order than it has.
size_t quote_hidden(const char *text) {
    const unsigned char *at = (const unsigned char *)text;
    if (at[0] < 0x20 || at[0] == 0x7f || at[0] == '"' || at[0] == '\\') {
        return 1;
    }
    if (at[0] == 0xc2 && at[1] >= 0x80 && at[1] <= 0x9f) { // controls of 8 bits
        return 2;
    }
    bool marks = at[0] == 0xe2 && at[1] == 0x80 && (at[2] == 0x8e || at[2] == 0x8f || (at[2] >= 0xaa && at[2] <= 0xae));
    bool isolates = at[0] == 0xe2 && at[1] == 0x81 && at[2] >= 0xa6 && at[2] <= 0xa9;
    return marks || isolates ? 3 : 0;
}

// Copies whole characters while they fit before `end`; returns where it stopped writing.
static char *copy_escaped(char *to, const char *end, const char *from, const char *from_end) {
    static const char digits[] = "0123456789abcdef";
    while (from < from_end) {
        size_t count = quote_hidden(from);
        if (end - to < (count > 0 ? 4 * (ptrdiff_t)count : 1)) {
            break;
        }
        if (count == 0) {
            *to++ = *from++;
        }
        for (; count > 0; count--, from++) {
            unsigned char byte = (unsigned char)*from;
            *to++ = '\\';
            *to++ = 'x';
            *to++ = digits[byte >> 4];
            *to++ = digits[byte & 15];
        }
    }
    return to;
}

const char *quote_text(const char *text, char room[QUOTE_SIZE]) {
    enum { TAIL = 60 };
    size_t length = strlen(text), escaped = 0;
    for (size_t i = 0, count; i<length; i += count> 0 ? count : 1) {
        count = quote_hidden(text + i);
        escaped += count > 0 ? 4 * count : 1;
    }
    char *to = room, *end = room + QUOTE_SIZE - 2;
    *to++ = '"';
    if (escaped <= (size_t)(end - to)) {
        to = copy_escaped(to, end, text, text + length);
    } else {
        // The end of a path says most: it keeps its place.
        to = copy_escaped(to, end - TAIL - 3, text, text + length);
        to = (char *)memcpy(to, "...", 3) + 3;
        to = copy_escaped(to, end, text + length - TAIL / 4, text + length);
    }
    *to++ = '"';
    *to = '\0';
    return room;
}

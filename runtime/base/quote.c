#include "runtime/base/quote.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static bool is_plain(unsigned char byte) {
    return byte >= 0x20 && byte != 0x7f && byte != '"' && byte != '\\';
}

// Copies whole characters while they fit before `end`; returns where it stopped writing.
static char *copy_escaped(char *to, const char *end, const char *from, const char *from_end) {
    static const char digits[] = "0123456789abcdef";
    for (; from < from_end; from++) {
        unsigned char byte = (unsigned char)*from;
        if (is_plain(byte) && to < end) {
            *to++ = *from;
        } else if (!is_plain(byte) && end - to >= 4) {
            *to++ = '\\';
            *to++ = 'x';
            *to++ = digits[byte >> 4];
            *to++ = digits[byte & 15];
        } else {
            break;
        }
    }
    return to;
}

const char *quote_text(const char *text, char room[QUOTE_SIZE]) {
    enum { TAIL = 60 };
    size_t length = strlen(text), escaped = 0;
    for (size_t i = 0; i < length; i++) {
        escaped += is_plain((unsigned char)text[i]) ? 1 : 4;
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

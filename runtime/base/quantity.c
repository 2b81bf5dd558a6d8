#include "runtime/base/quantity.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

// isdigit() asks the locale; a byte that comes from outside must not.
static bool is_digit(char byte) {
    return byte >= '0' && byte <= '9';
}

int quantity_int(const char *text, int64_t *ret) {
    if (!is_digit(text[text[0] == '-'])) {
        return -1;
    }
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (*end || errno) {
        return -1;
    }
    *ret = value;
    return 0;
}

// What a number is made of before its unit: value = whole + fraction / fraction_of.
struct parts {
    int64_t whole;
    int64_t fraction, fraction_of;
    const char *rest;
};

static int read_parts(const char *text, struct parts *parts) {
    *parts = (struct parts){.fraction_of = 1};
    if (!is_digit(*text) && !(*text == '.' && is_digit(text[1]))) {
        return -1;
    }
    for (; is_digit(*text); text++) {
        if (__builtin_mul_overflow(parts->whole, 10, &parts->whole) ||
            __builtin_add_overflow(parts->whole, *text - '0', &parts->whole)) {
            return -1;
        }
    }
    if (*text == '.') {
        text++;
        if (!is_digit(*text)) {
            return -1;
        }
        for (; is_digit(*text); text++) {
            if (parts->fraction_of >= 1000000000) {
                return -1;
            }
            parts->fraction = parts->fraction * 10 + (*text - '0');
            parts->fraction_of *= 10;
        }
    }
    parts->rest = text;
    return 0;
}

static int scale(const struct parts *parts, int64_t unit, int64_t *ret) {
    int64_t value;
    __int128 fraction = (__int128)parts->fraction * unit / parts->fraction_of; // less than unit
    if (__builtin_mul_overflow(parts->whole, unit, &value) || __builtin_add_overflow(value, (int64_t)fraction, &value)) {
        return -1;
    }
    *ret = value;
    return 0;
}

int quantity_bytes(const char *text, int64_t *ret) {
    static const struct {
        const char *name;
        unsigned shift;
    } units[] = {{"", 0},    {"b", 0},    {"k", 10}, {"kb", 10}, {"kib", 10}, {"m", 20}, {"mb", 20}, {"mib", 20}, {"g", 30},
                 {"gb", 30}, {"gib", 30}, {"t", 40}, {"tb", 40}, {"tib", 40}, {"p", 50}, {"pb", 50}, {"pib", 50}};
    if (strcmp(text, "-1") == 0) {
        *ret = -1;
        return 0;
    }
    struct parts parts;
    if (read_parts(text, &parts) < 0) {
        return -1;
    }
    const char *unit = parts.rest + (parts.rest[0] == ' ');
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (strcasecmp(unit, units[i].name) == 0) {
            return scale(&parts, (int64_t)1 << units[i].shift, ret);
        }
    }
    return -1;
}

int quantity_decimal(const char *text, unsigned digits, int64_t *ret) {
    int64_t unit = 1;
    while (digits-- > 0) {
        unit *= 10;
    }
    struct parts parts;
    if (read_parts(text, &parts) < 0 || *parts.rest || parts.fraction_of > unit) {
        return -1;
    }
    return scale(&parts, unit, ret);
}

int quantity_duration_ms(const char *text, int64_t *ret) {
    static const struct {
        const char *name;
        int64_t milliseconds;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
    if (strcmp(text, "0") == 0) {
        *ret = 0;
        return 0;
    }
    int64_t total = 0;
    do {
        struct parts parts;
        int64_t value = -1;
        if (read_parts(text, &parts) < 0) {
            return -1;
        }
        size_t length = 0;
        while (parts.rest[length] && !is_digit(parts.rest[length])) {
            length++;
        }
        for (size_t i = 0; i < ARRAY_LEN(units); i++) {
            if (length == strlen(units[i].name) && memcmp(parts.rest, units[i].name, length) == 0 &&
                scale(&parts, units[i].milliseconds, &value) < 0) {
                return -1;
            }
        }
        if (value < 0 || __builtin_add_overflow(total, value, &total)) {
            return -1;
        }
        text = parts.rest + length;
    } while (*text);
    *ret = total;
    return 0;
}

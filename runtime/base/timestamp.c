#include "runtime/base/timestamp.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

static const int64_t second_ns = 1000000000;

enum { FIRST_YEAR = 1970, LAST_YEAR = 2261 }; // what fits into 64 bits

static const int16_t days_before_month[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};

static bool is_leap(int64_t year) {
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

// Days from 1970 to the first of January.
static int64_t days_before_year(int64_t year) {
    int64_t last = year - 1;
    return (year - FIRST_YEAR) * 365 + (last / 4 - last / 100 + last / 400) - (1969 / 4 - 1969 / 100 + 1969 / 400);
}

static int64_t days_before(int64_t year, unsigned month) {
    return days_before_month[month - 1] + (month > 2 && is_leap(year));
}

int64_t timestamp_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * second_ns + now.tv_nsec;
}

static char *put_digits(char *at, int64_t value, unsigned count) {
    for (unsigned i = count; i > 0; i--) {
        at[i - 1] = (char)('0' + value % 10);
        value /= 10;
    }
    return at + count;
}

const char *timestamp_format(int64_t time_ns, char text[TIMESTAMP_SIZE]) {
    int64_t time = time_ns > 0 ? time_ns : 0;
    int64_t seconds = time / second_ns, days = seconds / 86400;
    int64_t year = FIRST_YEAR + days / 366; // never too late, and at most one too early in this range
    while (days_before_year(year + 1) <= days) {
        year++;
    }
    int64_t day = days - days_before_year(year);
    unsigned month = 12;
    while (days_before(year, month) > day) {
        month--;
    }
    memcpy(text, "0000-00-00T00:00:00.000000000Z", TIMESTAMP_SIZE);
    put_digits(text, year, 4);
    put_digits(text + 5, month, 2);
    put_digits(text + 8, day - days_before(year, month) + 1, 2);
    put_digits(text + 11, seconds / 3600 % 24, 2);
    put_digits(text + 14, seconds / 60 % 60, 2);
    put_digits(text + 17, seconds % 60, 2);
    put_digits(text + 20, time % second_ns, 9);
    return text;
}

// --- reading ---

struct cursor {
    const char *at, *end;
};

static bool take_char(struct cursor *cursor, char wanted) {
    if (cursor->at == cursor->end || *cursor->at != wanted) {
        return false;
    }
    cursor->at++;
    return true;
}

static bool take_digit(struct cursor *cursor, int64_t *value) {
    if (cursor->at == cursor->end || *cursor->at < '0' || *cursor->at > '9') {
        return false;
    }
    *value = *value * 10 + (*cursor->at++ - '0');
    return true;
}

// So many digits, a number from least to most.
static bool take_number(struct cursor *cursor, unsigned digits, int64_t least, int64_t most, int64_t *ret) {
    *ret = 0;
    for (unsigned i = 0; i < digits; i++) {
        if (!take_digit(cursor, ret)) {
            return false;
        }
    }
    return *ret >= least && *ret <= most;
}

// Nanoseconds; further digits are passed over.
static bool take_fraction(struct cursor *cursor, int64_t *ret) {
    int64_t beyond = 0;
    *ret = 0;
    if (!take_char(cursor, '.')) {
        return true;
    }
    unsigned digits = 0;
    while (digits < 9 && take_digit(cursor, ret)) {
        digits++;
    }
    if (digits == 0) {
        return false;
    }
    for (; digits < 9; digits++) {
        *ret *= 10;
    }
    while (take_digit(cursor, &beyond)) {
        beyond = 0;
    }
    return true;
}

static bool take_offset(struct cursor *cursor, int64_t *ret_east_s) {
    *ret_east_s = 0;
    if (take_char(cursor, 'Z')) {
        return true;
    }
    bool east = take_char(cursor, '+');
    int64_t hours, minutes;
    if ((!east && !take_char(cursor, '-')) || !take_number(cursor, 2, 0, 23, &hours) || !take_char(cursor, ':') ||
        !take_number(cursor, 2, 0, 59, &minutes)) {
        return false;
    }
    *ret_east_s = (hours * 3600 + minutes * 60) * (east ? 1 : -1);
    return true;
}

size_t timestamp_parse(const char *text, size_t size, int64_t *ret_ns) {
    struct cursor cursor = {.at = text, .end = text + size};
    int64_t year, month, day, hour, minute, second, fraction, east_s;
    if (!take_number(&cursor, 4, FIRST_YEAR, LAST_YEAR, &year) || !take_char(&cursor, '-') ||
        !take_number(&cursor, 2, 1, 12, &month) || !take_char(&cursor, '-') || !take_number(&cursor, 2, 1, 31, &day) ||
        !take_char(&cursor, 'T')) {
        return 0;
    }
    if (!take_number(&cursor, 2, 0, 23, &hour) || !take_char(&cursor, ':') || !take_number(&cursor, 2, 0, 59, &minute) ||
        !take_char(&cursor, ':') || !take_number(&cursor, 2, 0, 60, &second) || !take_fraction(&cursor, &fraction) ||
        !take_offset(&cursor, &east_s)) {
        return 0;
    }
    int64_t month_days = days_before_month[month] - days_before_month[month - 1] + (month == 2 && is_leap(year));
    if (day > month_days) {
        return 0;
    }
    int64_t days = days_before_year(year) + days_before(year, (unsigned)month) + day - 1;
    *ret_ns = (days * 86400 + hour * 3600 + minute * 60 + second - east_s) * second_ns + fraction;
    return (size_t)(cursor.at - text);
}

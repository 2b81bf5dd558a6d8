#include "tests/unit/check.h"

#include "runtime/base/timestamp.h"

#include <stdint.h>
#include <stdlib.h>
#include <time.h>

static int64_t parsed(const char *text) {
    int64_t time_ns = -1;
    size_t length = timestamp_parse(text, strlen(text), &time_ns);
    return length == strlen(text) ? time_ns : INT64_MIN;
}

CASE(times_are_the_c_librarys) {
    char text[TIMESTAMP_SIZE], expected[64];
    srand48(1);
    for (int i = 0; i < 200000; i++) {
        int64_t seconds = i < 1000 ? i * (int64_t)86400 * 107 / 3 : (int64_t)(drand48() * 9214646400.0),
                parts = lrand48() % 1000000000;
        time_t time = (time_t)seconds;
        struct tm fields;
        gmtime_r(&time, &fields);
        snprintf(expected, sizeof(expected), "%04d-%02d-%02dT%02d:%02d:%02d.%09dZ", fields.tm_year + 1900, fields.tm_mon + 1,
                 fields.tm_mday, fields.tm_hour, fields.tm_min, fields.tm_sec, (int)parts);
        int64_t time_ns = seconds * 1000000000 + parts;
        if (strcmp(timestamp_format(time_ns, text), expected) != 0 || parsed(text) != time_ns) {
            CHECK_STR(text, expected);
            CHECK_INT(parsed(text), time_ns);
            return;
        }
    }
}

CASE(forms_of_the_standard) {
    CHECK_INT(parsed("1970-01-01T00:00:00Z"), 0);
    CHECK_INT(parsed("1970-01-01T00:00:01.5Z"), 1500000000);
    CHECK_INT(parsed("1970-01-01T00:00:00.1234567899Z"), 123456789);
    CHECK_INT(parsed("1970-01-01T02:00:00+02:00"), 0);
    CHECK_INT(parsed("1969-12-31T22:30:00-01:30"), INT64_MIN);
    CHECK_INT(parsed("1970-01-01T00:00:00-01:30"), 5400 * 1000000000LL);
    CHECK_INT(parsed("2000-02-29T23:59:60Z"), 951868800LL * 1000000000);
}

CASE(what_is_no_time_is_none) {
    static const char *const texts[] = {
        "",
        "2001-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z",
        "2001-13-01T00:00:00Z",
        "2001-00-01T00:00:00Z",
        "2001-01-32T00:00:00Z",
        "2001-04-31T00:00:00Z",
        "2001-01-01T24:00:00Z",
        "2001-01-01T00:60:00Z",
        "2001-01-01T00:00:61Z",
        "2001-01-01T00:00:00",
        "2001-01-01T00:00:00.Z",
        "2001-01-01T00:00:00+0100",
        "2001-01-01 00:00:00Z",
        "2001-1-01T00:00:00Z",
        "9999-01-01T00:00:00Z",
        "2262-01-01T00:00:00Z",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        int64_t time_ns;
        if (timestamp_parse(texts[i], strlen(texts[i]), &time_ns) != 0) {
            CHECK_STR("taken", texts[i]);
        }
    }
    char text[TIMESTAMP_SIZE];
    CHECK_STR(timestamp_format(-5, text), "1970-01-01T00:00:00.000000000Z");
}

int main(void) {
    RUN(times_are_the_c_librarys);
    RUN(forms_of_the_standard);
    RUN(what_is_no_time_is_none);
    return check_done();
}

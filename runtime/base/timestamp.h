// Moments as nanoseconds since 1970, and as text of RFC 3339. No time zone file is read: gmtime_r(3) would open one.
#ifndef COFFER_BASE_TIMESTAMP_H
#define COFFER_BASE_TIMESTAMP_H

#include "runtime/base/attr.h"

#include <stddef.h>
#include <stdint.h>

enum { TIMESTAMP_SIZE = 31 }; // "2001-02-03T04:05:06.123456789Z" and its NUL

// CLOCK_REALTIME (clock_gettime(2)). Cannot fail.
int64_t timestamp_now(void);

// In UTC with nine digits behind the point, so that texts sort as their times do. Returns text. What lies before 1970 is shown as
// 1970.
const char *timestamp_format(int64_t time_ns, char text[TIMESTAMP_SIZE]);

// Reads RFC 3339 of the years 1970 to 2261 at the beginning of text, which need not end in NUL: any number of digits behind the
// point, Z or an offset. Returns how many bytes it takes, 0 when there is no such time.
size_t timestamp_parse(const char *text, size_t size, int64_t *ret_ns) MUST_CHECK;

#endif

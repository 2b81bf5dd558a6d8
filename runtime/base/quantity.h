// Quantities as people write them: 512m, 1.5, 90s. All of the text must be the quantity; nothing is skipped, nothing allocated.
//
// Each function returns 0 and fills *ret, or -1 when the text is no such quantity or the value does not fit; the caller knows which
// option or field it was and makes the sentence.
#ifndef COFFER_BASE_QUANTITY_H
#define COFFER_BASE_QUANTITY_H

#include "runtime/base/attr.h"

#include <stdint.h>

// A whole number, decimal, perhaps with a minus: "-1", "4096".
int quantity_int(const char *text, int64_t *ret) MUST_CHECK;

// A number of bytes: digits, perhaps a fraction, and a unit of 1024: "512", "64k", "1.5g", "512MiB", "2 GB". "-1" is -1: no limit.
int quantity_bytes(const char *text, int64_t *ret) MUST_CHECK;

// A decimal number, not negative, in units of 10^-digits (at most 9, no more behind the point): with 9, "1.5" is 1500000000.
int quantity_decimal(const char *text, unsigned digits, int64_t *ret) MUST_CHECK;

// A length of time in milliseconds: "1h30m", "90s", "1.5s", "500ms". "0" needs no unit.
int quantity_duration_ms(const char *text, int64_t *ret) MUST_CHECK;

#endif

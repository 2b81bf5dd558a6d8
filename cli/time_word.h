// Points in time as people write them behind --since and --filter until=.
#ifndef COFFER_CLI_TIME_WORD_H
#define COFFER_CLI_TIME_WORD_H

#include "runtime/base/attr.h"

#include <stdint.h>

#define TIME_WORD_EXPECTED "a length of time such as 24h, or a time such as 2026-01-31T12:00:00"

// A length of time before now, a time of day with or without its zone, a day, or seconds since 1970: as docker takes them. -1 when
// it is none.
int time_word_parse(const char *text, int64_t *ret_s) MUST_CHECK;

#endif

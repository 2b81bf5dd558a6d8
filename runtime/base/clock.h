// The clock that goes on whatever is set: for lengths of time.
#ifndef COFFER_BASE_CLOCK_H
#define COFFER_BASE_CLOCK_H

#include <stdint.h>

// CLOCK_MONOTONIC in milliseconds (clock_gettime(2)). Cannot fail.
int64_t clock_now_ms(void);

#endif

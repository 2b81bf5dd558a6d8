// Moments as users write them for --since and --until.
#ifndef COFFER_CLI_MOMENT_H
#define COFFER_CLI_MOMENT_H

#include "runtime/base/attr.h"

#include <stdint.h>

struct err;

// Nanoseconds since 1970 from a length of time before now ("10m"), seconds since 1970 ("1136073600.5"), RFC 3339, or a day or a
// time without a zone, which is the caller's own then (docker). flag: "--since", for the error.
int moment_parse(const char *flag, const char *text, int64_t *ret_ns, struct err *err) MUST_CHECK;

#endif

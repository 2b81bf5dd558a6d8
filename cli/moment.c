#include "cli/moment.h"

#include "runtime/base/err.h"
#include "runtime/base/quantity.h"
#include "runtime/base/quote.h"
#include "runtime/base/timestamp.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

static const int64_t second_ns = 1000000000;

// A time of day without its zone, perhaps with parts of a second, or a day.
static bool parse_local(const char *text, int64_t *ret_ns) {
    static const char *const forms[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"};
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        struct tm parts = {.tm_isdst = -1};
        int64_t fraction_ns = 0;
        const char *end = strptime(text, forms[i], &parts);
        if (end && *end == '.' && i == 0 && quantity_decimal(end, 9, &fraction_ns) == 0) {
            end += strlen(end);
        }
        if (end && *end == '\0' && parts.tm_year >= 70 && parts.tm_year <= 361) {
            *ret_ns = (int64_t)mktime(&parts) * second_ns + fraction_ns;
            return true;
        }
    }
    return false;
}

int moment_parse(const char *flag, const char *text, int64_t *ret_ns, struct err *err) {
    char quoted[QUOTE_SIZE];
    int64_t ms;
    size_t length = strlen(text);
    if (length > 0 &&
        (timestamp_parse(text, length, ret_ns) == length || quantity_decimal(text, 9, ret_ns) == 0 || parse_local(text, ret_ns))) {
        return 0;
    }
    if (quantity_duration_ms(text, &ms) == 0 && ms < INT64_MAX / 1000000) {
        *ret_ns = timestamp_now() - ms * 1000000;
        return 0;
    }
    return err_set(
        err, ERR_INPUT,
        "%s: expected a length of time such as 10m, a time such as 2026-01-31T12:00:00Z, or seconds since 1970, found %s", flag,
        quote_text(text, quoted));
}

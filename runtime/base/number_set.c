#include "runtime/base/number_set.h"

#include <stdbool.h>
#include <string.h>

// A number below the maximum, with blanks around it; leaves *at behind them.
static bool take_number(const char **at, size_t *ret) {
    size_t number = 0;
    *at += strspn(*at, " ");
    const char *digits = *at;
    for (; **at >= '0' && **at <= '9' && number < NUMBER_SET_MAX; (*at)++) {
        number = number * 10 + (size_t)(**at - '0');
    }
    bool taken = *at > digits && number < NUMBER_SET_MAX;
    *at += strspn(*at, " ");
    *ret = number;
    return taken;
}

// "3" or "0-3".
static bool take_range(const char **at, struct number_set *set) {
    size_t first, last;
    if (!take_number(at, &first)) {
        return false;
    }
    last = first;
    if (**at == '-') {
        (*at)++;
        if (!take_number(at, &last) || last < first) {
            return false;
        }
    }
    for (size_t number = first; number <= last; number++) {
        set->words[number / 64] |= UINT64_C(1) << number % 64;
    }
    set->limit = last + 1 > set->limit ? last + 1 : set->limit;
    return true;
}

int number_set_parse(const char *text, struct number_set *ret) {
    struct number_set set = {0};
    while (take_range(&text, &set)) {
        if (*text == '\0') {
            *ret = set;
            return 0;
        }
        if (*text++ != ',') {
            return -1;
        }
    }
    return -1;
}

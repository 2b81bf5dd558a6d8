#include "tests/unit/check.h"

#include "runtime/base/err.h"
#include "runtime/kernel/affinity.h"

CASE(lists_of_numbers_and_ranges) {
    struct err err = {0};
    struct affinity affinity;
    CHECK_INT(affinity_parse("0", &affinity, &err), 0);
    CHECK_INT(affinity.bits[0], 1);
    CHECK_INT(affinity_parse("0-3,7", &affinity, &err), 0);
    CHECK_INT(affinity.bits[0], 0x8f);
    CHECK_INT(affinity_parse(" 1 , 2 - 3", &affinity, &err), 0);
    CHECK_INT(affinity.bits[0], 0xe);
    CHECK_INT(affinity_parse("63-64,8191", &affinity, &err), 0);
    CHECK(affinity.bits[0] == UINT64_C(1) << 63 && affinity.bits[1] == 1 && affinity.bits[127] == UINT64_C(1) << 63);
}

CASE(what_is_no_list) {
    static const char *const wrong[] = {"", " ", ",", "0,", ",0", "1-", "-1", "3-1", "0-1-2", "a", "0x1", "1 2", "8192", "0-8192", "18446744073709551616"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct err err = {0};
        struct affinity affinity;
        CHECK_INT(affinity_parse(wrong[i], &affinity, &err), -1);
        char expected[200];
        snprintf(expected, sizeof(expected), "expected a list of processors like 0-3,7, each below 8192, found \"%s\"", wrong[i]);
        CHECK_STR(err.text, expected);
    }
}

CASE(what_is_set_is_read_again) {
    struct err err = {0};
    struct affinity before, now;
    CHECK_INT(affinity_get(&before, &err), 0);
    CHECK_INT(affinity_set(&before, &err), 0);
    CHECK_INT(affinity_get(&now, &err), 0);
    CHECK(memcmp(&before, &now, sizeof(now)) == 0);
    struct affinity none = {0};
    CHECK_INT(affinity_set(&none, &err), -1);
    CHECK_STR(err.text, "set the processors to run on: Invalid argument");
}

int main(void) {
    RUN(lists_of_numbers_and_ranges);
    RUN(what_is_no_list);
    RUN(what_is_set_is_read_again);
    return check_done();
}

#include "tests/unit/check.h"

#include "runtime/base/number_set.h"

CASE(lists_of_numbers_and_ranges) {
    struct number_set set;
    CHECK_INT(number_set_parse("0-3,7", &set), 0);
    CHECK_INT(set.words[0], 0x8f);
    CHECK_INT(set.limit, 8);
    CHECK_INT(number_set_parse(" 64 , 63 - 65 ", &set), 0);
    CHECK(set.words[0] == UINT64_C(1) << 63 && set.words[1] == 3);
    CHECK_INT(set.limit, 66);
    CHECK_INT(number_set_parse("8191", &set), 0);
    CHECK(set.words[127] == UINT64_C(1) << 63);
    CHECK_INT(set.limit, 8192);
}

CASE(what_is_no_list) {
    static const char *const wrong[] = {"", " ", ",", "1,", ",1", "1,,2", "-1", "1-", "3-1", "0x1", "1;2", "8192", "0-8192",
                                        "18446744073709551616", "1 2", "a", "1-2-3", "0-3\n"};
    struct number_set set = {.limit = 99};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        CHECK_INT(number_set_parse(wrong[i], &set), -1);
        CHECK_INT(set.limit, 99);
    }
}

int main(void) {
    RUN(lists_of_numbers_and_ranges);
    RUN(what_is_no_list);
    return check_done();
}

// Tables that are shown in one place of a terminal.
#include "cli/live_table.h"
#include "runtime/base/buf.h"
#include "tests/unit/check.h"

static void show(struct live_table *table, const char *text, unsigned columns, unsigned rows, struct buf *out) {
    AUTO_BUF struct buf shown = {0};
    buf_add_string(&shown, text);
    buf_clear(out);
    live_table_format(table, &shown, columns, rows, out);
}

CASE(the_second_takes_the_place_of_the_first) {
    struct live_table table = {.in_place = true};
    AUTO_BUF struct buf out = {0};
    show(&table, "A\nb\n", 80, 24, &out);
    CHECK_STR(buf_string(&out), "A\033[K\nb\033[K\n\033[J");
    show(&table, "A\n", 80, 24, &out);
    CHECK_STR(buf_string(&out), "\033[2A\rA\033[K\n\033[J");
    show(&table, "", 80, 24, &out);
    CHECK_STR(buf_string(&out), "\033[1A\r\033[J");
    show(&table, "A\n", 80, 24, &out);
    CHECK_STR(buf_string(&out), "A\033[K\n\033[J");
}

CASE(what_does_not_fit_is_left_out) {
    struct live_table table = {.in_place = true};
    AUTO_BUF struct buf out = {0};
    show(&table, "abcdef\nghi\njkl\nmno\n", 4, 3, &out);
    CHECK_STR(buf_string(&out), "abcd\033[0m\033[K\nghi\033[K\n\033[J");
    CHECK(table.lines == 2);
    show(&table, "\033[1mabcd\033[0m\n\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9fx\n", 4, 24, &out);
    CHECK_STR(buf_string(&out), "\033[2A\r\033[1mabcd\033[0m\033[K\n\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f\033[0m\033[K\n\033[J");
}

int main(void) {
    RUN(the_second_takes_the_place_of_the_first);
    RUN(what_does_not_fit_is_left_out);
    return check_done();
}

// A table that is shown again and again in one place of a terminal; elsewhere each time below the one before.
//
// It changes nothing of the terminal that would have to be put back, so that whoever ends by a signal leaves it as it was.
#ifndef COFFER_CLI_LIVE_TABLE_H
#define COFFER_CLI_LIVE_TABLE_H

#include "runtime/base/attr.h"

#include <stdbool.h>

struct buf;
struct err;

struct live_table {
    int fd;
    bool in_place;  // it is a terminal
    unsigned lines; // shown last time
};

// Shows the text, whose lines end in \n, in place of the one before.
int live_table_show(struct live_table *table, const struct buf *text, struct err *err) MUST_CHECK;

// What is written to show it on a terminal of so many columns and rows. Lines are cut to the width and the rest is left out below,
// so that the next time begins where this one did. For tests.
void live_table_format(struct live_table *table, const struct buf *text, unsigned columns, unsigned rows, struct buf *out);

#endif

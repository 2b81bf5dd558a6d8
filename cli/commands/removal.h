// What commands that remove images share: they print what they did, and collect the layers that nobody needs any more.
#ifndef COFFER_CLI_COMMANDS_REMOVAL_H
#define COFFER_CLI_COMMANDS_REMOVAL_H

#include "runtime/base/attr.h"

#include <stdint.h>

struct buf;
struct catalog_removal;
struct err;
struct store;
struct strv;

void removal_add_lines(struct buf *buf, const char *what, const struct strv *list);
void removal_add(struct buf *buf, const struct catalog_removal *removal);

// Removes layers and blobs that no image needs, says so in buf and adds what their files took to *bytes.
int removal_collect(const struct store *store, struct buf *buf, uint64_t *bytes, struct err *err) MUST_CHECK;

#endif

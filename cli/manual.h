// Manual pages in mdoc(7), made from the tables: coffer(1), coffer-run(1), coffer-oci-create(1), ...
#ifndef COFFER_CLI_MANUAL_H
#define COFFER_CLI_MANUAL_H

#include "runtime/base/attr.h"

struct buf;
struct err;

// The names of all pages, one a line.
void manual_names(struct buf *buf);

// The page of that name.
int manual_page(const char *name, struct buf *buf, struct err *err) MUST_CHECK;

#endif

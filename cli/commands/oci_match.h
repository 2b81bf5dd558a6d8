// Containers by a regular expression in place of an id: --regex of kill and delete, as crun has it.
#ifndef COFFER_CLI_COMMANDS_OCI_MATCH_H
#define COFFER_CLI_COMMANDS_OCI_MATCH_H

#include "runtime/base/attr.h"

struct context;
struct err;

// Calls act() for each container whose id the extended regular expression (regex(7)) matches anywhere. What fails for one is a
// warning: the others get their turn.
int oci_match(struct context *context, const char *pattern, int (*act)(struct context *context, const char *id, struct err *err),
              struct err *err) MUST_CHECK;

#endif

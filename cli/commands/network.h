// What the commands on networks share.
#ifndef COFFER_CLI_COMMANDS_NETWORK_H
#define COFFER_CLI_COMMANDS_NETWORK_H

#include "runtime/base/attr.h"
#include "runtime/engine/network.h"

#include <stdbool.h>

struct context;
struct err;
struct home;
struct strv;

// "2026-01-31T12:00:00Z"
const char *network_created(const struct network *network, char text[32]);

// Filters of ls and prune: KEY=VALUE, several of one key meaning any of them, but all of label.
enum network_filter_set { NETWORK_FILTERS_LS, NETWORK_FILTERS_PRUNE };

// Checks the words.
int network_filters_check(const struct strv *filters, enum network_filter_set set, struct err *err) MUST_CHECK;

// Whether it passes. ls's "dangling" is decided by who knows whether it is used.
bool network_passes(const struct network *network, const struct strv *filters, bool used);

#endif

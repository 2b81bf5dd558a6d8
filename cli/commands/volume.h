// What the commands on volumes share.
#ifndef COFFER_CLI_COMMANDS_VOLUME_H
#define COFFER_CLI_COMMANDS_VOLUME_H

#include "runtime/base/attr.h"
#include "runtime/engine/volume_store.h"

#include <stdbool.h>
#include <stdint.h>

struct buf;
struct context;
struct err;
struct home;
struct strv;

// "2026-01-31T12:00:00Z"
const char *volume_created(const struct stored_volume *volume, char text[32]);

// Filters of ls and prune: KEY=VALUE, several of one key meaning any of them, but all of label.
enum volume_filter_set { VOLUME_FILTERS_LS, VOLUME_FILTERS_PRUNE };

// Checks the words.
int volume_filters_check(const struct strv *filters, enum volume_filter_set set, struct err *err) MUST_CHECK;

// Whether it passes. `used`: a container has it.
bool volume_passes(const struct stored_volume *volume, const struct strv *filters, bool used);

// Whether any filter asks for what takes a look at all containers.
bool volume_filters_ask_use(const struct strv *filters);

// Removes those that no container has; without `named` only those whose names nobody has chosen. Says what it removed in buf, a line each,
// and adds what they took to *bytes. filters: those of VOLUME_FILTERS_PRUNE.
int volumes_prune(struct context *context, bool named, const struct strv *filters, struct buf *buf, uint64_t *bytes, struct err *err) MUST_CHECK;

#endif

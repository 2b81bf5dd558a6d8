// snapshot: the configuration as it was when the container was created (state_dir.h, config.json), for what comes later.
#ifndef COFFER_CONTAINER_SNAPSHOT_H
#define COFFER_CONTAINER_SNAPSHOT_H

#include "runtime/base/attr.h"

struct arena;
struct container_record;
struct err;
struct oci_config;
struct state_dir;

// *ret is NULL when the container was made without a document.
int snapshot_read(const struct state_dir *dir, struct arena *arena, struct oci_config **ret, struct err *err) MUST_CHECK;

// The same with the record that stands in the same file.
int snapshot_read_both(const struct state_dir *dir, struct arena *arena, struct container_record *ret_record, struct oci_config **ret,
                       struct err *err) MUST_CHECK;

// Runs the hooks of a kind (enum oci_hook_kind) one after another. poststop: a failing one is a warning and the rest still run.
int snapshot_run_hooks(const struct oci_config *config, unsigned kind, const char *state, struct err *err) MUST_CHECK;

#endif

// linux.intelRdt: a container's class of service (runtime/kernel/rdt.h). Internal to the room, but for what update asks.
#ifndef COFFER_CONTAINER_INTEL_RDT_H
#define COFFER_CONTAINER_INTEL_RDT_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <sys/types.h>

struct arena;
struct err;
struct json_writer;
struct oci_config;
struct rdt_group;
struct rdt_report;
struct rdt_tree;

// What the container's record says of the class before it is made, and once it is; NULL where the configuration asks for none.
const char *intel_rdt_planned(const struct oci_config *config, const char *id, struct arena *arena);
const char *intel_rdt_record(const struct rdt_group *group, struct arena *arena);

int intel_rdt_enter(const struct rdt_tree *tree, const struct oci_config *config, const char *id, pid_t pid, struct rdt_group *ret,
                    struct err *err) MUST_CHECK;

// Puts a further process of a container with this record into its class.
int intel_rdt_join(const char *record, const char *id, pid_t pid, struct err *err) MUST_CHECK;

// Removes what goes with the container. Unfinished: its maker was killed before the record was whole.
int intel_rdt_remove(const char *record, const char *id, bool unfinished, struct err *err) MUST_CHECK;

// Adds what the class has and uses as members; none for a container without one (record NULL).
void intel_rdt_write_stats(const char *record, const char *id, struct json_writer *writer);
void intel_rdt_write_report(const struct rdt_report *report, struct json_writer *writer);

#endif

// systemd_unit: what a container's unit is called and where its control group lies, from linux.cgroupsPath in systemd's form,
// "slice:prefix:name". Pure.
//
//   machine.slice:libpod:4f1a     unit libpod-4f1a.scope in machine.slice
//   a-b.slice:crio:4f1a           unit crio-4f1a.scope; slices lie in each other by their names: /a.slice/a-b.slice/crio-4f1a.scope
//   ::pods.slice                  unit pods.slice itself
//   (nothing)                     unit coffer-ID.scope in system.slice, or user.slice for a user's own systemd
//
// The record of a container holds all of it in one word, the path that the cgroup manager gives: where the group lies below systemd's
// own, and in front of it, with a blank between, the address of the bus where it is not the system's.
#ifndef COFFER_CONTAINER_SYSTEMD_UNIT_H
#define COFFER_CONTAINER_SYSTEMD_UNIT_H

#include "runtime/base/attr.h"

#include <stdbool.h>

struct arena;
struct err;

struct systemd_unit {
    const char *address; // of the bus
    bool user;           // a user's own systemd, which knows nothing of devices
    const char *name;
    const char *slice; // the unit it lies in; "-.slice" is the root
    bool is_slice;
};

// user_bus: the address of the user's bus; NULL: the system's is asked. The result is the word for the record, in the arena; NULL on
// an error, which names linux.cgroupsPath.
const char *systemd_unit_plan(const char *cgroups_path, const char *id, const char *user_bus, struct arena *arena,
                              struct err *err) MUST_CHECK;

// Reads what systemd_unit_plan() made. *ret_path is where the group lies below systemd's own.
int systemd_unit_of(const char *recorded, struct arena *arena, struct systemd_unit *ret_unit, const char **ret_path,
                    struct err *err) MUST_CHECK;

// Whether the unit's name carries the container's id.
bool systemd_unit_has_id(const struct systemd_unit *unit, const char *id) MUST_CHECK;

#endif

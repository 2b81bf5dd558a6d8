// What a container may do unless told otherwise: capabilities, system calls, hidden paths. Docker's defaults, where those are not too
// weak; what the flags --cap-add, --cap-drop, --security-opt and --privileged change.
#ifndef COFFER_ENGINE_POLICY_H
#define COFFER_ENGINE_POLICY_H

#include "runtime/base/attr.h"

#include <stdbool.h>

struct arena;
struct err;
struct oci_config;
struct oci_process;
struct run_request;

// Whether it will have this capability (CAP_*).
bool policy_grants(const struct run_request *run, int capability);

// Sets the capabilities and no_new_privs.
int policy_process(const struct run_request *run, struct arena *arena, struct oci_process *process, struct err *err) MUST_CHECK;

// Sets the system call filter and the masked and read-only paths. After policy_process().
int policy_hiding(const struct run_request *run, struct arena *arena, struct oci_config *config, struct err *err) MUST_CHECK;

#endif

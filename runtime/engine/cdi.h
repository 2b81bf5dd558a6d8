// cdi: devices that the host's CDI files describe (specs/cdi.h): --device VENDOR/CLASS=NAME and --gpus. The files are JSON, in /var/run/cdi
// and /etc/cdi; the first that has the device counts.
#ifndef COFFER_ENGINE_CDI_H
#define COFFER_ENGINE_CDI_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct cdi_edits;
struct err;
struct oci_config;

struct cdi_list {
    const struct cdi_edits **items; // in the order in which they are to be made
    const char **names;             // of the files and devices that they are of: none comes twice
    size_t count;
};

// Whether --device names one of these, and no path.
bool cdi_is_name(const char *word);

// Adds what a device needs, found by its whole name.
int cdi_find(const char *name, struct arena *arena, struct cdi_list *list, struct err *err) MUST_CHECK;

// The same for what --gpus says: all, a number, or docker's "device=0,1" and count=N, with driver= and capabilities= beside them.
int cdi_find_gpus(const char *words, struct arena *arena, struct cdi_list *list, struct err *err) MUST_CHECK;

// Makes the edits but for the device nodes: variables, mounts and groups. Hooks are not run, which is said.
void cdi_apply(const struct cdi_list *list, struct arena *arena, struct oci_config *config);

#endif

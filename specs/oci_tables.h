// The tables of config.json's parts, for one another: internal to specs/.
#ifndef COFFER_SPECS_OCI_TABLES_H
#define COFFER_SPECS_OCI_TABLES_H

#include "specs/json.h"

struct oci_linux;
struct oci_mount;
struct oci_process;
struct oci_resources;
struct oci_seccomp;

extern const struct json_table oci_id_mapping_table;
extern const struct json_table oci_process_table;
extern const struct json_table oci_linux_table;
extern const struct json_table oci_resources_table;
extern const struct json_table oci_seccomp_table;
extern const struct json_table oci_seccomp_arg_table;

extern const struct json_name oci_memory_flag_names[];
extern const struct json_name oci_memory_mode_names[];
extern const struct json_name oci_namespace_names[];
extern const struct json_name oci_seccomp_action_names[];
extern const struct json_name oci_seccomp_arch_names[];
extern const struct json_name oci_seccomp_flag_names[];
extern const struct json_name oci_seccomp_op_names[];

// A check's place in the document, for its messages: the document's name, and the way to the part under check.
struct oci_place {
    const char *document;
    const char *part; // "linux.resources.", "", ...
    struct err *err;
};

// "config.json: PART" and the message. Returns -1.
int oci_fail(const struct oci_place *place, const char *format, ...) PRINTF_LIKE(2, 3);

int oci_mounts_check(const struct oci_mount *mounts, size_t count, const struct oci_place *place) MUST_CHECK;
int oci_process_check(const struct oci_process *process, const struct oci_place *place) MUST_CHECK;
int oci_resources_check(const struct oci_resources *resources, const struct oci_place *place) MUST_CHECK;
int oci_seccomp_check(const struct oci_seccomp *seccomp, const struct oci_place *place) MUST_CHECK;

#endif

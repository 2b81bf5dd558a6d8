// What checkpoint and restore share of their options.
#ifndef COFFER_CLI_COMMANDS_OCI_CRIU_H
#define COFFER_CLI_COMMANDS_OCI_CRIU_H

#include "cli/options.h"
#include "runtime/base/attr.h"

#include <stdbool.h>

struct checkpoint_options;
struct context;
struct err;

struct oci_criu_options {
    const char *image_path;
    const char *work_path;
    bool tcp_established;
    bool ext_unix_sk;
    bool shell_job;
    bool lazy_pages;
    bool file_locks;
    int cgroups; // index of a name
    struct strv empty_ns;
    bool auto_dedup;
    int network_lock;
};

extern const struct option_row oci_criu_rows[];

// Fills what they share; all of it lives in the context's arena.
int oci_criu_read(struct context *context, const struct oci_criu_options *criu, struct checkpoint_options *ret,
                  struct err *err) MUST_CHECK;

#endif

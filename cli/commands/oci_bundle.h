// What create, run and spec share: a bundle's config.json, and the options that say how to make a container of it.
#ifndef COFFER_CLI_COMMANDS_OCI_BUNDLE_H
#define COFFER_CLI_COMMANDS_OCI_BUNDLE_H

#include "cli/options.h"
#include "runtime/base/attr.h"

#include <stdbool.h>

struct container_options;
struct context;
struct err;

struct oci_make_options {
    const char *bundle;
    const char *console_socket;
    const char *pid_file;
    bool no_pivot;
    bool no_new_keyring;
};

extern const struct option_row oci_make_rows[];

// Reads and decodes the bundle's config.json and fills the options; all of it lives in the context's arena.
int oci_bundle_read(struct context *context, const struct oci_make_options *make, struct container_options *ret_options,
                    struct err *err) MUST_CHECK;

#endif

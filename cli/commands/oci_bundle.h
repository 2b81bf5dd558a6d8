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
    const char *config;
    const char *pidfd_socket;
    struct opt_i64 preserve_fds;
    bool no_subreaper;
    bool no_pivot;
    bool no_new_keyring;
};

extern const struct option_row oci_make_rows[];

enum { OCI_KEPT_MAX = 1024 };

// The descriptors from 3 on that a command gets: sockets that systemd or an engine has opened for it, and those of --preserve-fds.
struct oci_kept {
    int count;
    int listen;        // how many of them are such sockets
    const char *names; // LISTEN_FDNAMES
};
struct oci_kept oci_kept_fds(struct opt_i64 preserve_fds);

// NOTIFY_SOCKET, where a service manager waits for the word that the container is ready; NULL for none.
const char *oci_notify_socket(void);

// Reads and decodes the bundle's config.json and fills the options; all of it lives in the context's arena.
int oci_bundle_read(struct context *context, const struct oci_make_options *make, struct container_options *ret_options,
                    struct err *err) MUST_CHECK;

// Reads a whole JSON document that a word names: a file, - for standard input. The text is malloc'd, the caller's.
int oci_read_document(const char *path, char **ret_text, size_t *ret_size, struct err *err) MUST_CHECK;

#endif

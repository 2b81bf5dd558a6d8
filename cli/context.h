// What a command is called with: where state lives, the global options, its own request and operands. One a process, owned by main.
#ifndef COFFER_CLI_CONTEXT_H
#define COFFER_CLI_CONTEXT_H

#include "runtime/base/arena.h"
#include "runtime/base/attr.h"

#include <stdbool.h>

struct command;
struct err;

enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };
enum rootless_wish { ROOTLESS_AUTO, ROOTLESS_TRUE, ROOTLESS_FALSE };

struct context {
    // Of every command that is not COMMAND_STATELESS. Absolute paths; none of the folders need exist yet.
    const char *root_dir;  // run-time state: /run/coffer
    const char *store_dir; // images, volumes, records: /var/lib/coffer
    const char *oci_dir;   // the low level's run-time state: root_dir/oci
    const char *mounts_dir; // where images are mounted: root_dir/images
    const char *user_bus;  // of an ordinary user's own systemd; NULL: not known
    bool oci_dir_given;    // by --root of the low level
    bool rootless;         // not started by root

    // The command's own: filled as its option rows say, and what stood behind the options.
    const void *request;
    char **operands; // NULL behind the last
    int operand_count;
    const struct command *command;
    const char *path; // as it was called: "coffer image rm", "coffer-oci run"

    // Global options that commands do not need: see main.c and messages.h.
    bool debug;
    bool version;
    int log_level; // as messages.c has them

    // The low level's global options.
    const char *log_path;
    int log_format; // enum log_format
    bool systemd_cgroup;
    const char *cgroup_manager;
    int rootless_wish; // enum rootless_wish

    struct arena arena; // for whatever lives as long as the call
};

// Fills root_dir, store_dir, oci_dir, user_bus and rootless from the options already there, the environment (COFFER_ROOT, COFFER_STORE, and
// the XDG folders when rootless) and the defaults. A rootless user without XDG_RUNTIME_DIR gets /tmp/coffer-UID, which is made here
// and refused when it is not only his.
int context_find_state(struct context *context, struct err *err) MUST_CHECK;

#endif

// container: one OCI container, from create to delete, as the runtime-spec has it. Images and engine are unknown here.
//
// All functions find the container by its id below the run-time root (runtime/container/state_dir.h says what lies there). An error
// of create or run leaves nothing behind. Kinds of errors: ERR_EXISTS for a taken id, ERR_NOT_FOUND, ERR_STATE, ERR_NO_COMMAND and
// ERR_NOT_EXECUTABLE for the command, ERR_UNSUPPORTED for what this host cannot do.
#ifndef COFFER_CONTAINER_CONTAINER_H
#define COFFER_CONTAINER_CONTAINER_H

#include "runtime/base/attr.h"
#include "runtime/kernel/userns.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;
struct oci_config;

// A root file system of layers, in place of config->root.path: mounted for this container alone, in its own mount namespace.
struct container_layers {
    const char *base; // the directory that holds the lower ones (struct overlay)
    const char *const *lower;
    size_t lower_count;
    const char *upper;
    const char *work;
    const char *directory; // an empty directory, for kernels that need a mount point
    bool is_volatile;
};

struct container_options {
    const char *root; // run-time root
    const char *id;
    const char *bundle; // absolute path
    const struct oci_config *config;
    const char *config_text; // as read, kept as the snapshot; NULL: none is kept
    size_t config_size;

    const struct container_layers *layers; // NULL: config->root.path, relative to the bundle
    const char *user;                      // NULL: config->process.user; else "name[:group]", looked up inside
    bool make_cwd;
    bool reaper;     // an init that forwards signals and reaps, in front of the command

    bool no_pivot;
    const char *pid_file;
    const char *console_socket; // where to send the pty's master (create, detached run)
    const char *seccomp_cache; // directory of compiled filters, made when missing; NULL: none is kept
    bool few_hierarchies;      // cgroup version 1: only those that limits need (nobody but us looks)

    // run in the foreground
    int *give_stdio; // three descriptors for the command's 0, 1 and 2, taken once it has them; -1, or NULL: ours. Without a terminal
    int pipes[3];    // our ends of those that are pipes, -1 for others: carried from and to our own 0, 1 and 2
    bool interactive; // with a terminal: what is typed goes to it
    bool pass_signals;
};

// Sets everything up and leaves init waiting for container_start().
int container_create(const struct container_options *options, struct err *err) MUST_CHECK;

// Lets a created container's command run. What keeps it from running is this function's error.
int container_start(const char *root, const char *id, struct err *err) MUST_CHECK;

// create and start in one, without a wait between them. *ret_status: exit code, or 128 + signal. Detached: returns once it runs.
int container_run(const struct container_options *options, bool detached, int *ret_status, struct err *err) MUST_CHECK;

// Sends the signal to the container's process, or to all of them.
int container_kill(const char *root, const char *id, int signal, bool all, struct err *err) MUST_CHECK;

// Removes a stopped container; with force a running one is killed first, and one that is not there is no error.
int container_delete(const char *root, const char *id, bool force, struct err *err) MUST_CHECK;

// Appends the state document (runtime-spec, "State").
int container_state(const char *root, const char *id, struct buf *document, struct err *err) MUST_CHECK;

// Removes what commands that were killed left below the root: folders, processes, cgroups. Never fails; logs what it cannot remove.
void container_sweep(const char *root);

#endif

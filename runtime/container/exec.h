// exec: one more process in a container that is there (runc-exec(8)).
//
// Theory of operation. Nothing that runs inside may be the runtime's own program or hold what leads to the host. A process between runs
// the sealed init program, is not dumpable, and joins the container's namespaces by one setns(2) on the pidfd of the container's first
// process; its clone is born in the pid namespace and in the container's cgroup, gets a plan as a container's init does, and becomes the
// command (launch.h, init/join.c). What the container's own configuration says of its process is the new one's too, as it was at create.
//
// The new process is on its own: where the runtime that waits for it is killed it goes on, as with runc and crun. It ends with the
// container.
#ifndef COFFER_CONTAINER_EXEC_H
#define COFFER_CONTAINER_EXEC_H

#include "runtime/base/attr.h"
#include "runtime/base/strv.h"
#include "specs/values.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct arena;
struct err;
struct oci_config;
struct oci_process;

// A child of the caller.
struct exec_child {
    pid_t pid;
    int pidfd; // the caller's
};

// All is borrowed. What is not given is the container's own, but for the terminal.
struct exec_options {
    const char *root; // run-time root
    const char *id;
    const struct oci_config *config; // the container's, where none was kept at create

    const struct oci_process *process; // a whole one; then what follows up to no_new_privileges says nothing
    const char *const *args;           // NULL behind the last
    size_t arg_count;
    const char *cwd;
    const struct strv *env;             // NAME=VALUE: added, or in the place of one of that name
    const char *user;                   // UID[:GID]
    const char *named_user;             // in its place: "name[:group]", looked up inside
    const struct strv *group_names;     // with it: additional groups, looked up there, too
    const struct strv *additional_gids; // added
    const struct strv *caps;            // by name: added to the bounding, effective and permitted sets
    const char *apparmor_profile;
    const char *selinux_label;
    struct opt_bool no_new_privileges;
    bool terminal;

    const struct strv *cgroups; // below the container's: one path, or "controller[,controller]:path" on version 1
    int kept_fds;               // as those of struct container_options
    int listen_fds;
    const char *listen_names;
    bool ignore_paused;
    const char *paused_advice; // what the caller's user can do about a paused container; NULL: --ignore-paused
    bool detach;
    bool die_with_parent; // it is killed when the calling process ends
    struct exec_child *ret_child; // detached: its process, for a caller that waits for it itself; NULL: nobody does
    int *give_stdio; // as in struct container_options, with `pipes`; NULL: ours
    int pipes[3];    // read only with give_stdio
    const char *pid_file;
    const char *console_socket;
    const char *pidfd_socket;
};

// Returns when the command has ended, *ret_status its exit code or 128 + signal; detached, when it runs.
int container_exec(const struct exec_options *options, int *ret_status, struct err *err) MUST_CHECK;

// The process that the options ask for in a container of this configuration; touches nothing but the arena.
int exec_process(const struct exec_options *options, const struct oci_config *config, struct arena *arena, struct oci_process *ret,
                 struct err *err) MUST_CHECK;

#endif

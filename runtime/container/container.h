// container: one OCI container, from create to delete, as the runtime-spec has it. Images and engine are unknown here.
//
// All functions find the container by its id below the run-time root (runtime/container/state_dir.h says what lies there). An error
// of create or run leaves nothing behind. Kinds of errors: ERR_EXISTS for a taken id, ERR_NOT_FOUND, ERR_STATE, ERR_NO_COMMAND and
// ERR_NOT_EXECUTABLE for the command, ERR_UNSUPPORTED for what this host cannot do.
#ifndef COFFER_CONTAINER_CONTAINER_H
#define COFFER_CONTAINER_CONTAINER_H

#include "runtime/base/attr.h"
#include "runtime/container/options.h"
#include "specs/oci_state.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdint.h>
#include <sys/types.h>

struct arena;
struct err;
struct oci_mount_list;
struct oci_resources;

// Sets everything up and leaves init waiting for container_start().
int container_create(const struct container_options *options, struct err *err) MUST_CHECK;

// Lets a created container's command run. What keeps it from running is this function's error. notify_socket: the host's that is told
// when the container is ready, which is waited for (notify.h); NULL for none.
int container_start(const char *root, const char *id, const char *notify_socket, struct err *err) MUST_CHECK;

// create and start in one, without a wait between them. *ret_status: exit code, or 128 + signal. Detached: returns once it runs.
int container_run(const struct container_options *options, bool detached, int *ret_status, struct err *err) MUST_CHECK;

// Sends the signal to the container's process, or to all of them; SIGKILL goes to all where they have no pid namespace of their own.
// ERR_STATE when there is nobody left, but not for `all`: engines make sure by it.
int container_kill(const char *root, const char *id, int signal, bool all, struct err *err) MUST_CHECK;

// Changes limits of a container that has not stopped. Fields that are not set stay as they are; device rules are replaced as a whole
// where there are any. A refused change leaves the limits as they were.
int container_update(const char *root, const char *id, const struct oci_resources *resources, struct err *err) MUST_CHECK;

// Changes the schemata of its class of service (linux.intelRdt); NULL for what shall stay. ERR_STATE for a container without one.
int container_update_rdt(const char *root, const char *id, const char *l3_schema, const char *bandwidth_schema,
                         struct err *err) MUST_CHECK;

// hot_mounts.c: adds mounts to a container that has not stopped, as they would be made if its configuration had them, or unmounts what is
// at their destinations. All are added or none; directories that were made for them stay. Nothing is unmounted unless all of them are
// mounts. document: the name of what they were read from, for messages.
int container_add_mounts(const char *root, const char *id, const struct oci_mount_list *mounts, const char *document,
                         struct err *err) MUST_CHECK;
int container_remove_mounts(const char *root, const char *id, const struct oci_mount_list *mounts, const char *document,
                            struct err *err) MUST_CHECK;

// Stops all processes where they stand, and lets them go on. ERR_STATE where the container is not running or created, or not paused.
int container_pause(const char *root, const char *id, struct err *err) MUST_CHECK;
int container_resume(const char *root, const char *id, struct err *err) MUST_CHECK;

// All processes in the container's cgroup, in our own pid namespace. *ret_pids is malloc'd.
int container_processes(const char *root, const char *id, pid_t **ret_pids, size_t *ret_count, struct err *err) MUST_CHECK;

// Appends one line of JSON: what the container uses now.
int container_stats(const char *root, const char *id, struct buf *line, struct err *err) MUST_CHECK;

// What it uses now, and has used since it runs.
struct container_usage {
    uint64_t cpu_us;
    uint64_t memory_bytes, memory_limit_bytes; // the limit is what the host has where there is none
    uint64_t pids;                             // processes and threads
    uint64_t received_bytes, sent_bytes;       // by the network namespace that it is in, but for loopback
    uint64_t read_bytes, written_bytes;        // of storage
};
int container_usage(const char *root, const char *id, struct container_usage *ret, struct err *err) MUST_CHECK;

// Who wants to know what happens to a container.
struct container_watch {
    int64_t interval_ms; // between what it uses, at least 1
    int (*tell)(void *context, const struct buf *line, struct err *err); // -1 ends it
    void *context;
};

// Tells one line of JSON for each interval and each time that memory runs out, until the container's process ends.
int container_events(const char *root, const char *id, const struct container_watch *watch, struct err *err) MUST_CHECK;

// Removes a stopped container; with force a running one is killed first, and one that is not there is no error.
int container_delete(const char *root, const char *id, bool force, struct err *err) MUST_CHECK;

// What a container is and does (runtime-spec, "State"). Takes no lock: it answers while others make, start or delete the container.
// The strings live in the arena.
int container_state(const char *root, const char *id, struct arena *arena, struct oci_state *ret, struct err *err) MUST_CHECK;

// Its status alone (enum oci_status) and its first process, 0 where none is left; *ret_pid where wanted. Reads no configuration.
int container_status(const char *root, const char *id, unsigned *ret_status, pid_t *ret_pid, struct err *err) MUST_CHECK;

// The first process of a container that runs, as a descriptor that cannot come to mean another one (pidfd_open(2)), and in which of the
// namespaces asked for (CLONE_NEW*) it is not where the caller is. ERR_STATE: there is none, or not yet.
int container_open_init(const char *root, const char *id, uint64_t asked, int *ret_pidfd, uint64_t *ret_differing, struct err *err) MUST_CHECK;

// All containers below the root, by their ids; the owner of a state is left out (NULL).
struct container_entry {
    struct oci_state state;
    uint32_t owner; // uid of whom the container's folder belongs to
};
int container_list(const char *root, struct arena *arena, struct container_entry **ret, size_t *ret_count, struct err *err) MUST_CHECK;

// The ids alone, without a look at the containers.
int container_ids(const char *root, struct arena *arena, const char ***ret, size_t *ret_count, struct err *err) MUST_CHECK;

// Removes what commands that were killed left below the root: folders, processes, cgroups. Never fails; logs what it cannot remove.
void container_sweep(const char *root);

// Forgets the containers below the root that an earlier boot has left there: processes and cgroups of their numbers and names are others'
// by now, and left alone. is_earlier says so of the caller's own, whatever their processes' numbers and times; others that share the root
// stay while theirs run. One that a command works on stays. Never fails.
void container_forget_earlier(const char *root, bool (*is_earlier)(const void *context, const char *id), const void *context);

#endif

// state_dir: the folder of one container below the run-time root (/run/coffer/oci/ID), and what is known of the container in it.
//
//   state.json      line 1: what must outlive the process that made the container (struct container_record); behind it the
//                   configuration as it was at create: later edits of the bundle's change nothing
//   init.sock       where init waits for `start`
//   frozen          there while a checkpoint is written
//   created         held locked by init until it executes the container's program: tells "created" from "running"
//
// The folder itself is the lock. Whoever makes, starts or deletes the container holds flock(2) on it; the kernel lets go when the
// holder dies, however it dies. `coffer run` holds it for the container's whole life, so a folder of a `run` whose lock is free is
// debris, and the next command removes it, its processes and its cgroup (container_sweep, which finds it in pending.h's list).
#ifndef COFFER_CONTAINER_STATE_DIR_H
#define COFFER_CONTAINER_STATE_DIR_H

#include "runtime/base/arena.h"
#include "runtime/base/attr.h"
#include "runtime/container/pending.h"
#include "specs/oci_state.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

enum { CONTAINER_ID_MAX = 248 }; // "coffer-" in front of it is still a file name: that of the cgroup

struct state_dir {
    int root_fd; // the run-time root
    int fd;      // the container's folder; its lock
    char id[CONTAINER_ID_MAX + 1];
    int state_fd; // state.json since state_dir_write(), for what is to be filled in; 0 for none
    char pending[PENDING_NAME_SIZE]; // our note that we are at work on it; empty: none
};

struct container_record {
    const char *bundle;
    const char *rootfs;
    const char *created; // RFC 3339
    int64_t pid;
    uint64_t start_time; // of pid, clock ticks since boot: tells the process from a later one (the folder does not outlive a boot)
    uint32_t owner; // uid of who made it
    bool own_pids;  // its process is the first of a pid namespace, whose end is the end of all in it
    bool attached;  // ends with its maker: made by a `run` in the foreground, or not whole yet
    const char *cgroup_manager; // its name (cgroup_manager.h)
    bool reaper;    // its first process stays our init, in front of the command
    const char *cgroup_path; // where a cgroup is going to be made: written down before it is
    const char *cgroup_there; // how much of the path was there before (cgroup_depths()); NULL: not asked, as the last name has the id
    const char *cgroup;      // what was made (cgroup_record()); NULL before that, and for none
    const char *rdt;         // the class of service (intel_rdt.h), as planned, then as it is; NULL for none
};

void state_dir_finish(struct state_dir *dir); // closes, and so unlocks
#define AUTO_STATE_DIR AUTO(state_dir_finish)

// [a-zA-Z0-9_+-][a-zA-Z0-9_+.-]*, at most CONTAINER_ID_MAX.
int container_id_check(const char *id, struct err *err) MUST_CHECK;

// Makes the folder and locks it. A taken id is an error (ERR_EXISTS).
int state_dir_create(const char *root, const char *id, struct state_dir *ret, struct err *err) MUST_CHECK;

// Opens it without the lock; ERR_NOT_FOUND where there is none.
int state_dir_open(const char *root, const char *id, struct state_dir *ret, struct err *err) MUST_CHECK;

// Takes the lock; waits for whoever holds it when `wait`, else ERR_STATE. ERR_NOT_FOUND when the container was removed meanwhile.
int state_dir_lock(struct state_dir *dir, bool wait, struct err *err) MUST_CHECK;

// Writes state.json with the record and the snapshot of the configuration (NULL: none); then, in place and in one system call, the
// record as it has become. A reader who comes while the first is written takes the container as being created.
int state_dir_write(struct state_dir *dir, const struct container_record *record, const char *config, size_t config_size,
                    struct err *err) MUST_CHECK;
int state_dir_complete(const struct state_dir *dir, const struct container_record *record, struct err *err) MUST_CHECK;

// The record out of the text of a state.json; false when it is not whole.
bool container_record_decode(const char *text, size_t size, struct arena *arena, struct container_record *ret) MUST_CHECK;
int state_dir_read(const struct state_dir *dir, struct arena *arena, struct container_record *ret, struct err *err) MUST_CHECK;

// The snapshot of the configuration, malloc'd and the caller's; NULL when there is none.
int state_dir_read_config(const struct state_dir *dir, char **ret_text, size_t *ret_size, struct err *err) MUST_CHECK;

// Both by one look at the file.
int state_dir_read_both(const struct state_dir *dir, struct arena *arena, struct container_record *ret, char **ret_text, size_t *ret_size,
                        struct err *err) MUST_CHECK;

// A container that is attached to its maker cannot be told from one that is not whole yet by its record alone: its folder is marked once
// its first process is the command, or waits for `start`, in its root file system.
int state_dir_mark_whole(const struct state_dir *dir, struct err *err) MUST_CHECK;
bool state_dir_is_whole(const struct state_dir *dir, const struct container_record *record);

// The container is whole and on its own now: our end means nothing to it any more.
void state_dir_settle(struct state_dir *dir);

// Removes the folder with all that is in it.
int state_dir_remove(struct state_dir *dir, struct err *err) MUST_CHECK;

// What the container is doing now, from the kernel: the process, its lock on `created`, the program it executes. Needs no lock, and
// answers while others hold it. A process that is dead but not reaped is none, and neither is a later one with the same number.
enum oci_status state_dir_status(const struct state_dir *dir, const struct container_record *record);

// Whether a command that makes, starts or deletes the container is at work (the caller's counts), or a `run` in the foreground.
bool state_dir_is_locked(const struct state_dir *dir);

// Makes the folder's init.sock and listens on it. Returns the socket.
int state_dir_listen(const struct state_dir *dir, struct err *err) MUST_CHECK;
int state_dir_connect(const struct state_dir *dir, struct err *err) MUST_CHECK;

// Opens and locks `created`, for init to hold.
int state_dir_lock_created(const struct state_dir *dir, struct err *err) MUST_CHECK;

// Makes a created container not look so, and back: `start` has nothing to wait for while it is paused. No error where it is that way.
int state_dir_hide_created(const struct state_dir *dir, bool hide, struct err *err) MUST_CHECK;

// Marks that a checkpoint holds the container frozen, and takes the mark away: whoever finds it, and the lock free, thaws.
int state_dir_mark_frozen(const struct state_dir *dir, bool mark, struct err *err) MUST_CHECK;
bool state_dir_is_marked_frozen(const struct state_dir *dir);

// Waits until init holds it no more.
void state_dir_wait_started(const struct state_dir *dir);

#endif

// Control groups (cgroups(7)): one handle for a group of processes, whatever the host has below /sys/fs/cgroup.
//
// Hosts are of three kinds. Version 2 alone: one hierarchy, its controllers enabled level by level in cgroup.subtree_control.
// Version 1: one hierarchy for each controller or set of controllers, a group is a directory of the same path in each. Hybrid:
// version 1 with a version 2 hierarchy beside it that has few controllers or none; here it is one more hierarchy, CGROUP_UNIFIED,
// worth having because it joins at clone time, kills and freezes in one write and takes device programs.
//
// Paths are below the mounts as this process sees them and are checked strictly; all work is done below a descriptor of the mount
// by openat2(2) with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS.
//
// Ownership: a cgroup borrows the cgroup_host it was made with, and holds one descriptor for each hierarchy. Finishing it closes
// those and removes nothing; cgroup_remove() removes directories, and never one that cgroup_create() did not make.
//
// Joining: on version 2 give cgroup_birth_fd() to process_clone(), which starts the child inside. On version 1 the child itself writes
// "0" to the descriptors of cgroup_join_fds(): moving one's own thread takes no lock over all threads of the host and waits for no
// RCU grace period (Linux 5.17), where moving another process takes milliseconds.
#ifndef COFFER_KERNEL_CGROUP_H
#define COFFER_KERNEL_CGROUP_H

#include "runtime/base/arena.h"
#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct buf;
struct cgroup_limits;
struct err;

enum cgroup_version {
    CGROUP_NONE = 0, // nothing is mounted on /sys/fs/cgroup
    CGROUP_V1,       // version 1, hybrid or not
    CGROUP_V2,
};

// Masks of these are CGROUP_MASK(CGROUP_CPU) | ...
enum cgroup_controller {
    CGROUP_CPU,
    CGROUP_CPUACCT, // version 1
    CGROUP_CPUSET,
    CGROUP_MEMORY,
    CGROUP_PIDS,
    CGROUP_IO,      // "blkio" in version 1
    CGROUP_DEVICES, // version 1; in version 2 a BPF program
    CGROUP_FREEZER, // version 1; in version 2 part of every group
    CGROUP_HUGETLB,
    CGROUP_RDMA,
    CGROUP_MISC,
    CGROUP_NET_CLS,    // version 1
    CGROUP_NET_PRIO,   // version 1
    CGROUP_PERF_EVENT, // version 1; in version 2 part of every group
    CGROUP_SYSTEMD,    // version 1: the hierarchy "name=systemd", without a controller
    CGROUP_UNIFIED,    // the version 2 hierarchy of a hybrid host, or the one of a version 2 host
    CGROUP_CONTROLLER_COUNT
};
#define CGROUP_MASK(controller) (UINT32_C(1) << (controller))
#define CGROUP_ALL UINT32_MAX

enum { CGROUP_MAX_HIERARCHIES = CGROUP_CONTROLLER_COUNT, CGROUP_MAX_DEPTH = 32, CGROUP_PATH_SIZE = 4096 };

// "memory"; as version 2 calls it.
const char *cgroup_controller_name(enum cgroup_controller controller);
// The mask of a controller by its name in either version, 0 when unknown.
uint32_t cgroup_controller_mask(const char *name);

struct cgroup_hierarchy {
    uint32_t controllers; // in version 1; the unified one has CGROUP_UNIFIED only
    const char *name;     // of the mount below /sys/fs/cgroup: "cpu,cpuacct"; "" on version 2
    const char *root;     // which directory of the hierarchy is mounted there: "/" but in a container without a cgroup namespace
};

struct cgroup_host {
    enum cgroup_version version;
    int fd; // O_PATH of /sys/fs/cgroup, for all work below it; -1 with CGROUP_NONE
    char *mounts; // the text that the names of version 1 lie in
    size_t count;
    struct cgroup_hierarchy hierarchies[CGROUP_MAX_HIERARCHIES];
};

// Looks what is mounted on /sys/fs/cgroup: an open and a statfs on version 2; on version 1 /proc/self/mountinfo is read.
// A host without cgroups is CGROUP_NONE and no error.
int cgroup_detect(struct cgroup_host *ret_host, struct err *err) MUST_CHECK;
void cgroup_host_finish(struct cgroup_host *host);
#define AUTO_CGROUP_HOST AUTO(cgroup_host_finish)

// All controllers that could be had on the host: of all hierarchies mounted on version 1, of the root's cgroup.controllers on
// version 2.
uint32_t cgroup_host_controllers(const struct cgroup_host *host);

struct cgroup_dir {
    const struct cgroup_hierarchy *hierarchy;
    int fd;     // O_PATH of the group's directory
    int made;   // how many directories at the end of path cgroup_create() made here; 0: the group was there
    bool kills_births; // cgroup_probe_birth() has seen it
    bool fresh; // made by this very handle: no program can be attached to it yet
    const char *path; // below /sys/fs/cgroup: "memory/coffer/4f1a", or "coffer/4f1a" on version 2
};

struct cgroup {
    const struct cgroup_host *host;
    struct arena arena; // what the paths lie in
    const char *path;   // as it was asked for
    size_t count;
    struct cgroup_dir dirs[CGROUP_MAX_HIERARCHIES];
};

// Whether path can name a group: "/a/b" below the mounts, or "a/b" below the group of the caller. Components are at most NAME_MAX
// bytes, none empty, ".", "..", or with a newline; no more than CGROUP_MAX_DEPTH.
int cgroup_check_path(const char *path, struct err *err) MUST_CHECK;

// Makes the group, or takes the existing one (its `made` is 0 then). A relative path begins at the caller's own group in each
// hierarchy of version 1, and beside it on version 2, where a group with processes can have no children with controllers.
//
// `controllers` on version 1: the hierarchies to have the group in; one that is not mounted is passed over. On version 2: what to
// enable for the group beyond what its limits will need, as far as it is available; 0 costs nothing, more makes stats complete.
int cgroup_create(const struct cgroup_host *host, const char *path, uint32_t controllers, struct cgroup *ret_cgroup,
                  struct err *err) MUST_CHECK;

// The existing group in those of its hierarchies that have it; ERR_NOT_FOUND when none has.
int cgroup_open(const struct cgroup_host *host, const char *path, uint32_t controllers, struct cgroup *ret_cgroup,
                struct err *err) MUST_CHECK;

// How many components of an absolute path are there in each hierarchy of the host, as text to keep: "0 2 2".
void cgroup_depths(const struct cgroup_host *host, const char *path, struct buf *depths);

// Removes what is deeper than that, as far as nobody is in it: what a killed cgroup_create() may have left.
void cgroup_remove_deeper(const struct cgroup_host *host, const char *path, const char *depths);

// Goes down to an existing group below, in the hierarchies of these controllers: the handle means that one there from then on, and
// removes nothing of it. On an error the handle is good for nothing but cgroup_finish().
int cgroup_descend(struct cgroup *cgroup, uint32_t controllers, const char *path, struct err *err) MUST_CHECK;

// What was made, as text to keep in a state file, and the group opened again from it. A line for each directory, "2
// memory/coffer/4f1a": how many levels were made, and the path. Directories that are gone are left out; all gone is no error, count
// is 0.
void cgroup_record(const struct cgroup *cgroup, struct buf *record);
int cgroup_open_record(const struct cgroup_host *host, const char *record, struct cgroup *ret_cgroup, struct err *err) MUST_CHECK;

// A removal that was cut off may have taken the group and left the parents that were made for it: nothing of the group is there to be
// opened any more, but its record.
void cgroup_remove_left_parents(const struct cgroup_host *host, const char *record);

void cgroup_finish(struct cgroup *cgroup);
#define AUTO_CGROUP AUTO(cgroup_finish)

// Whether the group was there before in any of its hierarchies.
bool cgroup_was_there(const struct cgroup *cgroup);

// The group's directory in the hierarchy of a controller, -1 when it has none. Borrowed.
int cgroup_dir_fd(const struct cgroup *cgroup, enum cgroup_controller controller);

// The directory to give to process_clone(): version 2, or the unified hierarchy of a hybrid host. -1 when there is none. Borrowed.
int cgroup_v2_fd(const struct cgroup *cgroup);

// The same where a process can be born in the group, else -1: then cgroup_join_fds() is the way.
int cgroup_birth_fd(const struct cgroup *cgroup);

// Tries whether a process can be born in a group of version 2. Where somebody has once used its cgroup.kill, or that of our own group,
// newer kernels (seen with 6.18) take that for a kill during each birth. Costs a process, which shares all with us.
void cgroup_probe_birth(struct cgroup *cgroup);

// Whether a trial by this process, or by the one that it was forked from, has been killed: then a new group is to be tried, too.
bool cgroup_births_were_killed(void);

// Opens what a process must write "0" to, itself, to be in the group: one descriptor for each version 1 hierarchy, and one for that
// of version 2 where it cannot be born there. Returns how many, at most CGROUP_MAX_HIERARCHIES; they are the caller's.
int cgroup_join_fds(const struct cgroup *cgroup, int fds[], size_t max, struct err *err) MUST_CHECK;

// Moves a process into the group in all hierarchies: slow, for processes that cannot do it themselves.
int cgroup_add(const struct cgroup *cgroup, pid_t pid, struct err *err) MUST_CHECK;

// The hierarchies in which the calling process is in another group than the root, as a mask.
uint32_t cgroup_own_hierarchies(void);

// Version 2: what the calling process could have in a group beside its own, as a mask. *ret_may: whether its user may make one there, and
// go there, as he may in what was delegated to him (cgroups(7)).
uint32_t cgroup_beside(const struct cgroup_host *host, bool *ret_may);

// Moves the calling process, which has one thread, into the group in all its hierarchies; born: it is there on version 2 already, by
// cgroup_birth_fd(). Moving there waits for an RCU grace period, some 10 ms on an idle host; not on version 1, since Linux 5.17.
int cgroup_enter(const struct cgroup *cgroup, bool born, struct err *err) MUST_CHECK;

// Moves it to the group above, and removes the group where nobody else is in it. What cannot be is left.
void cgroup_leave(const struct cgroup *cgroup);

// Sets limits; on version 2 their controllers are enabled in the parents first. A limit whose controller the host lacks, or that
// the version cannot express, is an error that names it. See runtime/kernel/cgroup_limits.h.
int cgroup_apply(struct cgroup *cgroup, const struct cgroup_limits *limits, struct err *err) MUST_CHECK;

// The same for a group in use: what the kernel or a conversion needs beside a changed limit (the swap beside the memory, the quota
// beside the period) is taken from what the group has. When one cannot be set, those set before it are put back.
int cgroup_update(struct cgroup *cgroup, const struct cgroup_limits *limits, struct err *err) MUST_CHECK;

// Gives the group to a user: its directory and the files that /sys/kernel/cgroup/delegate lists (version 2 only; cgroups(7),
// delegation).
int cgroup_delegate(const struct cgroup *cgroup, uid_t uid, gid_t gid, struct err *err) MUST_CHECK;

// All processes of the group and of the groups below it, as this process's pid namespace numbers them. *ret_pids is malloc'd.
int cgroup_pids(const struct cgroup *cgroup, pid_t **ret_pids, size_t *ret_count, struct err *err) MUST_CHECK;

// Sends a signal to all processes of the group and below, once each.
int cgroup_signal(const struct cgroup *cgroup, int signal, struct err *err) MUST_CHECK;

// Kills all processes of the group and below, those that are just being forked too: cgroup.kill (Linux 5.14), else the group is
// frozen, signalled and thawed. Returns when the signals are sent.
int cgroup_kill(const struct cgroup *cgroup, struct err *err) MUST_CHECK;

// Waits until no process is left. 0 when empty, 1 when the time is over.
int cgroup_wait_empty(const struct cgroup *cgroup, int timeout_ms, struct err *err) MUST_CHECK;

// Stops and continues all processes of the group. Freezing waits until all have stopped, or fails after timeout_ms and thaws again.
int cgroup_freeze(const struct cgroup *cgroup, int timeout_ms, struct err *err) MUST_CHECK;
int cgroup_thaw(const struct cgroup *cgroup, struct err *err) MUST_CHECK;
bool cgroup_is_frozen(const struct cgroup *cgroup);

// Removes what cgroup_create() made, and groups that were made below by others; waits up to timeout_ms for processes that are just
// ending. Parents it made are removed when they are empty. What is gone already is no error.
int cgroup_remove(struct cgroup *cgroup, int timeout_ms, struct err *err) MUST_CHECK;

#define CGROUP_UNKNOWN UINT64_MAX // the controller is not there, or the kernel is too old

struct cgroup_stats {
    uint64_t memory_bytes;
    uint64_t memory_peak_bytes;          // version 2: Linux 5.19
    uint64_t memory_inactive_file_bytes; // page cache that can be had back at once: tools show memory_bytes less this
    uint64_t memory_limit_bytes;         // CGROUP_UNKNOWN also when there is no limit
    uint64_t oom_kills;
    uint64_t memory_limit_hits; // how often the group's own limit was in the way
    uint64_t pids;
    uint64_t pids_limit; // as memory_limit_bytes
    uint64_t cpu_usage_us;
    uint64_t cpu_user_us;
    uint64_t cpu_system_us;
    uint64_t cpu_periods;
    uint64_t cpu_throttled_periods;
    uint64_t cpu_throttled_us;
    uint64_t io_read_bytes;
    uint64_t io_write_bytes;
    uint64_t io_reads;
    uint64_t io_writes;
};

// What cannot be read is CGROUP_UNKNOWN.
void cgroup_read_stats(const struct cgroup *cgroup, struct cgroup_stats *ret_stats);

#endif

// The container's init: the steps between clone3(2) and the container's program, in the order of main.c.
//
// Theory of operation. Init is a small static program that the parent starts from a sealed copy in memory, with an empty
// environment: neither the program's own file nor the caller's secrets can be reached through /proc from inside. It gets the whole
// plan in one message, holds nothing open that it was not handed, and is not dumpable, so that processes already in the container
// cannot look into it. It walks from most to least privilege: joins, mounts, pivot, identity, capabilities, system call filter,
// exec; each step fails closed, with a sentence for the user that the parent prints.
#ifndef COFFER_CONTAINER_INIT_INIT_H
#define COFFER_CONTAINER_INIT_INIT_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct arena;
struct err;
struct init_plan;
struct plan_hook;

// What masks: an empty read-only tmpfs over directories, the null device over files. Each is made once; the first path gets it, the
// others clones of it (kernels before 6.15 clone only what is attached).
struct mask {
    int fd;
    bool attached;
};

struct init {
    struct init_plan *plan;
    struct arena *arena; // what the plan lives in
    int channel;
    const int *fds; // what came with the plan; a plan's *_fd is a place in it
    size_t fd_count;
    int root_fd;    // the container's root directory, once there is one
    int *seals; // mounts to be made read-only once all is on them
    size_t seal_count;
    int console_fd; // the slave of the pty, -1 for none
    int proc_fd;    // init_proc()'s, -1 before
    int label_fd;   // takes the command's label, -1 for none
    const char *fresh_path; // of a tmpfs that the plan has mounted, with nothing after it but what is directly below; or NULL
    int fresh_fd;           // its root, -1 before it is needed
    mode_t umask;   // the caller's, for the command
    bool has_network; // a late one has come
    size_t mounts_made;
    const char *own_groups; // cgroups_find_own()'s, in the arena; NULL where there are no hierarchies to mount
    struct mask null_mask, empty_mask;
};

// The descriptor at a place of the plan; -1 when the place is empty or a lie.
int init_fd(const struct init *init, int32_t place) MUST_CHECK;

// A descriptor that init is done with, declared LEFT_FD, is left to init_close_used(), which closes them all at once: a system call each
// would be a tenth of a start. Each is close-on-exec. Only so many stay open, whatever the plan holds.
void init_leave_fd(int *fd);
#define LEFT_FD AUTO(init_leave_fd)

// What the mounts needed is not needed any more: nothing of it is there for a working directory or a command to reach by
// /proc/self/fd (CVE-2024-21626).
int init_close_used(struct init *init, struct err *err) MUST_CHECK;

// Tells the parent what failed; says nothing when the parent is gone.
void init_send_error(const struct init *init, const struct err *err);

// Waits until the parent says that init may go on.
int init_wait_for_go(const struct init *init, struct err *err) MUST_CHECK;
// A line for the user, without an error. Nobody may listen.
void init_warn(const struct init *init, const char *text);

// A handle on procfs (runtime/kernel/procfs.h), opened when it is first needed and closed with what the mounts needed. The first call
// must come before the container's mounts are there to be in the way. -1 with err.
int init_proc(struct init *init, struct err *err) MUST_CHECK;

// join.c: the words behind the channel's on the command line: numbers of the report's descriptor, and of those of a user namespace, a
// pid namespace and a process (pidfd) to join (-1: none); the namespaces to create and those of the process to join (CLONE_NEW*); and 1
// to die with the parent. Returns in init alone, 0 or -1.
enum { INIT_JOIN_WORDS = 7 };
// What is written to the report: two int32_t, the clone's number or one of these, and errno.
enum { INIT_JOIN_REFUSED = -1, INIT_JOIN_NO_CLONE = -2 };
int init_join(const struct init *init, char *const words[INIT_JOIN_WORDS], struct err *err) MUST_CHECK;

// root.c
int init_leave_host(const struct init_plan *plan, struct err *err) MUST_CHECK; // the copy of the host's mounts sends ours not back to it
int init_make_root(struct init *init, struct err *err) MUST_CHECK;  // bind or mount the root file system and step into it
int init_enter_root(struct init *init, struct err *err) MUST_CHECK; // pivot_root(2), so that nothing of the host is left

// mounts.c
// How many come before those that wait for the network namespace and may be made behind all else, as nothing tells the difference.
size_t init_early_mounts(const struct init *init) MUST_CHECK;
int init_make_mounts(struct init *init, size_t end, struct err *err) MUST_CHECK; // those that are not made yet, up to this one
int init_seal_mounts(struct init *init, struct err *err) MUST_CHECK; // what is read-only in the end, behind devices and console

// hot_mounts.c: in place of all else, where the plan is to change the mounts of a container that is there. Says that it has done so.
int init_change_mounts(struct init *init, struct err *err) MUST_CHECK;

// devices.c
int init_make_devices(struct init *init, struct err *err) MUST_CHECK;

// settings.c: what is written to procfs
int init_write_early_settings(struct init *init, struct err *err) MUST_CHECK; // of the process, and a time namespace of its own
int init_write_sysctls(struct init *init, struct err *err) MUST_CHECK;        // of its namespaces, once they are furnished
int init_set_label(struct init *init, struct err *err) MUST_CHECK;            // AppArmor's or SELinux's, of what is executed from then on

// attributes.c
int init_join_keyring(const struct init *init, struct err *err) MUST_CHECK;
int init_set_attributes(const struct init *init, struct err *err) MUST_CHECK;

// masks.c
enum hide { HIDE_ALL, HIDE_IN_PROC, HIDE_ELSEWHERE };
int init_hide_paths(struct init *init, enum hide which, struct err *err) MUST_CHECK;

// console.c
int init_open_console(struct init *init, struct err *err) MUST_CHECK; // makes the pty, binds /dev/console, sends the master

// hooks.c: those of createContainer and of startContainer, one after another, the state document on their standard input.
int init_run_create_hooks(struct init *init, struct err *err) MUST_CHECK;
int init_run_start_hooks(struct init *init, struct err *err) MUST_CHECK;

// identity.c
int init_join_namespaces(struct init *init, struct err *err) MUST_CHECK;
int init_take_network(struct init *init, struct err *err) MUST_CHECK; // waits for it where it comes late
int init_name_host(struct init *init, struct err *err) MUST_CHECK;
int init_take_terminal(struct init *init, struct err *err) MUST_CHECK; // makes it the standard descriptors, where there is one
int init_take_identity(struct init *init, struct err *err) MUST_CHECK; // session, limits, ids, capabilities, filter
int init_become_hook(void *init, struct err *err) MUST_CHECK;           // the same for a hook's process, without what is the command's alone

// landlock.c: the last look at paths from outside; what comes later opens none but the command.
int init_restrict(const struct init *init, struct err *err) MUST_CHECK;

// filter.c
int init_load_filter(const struct init *init, struct err *err) MUST_CHECK;
int init_load_filter_alone(const struct init *init, struct err *err) MUST_CHECK; // without a listener: what would be asked is missing

// user.c: fills uid, gid, groups and HOME of the plan from the container's own files.
int init_resolve_user(struct init *init, struct err *err) MUST_CHECK;

// exec.c
int init_find_program(struct init *init, char *ret_path, size_t size, struct err *err) MUST_CHECK;
int init_enter_directory(const struct init *init, struct err *err) MUST_CHECK;
int init_exec(struct init *init, const char *path, struct err *err) MUST_CHECK; // returns only with an error

// reaper.c
int init_reap(struct init *init, const char *path, struct err *err) MUST_CHECK; // process 1 for a child; returns only with an error

#endif

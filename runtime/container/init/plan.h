// init_plan: all that the container's init has to do, resolved and ordered by the parent before the first system call.
//
// The parent builds it from the OCI config (runtime/container/plan.c), checks it, and sends it to init over the channel, encoded by
// the tables of plan.c. Init decides nothing: it carries the steps out in order and reports the first that fails.
// Descriptors travel beside the message; fields named *_fd hold their place in it, -1 for none.
#ifndef COFFER_CONTAINER_INIT_PLAN_H
#define COFFER_CONTAINER_INIT_PLAN_H

#include "runtime/base/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum plan_mount_kind {
    PLAN_MOUNT_NEW,  // a new file system of type fstype
    PLAN_MOUNT_BIND, // a clone of the host's tree at source, opened by init
    PLAN_MOUNT_TREE, // a ready detached tree that the parent opened: tree_fd
    PLAN_MOUNT_CHANGE, // only attributes and options of what is mounted at the target
    PLAN_MOUNT_CGROUPS, // the hierarchies of cgroup version 1, side by side on a tmpfs
};

struct plan_mount {
    uint32_t kind;
    uint32_t number;    // mounts[number] of the configuration
    const char *target; // path in the container
    const char *source;
    const char *below; // BIND: the path below source that is meant, as hostile as what is there; NULL: source itself
    const char *fstype;
    const char *instead;  // NEW: the host's tree that is bound where a user namespace may not make its own; NULL: that is an error
    const char **options; // NEW, CHANGE: "key" or "key=value", for the file system
    size_t option_count;
    int32_t tree_fd;
    bool recursive;           // BIND: with what is mounted below
    bool nofollow;            // a link at the end of target is not followed
    bool nofollow_source;     // BIND: nor one at the end of source
    bool copy_symlink;        // BIND, TREE: a source that is a link is made again at the target
    const char *label;        // NEW: SELinux, of what takes no option for it; NULL: none
    bool copy_up;             // NEW: what the image has at the target is copied into it (tmpcopyup)
    bool seal;                // NEW, CGROUPS: made read-only once all that lies on it is there
    uint64_t attr_set;        // MOUNT_ATTR_*, of the mount itself
    uint64_t attr_clear;
    uint64_t tree_attr_set;   // MOUNT_ATTR_*, of the mount and all below
    uint64_t tree_attr_clear;
    uint64_t propagation;      // MS_SHARED, MS_SLAVE, MS_PRIVATE, MS_UNBINDABLE, 0 for none
    uint64_t tree_propagation; // the same for the mount and all below
};

struct plan_hierarchy { // of cgroup version 1, or the unified one beside it
    const char *name;   // of its directory below /sys/fs/cgroup
    const char *fstype;
    const char *data;   // its controllers, or its name
    const char *root;   // the group that the host has mounted there: "/", mostly
};

struct plan_device {
    const char *path;
    int32_t number; // linux.devices[number] of the configuration; -1: one that every container has
    uint32_t mode; // with the type, as mknod(2) takes it
    uint32_t major, minor;
    uint32_t uid, gid;
    bool bind;       // bound from the host's node of the same name, where mknod is not allowed (user namespaces)
    int32_t tree_fd; // bind: the node's detached mount, opened by the parent; -1: init clones it from the host's path
};

struct plan_namespace {
    int32_t fd;
    uint32_t type; // CLONE_NEW*
};

struct plan_rlimit {
    uint32_t resource;
    uint64_t soft, hard;
};

struct plan_caps {
    uint64_t bounding, effective, permitted, inheritable, ambient;
};

struct plan_scheduler { // sched_setattr(2)
    bool set;
    uint32_t policy; // SCHED_*
    uint64_t flags;  // SCHED_FLAG_*
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns, deadline_ns, period_ns;
};

struct plan_memory { // set_mempolicy(2)
    bool set;
    uint32_t mode;           // MPOL_*, with MPOL_F_*
    const void *nodes_bytes; // the kernel's mask, whole words
    size_t nodes_size;       // in bytes
};

struct plan_landlock_rule { // a path, or a port where that is NULL
    const char *annotation; // that it stands in, for errors
    const char *path;       // in the container
    uint64_t port;
    uint64_t rights; // LANDLOCK_*; those that the ruleset does not handle do not count
};

struct plan_landlock {
    uint64_t file_rights; // handled: denied but for the rules; both 0: no ruleset
    uint64_t tcp_rights;
    struct plan_landlock_rule *rules;
    size_t rule_count;
};

struct plan_setting { // a sysctl: path below /proc/sys and its value
    const char *path;
    const char *value;
};

struct plan_hook {
    const char *path;
    const char **args;
    size_t arg_count;
    const char **env;
    size_t env_count;
    uint32_t timeout_s; // 0: none
};

// In a container that is there already: nothing but its mounts is changed (hot_mounts.c).
enum plan_change {
    PLAN_CHANGE_NONE, // a new container, or a new process in one
    PLAN_CHANGE_ADD,
    PLAN_CHANGE_REMOVE,
};

enum plan_root_kind {
    PLAN_ROOT_PATH,    // a directory of the host, bound onto itself
    PLAN_ROOT_TREE,    // a ready detached mount: root_fd
    PLAN_ROOT_OVERLAY, // an overlay that init mounts itself (rootless): lower directories by descriptor
};

struct plan_process {
    const char **args;
    size_t arg_count;
    const char **env;
    size_t env_count;
    const char *cwd;
    bool make_cwd; // a missing working directory is made
    const char *user; // "name|uid[:group|gid]", looked up in the container's own /etc/passwd and /etc/group; NULL: uid and gid as given
    const char **group_names; // with `user`: additional groups, looked up there, too
    size_t group_name_count;
    uint32_t uid, gid;
    uint32_t *groups_bytes; // additional gids
    size_t groups_size;     // in bytes
    bool set_groups;        // false where setgroups(2) is denied to the namespace
    uint32_t umask;
    bool set_umask;
    struct plan_caps caps;
    struct plan_rlimit *rlimits;
    size_t rlimit_count;
    uint64_t unignored_signals; // bit n-1: signal n is not ignored by the caller, so that it need not be reset
    struct plan_scheduler scheduler;
    bool set_io_priority;
    uint32_t io_priority; // as ioprio_set(2) takes it
    struct plan_memory memory;
    bool set_personality;
    uint32_t personality; // PER_*
    bool new_keyring;     // a session keyring of its own
    bool no_new_privileges;
    const void *seccomp; // struct sock_filter[], empty: no filter
    size_t seccomp_size; // in bytes
    uint32_t seccomp_flags;
    bool seccomp_listener; // the filter asks: its listener goes to the parent
    uint32_t lsm;          // enum lsm: whose label the command gets
    const char *lsm_label;
    struct plan_landlock landlock;
    bool terminal;
    uint32_t console_rows, console_columns;
    bool listen_pid;     // LISTEN_PID is set, to its process id
    bool reaper; // init stays as process 1, forwards signals and reaps
    uint32_t kept_fds; // descriptors from 3 on that the command gets too
};

struct init_plan {
    uint32_t change; // enum plan_change: of what follows only die_with_parent, joins, mount_namespace (a new one to open sources in),
                     // mounts and the masked and read-only paths count then

    // Before anything else.
    const int32_t *cgroup_fds_bytes; // v1 "tasks" files to write "0" to: places in the message
    size_t cgroup_fds_size;          // in bytes
    const void *affinity; // struct affinity, set once init is in its cgroup; empty: none
    size_t affinity_size; // in bytes
    bool new_cgroup_namespace;       // unshared once init is in its cgroup, so that it is the namespace's root
    bool become_root;                // in the new user namespace: uid and gid 0
    bool ask_groups;                 // the namespace may deny setgroups(2): looked at before the host's procfs is left
    bool die_with_parent;
    struct plan_namespace *joins;
    size_t join_count;
    const char *time_offsets; // a new time namespace, and what to write to its timens_offsets, "" for nothing; NULL: no namespace

    // The root file system.
    bool mount_namespace; // false: everything about mounts is left out
    uint32_t root_kind;
    const char *root_path;
    int32_t root_fd;
    const char *overlay_base; // the directory that holds the lower ones (struct overlay)
    const char **overlay_lower;
    size_t overlay_lower_count;
    const char *overlay_upper;
    const char *overlay_work;
    const char *overlay_directory;
    bool overlay_volatile;
    uint64_t root_propagation;   // of the host's tree as copied: MS_SLAVE or MS_PRIVATE, recursive
    uint64_t final_propagation;  // rootfsPropagation of the config, on the new root, 0 for none; with MS_REC all below too
    bool root_readonly;
    bool no_pivot;

    struct plan_mount *mounts;
    size_t mount_count;
    struct plan_hierarchy *hierarchies; // of PLAN_MOUNT_CGROUPS
    size_t hierarchy_count;
    bool write_hierarchies; // with bind_hierarchies: they are not made read-only
    bool bind_hierarchies; // no cgroup namespace: the container's own groups are bound, as the host has them
    bool make_devices;
    struct plan_device *devices;
    size_t device_count;
    struct plan_setting *sysctls;
    size_t sysctl_count;
    const char **masked_paths;
    size_t masked_count;
    const char **readonly_paths;
    size_t readonly_count;

    bool new_network;  // loopback is brought up
    bool late_network; // the parent makes the namespace while init works, and hands it over (CHANNEL_NETWORK)
    const char *hostname;
    const char *domainname;

    struct plan_hook *create_hooks; // createContainer: the runtime's path, the container's namespaces
    size_t create_hook_count;
    struct plan_hook *start_hooks; // startContainer
    size_t start_hook_count;
    const char *state_creating; // the state document each hook gets
    const char *state_created;

    bool wait_for_go;      // the parent records and limits the container while its mounts are made
    bool ask_before_pivot; // the parent has hooks to run once the namespaces are there
    bool wait_for_start;   // create: exec only when told
    int32_t start_socket;  // the listening socket that `start` connects to, -1
    int32_t created_lock;  // held until exec: tells created from running

    struct plan_process process;
};

extern const struct wire_record init_plan_record;

#endif

// config.json of the OCI runtime specification 1.3, for Linux, as plain structs.
//
// Decoded into an arena and immutable from then on; all pointers point into that arena. An absent string is NULL, an absent list
// NULL with count 0, an absent section NULL where it is a pointer and all zero where it is not; scalars for which absent differs
// from zero are struct opt_*. Lists of strings end in NULL, so args and env go to execve(2) as they are. Names are resolved to the
// kernel's numbers wherever it has numbers, so that nobody downstream compares strings. Field names follow the specification's.
//
// Two steps: decoding says whether the document is well-formed and of the right types; oci_config_check() whether what it says
// makes sense. Neither looks at the host.
#ifndef COFFER_SPECS_OCI_CONFIG_H
#define COFFER_SPECS_OCI_CONFIG_H

#include "runtime/base/attr.h"
#include "specs/oci_seccomp.h"
#include "specs/values.h"

struct arena;
struct err;
struct json_document;

// The newest version of the specification that this follows; what our own documents say.
#define OCI_VERSION "1.3.0"

// --- process ---

struct oci_user {
    uint32_t uid;
    uint32_t gid;
    struct opt_u32 umask;
    uint32_t *additional_gids;
    size_t additional_gids_count;
};

// Bit n is capability n. Names that are not known are left out, with a warning.
struct oci_capabilities {
    uint64_t bounding;
    uint64_t effective;
    uint64_t inheritable;
    uint64_t permitted;
    uint64_t ambient;
};

struct oci_rlimit {
    uint32_t type; // RLIMIT_*
    uint64_t soft; // UINT64_MAX: RLIM_INFINITY
    uint64_t hard;
};

struct oci_console_size {
    uint32_t height; // rows
    uint32_t width;  // columns
};

struct oci_scheduler {
    uint32_t policy; // SCHED_*
    int32_t nice;
    int32_t priority;
    uint32_t flags; // SCHED_FLAG_*
    uint64_t runtime_ns, deadline_ns, period_ns;
};

struct oci_io_priority {
    uint32_t class_; // IOPRIO_CLASS_*: 1 real time, 2 best effort, 3 idle
    int32_t priority;
};

struct oci_cpu_affinity {
    const char *initial; // lists like "0-3,7"
    const char *final;
};

struct oci_process {
    bool terminal;
    struct oci_console_size *console_size;
    struct oci_user user;
    const char **args;
    size_t args_count;
    const char **env; // NAME=value
    size_t env_count;
    const char *cwd;                       // absolute
    struct oci_capabilities *capabilities; // NULL: no capability of any set
    struct oci_rlimit *rlimits;
    size_t rlimits_count;
    bool no_new_privileges;
    const char *apparmor_profile;
    const char *selinux_label;
    struct opt_i32 oom_score_adj;
    struct oci_scheduler *scheduler;
    struct oci_io_priority *io_priority;
    struct oci_cpu_affinity *exec_cpu_affinity;
};

// --- root, mounts, hooks ---

struct oci_root {
    const char *path; // relative: to the bundle
    bool readonly;
};

struct oci_id_mapping {
    uint32_t container_id;
    uint32_t host_id;
    uint32_t size;
};

struct oci_mount {
    const char *destination; // in the container; relative ones are relative to /
    const char *type;        // NULL for bind mounts, often
    const char *source;      // relative: to the bundle, for bind mounts
    const char *source_below; // not of documents: the path below source, a directory, that is meant; its links stay in there
    const char **options;
    size_t options_count;
    struct oci_id_mapping *uid_mappings; // both or none
    size_t uid_mappings_count;
    struct oci_id_mapping *gid_mappings;
    size_t gid_mappings_count;
};

struct oci_hook {
    const char *path;  // absolute
    const char **args; // args[0] too; NULL when absent: path alone
    size_t args_count;
    const char **env;
    size_t env_count;
    struct opt_i64 timeout_s; // > 0
};

struct oci_hook_list {
    struct oci_hook *items;
    size_t items_count;
};

// In the order in which they run.
enum oci_hook_kind {
    OCI_HOOK_PRESTART,
    OCI_HOOK_CREATE_RUNTIME,
    OCI_HOOK_CREATE_CONTAINER,
    OCI_HOOK_START_CONTAINER,
    OCI_HOOK_POSTSTART,
    OCI_HOOK_POSTSTOP,
    OCI_HOOK_KIND_COUNT
};

extern const char *const oci_hook_names[OCI_HOOK_KIND_COUNT]; // "prestart", ...

// --- linux ---

struct oci_namespace {
    uint32_t type;    // CLONE_NEW*
    const char *path; // NULL: a new one
};

struct oci_time_offset {
    int64_t secs;
    uint32_t nanosecs;
};

// A device node to make.
struct oci_device {
    const char *path;
    uint32_t type; // S_IFCHR, S_IFBLK or S_IFIFO
    int64_t major;
    int64_t minor;
    struct opt_u32 file_mode;
    struct opt_u32 uid;
    struct opt_u32 gid;
};

struct oci_net_device {
    const char *name;     // on the host
    const char *new_name; // in the container; NULL: the same
};

// A rule of the device cgroup; rules apply in their order.
struct oci_device_rule {
    bool allow;
    uint32_t type;        // 'a', 'b' or 'c'; 'a' when absent
    struct opt_i64 major; // unset or -1: all
    struct opt_i64 minor;
    const char *access; // some of "rwm"; NULL: all
};

struct oci_memory {
    struct opt_i64 limit; // bytes, -1: unlimited; so the next four
    struct opt_i64 reservation;
    struct opt_i64 swap; // memory and swap together, as cgroup v1 counts
    bool swap_by_default; // not of documents: nobody has asked for it, so a kernel that counts no swap does without
    struct opt_i64 kernel;
    struct opt_i64 kernel_tcp;
    struct opt_u64 swappiness;
    struct opt_bool disable_oom_killer;
    struct opt_bool use_hierarchy;
    bool check_before_update;
};

struct oci_cpu {
    struct opt_u64 shares;
    struct opt_i64 quota; // microseconds of each period
    struct opt_u64 burst;
    struct opt_u64 period;
    struct opt_i64 realtime_runtime;
    struct opt_u64 realtime_period;
    const char *cpus;
    const char *mems;
    struct opt_i64 idle;
};

struct oci_block_weight {
    int64_t major, minor;
    struct opt_u32 weight;
    struct opt_u32 leaf_weight;
};

struct oci_block_throttle {
    int64_t major, minor;
    uint64_t rate; // bytes or operations a second
};

struct oci_throttle_list {
    struct oci_block_throttle *items;
    size_t items_count;
};

enum oci_throttle_kind {
    OCI_THROTTLE_READ_BPS,
    OCI_THROTTLE_WRITE_BPS,
    OCI_THROTTLE_READ_IOPS,
    OCI_THROTTLE_WRITE_IOPS,
    OCI_THROTTLE_KIND_COUNT
};

struct oci_block_io {
    struct opt_u32 weight;
    struct opt_u32 leaf_weight;
    struct oci_block_weight *weight_devices;
    size_t weight_devices_count;
    struct oci_throttle_list throttles[OCI_THROTTLE_KIND_COUNT];
};

struct oci_hugepage_limit {
    const char *page_size; // "2MB"
    uint64_t limit;        // bytes
};

struct oci_net_priority {
    const char *name; // of the interface
    uint32_t priority;
};

struct oci_rdma {
    const char *name; // of the device
    struct opt_u32 hca_handles;
    struct opt_u32 hca_objects;
};

struct oci_resources {
    struct oci_device_rule *devices;
    size_t devices_count;
    struct oci_memory memory;
    struct oci_cpu cpu;
    struct opt_i64 pids_limit; // 0 or -1: unlimited
    struct oci_block_io block_io;
    struct oci_hugepage_limit *hugepage_limits;
    size_t hugepage_limits_count;
    struct opt_u32 net_class_id;
    struct oci_net_priority *net_priorities;
    size_t net_priorities_count;
    struct oci_rdma *rdma;
    size_t rdma_count;
    struct text_pair *unified; // files of cgroup v2 and what to write
    size_t unified_count;
};

struct oci_intel_rdt {
    const char *clos_id;
    const char **schemata;
    size_t schemata_count;
    const char *l3_cache_schema;
    const char *mem_bw_schema;
    bool enable_monitoring;
};

struct oci_memory_policy {
    uint32_t mode;     // MPOL_*
    const char *nodes; // "0-1"
    uint32_t flags;    // MPOL_F_*
};

struct oci_personality {
    uint32_t domain;    // personality(2): PER_LINUX or PER_LINUX32
    const char **flags; // the specification knows none yet
    size_t flags_count;
};

struct oci_linux {
    struct oci_namespace *namespaces;
    size_t namespaces_count;
    struct oci_id_mapping *uid_mappings;
    size_t uid_mappings_count;
    struct oci_id_mapping *gid_mappings;
    size_t gid_mappings_count;
    struct oci_time_offset *boottime_offset;
    struct oci_time_offset *monotonic_offset;
    struct oci_device *devices;
    size_t devices_count;
    struct oci_net_device *net_devices;
    size_t net_devices_count;
    const char *cgroups_path;
    struct oci_resources resources;
    struct oci_intel_rdt *intel_rdt;
    struct oci_memory_policy *memory_policy;
    struct text_pair *sysctl; // names as paths below /proc/sys, checked to belong to a namespace the container has
    size_t sysctl_count;
    struct oci_seccomp *seccomp;
    uint32_t
        rootfs_propagation;    // MS_PRIVATE, MS_SHARED, MS_SLAVE or MS_UNBINDABLE, with MS_REC for "rprivate" and so on; 0: absent
    const char **masked_paths; // in the container
    size_t masked_paths_count;
    const char **readonly_paths;
    size_t readonly_paths_count;
    const char *mount_label;
    struct oci_personality *personality;
};

// --- the document ---

struct oci_config {
    const char *oci_version;
    struct oci_process *process; // NULL: nothing to start
    struct oci_root root;        // root.path is not NULL once checked
    const char *hostname;
    const char *domainname;
    struct oci_mount *mounts;
    size_t mounts_count;
    struct oci_hook_list hooks[OCI_HOOK_KIND_COUNT];
    struct text_pair *annotations;
    size_t annotations_count;
    struct oci_linux os;   // the section "linux", which is a macro in gnu17
    const char **warnings; // what was odd: unknown capabilities, ... One sentence each, like errors
    size_t warnings_count;
};

// Decodes and checks a whole document. *ret lives in the arena. Errors name the document, the field and what was expected.
int oci_config_decode(const struct json_document *document, struct arena *arena, struct oci_config **ret,
                      struct err *err) MUST_CHECK;

// The checks alone, for a configuration that was made rather than decoded. `name` is the document's, for messages.
int oci_config_check(const struct oci_config *config, const char *name, struct err *err) MUST_CHECK;

// Parts that come as documents of their own: `exec --process FILE` and `update --resources FILE`, with the same checks.
int oci_process_decode(const struct json_document *document, struct arena *arena, struct oci_process **ret,
                       struct err *err) MUST_CHECK;
int oci_resources_decode(const struct json_document *document, struct arena *arena, struct oci_resources **ret,
                         struct err *err) MUST_CHECK;

// `mounts add ID FILE`: an array of mounts, or an object that has it as "mounts", with the checks that config.json's have. Of those to be
// removed the destination alone counts; they are read no less strictly.
struct oci_mount_list {
    struct oci_mount *mounts;
    size_t mounts_count;
};
int oci_mounts_decode(const struct json_document *document, struct arena *arena, struct oci_mount_list *ret, struct err *err) MUST_CHECK;

// The namespace of this type (CLONE_NEW*), NULL if the configuration has none: it is the runtime's own then.
const struct oci_namespace *oci_config_namespace(const struct oci_config *config, uint32_t type);

// The name of a namespace type (CLONE_NEW*), "unknown" for another number.
const char *oci_namespace_name(uint32_t type);

// The type of the namespace that a sysctl belongs to (its path below /proc/sys), 0 for one of the host.
uint32_t oci_sysctl_namespace(const char *path);

#endif

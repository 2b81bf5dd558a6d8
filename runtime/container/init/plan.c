#include "runtime/container/init/plan.h"

static const struct wire_field mount_fields[] = {
    WIRE(struct plan_mount, U32, kind),
    WIRE(struct plan_mount, U32, number),
    WIRE(struct plan_mount, STRING, target),
    WIRE(struct plan_mount, STRING, source),
    WIRE(struct plan_mount, STRING, fstype),
    WIRE(struct plan_mount, STRING, instead),
    WIRE_COUNTED(struct plan_mount, STRINGS, options, option_count),
    WIRE(struct plan_mount, U32, tree_fd),
    WIRE(struct plan_mount, BOOL, recursive),
    WIRE(struct plan_mount, BOOL, nofollow),
    WIRE(struct plan_mount, BOOL, nofollow_source),
    WIRE(struct plan_mount, STRING, below),
    WIRE(struct plan_mount, BOOL, copy_symlink),
    WIRE(struct plan_mount, STRING, label),
    WIRE(struct plan_mount, BOOL, copy_up),
    WIRE(struct plan_mount, BOOL, seal),
    WIRE(struct plan_mount, U64, attr_set),
    WIRE(struct plan_mount, U64, attr_clear),
    WIRE(struct plan_mount, U64, tree_attr_set),
    WIRE(struct plan_mount, U64, tree_attr_clear),
    WIRE(struct plan_mount, U64, propagation),
    WIRE(struct plan_mount, U64, tree_propagation),
};
static const struct wire_record mount_record = WIRE_TABLE(struct plan_mount, mount_fields);

static const struct wire_field hierarchy_fields[] = {
    WIRE(struct plan_hierarchy, STRING, name),
    WIRE(struct plan_hierarchy, STRING, fstype),
    WIRE(struct plan_hierarchy, STRING, data),
    WIRE(struct plan_hierarchy, STRING, root),
};
static const struct wire_record hierarchy_record = WIRE_TABLE(struct plan_hierarchy, hierarchy_fields);

static const struct wire_field device_fields[] = {
    WIRE(struct plan_device, STRING, path), WIRE(struct plan_device, U32, number), WIRE(struct plan_device, U32, mode),
    WIRE(struct plan_device, U32, major),   WIRE(struct plan_device, U32, minor),  WIRE(struct plan_device, U32, uid),
    WIRE(struct plan_device, U32, gid),     WIRE(struct plan_device, BOOL, bind),  WIRE(struct plan_device, U32, tree_fd),
};
static const struct wire_record device_record = WIRE_TABLE(struct plan_device, device_fields);

static const struct wire_field namespace_fields[] = {
    WIRE(struct plan_namespace, U32, fd),
    WIRE(struct plan_namespace, U32, type),
};
static const struct wire_record namespace_record = WIRE_TABLE(struct plan_namespace, namespace_fields);

static const struct wire_field rlimit_fields[] = {
    WIRE(struct plan_rlimit, U32, resource),
    WIRE(struct plan_rlimit, U64, soft),
    WIRE(struct plan_rlimit, U64, hard),
};
static const struct wire_record rlimit_record = WIRE_TABLE(struct plan_rlimit, rlimit_fields);

static const struct wire_field caps_fields[] = {
    WIRE(struct plan_caps, U64, bounding),    WIRE(struct plan_caps, U64, effective), WIRE(struct plan_caps, U64, permitted),
    WIRE(struct plan_caps, U64, inheritable), WIRE(struct plan_caps, U64, ambient),
};
static const struct wire_record caps_record = WIRE_TABLE(struct plan_caps, caps_fields);

static const struct wire_field scheduler_fields[] = {
    WIRE(struct plan_scheduler, BOOL, set),        WIRE(struct plan_scheduler, U32, policy),
    WIRE(struct plan_scheduler, U64, flags),       WIRE(struct plan_scheduler, U32, nice),
    WIRE(struct plan_scheduler, U32, priority),    WIRE(struct plan_scheduler, U64, runtime_ns),
    WIRE(struct plan_scheduler, U64, deadline_ns), WIRE(struct plan_scheduler, U64, period_ns),
};
static const struct wire_record scheduler_record = WIRE_TABLE(struct plan_scheduler, scheduler_fields);

static const struct wire_field memory_fields[] = {
    WIRE(struct plan_memory, BOOL, set),
    WIRE(struct plan_memory, U32, mode),
    WIRE_COUNTED(struct plan_memory, BYTES, nodes_bytes, nodes_size),
};
static const struct wire_record memory_record = WIRE_TABLE(struct plan_memory, memory_fields);

static const struct wire_field landlock_rule_fields[] = {
    WIRE(struct plan_landlock_rule, STRING, annotation),
    WIRE(struct plan_landlock_rule, STRING, path),
    WIRE(struct plan_landlock_rule, U64, port),
    WIRE(struct plan_landlock_rule, U64, rights),
};
static const struct wire_record landlock_rule_record = WIRE_TABLE(struct plan_landlock_rule, landlock_rule_fields);

static const struct wire_field landlock_fields[] = {
    WIRE(struct plan_landlock, U64, file_rights),
    WIRE(struct plan_landlock, U64, tcp_rights),
    WIRE_ARRAY(struct plan_landlock, rules, rule_count, landlock_rule_record),
};
static const struct wire_record landlock_record = WIRE_TABLE(struct plan_landlock, landlock_fields);

static const struct wire_field setting_fields[] = {
    WIRE(struct plan_setting, STRING, path),
    WIRE(struct plan_setting, STRING, value),
};
static const struct wire_record setting_record = WIRE_TABLE(struct plan_setting, setting_fields);

static const struct wire_field hook_fields[] = {
    WIRE(struct plan_hook, STRING, path),
    WIRE_COUNTED(struct plan_hook, STRINGS, args, arg_count),
    WIRE_COUNTED(struct plan_hook, STRINGS, env, env_count),
    WIRE(struct plan_hook, U32, timeout_s),
};
static const struct wire_record hook_record = WIRE_TABLE(struct plan_hook, hook_fields);

static const struct wire_field process_fields[] = {
    WIRE_COUNTED(struct plan_process, STRINGS, args, arg_count),
    WIRE_COUNTED(struct plan_process, STRINGS, env, env_count),
    WIRE(struct plan_process, STRING, cwd),
    WIRE(struct plan_process, BOOL, make_cwd),
    WIRE(struct plan_process, STRING, user),
    WIRE_COUNTED(struct plan_process, STRINGS, group_names, group_name_count),
    WIRE(struct plan_process, U32, uid),
    WIRE(struct plan_process, U32, gid),
    WIRE_COUNTED(struct plan_process, BYTES, groups_bytes, groups_size),
    WIRE(struct plan_process, BOOL, set_groups),
    WIRE(struct plan_process, U32, umask),
    WIRE(struct plan_process, BOOL, set_umask),
    WIRE_SUB(struct plan_process, caps, caps_record),
    WIRE_ARRAY(struct plan_process, rlimits, rlimit_count, rlimit_record),
    WIRE(struct plan_process, U64, unignored_signals),
    WIRE_SUB(struct plan_process, scheduler, scheduler_record),
    WIRE(struct plan_process, BOOL, set_io_priority),
    WIRE(struct plan_process, U32, io_priority),
    WIRE_SUB(struct plan_process, memory, memory_record),
    WIRE(struct plan_process, BOOL, set_personality),
    WIRE(struct plan_process, U32, personality),
    WIRE(struct plan_process, BOOL, new_keyring),
    WIRE(struct plan_process, BOOL, no_new_privileges),
    WIRE_COUNTED(struct plan_process, BYTES, seccomp, seccomp_size),
    WIRE(struct plan_process, U32, seccomp_flags),
    WIRE(struct plan_process, BOOL, seccomp_listener),
    WIRE(struct plan_process, U32, lsm),
    WIRE(struct plan_process, STRING, lsm_label),
    WIRE_SUB(struct plan_process, landlock, landlock_record),
    WIRE(struct plan_process, BOOL, terminal),
    WIRE(struct plan_process, U32, console_rows),
    WIRE(struct plan_process, U32, console_columns),
    WIRE(struct plan_process, BOOL, listen_pid),
    WIRE(struct plan_process, BOOL, reaper),
    WIRE(struct plan_process, U32, kept_fds),
};
static const struct wire_record process_record = WIRE_TABLE(struct plan_process, process_fields);

static const struct wire_field init_plan_fields[] = {
    WIRE(struct init_plan, U32, change),
    WIRE_COUNTED(struct init_plan, BYTES, cgroup_fds_bytes, cgroup_fds_size),
    WIRE_COUNTED(struct init_plan, BYTES, affinity, affinity_size),
    WIRE(struct init_plan, BOOL, new_cgroup_namespace),
    WIRE(struct init_plan, BOOL, become_root),
    WIRE(struct init_plan, BOOL, ask_groups),
    WIRE(struct init_plan, BOOL, die_with_parent),
    WIRE_ARRAY(struct init_plan, joins, join_count, namespace_record),
    WIRE(struct init_plan, STRING, time_offsets),
    WIRE(struct init_plan, BOOL, mount_namespace),
    WIRE(struct init_plan, U32, root_kind),
    WIRE(struct init_plan, STRING, root_path),
    WIRE(struct init_plan, U32, root_fd),
    WIRE(struct init_plan, STRING, overlay_base),
    WIRE_COUNTED(struct init_plan, STRINGS, overlay_lower, overlay_lower_count),
    WIRE(struct init_plan, STRING, overlay_upper),
    WIRE(struct init_plan, STRING, overlay_work),
    WIRE(struct init_plan, STRING, overlay_directory),
    WIRE(struct init_plan, BOOL, overlay_volatile),
    WIRE(struct init_plan, U64, root_propagation),
    WIRE(struct init_plan, U64, final_propagation),
    WIRE(struct init_plan, BOOL, root_readonly),
    WIRE(struct init_plan, BOOL, no_pivot),
    WIRE_ARRAY(struct init_plan, mounts, mount_count, mount_record),
    WIRE_ARRAY(struct init_plan, hierarchies, hierarchy_count, hierarchy_record),
    WIRE(struct init_plan, BOOL, write_hierarchies),
    WIRE(struct init_plan, BOOL, bind_hierarchies),
    WIRE(struct init_plan, BOOL, make_devices),
    WIRE_ARRAY(struct init_plan, devices, device_count, device_record),
    WIRE_ARRAY(struct init_plan, sysctls, sysctl_count, setting_record),
    WIRE_COUNTED(struct init_plan, STRINGS, masked_paths, masked_count),
    WIRE_COUNTED(struct init_plan, STRINGS, readonly_paths, readonly_count),
    WIRE(struct init_plan, BOOL, new_network),
    WIRE(struct init_plan, BOOL, late_network),
    WIRE(struct init_plan, STRING, hostname),
    WIRE(struct init_plan, STRING, domainname),
    WIRE_ARRAY(struct init_plan, create_hooks, create_hook_count, hook_record),
    WIRE_ARRAY(struct init_plan, start_hooks, start_hook_count, hook_record),
    WIRE(struct init_plan, STRING, state_creating),
    WIRE(struct init_plan, STRING, state_created),
    WIRE(struct init_plan, BOOL, wait_for_go),
    WIRE(struct init_plan, BOOL, ask_before_pivot),
    WIRE(struct init_plan, BOOL, wait_for_start),
    WIRE(struct init_plan, U32, start_socket),
    WIRE(struct init_plan, U32, created_lock),
    WIRE_SUB(struct init_plan, process, process_record),
};
const struct wire_record init_plan_record = WIRE_TABLE(struct init_plan, init_plan_fields);

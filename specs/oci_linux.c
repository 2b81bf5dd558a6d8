#include "runtime/base/arena.h"
#include "specs/oci_config.h"
#include "specs/oci_tables.h"

#include <linux/mempolicy.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/stat.h>

const struct json_name oci_namespace_names[] = {
    {"cgroup", CLONE_NEWCGROUP}, {"ipc", CLONE_NEWIPC}, {"mount", CLONE_NEWNS},
    {"network", CLONE_NEWNET},   {"pid", CLONE_NEWPID}, {"time", CLONE_NEWTIME},
    {"user", CLONE_NEWUSER},     {"uts", CLONE_NEWUTS}, {NULL, 0},
};

static const struct json_row namespace_rows[] = {
    ROW_ENUM("type", struct oci_namespace, type, oci_namespace_names, JSON_NEEDED),
    ROW_STRING("path", struct oci_namespace, path, 0),
};
static const struct json_table namespace_table = JSON_TABLE(struct oci_namespace, namespace_rows);

static const struct json_row id_mapping_rows[] = {
    ROW_U32("containerID", struct oci_id_mapping, container_id, JSON_NEEDED),
    ROW_U32("hostID", struct oci_id_mapping, host_id, JSON_NEEDED),
    ROW_U32("size", struct oci_id_mapping, size, JSON_NEEDED),
};
const struct json_table oci_id_mapping_table = JSON_TABLE(struct oci_id_mapping, id_mapping_rows);

static const struct json_row time_offset_rows[] = {
    ROW_I64("secs", struct oci_time_offset, secs, 0),
    ROW_U32("nanosecs", struct oci_time_offset, nanosecs, 0),
};
static const struct json_table time_offset_table = JSON_TABLE(struct oci_time_offset, time_offset_rows);

static const struct json_row time_offsets_rows[] = {
    ROW_POINTER("boottime", struct oci_linux, boottime_offset, struct oci_time_offset, time_offset_table, 0),
    ROW_POINTER("monotonic", struct oci_linux, monotonic_offset, struct oci_time_offset, time_offset_table, 0),
};
static const struct json_table time_offsets_table = JSON_TABLE(struct oci_linux, time_offsets_rows);

// "u" is an unbuffered character device, which Linux does not tell from "c" (mknod(1)).
static const struct json_name device_type_names[] = {{"b", S_IFBLK}, {"c", S_IFCHR}, {"p", S_IFIFO}, {"u", S_IFCHR}, {NULL, 0}};

static const struct json_row device_rows[] = {
    ROW_STRING("path", struct oci_device, path, JSON_NEEDED | JSON_NOT_EMPTY),
    ROW_ENUM("type", struct oci_device, type, device_type_names, JSON_NEEDED),
    ROW_I64("major", struct oci_device, major, 0),
    ROW_I64("minor", struct oci_device, minor, 0),
    ROW_OPT_U32("fileMode", struct oci_device, file_mode, 0),
    ROW_OPT_U32("uid", struct oci_device, uid, 0),
    ROW_OPT_U32("gid", struct oci_device, gid, 0),
};
static const struct json_table device_table = JSON_TABLE(struct oci_device, device_rows);

static const struct json_row net_device_rows[] = {
    ROW_STRING("name", struct oci_net_device, new_name, 0),
};
static const struct json_table net_device_table = JSON_TABLE(struct oci_net_device, net_device_rows);

static const struct json_row intel_rdt_rows[] = {
    ROW_STRING("closID", struct oci_intel_rdt, clos_id, JSON_NOT_EMPTY),
    ROW_STRINGS("schemata", struct oci_intel_rdt, schemata, 0),
    ROW_STRING("l3CacheSchema", struct oci_intel_rdt, l3_cache_schema, 0),
    ROW_STRING("memBwSchema", struct oci_intel_rdt, mem_bw_schema, 0),
    ROW_BOOL("enableMonitoring", struct oci_intel_rdt, enable_monitoring, 0),
};
static const struct json_table intel_rdt_table = JSON_TABLE(struct oci_intel_rdt, intel_rdt_rows);

// Newer than some kernel headers (6.9).
enum { POLICY_WEIGHTED_INTERLEAVE = 6 };

const struct json_name oci_memory_mode_names[] = {
    {"MPOL_BIND", MPOL_BIND},
    {"MPOL_DEFAULT", MPOL_DEFAULT},
    {"MPOL_INTERLEAVE", MPOL_INTERLEAVE},
    {"MPOL_LOCAL", MPOL_LOCAL},
    {"MPOL_PREFERRED", MPOL_PREFERRED},
    {"MPOL_PREFERRED_MANY", MPOL_PREFERRED_MANY},
    {"MPOL_WEIGHTED_INTERLEAVE", POLICY_WEIGHTED_INTERLEAVE},
    {NULL, 0},
};

const struct json_name oci_memory_flag_names[] = {
    {"MPOL_F_NUMA_BALANCING", MPOL_F_NUMA_BALANCING},
    {"MPOL_F_RELATIVE_NODES", MPOL_F_RELATIVE_NODES},
    {"MPOL_F_STATIC_NODES", MPOL_F_STATIC_NODES},
    {NULL, 0},
};

static const struct json_row memory_policy_rows[] = {
    ROW_ENUM("mode", struct oci_memory_policy, mode, oci_memory_mode_names, JSON_NEEDED),
    ROW_STRING("nodes", struct oci_memory_policy, nodes, 0),
    ROW_MASK("flags", struct oci_memory_policy, flags, oci_memory_flag_names, 0),
};
static const struct json_table memory_policy_table = JSON_TABLE(struct oci_memory_policy, memory_policy_rows);

static const struct json_name personality_names[] = {{"LINUX", PER_LINUX}, {"LINUX32", PER_LINUX32}, {NULL, 0}};

static const struct json_row personality_rows[] = {
    ROW_ENUM("domain", struct oci_personality, domain, personality_names, JSON_NEEDED),
    ROW_STRINGS("flags", struct oci_personality, flags, 0),
};
static const struct json_table personality_table = JSON_TABLE(struct oci_personality, personality_rows);

// The specification has the four plain names; the recursive ones are in use beside them.
static const struct json_name propagation_names[] = {
    {"private", MS_PRIVATE},       {"rprivate", MS_REC | MS_PRIVATE},       {"rshared", MS_REC | MS_SHARED},
    {"rslave", MS_REC | MS_SLAVE}, {"runbindable", MS_REC | MS_UNBINDABLE}, {"shared", MS_SHARED},
    {"slave", MS_SLAVE},           {"unbindable", MS_UNBINDABLE},           {NULL, 0},
};

// Other tools write "" for an absent propagation.
static int take_propagation(struct json_reader *reader, json_t *value, void *into) {
    if (json_is_string(value) && json_string_length(value) == 0) {
        return 0;
    }
    return json_take_name(reader, propagation_names, value, into);
}

static const struct json_row linux_rows[] = {
    ROW_LIST("namespaces", struct oci_linux, namespaces, struct oci_namespace, namespace_table, 0),
    ROW_LIST("uidMappings", struct oci_linux, uid_mappings, struct oci_id_mapping, oci_id_mapping_table, 0),
    ROW_LIST("gidMappings", struct oci_linux, gid_mappings, struct oci_id_mapping, oci_id_mapping_table, 0),
    ROW_FLAT("timeOffsets", time_offsets_table, 0),
    ROW_LIST("devices", struct oci_linux, devices, struct oci_device, device_table, 0),
    ROW_BY_NAME("netDevices", struct oci_linux, net_devices, struct oci_net_device, net_device_table, 0),
    ROW_STRING("cgroupsPath", struct oci_linux, cgroups_path, 0),
    ROW_OBJECT("resources", struct oci_linux, resources, struct oci_resources, oci_resources_table, 0),
    ROW_POINTER("intelRdt", struct oci_linux, intel_rdt, struct oci_intel_rdt, intel_rdt_table, 0),
    ROW_POINTER("memoryPolicy", struct oci_linux, memory_policy, struct oci_memory_policy, memory_policy_table, 0),
    ROW_PAIRS("sysctl", struct oci_linux, sysctl, 0),
    ROW_POINTER("seccomp", struct oci_linux, seccomp, struct oci_seccomp, oci_seccomp_table, 0),
    ROW_CUSTOM("rootfsPropagation", struct oci_linux, rootfs_propagation, uint32_t, take_propagation, 0),
    ROW_STRINGS("maskedPaths", struct oci_linux, masked_paths, 0),
    ROW_STRINGS("readonlyPaths", struct oci_linux, readonly_paths, 0),
    ROW_STRING("mountLabel", struct oci_linux, mount_label, 0),
    ROW_POINTER("personality", struct oci_linux, personality, struct oci_personality, personality_table, 0),
};
const struct json_table oci_linux_table = JSON_TABLE(struct oci_linux, linux_rows);

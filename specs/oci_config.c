#include "specs/oci_config.h"

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/strv.h"
#include "runtime/kernel/names.h"
#include "specs/oci_tables.h"

#include <sched.h>
#include <string.h>

// --- process ---

static const struct json_row user_rows[] = {
    ROW_U32("uid", struct oci_user, uid, 0),
    ROW_U32("gid", struct oci_user, gid, 0),
    ROW_OPT_U32("umask", struct oci_user, umask, 0),
    ROW_U32S("additionalGids", struct oci_user, additional_gids, 0),
};
static const struct json_table user_table = JSON_TABLE(struct oci_user, user_rows);

static const struct json_row console_size_rows[] = {
    ROW_U32("height", struct oci_console_size, height, JSON_NEEDED),
    ROW_U32("width", struct oci_console_size, width, JSON_NEEDED),
};
static const struct json_table console_size_table = JSON_TABLE(struct oci_console_size, console_size_rows);

// Capabilities of kernels to come are no error, as the specification wants it; the names must be the kernel's own.
static int take_capability_set(struct json_reader *reader, json_t *value, void *into) {
    if (!json_is_array(value)) {
        return json_expected(reader, "an array of strings", value);
    }
    uint64_t *set = into;
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *item = json_array_get(value, i);
        json_push_index(reader, i);
        if (!json_is_string(item)) {
            return json_expected(reader, "a string", item);
        }
        int capability = name_capability(json_string_value(item));
        if (capability >= 0 && strcmp(name_of_capability(capability), json_string_value(item)) == 0) {
            *set |= UINT64_C(1) << capability;
        } else {
            json_warn(reader, item, "is not a known capability and is left out");
        }
        json_pop(reader);
    }
    return 0;
}

#define CAPABILITY_ROW(set) ROW_CUSTOM(#set, struct oci_capabilities, set, uint64_t, take_capability_set, 0)

static const struct json_row capabilities_rows[] = {
    CAPABILITY_ROW(bounding),  CAPABILITY_ROW(effective), CAPABILITY_ROW(inheritable),
    CAPABILITY_ROW(permitted), CAPABILITY_ROW(ambient),
};
static const struct json_table capabilities_table = JSON_TABLE(struct oci_capabilities, capabilities_rows);

static int take_rlimit_type(struct json_reader *reader, json_t *value, void *into) {
    int type = json_is_string(value) ? name_rlimit(json_string_value(value)) : -1;
    if (type < 0 || strcmp(name_of_rlimit(type), json_string_value(value)) != 0) {
        return json_expected_exact(reader, "the name of a resource limit like RLIMIT_NOFILE", value);
    }
    *(uint32_t *)into = (uint32_t)type;
    return 0;
}

static const struct json_row rlimit_rows[] = {
    ROW_CUSTOM("type", struct oci_rlimit, type, uint32_t, take_rlimit_type, JSON_NEEDED),
    ROW_U64("soft", struct oci_rlimit, soft, JSON_NEEDED),
    ROW_U64("hard", struct oci_rlimit, hard, JSON_NEEDED),
};
static const struct json_table rlimit_table = JSON_TABLE(struct oci_rlimit, rlimit_rows);

// sched(7), sched_setattr(2). SCHED_ISO is reserved, never implemented.
static const struct json_name policy_names[] = {
    {"SCHED_BATCH", SCHED_BATCH},
    {"SCHED_DEADLINE", 6},
    {"SCHED_FIFO", SCHED_FIFO},
    {"SCHED_IDLE", SCHED_IDLE},
    {"SCHED_ISO", 4},
    {"SCHED_OTHER", SCHED_OTHER},
    {"SCHED_RR", SCHED_RR},
    {NULL, 0},
};

static const struct json_name scheduler_flag_names[] = {
    {"SCHED_FLAG_DL_OVERRUN", 0x04},     {"SCHED_FLAG_KEEP_PARAMS", 0x10},
    {"SCHED_FLAG_KEEP_POLICY", 0x08},    {"SCHED_FLAG_RECLAIM", 0x02},
    {"SCHED_FLAG_RESET_ON_FORK", 0x01},  {"SCHED_FLAG_UTIL_CLAMP_MAX", 0x40},
    {"SCHED_FLAG_UTIL_CLAMP_MIN", 0x20}, {NULL, 0},
};

static const struct json_row scheduler_rows[] = {
    ROW_ENUM("policy", struct oci_scheduler, policy, policy_names, JSON_NEEDED),
    ROW_I32("nice", struct oci_scheduler, nice, 0),
    ROW_I32("priority", struct oci_scheduler, priority, 0),
    ROW_MASK("flags", struct oci_scheduler, flags, scheduler_flag_names, 0),
    ROW_U64("runtime", struct oci_scheduler, runtime_ns, 0),
    ROW_U64("deadline", struct oci_scheduler, deadline_ns, 0),
    ROW_U64("period", struct oci_scheduler, period_ns, 0),
};
static const struct json_table scheduler_table = JSON_TABLE(struct oci_scheduler, scheduler_rows);

static const struct json_name io_class_names[] = {
    {"IOPRIO_CLASS_BE", 2}, {"IOPRIO_CLASS_IDLE", 3}, {"IOPRIO_CLASS_RT", 1}, {NULL, 0}};

static const struct json_row io_priority_rows[] = {
    ROW_ENUM("class", struct oci_io_priority, class_, io_class_names, JSON_NEEDED),
    ROW_I32("priority", struct oci_io_priority, priority, 0),
};
static const struct json_table io_priority_table = JSON_TABLE(struct oci_io_priority, io_priority_rows);

static const struct json_row affinity_rows[] = {
    ROW_STRING("initial", struct oci_cpu_affinity, initial, 0),
    ROW_STRING("final", struct oci_cpu_affinity, final, 0),
};
static const struct json_table affinity_table = JSON_TABLE(struct oci_cpu_affinity, affinity_rows);

static const struct json_row process_rows[] = {
    ROW_BOOL("terminal", struct oci_process, terminal, 0),
    ROW_POINTER("consoleSize", struct oci_process, console_size, struct oci_console_size, console_size_table, 0),
    ROW_OBJECT("user", struct oci_process, user, struct oci_user, user_table, 0),
    ROW_STRINGS("args", struct oci_process, args, JSON_NEEDED | JSON_NOT_EMPTY),
    ROW_STRINGS("env", struct oci_process, env, 0),
    ROW_STRING("cwd", struct oci_process, cwd, JSON_NEEDED),
    ROW_POINTER("capabilities", struct oci_process, capabilities, struct oci_capabilities, capabilities_table, 0),
    ROW_LIST("rlimits", struct oci_process, rlimits, struct oci_rlimit, rlimit_table, 0),
    ROW_BOOL("noNewPrivileges", struct oci_process, no_new_privileges, 0),
    ROW_STRING("apparmorProfile", struct oci_process, apparmor_profile, 0),
    ROW_STRING("selinuxLabel", struct oci_process, selinux_label, 0),
    ROW_OPT_I32("oomScoreAdj", struct oci_process, oom_score_adj, 0),
    ROW_POINTER("scheduler", struct oci_process, scheduler, struct oci_scheduler, scheduler_table, 0),
    ROW_POINTER("ioPriority", struct oci_process, io_priority, struct oci_io_priority, io_priority_table, 0),
    ROW_POINTER("execCPUAffinity", struct oci_process, exec_cpu_affinity, struct oci_cpu_affinity, affinity_table, 0),
};
const struct json_table oci_process_table = JSON_TABLE(struct oci_process, process_rows);

// --- root, mounts, hooks ---

static const struct json_row root_rows[] = {
    ROW_STRING("path", struct oci_root, path, JSON_NEEDED | JSON_NOT_EMPTY),
    ROW_BOOL("readonly", struct oci_root, readonly, 0),
};
static const struct json_table root_table = JSON_TABLE(struct oci_root, root_rows);

static const struct json_row mount_rows[] = {
    ROW_STRING("destination", struct oci_mount, destination, JSON_NEEDED | JSON_NOT_EMPTY),
    ROW_STRING("type", struct oci_mount, type, 0),
    ROW_STRING("source", struct oci_mount, source, 0),
    ROW_STRINGS("options", struct oci_mount, options, 0),
    ROW_LIST("uidMappings", struct oci_mount, uid_mappings, struct oci_id_mapping, oci_id_mapping_table, 0),
    ROW_LIST("gidMappings", struct oci_mount, gid_mappings, struct oci_id_mapping, oci_id_mapping_table, 0),
};
static const struct json_table mount_table = JSON_TABLE(struct oci_mount, mount_rows);

static const struct json_row hook_rows[] = {
    ROW_STRING("path", struct oci_hook, path, JSON_NEEDED | JSON_NOT_EMPTY),
    ROW_STRINGS("args", struct oci_hook, args, 0),
    ROW_STRINGS("env", struct oci_hook, env, 0),
    ROW_OPT_I64("timeout", struct oci_hook, timeout_s, 0),
};
static const struct json_table hook_table = JSON_TABLE(struct oci_hook, hook_rows);

const char *const oci_hook_names[OCI_HOOK_KIND_COUNT] = {
    [OCI_HOOK_PRESTART] = "prestart",
    [OCI_HOOK_CREATE_RUNTIME] = "createRuntime",
    [OCI_HOOK_CREATE_CONTAINER] = "createContainer",
    [OCI_HOOK_START_CONTAINER] = "startContainer",
    [OCI_HOOK_POSTSTART] = "poststart",
    [OCI_HOOK_POSTSTOP] = "poststop",
};

#define HOOK_ROW(name, kind) ROW_LIST(name, struct oci_config, hooks[kind].items, struct oci_hook, hook_table, 0)

static const struct json_row hooks_rows[] = {
    HOOK_ROW("prestart", OCI_HOOK_PRESTART),
    HOOK_ROW("createRuntime", OCI_HOOK_CREATE_RUNTIME),
    HOOK_ROW("createContainer", OCI_HOOK_CREATE_CONTAINER),
    HOOK_ROW("startContainer", OCI_HOOK_START_CONTAINER),
    HOOK_ROW("poststart", OCI_HOOK_POSTSTART),
    HOOK_ROW("poststop", OCI_HOOK_POSTSTOP),
};
static const struct json_table hooks_table = JSON_TABLE(struct oci_config, hooks_rows);

// --- the document ---

static const struct json_row config_rows[] = {
    ROW_STRING("ociVersion", struct oci_config, oci_version, JSON_NEEDED),
    ROW_POINTER("process", struct oci_config, process, struct oci_process, oci_process_table, 0),
    ROW_OBJECT("root", struct oci_config, root, struct oci_root, root_table, JSON_NEEDED),
    ROW_STRING("hostname", struct oci_config, hostname, 0),
    ROW_STRING("domainname", struct oci_config, domainname, 0),
    ROW_LIST("mounts", struct oci_config, mounts, struct oci_mount, mount_table, 0),
    ROW_FLAT("hooks", hooks_table, 0),
    ROW_PAIRS("annotations", struct oci_config, annotations, 0),
    ROW_OBJECT("linux", struct oci_config, os, struct oci_linux, oci_linux_table, 0),
};
static const struct json_table config_table = JSON_TABLE(struct oci_config, config_rows);

// What Go programs leave empty rather than out.
static void drop_empty(const char **text) {
    if (*text && **text == '\0') {
        *text = NULL;
    }
}

static void normalize_resources(struct oci_resources *resources) {
    for (size_t i = 0; i < resources->devices_count; i++) {
        if (resources->devices[i].type == 0) {
            resources->devices[i].type = 'a';
        }
        drop_empty(&resources->devices[i].access);
    }
    drop_empty(&resources->cpu.cpus);
    drop_empty(&resources->cpu.mems);
}

static void normalize_process(struct oci_process *process) {
    drop_empty(&process->apparmor_profile);
    drop_empty(&process->selinux_label);
}

// A sysctl's name as the path below /proc/sys. Both separators are in use, and the first one tells which it is: the other one is
// then part of a name, the way sysctl(8) has it ("net.ipv4.conf.eth0/1.forwarding", "net/ipv4/conf/eth0.1/forwarding").
static const char *sysctl_path(struct arena *arena, const char *name) {
    size_t first = strcspn(name, "./");
    if (name[first] != '.') {
        return name;
    }
    char *path = arena_copy_string(arena, name);
    for (char *at = path; *at; at++) {
        *at = *at == '.' ? '/' : *at == '/' ? '.' : *at;
    }
    return path;
}

static void normalize_mounts(struct oci_mount *mounts, size_t count) {
    for (size_t i = 0; i < count; i++) {
        drop_empty(&mounts[i].type);
        drop_empty(&mounts[i].source);
    }
}

static void normalize(struct oci_config *config, struct arena *arena) {
    if (config->process) {
        normalize_process(config->process);
    }
    drop_empty(&config->hostname);
    drop_empty(&config->domainname);
    normalize_mounts(config->mounts, config->mounts_count);
    struct oci_linux *os = &config->os;
    for (size_t i = 0; i < os->namespaces_count; i++) {
        drop_empty(&os->namespaces[i].path);
    }
    for (size_t i = 0; i < os->net_devices_count; i++) {
        drop_empty(&os->net_devices[i].new_name);
    }
    for (size_t i = 0; i < os->sysctl_count; i++) {
        os->sysctl[i].name = sysctl_path(arena, os->sysctl[i].name);
    }
    drop_empty(&os->cgroups_path);
    drop_empty(&os->mount_label);
    if (os->seccomp) {
        drop_empty(&os->seccomp->listener_path);
        drop_empty(&os->seccomp->listener_metadata);
    }
    normalize_resources(&os->resources);
}

static void keep_warning(void *context, const char *text) {
    strv_add(context, text);
}

int oci_config_decode(const struct json_document *document, struct arena *arena, struct oci_config **ret, struct err *err) {
    AUTO_STRV struct strv warnings = {0};
    struct json_document with_warnings = *document;
    with_warnings.warn = keep_warning;
    with_warnings.warn_context = &warnings;
    struct oci_config *config = arena_alloc(arena, sizeof(*config));
    if (json_decode(&with_warnings, &config_table, arena, config, err) < 0) {
        return -1;
    }
    normalize(config, arena);
    if (oci_config_check(config, document->name, err) < 0) {
        return -1;
    }
    config->warnings_count = warnings.count;
    config->warnings = arena_array(arena, warnings.count + 1, sizeof(*config->warnings));
    for (size_t i = 0; i < warnings.count; i++) {
        config->warnings[i] = arena_copy_string(arena, warnings.items[i]);
        if (document->warn) {
            document->warn(document->warn_context, config->warnings[i]);
        }
    }
    *ret = config;
    return 0;
}

int oci_process_decode(const struct json_document *document, struct arena *arena, struct oci_process **ret, struct err *err) {
    struct oci_process *process = arena_alloc(arena, sizeof(*process));
    const struct oci_place place = {.document = document->name, .part = "", .err = err};
    if (json_decode(document, &oci_process_table, arena, process, err) < 0) {
        return -1;
    }
    normalize_process(process);
    if (oci_process_check(process, &place) < 0) {
        return -1;
    }
    *ret = process;
    return 0;
}

int oci_resources_decode(const struct json_document *document, struct arena *arena, struct oci_resources **ret, struct err *err) {
    struct oci_resources *resources = arena_alloc(arena, sizeof(*resources));
    const struct oci_place place = {.document = document->name, .part = "", .err = err};
    if (json_decode(document, &oci_resources_table, arena, resources, err) < 0) {
        return -1;
    }
    normalize_resources(resources);
    if (oci_resources_check(resources, &place) < 0) {
        return -1;
    }
    *ret = resources;
    return 0;
}

static const struct json_row mount_list_rows[] = {
    ROW_LIST("mounts", struct oci_mount_list, mounts, struct oci_mount, mount_table, JSON_NEEDED),
};
static const struct json_table mount_list_table = JSON_TABLE(struct oci_mount_list, mount_list_rows);

// A bare array is taken for what it is short for, so that a message names the same place in both.
static int take_mounts(struct json_reader *reader, json_t *root, void *into) {
    if (!json_is_array(root)) {
        return json_take_table(reader, &mount_list_table, root, into);
    }
    json_t *whole = json_pack("{sO}", "mounts", root);
    int result = whole ? json_take_table(reader, &mount_list_table, whole, into) : json_fail(reader, "out of memory");
    json_decref(whole);
    return result;
}

int oci_mounts_decode(const struct json_document *document, struct arena *arena, struct oci_mount_list *ret, struct err *err) {
    struct oci_mount_list list = {0};
    const struct oci_place place = {.document = document->name, .part = "", .err = err};
    if (json_decode_custom(document, take_mounts, arena, &list, err) < 0) {
        return -1;
    }
    normalize_mounts(list.mounts, list.mounts_count);
    if (oci_mounts_check(list.mounts, list.mounts_count, &place) < 0) {
        return -1;
    }
    *ret = list;
    return 0;
}

const struct oci_namespace *oci_config_namespace(const struct oci_config *config, uint32_t type) {
    for (size_t i = 0; i < config->os.namespaces_count; i++) {
        if (config->os.namespaces[i].type == type) {
            return &config->os.namespaces[i];
        }
    }
    return NULL;
}

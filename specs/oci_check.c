// What a configuration must make sense of beyond the types of its fields. The runtime relies on these: it does not look again.

#include "runtime/base/err.h"
#include "runtime/kernel/names.h"
#include "specs/oci_config.h"
#include "specs/oci_tables.h"

#include <limits.h>
#include <linux/sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>

int oci_fail(const struct oci_place *place, const char *format, ...) {
    char text[ERR_TEXT_SIZE];
    va_list args;
    va_start(args, format);
    if (vsnprintf(text, sizeof(text), format, args) < 0) {
        text[0] = '\0';
    }
    va_end(args);
    // Foreign strings must not act on the terminal that this is printed to.
    for (char *at = text; *at; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7f) {
            *at = '?';
        }
    }
    return err_set(place->err, ERR_INPUT, "%s: %s%s", place->document, place->part, text);
}

static bool is_absolute(const char *path) {
    return path && path[0] == '/';
}

// --- process ---

static int check_rlimits(const struct oci_process *process, const struct oci_place *place) {
    uint64_t seen = 0;
    for (size_t i = 0; i < process->rlimits_count; i++) {
        const struct oci_rlimit *limit = &process->rlimits[i];
        const char *name = name_of_rlimit((int)limit->type);
        uint64_t bit = UINT64_C(1) << (limit->type & 63);
        if (seen & bit) {
            return oci_fail(place, "rlimits[%zu].type: %s is limited already", i, name);
        }
        seen |= bit;
        if (limit->soft > limit->hard) {
            return oci_fail(place, "rlimits[%zu]: the soft limit of %s, %llu, is above the hard one, %llu", i, name,
                            (unsigned long long)limit->soft, (unsigned long long)limit->hard);
        }
    }
    return 0;
}

static int check_cpu_list(const struct oci_place *place, const char *field, const char *list) {
    if (list && list[strspn(list, "0123456789, -")] != '\0') {
        return oci_fail(place, "execCPUAffinity.%s: expected a list of processors like 0-3,7, found \"%.64s\"", field, list);
    }
    return 0;
}

// sched(7): what belongs to a policy is wrong beside another one, where it would have no effect.
static int check_scheduler(const struct oci_scheduler *scheduler, const struct oci_place *place) {
    enum { FIFO = 1, RR = 2, DEADLINE = 6 };
    bool realtime = scheduler->policy == FIFO || scheduler->policy == RR, deadline = scheduler->policy == DEADLINE;
    if (scheduler->nice < -20 || scheduler->nice > 19) {
        return oci_fail(place, "scheduler.nice: expected an integer from -20 to 19, found %d", scheduler->nice);
    }
    if (realtime ? scheduler->priority < 1 || scheduler->priority > 99 : scheduler->priority != 0) {
        return oci_fail(place, "scheduler.priority: expected %s, found %d",
                        realtime ? "an integer from 1 to 99" : "none, as only SCHED_FIFO and SCHED_RR have one", scheduler->priority);
    }
    if (!deadline && (scheduler->runtime_ns || scheduler->deadline_ns || scheduler->period_ns)) {
        return oci_fail(place, "scheduler: runtime, deadline and period are for SCHED_DEADLINE alone");
    }
    return 0;
}

// execve(2): 32 pages for a string, with its NUL.
static int check_strings(const struct oci_place *place, const char *field, const char *const *strings, size_t count) {
    size_t max = 32 * getauxval(AT_PAGESZ) - 1;
    for (size_t i = 0; i < count; i++) {
        size_t size = strlen(strings[i]);
        if (size > max) {
            return oci_fail(place, "%s[%zu]: expected at most %zu bytes, which the kernel takes, found %zu", field, i, max, size);
        }
    }
    return 0;
}

int oci_process_check(const struct oci_process *process, const struct oci_place *place) {
    if (process->args_count == 0 || process->args[0][0] == '\0') {
        return oci_fail(place, "args[0]: must not be empty");
    }
    if (check_strings(place, "args", process->args, process->args_count) < 0 ||
        check_strings(place, "env", process->env, process->env_count) < 0) {
        return -1;
    }
    if (!is_absolute(process->cwd)) {
        return oci_fail(place, "cwd: expected an absolute path, found \"%.256s\"", process->cwd ? process->cwd : "");
    }
    if (process->oom_score_adj.set && (process->oom_score_adj.value < -1000 || process->oom_score_adj.value > 1000)) {
        return oci_fail(place, "oomScoreAdj: expected an integer from -1000 to 1000, found %d", process->oom_score_adj.value);
    }
    if (process->scheduler && check_scheduler(process->scheduler, place) < 0) {
        return -1;
    }
    if (process->io_priority && (process->io_priority->priority < 0 || process->io_priority->priority > 7)) {
        return oci_fail(place, "ioPriority.priority: expected an integer from 0 to 7, found %d", process->io_priority->priority);
    }
    if (process->exec_cpu_affinity && (check_cpu_list(place, "initial", process->exec_cpu_affinity->initial) < 0 ||
                                       check_cpu_list(place, "final", process->exec_cpu_affinity->final) < 0)) {
        return -1;
    }
    return check_rlimits(process, place);
}

// --- id mappings, mounts, hooks ---

// user_namespaces(7): at most 340 lines, which do not overlap on either side.
static int check_mappings(const struct oci_place *place, const char *field, const struct oci_id_mapping *mappings, size_t count) {
    enum { MAX_LINES = 340 };
    if (count > MAX_LINES) {
        return oci_fail(place, "%s: expected at most %d ranges, found %zu", field, MAX_LINES, count);
    }
    for (size_t i = 0; i < count; i++) {
        uint64_t inside = mappings[i].container_id;
        uint64_t outside = mappings[i].host_id;
        uint64_t size = mappings[i].size;
        if (size == 0) {
            return oci_fail(place, "%s[%zu].size: must not be 0", field, i);
        }
        // The highest id is no id (it is -1).
        if (inside + size > UINT32_MAX || outside + size > UINT32_MAX) {
            return oci_fail(place, "%s[%zu]: the range goes beyond the highest id", field, i);
        }
        for (size_t k = 0; k < i; k++) {
            bool meets_inside =
                inside < (uint64_t)mappings[k].container_id + mappings[k].size && mappings[k].container_id < inside + size;
            bool meets_outside = outside < (uint64_t)mappings[k].host_id + mappings[k].size && mappings[k].host_id < outside + size;
            if (meets_inside || meets_outside) {
                return oci_fail(place, "%s[%zu]: overlaps %s[%zu]", field, i, field, k);
            }
        }
    }
    return 0;
}

int oci_mounts_check(const struct oci_mount *mounts, size_t count, const struct oci_place *place) {
    for (size_t i = 0; i < count; i++) {
        const struct oci_mount *mount = &mounts[i];
        char field[64];
        if (!mount->destination || mount->destination[0] == '\0') {
            return oci_fail(place, "mounts[%zu].destination: must not be empty", i);
        }
        if (strlen(mount->destination) >= PATH_MAX) {
            return oci_fail(place, "mounts[%zu].destination: expected at most %d bytes, found %zu", i, PATH_MAX - 1,
                            strlen(mount->destination));
        }
        if ((mount->uid_mappings_count > 0) != (mount->gid_mappings_count > 0)) {
            return oci_fail(place, "mounts[%zu].%s: needs %s beside it", i,
                            mount->uid_mappings_count > 0 ? "uidMappings" : "gidMappings",
                            mount->uid_mappings_count > 0 ? "gidMappings" : "uidMappings");
        }
        snprintf(field, sizeof(field), "mounts[%zu].uidMappings", i);
        if (check_mappings(place, field, mount->uid_mappings, mount->uid_mappings_count) < 0) {
            return -1;
        }
        snprintf(field, sizeof(field), "mounts[%zu].gidMappings", i);
        if (check_mappings(place, field, mount->gid_mappings, mount->gid_mappings_count) < 0) {
            return -1;
        }
    }
    return 0;
}

static int check_hooks(const struct oci_config *config, const struct oci_place *place) {
    for (unsigned kind = 0; kind < OCI_HOOK_KIND_COUNT; kind++) {
        for (size_t i = 0; i < config->hooks[kind].items_count; i++) {
            const struct oci_hook *hook = &config->hooks[kind].items[i];
            if (!is_absolute(hook->path)) {
                return oci_fail(place, "hooks.%s[%zu].path: expected an absolute path, found \"%.256s\"", oci_hook_names[kind], i,
                                hook->path ? hook->path : "");
            }
            if (hook->timeout_s.set && hook->timeout_s.value <= 0) {
                return oci_fail(place, "hooks.%s[%zu].timeout: expected seconds above 0, found %lld", oci_hook_names[kind], i,
                                (long long)hook->timeout_s.value);
            }
        }
    }
    return 0;
}

// --- linux ---

const char *oci_namespace_name(uint32_t type) {
    const char *name = json_name_of(oci_namespace_names, type);
    return name ? name : "unknown";
}

static int check_namespaces(const struct oci_config *config, const struct oci_place *place) {
    const struct oci_linux *os = &config->os;
    for (size_t i = 0; i < os->namespaces_count; i++) {
        const struct oci_namespace *item = &os->namespaces[i];
        for (size_t k = 0; k < i; k++) {
            if (os->namespaces[k].type == item->type) {
                return oci_fail(place, "namespaces[%zu].type: %s is listed already", i,
                                oci_namespace_name(item->type));
            }
        }
        if (item->path && !is_absolute(item->path)) {
            return oci_fail(place, "namespaces[%zu].path: expected an absolute path, found \"%.256s\"", i, item->path);
        }
    }
    return 0;
}

static int need_namespace(const struct oci_config *config, const struct oci_place *place, const char *field, uint32_t type) {
    if (!oci_config_namespace(config, type)) {
        return oci_fail(place, "%s: needs a namespace of type %s, or it would change the host", field,
                        oci_namespace_name(type));
    }
    return 0;
}

static int check_user_namespace(const struct oci_config *config, const struct oci_place *place) {
    const struct oci_linux *os = &config->os;
    if (check_mappings(place, "uidMappings", os->uid_mappings, os->uid_mappings_count) < 0 ||
        check_mappings(place, "gidMappings", os->gid_mappings, os->gid_mappings_count) < 0) {
        return -1;
    }
    if ((os->uid_mappings_count > 0 || os->gid_mappings_count > 0) && !oci_config_namespace(config, CLONE_NEWUSER)) {
        return oci_fail(place, "%s: needs a namespace of type user", os->uid_mappings_count > 0 ? "uidMappings" : "gidMappings");
    }
    return 0;
}

static int check_time_offset(const struct oci_place *place, const char *field, const struct oci_time_offset *offset) {
    if (offset && offset->nanosecs > 999999999) {
        return oci_fail(place, "timeOffsets.%s.nanosecs: expected an integer from 0 to 999999999, found %u", field,
                        offset->nanosecs);
    }
    return 0;
}

static int check_time(const struct oci_config *config, const struct oci_place *place) {
    const struct oci_linux *os = &config->os;
    if (!os->boottime_offset && !os->monotonic_offset) {
        return 0;
    }
    if (check_time_offset(place, "boottime", os->boottime_offset) < 0 ||
        check_time_offset(place, "monotonic", os->monotonic_offset) < 0) {
        return -1;
    }
    const struct oci_namespace *namespace = oci_config_namespace(config, CLONE_NEWTIME);
    if (!namespace || namespace->path) {
        return oci_fail(place, "timeOffsets: needs a new namespace of type time; the clocks of %s cannot be set",
                        namespace ? "one that is joined by its path" : "the host");
    }
    return 0;
}

static int check_devices(const struct oci_linux *os, const struct oci_place *place) {
    for (size_t i = 0; i < os->devices_count; i++) {
        const struct oci_device *device = &os->devices[i];
        if (!is_absolute(device->path)) {
            return oci_fail(place, "devices[%zu].path: expected an absolute path, found \"%.256s\"", i, device->path);
        }
        if (device->type != S_IFIFO &&
            (device->major < 0 || device->minor < 0 || device->major > UINT32_MAX || device->minor > UINT32_MAX)) {
            return oci_fail(place, "devices[%zu]: expected device numbers, found %lld:%lld", i, (long long)device->major,
                            (long long)device->minor);
        }
        // podman writes st_mode whole.
        uint32_t mode = device->file_mode.set ? device->file_mode.value & ~(uint32_t)07777 : 0;
        if (mode != 0 && mode != device->type) {
            return oci_fail(place, "devices[%zu].fileMode: expected an integer from 0 to 4095, with the bits of its type or without, found %u",
                            i, device->file_mode.value);
        }
    }
    return 0;
}

// The names that dev_valid_name() of the kernel takes. A name with %d is completed by the kernel.
static bool is_interface_name(const char *name) {
    size_t length = strlen(name);
    return length > 0 && length < 16 && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && !strpbrk(name, "/: \t\n\v\f\r");
}

static int check_net_devices(const struct oci_config *config, const struct oci_place *place) {
    const struct oci_linux *os = &config->os;
    for (size_t i = 0; i < os->net_devices_count; i++) {
        const struct oci_net_device *device = &os->net_devices[i];
        const char *wrong = !is_interface_name(device->name)                           ? device->name
                            : device->new_name && !is_interface_name(device->new_name) ? device->new_name
                                                                                       : NULL;
        if (wrong) {
            return oci_fail(place, "netDevices: expected names of network interfaces, found \"%.64s\"", wrong);
        }
    }
    return os->net_devices_count > 0 ? need_namespace(config, place, "netDevices", CLONE_NEWNET) : 0;
}

// Paths below /proc/sys that belong to a namespace; all others are the host's. A component that is empty or made of dots could
// climb.
static const struct {
    const char *prefix; // a whole directory when it ends in '/'
    uint32_t namespace;
} sysctls[] = {
    {"net/", CLONE_NEWNET},
    {"fs/mqueue/", CLONE_NEWIPC},
    {"kernel/msgmax", CLONE_NEWIPC},
    {"kernel/msgmnb", CLONE_NEWIPC},
    {"kernel/msgmni", CLONE_NEWIPC},
    {"kernel/sem", CLONE_NEWIPC},
    {"kernel/shmall", CLONE_NEWIPC},
    {"kernel/shmmax", CLONE_NEWIPC},
    {"kernel/shmmni", CLONE_NEWIPC},
    {"kernel/shm_rmid_forced", CLONE_NEWIPC},
    {"kernel/hostname", CLONE_NEWUTS},
    {"kernel/domainname", CLONE_NEWUTS},
};

static bool is_sysctl_path(const char *path) {
    while (true) {
        size_t length = strcspn(path, "/");
        if (length == 0 || strspn(path, ".") >= length) {
            return false;
        }
        if (path[length] == '\0') {
            return true;
        }
        path += length + 1;
    }
}

uint32_t oci_sysctl_namespace(const char *path) {
    for (size_t row = 0; row < ARRAY_LEN(sysctls); row++) {
        size_t length = strlen(sysctls[row].prefix);
        if (strncmp(path, sysctls[row].prefix, length) == 0 && (path[length] == '\0' || sysctls[row].prefix[length - 1] == '/')) {
            return sysctls[row].namespace;
        }
    }
    return 0;
}

static int check_sysctl(const struct oci_config *config, const struct oci_place *place) {
    for (size_t i = 0; i < config->os.sysctl_count; i++) {
        const char *path = config->os.sysctl[i].name;
        if (!is_sysctl_path(path)) {
            return oci_fail(place, "sysctl: expected names like net.ipv4.ip_forward, found \"%.128s\"", path);
        }
        uint32_t namespace = oci_sysctl_namespace(path);
        if (namespace == 0) {
            return oci_fail(place, "sysctl: %.128s belongs to no namespace, so it would change the host", path);
        }
        if (!oci_config_namespace(config, namespace)) {
            return oci_fail(place, "sysctl: %.128s needs a namespace of type %s, or it would change the host", path,
                            oci_namespace_name(namespace));
        }
    }
    return 0;
}

static int check_paths(const struct oci_place *place, const char *field, const char *const *paths, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (!is_absolute(paths[i])) {
            return oci_fail(place, "%s[%zu]: expected an absolute path, found \"%.256s\"", field, i, paths[i]);
        }
    }
    return 0;
}

// The class of service is a directory of the resctrl file system, its schemata are lines of a file there.
static int check_intel_rdt(const struct oci_intel_rdt *rdt, const struct oci_place *place) {
    if (!rdt) {
        return 0;
    }
    // "/" alone is the default class.
    const char *class = rdt->clos_id;
    if (class && strcmp(class, "/") != 0 &&
        (strpbrk(class, "/\n") || strcmp(class, ".") == 0 || strcmp(class, "..") == 0 || strlen(class) > 255)) {
        return oci_fail(place, "intelRdt.closID: expected a name of at most 255 bytes without slashes, found \"%.64s\"", class);
    }
    if (rdt->mem_bw_schema && (strncmp(rdt->mem_bw_schema, "MB:", 3) != 0 || strchr(rdt->mem_bw_schema, '\n'))) {
        return oci_fail(place, "intelRdt.memBwSchema: expected one line that begins with MB:, found \"%.64s\"", rdt->mem_bw_schema);
    }
    for (size_t i = 0; i < rdt->schemata_count; i++) {
        if (strchr(rdt->schemata[i], '\n')) {
            return oci_fail(place, "intelRdt.schemata[%zu]: expected one line, found \"%.64s\"", i, rdt->schemata[i]);
        }
    }
    return 0;
}

static int check_linux(const struct oci_config *config, const char *document, struct err *err) {
    const struct oci_linux *os = &config->os;
    const struct oci_place place = {.document = document, .part = "linux.", .err = err};
    const struct oci_place resources = {.document = document, .part = "linux.resources.", .err = err};
    const struct oci_place seccomp = {.document = document, .part = "linux.seccomp.", .err = err};
    if (check_namespaces(config, &place) < 0 || check_user_namespace(config, &place) < 0 || check_time(config, &place) < 0 ||
        check_devices(os, &place) < 0 || check_net_devices(config, &place) < 0 || check_sysctl(config, &place) < 0 ||
        check_paths(&place, "maskedPaths", os->masked_paths, os->masked_paths_count) < 0 ||
        check_paths(&place, "readonlyPaths", os->readonly_paths, os->readonly_paths_count) < 0 ||
        check_intel_rdt(os->intel_rdt, &place) < 0 || oci_resources_check(&os->resources, &resources) < 0) {
        return -1;
    }
    if (os->personality && os->personality->flags_count > 0) {
        return oci_fail(&place, "personality.flags: expected none, as the specification has none, found \"%.64s\"",
                        os->personality->flags[0]);
    }
    return os->seccomp ? oci_seccomp_check(os->seccomp, &seccomp) : 0;
}

// --- the document ---

static int check_annotations(const struct oci_config *config, const struct oci_place *place) {
    for (size_t i = 0; i < config->annotations_count; i++) {
        if (config->annotations[i].name[0] == '\0') {
            return oci_fail(place, "annotations: names must not be empty");
        }
    }
    return 0;
}

// uts_namespaces(7), sethostname(2).
// Digits without a zero in front, as Semantic Versioning 2.0.0 (item 2) has them.
static bool skip_number(const char **at) {
    size_t digits = strspn(*at, "0123456789");
    bool good = digits == 1 || (digits > 1 && **at != '0');
    *at += digits;
    return good;
}

// "-rc.1+build": parts of letters, digits and hyphens, with points between them.
static bool skip_suffix(const char **at, char mark) {
    if (**at != mark) {
        return true;
    }
    do {
        ++*at;
        size_t length = strspn(*at, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-");
        if (length == 0) {
            return false;
        }
        *at += length;
    } while (**at == '.');
    return true;
}

static int check_version(const struct oci_place *place, const char *version) {
    const char *at = version;
    bool good = true;
    for (int i = 0; good && i < 3; i++) {
        good = (i == 0 || *at++ == '.') && skip_number(&at);
    }
    if (!good || !skip_suffix(&at, '-') || !skip_suffix(&at, '+') || *at != '\0') {
        return oci_fail(place, "ociVersion: expected a version like 1.2.0, found \"%.32s\"", version);
    }
    return version[0] == '1' && version[1] == '.' ? 0 : oci_fail(place, "ociVersion: expected version 1.x, found \"%.32s\"", version);
}

static int check_host_name(const struct oci_config *config, const struct oci_place *place, const char *field, const char *name) {
    enum { MAX_BYTES = 64 };
    if (!name) {
        return 0;
    }
    if (strlen(name) > MAX_BYTES) {
        return oci_fail(place, "%s: expected at most %d bytes, found %zu", field, MAX_BYTES, strlen(name));
    }
    return need_namespace(config, place, field, CLONE_NEWUTS);
}

int oci_config_check(const struct oci_config *config, const char *name, struct err *err) {
    const struct oci_place place = {.document = name, .part = "", .err = err};
    const struct oci_place process = {.document = name, .part = "process.", .err = err};
    if (check_version(&place, config->oci_version ? config->oci_version : "") < 0) {
        return -1;
    }
    if (!config->root.path || config->root.path[0] == '\0') {
        return oci_fail(&place, "root.path: must not be empty");
    }
    if (config->process && oci_process_check(config->process, &process) < 0) {
        return -1;
    }
    if (oci_mounts_check(config->mounts, config->mounts_count, &place) < 0 || check_hooks(config, &place) < 0 || check_annotations(config, &place) < 0) {
        return -1;
    }
    if (check_host_name(config, &place, "hostname", config->hostname) < 0 ||
        check_host_name(config, &place, "domainname", config->domainname) < 0) {
        return -1;
    }
    return check_linux(config, name, err);
}

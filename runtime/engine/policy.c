#include "runtime/engine/policy.h"

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/base/strv.h"
#include "runtime/engine/request.h"
#include "runtime/engine/security_options.h"
#include "runtime/kernel/names.h"
#include "specs/json.h"
#include "specs/oci_config.h"
#include "specs/seccomp_profile.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/utsname.h>

#define CAP_BIT(capability) (UINT64_C(1) << (capability))

static const uint64_t default_capabilities =
    CAP_BIT(CAP_CHOWN) | CAP_BIT(CAP_DAC_OVERRIDE) | CAP_BIT(CAP_FSETID) | CAP_BIT(CAP_FOWNER) | CAP_BIT(CAP_MKNOD) |
    CAP_BIT(CAP_NET_RAW) | CAP_BIT(CAP_SETGID) | CAP_BIT(CAP_SETUID) | CAP_BIT(CAP_SETFCAP) | CAP_BIT(CAP_SETPCAP) |
    CAP_BIT(CAP_NET_BIND_SERVICE) | CAP_BIT(CAP_SYS_CHROOT) | CAP_BIT(CAP_KILL) | CAP_BIT(CAP_AUDIT_WRITE);

static const uint64_t all_capabilities = (CAP_BIT(CAP_LAST_CAP) << 1) - 1;

static int read_set(const struct strv *names, const char *flag, uint64_t *ret_set, bool *ret_all, struct err *err) {
    *ret_set = 0;
    *ret_all = false;
    for (size_t i = 0; i < names->count; i++) {
        if (strcasecmp(names->items[i], "ALL") == 0) {
            *ret_all = true;
            continue;
        }
        int capability = name_capability(names->items[i]);
        if (capability < 0) {
            return err_set(err, ERR_INPUT, "%s: unknown capability \"%s\"; expected a name of capabilities(7), such as NET_ADMIN, or ALL",
                           flag, names->items[i]);
        }
        *ret_set |= CAP_BIT(capability);
    }
    return 0;
}

// Docker's order: ALL first, then single names; what is named singly wins over the other flag's ALL.
static int merge_capabilities(const struct run_request *run, uint64_t *ret_set, struct err *err) {
    uint64_t add, drop;
    bool add_all, drop_all;
    if (read_set(&run->cap_add, "--cap-add", &add, &add_all, err) < 0 || read_set(&run->cap_drop, "--cap-drop", &drop, &drop_all, err) < 0) {
        return -1;
    }
    uint64_t set = run->privileged || add_all ? all_capabilities : default_capabilities;
    if (drop_all) {
        set = add_all ? all_capabilities : 0;
    }
    *ret_set = (set | add) & ~drop;
    return 0;
}

bool policy_grants(const struct run_request *run, int capability) {
    uint64_t set;
    struct err refused;
    return merge_capabilities(run, &set, &refused) == 0 && (set & CAP_BIT(capability));
}

int policy_process(const struct run_request *run, struct arena *arena, struct oci_process *process, struct err *err) {
    uint64_t set;
    struct security_options options;
    if (merge_capabilities(run, &set, err) < 0 || security_options_read(&run->security, arena, &options, err) < 0) {
        return -1;
    }
    process->capabilities = arena_alloc(arena, sizeof(*process->capabilities));
    // Inheritable and ambient stay empty (CVE-2022-27650, CVE-2022-29162).
    *process->capabilities = (struct oci_capabilities){.bounding = set, .effective = set, .permitted = set};
    process->no_new_privileges = options.no_new_privileges;
    process->apparmor_profile = options.apparmor;
    return 0;
}

// --- system calls ---

static struct seccomp_target make_target(const struct oci_process *process) {
    struct utsname host;
    struct seccomp_target target = {.capabilities = process->capabilities->bounding};
    if (uname(&host) < 0 || sscanf(host.release, "%u.%u", &target.kernel_major, &target.kernel_minor) != 2) {
        target.kernel_major = 5;
        target.kernel_minor = 10;
    }
    return target;
}

static int read_profile(const char *path, const struct seccomp_target *target, struct arena *arena, struct oci_config *config,
                        struct err *err) {
    AUTO_FREE char *text = NULL;
    size_t size;
    if (fd_read_file(AT_FDCWD, path, JSON_MAX_BYTES, &text, &size, err) < 0) {
        return err_in(err, "--security-opt seccomp");
    }
    const struct json_document document = {.name = path, .text = text, .size = size};
    return seccomp_profile_decode(&document, target, arena, &config->os.seccomp, err);
}

static int merge_seccomp(const struct run_request *run, const struct security_options *options, struct arena *arena,
                         struct oci_config *config, struct err *err) {
    const char *wish = options->seccomp ? options->seccomp : run->privileged ? "unconfined" : "";
    if (strcmp(wish, "unconfined") == 0) {
        return 0;
    }
    const struct seccomp_target target = make_target(config->process);
    if (*wish && strcmp(wish, "default") != 0 && strcmp(wish, "builtin") != 0) {
        const char *path = wish[0] == '/' || !run->cwd ? wish : arena_format(arena, "%s/%s", run->cwd, wish);
        return read_profile(path, &target, arena, config, err);
    }
    config->os.seccomp = seccomp_profile_default(&target, arena);
    return 0;
}

// --- paths ---

// What the kernel shows or takes there is the host's, not the container's.
static const char *const masked_paths[] = {
    "/proc/asound",      "/proc/acpi",       "/proc/interrupts",  "/proc/kcore", "/proc/keys",    "/proc/latency_stats",
    "/proc/timer_list",  "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi",  "/sys/firmware", "/sys/devices/virtual/powercap",
};

static const char *const readonly_paths[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};

static bool is_unmasked(const struct security_options *options, const char *path) {
    for (size_t i = 0; i < options->unmask.count; i++) {
        const char *pattern = options->unmask.items[i];
        if (strcasecmp(pattern, "all") == 0 || fnmatch(pattern, path, FNM_PATHNAME) == 0) {
            return true;
        }
    }
    return options->all_paths;
}

static const char **keep_masked(struct arena *arena, const struct security_options *options, const char *const *paths, size_t count,
                                size_t *ret_count) {
    const char **kept = arena_array(arena, count + options->mask.count + 1, sizeof(*kept));
    *ret_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (!is_unmasked(options, paths[i])) {
            kept[(*ret_count)++] = paths[i];
        }
    }
    return kept;
}

int policy_hiding(const struct run_request *run, struct arena *arena, struct oci_config *config, struct err *err) {
    struct security_options options;
    if (security_options_read(&run->security, arena, &options, err) < 0) {
        return -1;
    }
    struct oci_linux *os = &config->os;
    size_t masked = run->privileged ? 0 : ARRAY_LEN(masked_paths), readonly = run->privileged ? 0 : ARRAY_LEN(readonly_paths);
    os->masked_paths = keep_masked(arena, &options, masked_paths, masked, &os->masked_paths_count);
    os->readonly_paths = keep_masked(arena, &options, readonly_paths, readonly, &os->readonly_paths_count);
    for (size_t i = 0; i < options.mask.count; i++) {
        os->masked_paths[os->masked_paths_count++] = options.mask.items[i];
    }
    return merge_seccomp(run, &options, arena, config, err);
}

// The process of an `exec`: the container's own with what the options change of it, or a document's with what that leaves open.
#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/strv.h"
#include "runtime/container/exec.h"
#include "runtime/kernel/names.h"
#include "specs/oci_config.h"

#include <string.h>

// A number of 32 bits that is all of the text and not -1, which is no id (CVE-2026-30892: of "1000x" nothing is 1000, and nothing is 0).
static bool parse_id(const char *text, size_t length, uint32_t *ret_id) {
    uint64_t id = 0;
    if (length == 0 || length > 10) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        id = id * 10 + (uint64_t)(text[i] - '0');
    }
    *ret_id = (uint32_t)id;
    return id < UINT32_MAX;
}

static int change_user(const char *user, struct oci_process *process, struct err *err) {
    size_t length = strcspn(user, ":");
    const char *group = user[length] ? user + length + 1 : NULL;
    if (!parse_id(user, length, &process->user.uid) || (group && !parse_id(group, strlen(group), &process->user.gid))) {
        return err_set(err, ERR_INPUT, "--user: expected UID or UID:GID, numbers below 4294967295, found \"%.64s\"", user);
    }
    return 0;
}

static int add_groups(const struct strv *added, struct arena *arena, struct oci_process *process, struct err *err) {
    size_t count = process->user.additional_gids_count;
    uint32_t *gids = arena_array(arena, count + added->count, sizeof(*gids));
    if (count > 0) {
        memcpy(gids, process->user.additional_gids, count * sizeof(*gids));
    }
    for (size_t i = 0; i < added->count; i++) {
        if (!parse_id(added->items[i], strlen(added->items[i]), &gids[count++])) {
            return err_set(err, ERR_INPUT, "--additional-gids: expected a number below 4294967295, found \"%.64s\"", added->items[i]);
        }
    }
    process->user.additional_gids = gids;
    process->user.additional_gids_count = count;
    return 0;
}

// Neither to the inheritable set nor to the ambient one, which needs that (CVE-2022-29162).
static int add_caps(const struct strv *added, struct arena *arena, struct oci_process *process, struct err *err) {
    struct oci_capabilities *caps = arena_alloc(arena, sizeof(*caps));
    if (process->capabilities) {
        *caps = *process->capabilities;
    }
    for (size_t i = 0; i < added->count; i++) {
        int number = name_capability(added->items[i]);
        if (number < 0) {
            return err_set(err, ERR_INPUT, "--cap: expected the name of a capability such as CAP_NET_ADMIN, found \"%.64s\"",
                           added->items[i]);
        }
        uint64_t bit = UINT64_C(1) << number;
        caps->bounding |= bit;
        caps->effective |= bit;
        caps->permitted |= bit;
    }
    process->capabilities = caps;
    return 0;
}

static bool same_name(const char *one, const char *other, size_t length) {
    return strncmp(one, other, length) == 0 && one[length] == '=';
}

static int add_env(const struct strv *added, struct arena *arena, struct oci_process *process, struct err *err) {
    size_t count = process->env_count;
    const char **env = arena_array(arena, count + added->count + 1, sizeof(*env));
    if (count > 0) {
        memcpy(env, process->env, count * sizeof(*env));
    }
    for (size_t i = 0; i < added->count; i++) {
        const char *assignment = added->items[i], *equals = strchr(assignment, '=');
        if (!equals || equals == assignment) {
            return err_set(err, ERR_INPUT, "--env: expected NAME=VALUE, found \"%.64s\"", assignment);
        }
        size_t at = 0;
        while (at < count && !same_name(env[at], assignment, (size_t)(equals - assignment))) {
            at++;
        }
        env[at] = assignment;
        count = at == count ? count + 1 : count;
    }
    process->env = env;
    process->env_count = count;
    return 0;
}

static void take_args(const struct exec_options *options, struct arena *arena, struct oci_process *process) {
    process->args = arena_array(arena, options->arg_count + 1, sizeof(*process->args));
    memcpy(process->args, options->args, options->arg_count * sizeof(*process->args));
    process->args_count = options->arg_count;
}

// A document's process is whole. What engines leave out of it by habit stays as the container has it, as runc and crun do: nobody means
// "none" by that.
static void fill_up(const struct oci_process *own, struct oci_process *process) {
    if (!process->capabilities) {
        process->capabilities = own->capabilities;
    }
    if (process->rlimits_count == 0) {
        process->rlimits = own->rlimits;
        process->rlimits_count = own->rlimits_count;
    }
    if (!process->user.umask.set) {
        process->user.umask = own->user.umask;
    }
    if (!process->oom_score_adj.set) {
        process->oom_score_adj = own->oom_score_adj;
    }
    if (!process->apparmor_profile || !*process->apparmor_profile) {
        process->apparmor_profile = own->apparmor_profile;
    }
    if (!process->selinux_label || !*process->selinux_label) {
        process->selinux_label = own->selinux_label;
    }
    if (!process->scheduler) {
        process->scheduler = own->scheduler;
    }
    if (!process->io_priority) {
        process->io_priority = own->io_priority;
    }
    if (!process->exec_cpu_affinity) {
        process->exec_cpu_affinity = own->exec_cpu_affinity;
    }
}

static int change(const struct exec_options *options, struct arena *arena, struct oci_process *process, struct err *err) {
    if ((options->user && change_user(options->user, process, err) < 0) ||
        (options->additional_gids && options->additional_gids->count > 0 &&
         add_groups(options->additional_gids, arena, process, err) < 0) ||
        (options->caps && options->caps->count > 0 && add_caps(options->caps, arena, process, err) < 0) ||
        (options->env && options->env->count > 0 && add_env(options->env, arena, process, err) < 0)) {
        return -1;
    }
    take_args(options, arena, process);
    if (process->args_count == 0 || process->args[0][0] == '\0') {
        return err_set(err, ERR_INPUT, "expected a command to run, found \"\"");
    }
    process->cwd = options->cwd ? options->cwd : process->cwd ? process->cwd : "/";
    if (process->cwd[0] != '/') {
        return err_set(err, ERR_INPUT, "--cwd: expected an absolute path, found \"%.256s\"", process->cwd);
    }
    process->terminal = options->terminal;
    // An empty one is none given: it must not undo the container's.
    if (options->apparmor_profile && *options->apparmor_profile) {
        process->apparmor_profile = options->apparmor_profile;
    }
    if (options->selinux_label && *options->selinux_label) {
        process->selinux_label = options->selinux_label;
    }
    if (options->no_new_privileges.set) {
        process->no_new_privileges = options->no_new_privileges.value;
    }
    return 0;
}

int exec_process(const struct exec_options *options, const struct oci_config *config, struct arena *arena, struct oci_process *ret,
                 struct err *err) {
    static const struct oci_process none = {0};
    const struct oci_process *own = config && config->process ? config->process : &none;
    struct oci_process process = options->process ? *options->process : *own;
    if (options->process) {
        fill_up(own, &process);
    } else if (change(options, arena, &process, err) < 0) {
        return -1;
    }
    *ret = process;
    return 0;
}

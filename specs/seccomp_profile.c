#include "specs/seccomp_profile.h"

#include "runtime/base/arena.h"
#include "runtime/base/attr.h"
#include "runtime/base/err.h"
#include "runtime/kernel/names.h"
#include "specs/oci_tables.h"
#include "specs/profiles/seccomp_default.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

uint32_t seccomp_native_architecture(void) {
#if defined(__x86_64__) && defined(__ILP32__)
    return OCI_ARCH_X32;
#elif defined(__x86_64__)
    return AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
    return AUDIT_ARCH_AARCH64;
#elif defined(__riscv) && __riscv_xlen == 64
    return AUDIT_ARCH_RISCV64;
#elif defined(__powerpc64__) && defined(__LITTLE_ENDIAN__)
    return AUDIT_ARCH_PPC64LE;
#elif defined(__s390x__)
    return AUDIT_ARCH_S390X;
#elif defined(__i386__)
    return AUDIT_ARCH_I386;
#elif defined(__arm__)
    return AUDIT_ARCH_ARM;
#else
#error "no audit architecture is known for this processor"
#endif
}

static uint32_t architecture_of(const struct seccomp_target *target) {
    return target->architecture ? target->architecture : seccomp_native_architecture();
}

// --- the built-in profile ---

// The older ABIs whose programs run on an architecture, too: a filter that does not know them kills such programs.
static const uint32_t families[][3] = {
    {AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, OCI_ARCH_X32},
    {AUDIT_ARCH_AARCH64, AUDIT_ARCH_ARM},
    {AUDIT_ARCH_S390X, AUDIT_ARCH_S390},
};

bool seccomp_runs_beside(uint32_t architecture, uint32_t other) {
    for (size_t i = 0; i < ARRAY_LEN(families); i++) {
        for (size_t k = 0; families[i][0] == architecture && k < ARRAY_LEN(families[i]) && families[i][k]; k++) {
            if (families[i][k] == other) {
                return true;
            }
        }
    }
    return architecture == other;
}

static void set_architectures(struct oci_seccomp *seccomp, uint32_t architecture, struct arena *arena) {
    seccomp->architectures = arena_array(arena, ARRAY_LEN(families[0]) + 1, sizeof(*seccomp->architectures));
    seccomp->architectures[0] = architecture;
    seccomp->architectures_count = 1;
    for (size_t i = 0; i < ARRAY_LEN(families); i++) {
        for (size_t k = 1; families[i][0] == architecture && k < ARRAY_LEN(families[i]) && families[i][k]; k++) {
            seccomp->architectures[seccomp->architectures_count++] = families[i][k];
        }
    }
}

static size_t count_words(const char *words) {
    size_t count = 1;
    for (const char *at = words; *at; at++) {
        count += *at == ' ';
    }
    return count;
}

// Appends the names to the rule, whose list has room. They become strings of their own in a copy.
static void add_names(struct oci_seccomp_rule *rule, const char *words, struct arena *arena) {
    char *at = arena_copy_string(arena, words);
    while (at) {
        rule->names[rule->names_count++] = at;
        at = strchr(at, ' ');
        if (at) {
            *at++ = '\0';
        }
    }
}

static bool is_on(const struct seccomp_group *group, uint32_t architecture) {
    const uint32_t *at = group->architectures;
    while (at && *at && *at != architecture) {
        at++;
    }
    return !at || *at;
}

static void fill_special(struct oci_seccomp_rule *rule, const struct seccomp_special *special, struct arena *arena) {
    rule->names = arena_array(arena, 2, sizeof(*rule->names));
    rule->names[rule->names_count++] = special->name;
    rule->action = special->action;
    rule->errno_ret = (struct opt_u32){special->action == SECCOMP_RET_ERRNO, special->errno_ret};
    if (special->has_arg) {
        rule->args = arena_alloc(arena, sizeof(*rule->args));
        rule->args[0] = special->arg;
        rule->args_count = 1;
    }
}

struct oci_seccomp *seccomp_profile_default(const struct seccomp_target *target, struct arena *arena) {
    uint32_t architecture = architecture_of(target);
    struct oci_seccomp *seccomp = arena_alloc(arena, sizeof(*seccomp));
    seccomp->default_action = SECCOMP_RET_ERRNO;
    seccomp->default_errno_ret = (struct opt_u32){true, ENOSYS};
    set_architectures(seccomp, architecture, arena);

    size_t words = count_words(seccomp_denied);
    for (const struct seccomp_group *group = seccomp_allowed; group->names; group++) {
        words += count_words(group->names);
    }
    size_t specials = 0;
    while (seccomp_specials[specials].name) {
        specials++;
    }
    // One rule for all that is allowed, one for all that is denied, and the special ones.
    struct oci_seccomp_rule *rules = arena_array(arena, 2 + specials, sizeof(*rules));
    struct oci_seccomp_rule *allowed = &rules[0];
    struct oci_seccomp_rule *denied = &rules[1];
    allowed->names = arena_array(arena, words + 1, sizeof(*allowed->names));
    allowed->action = SECCOMP_RET_ALLOW;
    denied->names = arena_array(arena, words + 1, sizeof(*denied->names));
    denied->action = SECCOMP_RET_ERRNO;
    denied->errno_ret = (struct opt_u32){true, EPERM};
    add_names(denied, seccomp_denied, arena);
    for (const struct seccomp_group *group = seccomp_allowed; group->names; group++) {
        if (is_on(group, architecture)) {
            bool held = group->capabilities == 0 || (group->capabilities & target->capabilities);
            add_names(held ? allowed : denied, group->names, arena);
        }
    }
    seccomp->syscalls = rules;
    seccomp->syscalls_count = 2;
    for (const struct seccomp_special *special = seccomp_specials; special->name; special++) {
        bool applies = (special->when == 0 || (special->when & target->capabilities)) && !(special->unless & target->capabilities);
        if (applies) {
            fill_special(&rules[seccomp->syscalls_count++], special, arena);
        }
    }
    return seccomp;
}

// --- profiles in docker's format ---

// When a rule is part of the profile at all.
struct condition {
    const char **capabilities; // to include: all are held; to exclude: one is
    size_t capabilities_count;
    const char **architectures; // docker's names, which are Go's
    size_t architectures_count;
    const char *min_kernel; // "4.8"
};

struct profile_rule {
    const char *name; // the older form of names
    const char **names;
    size_t names_count;
    uint32_t action;
    struct opt_u32 errno_ret;
    const char *errno_name; // podman's, beside errno_ret or in its place
    struct oci_seccomp_arg *args;
    size_t args_count;
    struct condition includes;
    struct condition excludes;
};

struct architecture_family {
    uint32_t architecture;
    uint32_t *others;
    size_t others_count;
};

struct profile {
    uint32_t default_action;
    struct opt_u32 default_errno_ret;
    const char *default_errno_name;
    uint32_t *architectures;
    size_t architectures_count;
    struct architecture_family *families;
    size_t families_count;
    uint32_t flags;
    const char *listener_path;
    const char *listener_metadata;
    struct profile_rule *rules;
    size_t rules_count;
};

static const struct json_row condition_rows[] = {
    ROW_STRINGS("caps", struct condition, capabilities, 0),
    ROW_STRINGS("arches", struct condition, architectures, 0),
    ROW_STRING("minKernel", struct condition, min_kernel, 0),
};
static const struct json_table condition_table = JSON_TABLE(struct condition, condition_rows);

static const struct json_row rule_rows[] = {
    ROW_STRING("name", struct profile_rule, name, 0),
    ROW_STRINGS("names", struct profile_rule, names, 0),
    ROW_ENUM("action", struct profile_rule, action, oci_seccomp_action_names, JSON_NEEDED),
    ROW_OPT_U32("errnoRet", struct profile_rule, errno_ret, 0),
    ROW_STRING("errno", struct profile_rule, errno_name, 0),
    ROW_LIST("args", struct profile_rule, args, struct oci_seccomp_arg, oci_seccomp_arg_table, 0),
    ROW_OBJECT("includes", struct profile_rule, includes, struct condition, condition_table, 0),
    ROW_OBJECT("excludes", struct profile_rule, excludes, struct condition, condition_table, 0),
};
static const struct json_table rule_table = JSON_TABLE(struct profile_rule, rule_rows);

static const struct json_row family_rows[] = {
    ROW_ENUM("architecture", struct architecture_family, architecture, oci_seccomp_arch_names, JSON_NEEDED),
    ROW_ENUMS("subArchitectures", struct architecture_family, others, oci_seccomp_arch_names, 0),
};
static const struct json_table family_table = JSON_TABLE(struct architecture_family, family_rows);

static const struct json_row profile_rows[] = {
    ROW_ENUM("defaultAction", struct profile, default_action, oci_seccomp_action_names, JSON_NEEDED),
    ROW_OPT_U32("defaultErrnoRet", struct profile, default_errno_ret, 0),
    ROW_STRING("defaultErrno", struct profile, default_errno_name, 0),
    ROW_ENUMS("architectures", struct profile, architectures, oci_seccomp_arch_names, 0),
    ROW_LIST("archMap", struct profile, families, struct architecture_family, family_table, 0),
    ROW_MASK("flags", struct profile, flags, oci_seccomp_flag_names, 0),
    ROW_STRING("listenerPath", struct profile, listener_path, 0),
    ROW_STRING("listenerMetadata", struct profile, listener_metadata, 0),
    ROW_LIST("syscalls", struct profile, rules, struct profile_rule, rule_table, 0),
};
static const struct json_table profile_table = JSON_TABLE(struct profile, profile_rows);

static const struct json_name go_names[] = {
    {"386", AUDIT_ARCH_I386},
    {"amd64", AUDIT_ARCH_X86_64},
    {"arm", AUDIT_ARCH_ARM},
    {"arm64", AUDIT_ARCH_AARCH64},
    {"ppc64le", AUDIT_ARCH_PPC64LE},
    {"riscv64", AUDIT_ARCH_RISCV64},
    {"s390", AUDIT_ARCH_S390},
    {"s390x", AUDIT_ARCH_S390X},
    {"x32", OCI_ARCH_X32},
    {"x86", AUDIT_ARCH_I386},
    {NULL, 0},
};

static bool lists_architecture(const struct condition *condition, uint32_t architecture) {
    for (size_t i = 0; i < condition->architectures_count; i++) {
        if (json_value_of(go_names, condition->architectures[i]) == (int64_t)architecture) {
            return true;
        }
    }
    return false;
}

// How many of the capabilities are held. Unknown ones are not.
static size_t count_held(const struct condition *condition, uint64_t capabilities) {
    size_t held = 0;
    for (size_t i = 0; i < condition->capabilities_count; i++) {
        int capability = name_capability(condition->capabilities[i]);
        held += capability >= 0 && (capabilities >> capability & 1);
    }
    return held;
}

// "4.8" against the target's version; *ret tells whether that is as new.
static int compare_kernel(const char *version, const struct seccomp_target *target, bool *ret) {
    unsigned major, minor;
    int length = 0;
    if (sscanf(version, "%4u.%4u%n", &major, &minor, &length) != 2 || version[length] != '\0') {
        return -1;
    }
    *ret = target->kernel_major > major || (target->kernel_major == major && target->kernel_minor >= minor);
    return 0;
}

static int is_rule_in(const struct profile_rule *rule, const struct seccomp_target *target, bool *ret) {
    uint32_t architecture = architecture_of(target);
    const struct condition *with = &rule->includes;
    const struct condition *without = &rule->excludes;
    bool new_enough = true;
    bool too_new = false;
    if ((with->min_kernel && compare_kernel(with->min_kernel, target, &new_enough) < 0) ||
        (without->min_kernel && compare_kernel(without->min_kernel, target, &too_new) < 0)) {
        return -1;
    }
    bool included = count_held(with, target->capabilities) == with->capabilities_count &&
                    (with->architectures_count == 0 || lists_architecture(with, architecture)) && new_enough;
    *ret = included && count_held(without, target->capabilities) == 0 && !lists_architecture(without, architecture) && !too_new;
    return 0;
}

// podman names error numbers: "EPERM". 0 is no error's number.
static uint32_t errno_of(const char *name) {
    int number = name_errno(name);
    return number > 0 ? (uint32_t)number : 0;
}

static int take_errno(const struct oci_place *place, const char *field, const char *name, struct opt_u32 *ret) {
    if (!name || name[0] == '\0' || ret->set) {
        return 0;
    }
    uint32_t number = errno_of(name);
    if (number == 0) {
        return oci_fail(place, "%s: expected the name of an error like EPERM, found \"%.32s\"", field, name);
    }
    *ret = (struct opt_u32){true, number};
    return 0;
}

static int take_rule(const struct oci_place *place, size_t at, struct profile_rule *from, struct oci_seccomp_rule *into,
                     struct arena *arena) {
    char field[64];
    snprintf(field, sizeof(field), "syscalls[%zu].errno", at);
    if (from->name && from->names_count > 0) {
        return oci_fail(place, "syscalls[%zu]: has both name and names", at);
    }
    if (!from->name && from->names_count == 0) {
        return oci_fail(place, "syscalls[%zu].names: must not be empty", at);
    }
    if (take_errno(place, field, from->errno_name, &from->errno_ret) < 0) {
        return -1;
    }
    if (from->name) {
        from->names = arena_array(arena, 2, sizeof(*from->names));
        from->names[from->names_count++] = from->name;
    }
    *into = (struct oci_seccomp_rule){.names = from->names,
                                      .names_count = from->names_count,
                                      .action = from->action,
                                      .errno_ret = from->errno_ret,
                                      .args = from->args,
                                      .args_count = from->args_count};
    return 0;
}

static void take_family(const struct profile *profile, uint32_t architecture, struct oci_seccomp *seccomp, struct arena *arena) {
    for (size_t i = 0; i < profile->families_count; i++) {
        const struct architecture_family *family = &profile->families[i];
        if (family->architecture == architecture) {
            seccomp->architectures = arena_array(arena, family->others_count + 1, sizeof(*seccomp->architectures));
            seccomp->architectures[0] = architecture;
            for (size_t k = 0; k < family->others_count; k++) {
                seccomp->architectures[k + 1] = family->others[k];
            }
            seccomp->architectures_count = family->others_count + 1;
            return;
        }
    }
}

// All rules are looked at, for errors; then those that do not apply are dropped.
static int take_rules(const struct profile *profile, const struct seccomp_target *target, const struct oci_place *place,
                      struct oci_seccomp *seccomp, struct arena *arena) {
    seccomp->syscalls = arena_array(arena, profile->rules_count + 1, sizeof(*seccomp->syscalls));
    seccomp->syscalls_count = profile->rules_count;
    for (size_t i = 0; i < profile->rules_count; i++) {
        if (take_rule(place, i, &profile->rules[i], &seccomp->syscalls[i], arena) < 0) {
            return -1;
        }
    }
    if (oci_seccomp_check(seccomp, place) < 0) {
        return -1;
    }
    size_t kept = 0;
    for (size_t i = 0; i < profile->rules_count; i++) {
        bool in;
        if (is_rule_in(&profile->rules[i], target, &in) < 0) {
            return oci_fail(place, "syscalls[%zu]: expected a minKernel like 4.8", i);
        }
        if (in) {
            seccomp->syscalls[kept++] = seccomp->syscalls[i];
        }
    }
    seccomp->syscalls_count = kept;
    return 0;
}

int seccomp_profile_decode(const struct json_document *document, const struct seccomp_target *target, struct arena *arena,
                           struct oci_seccomp **ret, struct err *err) {
    struct profile profile = {0};
    const struct oci_place place = {.document = document->name, .part = "", .err = err};
    if (json_decode(document, &profile_table, arena, &profile, err) < 0 ||
        take_errno(&place, "defaultErrno", profile.default_errno_name, &profile.default_errno_ret) < 0) {
        return -1;
    }
    if (profile.architectures_count > 0 && profile.families_count > 0) {
        return oci_fail(&place, "archMap: cannot stand beside architectures");
    }
    struct oci_seccomp *seccomp = arena_alloc(arena, sizeof(*seccomp));
    *seccomp = (struct oci_seccomp){.default_action = profile.default_action,
                                    .default_errno_ret = profile.default_errno_ret,
                                    .architectures = profile.architectures,
                                    .architectures_count = profile.architectures_count,
                                    .flags = profile.flags,
                                    .listener_path = profile.listener_path,
                                    .listener_metadata = profile.listener_metadata};
    take_family(&profile, architecture_of(target), seccomp, arena);
    if (take_rules(&profile, target, &place, seccomp, arena) < 0) {
        return -1;
    }
    *ret = seccomp;
    return 0;
}

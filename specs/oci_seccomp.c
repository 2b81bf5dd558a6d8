#include "specs/oci_seccomp.h"

#include "runtime/base/err.h"
#include "specs/oci_tables.h"

const struct json_name oci_seccomp_action_names[] = {
    {"SCMP_ACT_ALLOW", SECCOMP_RET_ALLOW},
    {"SCMP_ACT_ERRNO", SECCOMP_RET_ERRNO},
    {"SCMP_ACT_KILL", SECCOMP_RET_KILL_THREAD},
    {"SCMP_ACT_KILL_PROCESS", SECCOMP_RET_KILL_PROCESS},
    {"SCMP_ACT_KILL_THREAD", SECCOMP_RET_KILL_THREAD},
    {"SCMP_ACT_LOG", SECCOMP_RET_LOG},
    {"SCMP_ACT_NOTIFY", SECCOMP_RET_USER_NOTIF},
    {"SCMP_ACT_TRACE", SECCOMP_RET_TRACE},
    {"SCMP_ACT_TRAP", SECCOMP_RET_TRAP},
    {NULL, 0},
};

const struct json_name oci_seccomp_op_names[] = {
    {"SCMP_CMP_EQ", OCI_SECCOMP_EQ}, {"SCMP_CMP_GE", OCI_SECCOMP_GE},
    {"SCMP_CMP_GT", OCI_SECCOMP_GT}, {"SCMP_CMP_LE", OCI_SECCOMP_LE},
    {"SCMP_CMP_LT", OCI_SECCOMP_LT}, {"SCMP_CMP_MASKED_EQ", OCI_SECCOMP_MASKED_EQ},
    {"SCMP_CMP_NE", OCI_SECCOMP_NE}, {NULL, 0},
};

// The n32 ABI of MIPS is told from n64 by a bit of its own; libseccomp and the kernel agree on it.
#define ARCH_MIPS64N32 (EM_MIPS | __AUDIT_ARCH_64BIT | __AUDIT_ARCH_CONVENTION_MIPS64_N32)
#define ARCH_MIPSEL64N32 (ARCH_MIPS64N32 | __AUDIT_ARCH_LE)

const struct json_name oci_seccomp_arch_names[] = {
    {"SCMP_ARCH_AARCH64", AUDIT_ARCH_AARCH64},
    {"SCMP_ARCH_ARM", AUDIT_ARCH_ARM},
    {"SCMP_ARCH_LOONGARCH64", AUDIT_ARCH_LOONGARCH64},
    {"SCMP_ARCH_M68K", AUDIT_ARCH_M68K},
    {"SCMP_ARCH_MIPS", AUDIT_ARCH_MIPS},
    {"SCMP_ARCH_MIPS64", AUDIT_ARCH_MIPS64},
    {"SCMP_ARCH_MIPS64N32", ARCH_MIPS64N32},
    {"SCMP_ARCH_MIPSEL", AUDIT_ARCH_MIPSEL},
    {"SCMP_ARCH_MIPSEL64", AUDIT_ARCH_MIPSEL64},
    {"SCMP_ARCH_MIPSEL64N32", ARCH_MIPSEL64N32},
    {"SCMP_ARCH_PARISC", AUDIT_ARCH_PARISC},
    {"SCMP_ARCH_PARISC64", AUDIT_ARCH_PARISC64},
    {"SCMP_ARCH_PPC", AUDIT_ARCH_PPC},
    {"SCMP_ARCH_PPC64", AUDIT_ARCH_PPC64},
    {"SCMP_ARCH_PPC64LE", AUDIT_ARCH_PPC64LE},
    {"SCMP_ARCH_RISCV64", AUDIT_ARCH_RISCV64},
    {"SCMP_ARCH_S390", AUDIT_ARCH_S390},
    {"SCMP_ARCH_S390X", AUDIT_ARCH_S390X},
    {"SCMP_ARCH_SH", AUDIT_ARCH_SHEL},
    {"SCMP_ARCH_SHEB", AUDIT_ARCH_SH},
    {"SCMP_ARCH_X32", OCI_ARCH_X32},
    {"SCMP_ARCH_X86", AUDIT_ARCH_I386},
    {"SCMP_ARCH_X86_64", AUDIT_ARCH_X86_64},
    {NULL, 0},
};

const struct json_name oci_seccomp_flag_names[] = {
    {"SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG},
    {"SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW},
    {"SECCOMP_FILTER_FLAG_TSYNC", SECCOMP_FILTER_FLAG_TSYNC},
    {"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV},
    {NULL, 0},
};

static const struct json_row arg_rows[] = {
    ROW_U32("index", struct oci_seccomp_arg, index, JSON_NEEDED),
    ROW_U64("value", struct oci_seccomp_arg, value, JSON_NEEDED),
    ROW_U64("valueTwo", struct oci_seccomp_arg, value_two, 0),
    ROW_ENUM("op", struct oci_seccomp_arg, op, oci_seccomp_op_names, JSON_NEEDED),
};
const struct json_table oci_seccomp_arg_table = JSON_TABLE(struct oci_seccomp_arg, arg_rows);

static const struct json_row rule_rows[] = {
    ROW_STRINGS("names", struct oci_seccomp_rule, names, JSON_NEEDED | JSON_NOT_EMPTY),
    ROW_ENUM("action", struct oci_seccomp_rule, action, oci_seccomp_action_names, JSON_NEEDED),
    ROW_OPT_U32("errnoRet", struct oci_seccomp_rule, errno_ret, 0),
    ROW_LIST("args", struct oci_seccomp_rule, args, struct oci_seccomp_arg, oci_seccomp_arg_table, 0),
};
static const struct json_table rule_table = JSON_TABLE(struct oci_seccomp_rule, rule_rows);

static const struct json_row seccomp_rows[] = {
    ROW_ENUM("defaultAction", struct oci_seccomp, default_action, oci_seccomp_action_names, JSON_NEEDED),
    ROW_OPT_U32("defaultErrnoRet", struct oci_seccomp, default_errno_ret, 0),
    ROW_ENUMS("architectures", struct oci_seccomp, architectures, oci_seccomp_arch_names, 0),
    ROW_MASK("flags", struct oci_seccomp, flags, oci_seccomp_flag_names, 0),
    ROW_STRING("listenerPath", struct oci_seccomp, listener_path, 0),
    ROW_STRING("listenerMetadata", struct oci_seccomp, listener_metadata, 0),
    ROW_LIST("syscalls", struct oci_seccomp, syscalls, struct oci_seccomp_rule, rule_table, 0),
};
const struct json_table oci_seccomp_table = JSON_TABLE(struct oci_seccomp, seccomp_rows);

// The kernel gives a program 16 bits of data with an action, and takes errno values up to 4095 only.
static int check_errno(const struct oci_place *place, const char *field, uint32_t action, struct opt_u32 value) {
    if (!value.set) {
        return 0;
    }
    if (action != SECCOMP_RET_ERRNO && action != SECCOMP_RET_TRACE) {
        return oci_fail(place, "%s: only SCMP_ACT_ERRNO and SCMP_ACT_TRACE return an error number, found %s", field,
                        json_name_of(oci_seccomp_action_names, action));
    }
    uint32_t max = action == SECCOMP_RET_ERRNO ? 4095 : UINT16_MAX;
    if (value.value > max) {
        return oci_fail(place, "%s: expected an integer from 0 to %u, found %u", field, max, value.value);
    }
    return 0;
}

static int check_rule(const struct oci_place *place, const struct oci_seccomp *seccomp, size_t at) {
    const struct oci_seccomp_rule *rule = &seccomp->syscalls[at];
    char field[64];
    for (size_t i = 0; i < rule->names_count; i++) {
        if (rule->names[i][0] == '\0') {
            return oci_fail(place, "syscalls[%zu].names[%zu]: must not be empty", at, i);
        }
    }
    for (size_t i = 0; i < rule->args_count; i++) {
        if (rule->args[i].index > 5) {
            return oci_fail(place, "syscalls[%zu].args[%zu].index: expected an integer from 0 to 5, found %u", at, i,
                            rule->args[i].index);
        }
    }
    if (rule->action == SECCOMP_RET_USER_NOTIF && !seccomp->listener_path) {
        return oci_fail(place, "syscalls[%zu].action: SCMP_ACT_NOTIFY needs a listenerPath", at);
    }
    snprintf(field, sizeof(field), "syscalls[%zu].errnoRet", at);
    return check_errno(place, field, rule->action, rule->errno_ret);
}

int oci_seccomp_check(const struct oci_seccomp *seccomp, const struct oci_place *place) {
    if (check_errno(place, "defaultErrnoRet", seccomp->default_action, seccomp->default_errno_ret) < 0) {
        return -1;
    }
    if (seccomp->default_action == SECCOMP_RET_USER_NOTIF && !seccomp->listener_path) {
        return oci_fail(place, "defaultAction: SCMP_ACT_NOTIFY needs a listenerPath");
    }
    if (seccomp->listener_metadata && !seccomp->listener_path) {
        return oci_fail(place, "listenerMetadata: needs a listenerPath");
    }
    for (size_t i = 0; i < seccomp->syscalls_count; i++) {
        if (check_rule(place, seccomp, i) < 0) {
            return -1;
        }
    }
    return 0;
}

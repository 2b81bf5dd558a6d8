#include "tests/unit/check.h"

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "specs/json.h"
#include "specs/seccomp_profile.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/socket.h>
#include <unistd.h>

#define CAP(name) (UINT64_C(1) << CAP_##name)

static const struct seccomp_target plain = {.architecture = AUDIT_ARCH_X86_64, .kernel_major = 6, .kernel_minor = 1};
static const struct seccomp_target admin = {.capabilities = CAP(SYS_ADMIN), .architecture = AUDIT_ARCH_X86_64, .kernel_major = 6};

static bool holds(const struct oci_seccomp_arg *arg, const uint64_t *values) {
    uint64_t value = values[arg->index];
    switch ((enum oci_seccomp_op)arg->op) {
    case OCI_SECCOMP_NE:
        return value != arg->value;
    case OCI_SECCOMP_EQ:
        return value == arg->value;
    case OCI_SECCOMP_MASKED_EQ:
        return (value & arg->value) == arg->value_two;
    default:
        return false;
    }
}

enum { ALLOWED = 0, CONTRADICTION = -1 };

// What the call with this first argument gives: ALLOWED, an errno, or that two rules contradict each other.
static int verdict_with(const struct oci_seccomp *seccomp, const char *name, uint64_t first) {
    const uint64_t values[6] = {first};
    int verdict = -2;
    for (size_t i = 0; i < seccomp->syscalls_count; i++) {
        const struct oci_seccomp_rule *rule = &seccomp->syscalls[i];
        bool matches = false;
        for (size_t k = 0; k < rule->names_count; k++) {
            matches = matches || strcmp(rule->names[k], name) == 0;
        }
        for (size_t k = 0; k < rule->args_count; k++) {
            matches = matches && holds(&rule->args[k], values);
        }
        if (matches) {
            int found = rule->action == SECCOMP_RET_ALLOW ? ALLOWED : (int)rule->errno_ret.value;
            verdict = verdict == -2 || verdict == found ? found : CONTRADICTION;
        }
    }
    return verdict == -2 ? (int)seccomp->default_errno_ret.value : verdict;
}

static int verdict(const struct oci_seccomp *seccomp, const char *name) {
    return verdict_with(seccomp, name, 0);
}

CASE(the_default_profile_allows_work) {
    AUTO_ARENA struct arena arena = {0};
    const struct oci_seccomp *seccomp = seccomp_profile_default(&plain, &arena);
    static const char *const names[] = {"read",   "execve",  "clone",      "socket",      "futex",
                                        "ptrace", "openat2", "arch_prctl", "personality", "landlock_restrict_self",
                                        "access", "writev",  "utimes"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        CHECK_INT(verdict(seccomp, names[i]), ALLOWED);
    }
    CHECK(seccomp->architectures_count == 3 && seccomp->architectures[1] == AUDIT_ARCH_I386);
}

CASE(the_default_profile_denies_what_reaches_the_host) {
    AUTO_ARENA struct arena arena = {0};
    const struct oci_seccomp *seccomp = seccomp_profile_default(&plain, &arena);
    static const char *const names[] = {
        "add_key", "keyctl",       "request_key", "io_uring_setup", "bpf",         "mount",           "unshare",
        "setns",   "reboot",       "userfaultfd", "kexec_load",     "init_module", "perf_event_open", "open_by_handle_at",
        "syslog",  "settimeofday", "chroot",      "pivot_root",     "move_mount",  "process_madvise", "mbind",
        "swapon"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        CHECK_INT(verdict(seccomp, names[i]), EPERM);
    }
    CHECK_INT(verdict(seccomp, "a_call_of_2040"), ENOSYS);
    CHECK_INT(verdict(seccomp, "clone3"), ENOSYS);
    CHECK_INT(verdict(seccomp, "sync_file_range2"), ENOSYS); // not of x86
    CHECK_INT(verdict_with(seccomp, "clone", CLONE_NEWUSER | CLONE_VM), EPERM);
    CHECK_INT(verdict_with(seccomp, "clone", CLONE_NEWNS | CLONE_NEWPID), EPERM);
    CHECK_INT(verdict_with(seccomp, "clone", CLONE_VM | CLONE_THREAD), ALLOWED);
    CHECK_INT(verdict_with(seccomp, "socket", AF_VSOCK), EPERM);
    CHECK_INT(verdict_with(seccomp, "socket", AF_VSOCK | UINT64_C(1) << 32), EPERM);
    for (uint64_t family = 0; family < 64; family++) {
        CHECK(family == AF_VSOCK || verdict_with(seccomp, "socket", family | UINT64_C(5) << 40) == ALLOWED);
    }
    CHECK_INT(verdict_with(seccomp, "personality", 0x40000), ENOSYS);
    CHECK_INT(verdict_with(seccomp, "personality", 0xffffffff), ALLOWED);
    CHECK_INT(verdict_with(seccomp, "personality", UINT64_MAX), ALLOWED);
}

CASE(capabilities_open_their_calls) {
    AUTO_ARENA struct arena arena = {0};
    const struct oci_seccomp *seccomp = seccomp_profile_default(&admin, &arena);
    static const char *const names[] = {"mount", "unshare", "clone3", "bpf", "syslog", "perf_event_open"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        CHECK_INT(verdict(seccomp, names[i]), ALLOWED);
    }
    CHECK_INT(verdict_with(seccomp, "clone", CLONE_NEWUSER), ALLOWED);
    CHECK_INT(verdict(seccomp, "keyctl"), EPERM);
    CHECK_INT(verdict(seccomp, "reboot"), EPERM);
    const struct seccomp_target some = {.capabilities = CAP(BPF) | CAP(SYS_TIME) | CAP(SYS_CHROOT),
                                        .architecture = AUDIT_ARCH_AARCH64};
    seccomp = seccomp_profile_default(&some, &arena);
    CHECK(verdict(seccomp, "bpf") == ALLOWED && verdict(seccomp, "stime") == ALLOWED && verdict(seccomp, "chroot") == ALLOWED);
    CHECK(verdict(seccomp, "set_tls") == ALLOWED && verdict(seccomp, "arch_prctl") == ENOSYS && verdict(seccomp, "mount") == EPERM);
}

// No call is both allowed and denied, and none stands twice.
CASE(the_default_profile_does_not_contradict_itself) {
    AUTO_ARENA struct arena arena = {0};
    const struct oci_seccomp *seccomp = seccomp_profile_default(&plain, &arena);
    for (size_t i = 0; i < seccomp->syscalls_count; i++) {
        const struct oci_seccomp_rule *rule = &seccomp->syscalls[i];
        for (size_t k = 0; k < rule->names_count; k++) {
            int times = 0;
            for (size_t other = 0; other < 2; other++) {
                for (size_t n = 0; n < seccomp->syscalls[other].names_count; n++) {
                    times += strcmp(seccomp->syscalls[other].names[n], rule->names[k]) == 0;
                }
            }
            CHECK(times == (i < 2));
            CHECK(rule->names[k][0] != '\0' && verdict(seccomp, rule->names[k]) != CONTRADICTION);
        }
    }
}

// libseccomp takes all of it, and knows all names but those of newer kernels and other processors.
CASE(the_default_profile_is_known_to_libseccomp) {
    AUTO_ARENA struct arena arena = {0};
    const struct oci_seccomp *seccomp = seccomp_profile_default(&plain, &arena);
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    int unknown = 0;
    for (size_t i = 0; i < seccomp->syscalls_count; i++) {
        const struct oci_seccomp_rule *rule = &seccomp->syscalls[i];
        uint32_t action = rule->action == SECCOMP_RET_ALLOW ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(rule->errno_ret.value);
        for (size_t k = 0; k < rule->names_count; k++) {
            int number = seccomp_syscall_resolve_name(rule->names[k]);
            if (number == __NR_SCMP_ERROR) {
                unknown++;
                continue;
            }
            struct scmp_arg_cmp arg = {0};
            if (rule->args_count > 0) {
                arg.arg = rule->args[0].index;
                arg.op = (enum scmp_compare)(rule->args[0].op + 1);
                arg.datum_a = rule->args[0].value;
                arg.datum_b = rule->args[0].value_two;
            }
            int result = seccomp_rule_add_array(filter, action, number, (unsigned)rule->args_count, &arg);
            CHECK(result == 0 || (action == SCMP_ACT_ERRNO(ENOSYS) && result == -EACCES)); // the default action again
        }
    }
    printf("# %d names of newer kernels\n", unknown);
    CHECK(unknown < 20);
    CHECK_INT(_SCMP_CMP_MIN + OCI_SECCOMP_MASKED_EQ + 1, SCMP_CMP_MASKED_EQ);
    seccomp_release(filter);
}

// Documents are written with ' for ", to be readable here.
static struct oci_seccomp *decode(struct arena *arena, const char *text, const struct seccomp_target *target, struct err *err) {
    AUTO_FREE char *json = mem_copy_string(text);
    for (char *at = json; *at; at++) {
        *at = *at == '\'' ? '"' : *at;
    }
    const struct json_document document = {.name = "p.json", .text = json, .size = strlen(json)};
    struct oci_seccomp *seccomp = NULL;
    return seccomp_profile_decode(&document, target, arena, &seccomp, err) < 0 ? NULL : seccomp;
}

CASE(profiles_are_resolved) {
    static const char text[] =
        "{'defaultAction':'SCMP_ACT_ERRNO','defaultErrnoRet':38,'archMap':[{'architecture':'SCMP_ARCH_X86_64','subArchitectures':"
        "['SCMP_ARCH_X32']},{'architecture':'SCMP_ARCH_AARCH64','subArchitectures':null}],'syscalls':["
        "{'names':['read'],'action':'SCMP_ACT_ALLOW','args':null,'comment':'c','includes':{},'excludes':{}},"
        "{'name':'old','action':'SCMP_ACT_ALLOW'},"
        "{'names':['mount'],'action':'SCMP_ACT_ALLOW','includes':{'caps':['CAP_SYS_ADMIN']}},"
        "{'names':['mount'],'action':'SCMP_ACT_ERRNO','errno':'EPERM','excludes':{'caps':['CAP_SYS_ADMIN','CAP_SYSLOG']}},"
        "{'names':['new'],'action':'SCMP_ACT_ALLOW','includes':{'minKernel':'6.1'}},"
        "{'names':['arm'],'action':'SCMP_ACT_ALLOW','includes':{'arches':['arm','arm64']}},"
        "{'names':['notarm'],'action':'SCMP_ACT_ALLOW','excludes':{'arches':['arm','arm64']}},"
        "{'names':['clone'],'action':'SCMP_ACT_ALLOW','args':[{'index':0,'value':2114060288,'valueTwo':0,'op':'SCMP_CMP_MASKED_EQ'}"
        "]}]}";
    AUTO_ARENA struct arena arena = {0};
    struct err err = {0};
    const struct oci_seccomp *seccomp = decode(&arena, text, &plain, &err);
    CHECK_STR(err.text, "");
    CHECK(seccomp->architectures_count == 2 && seccomp->architectures[0] == AUDIT_ARCH_X86_64 &&
          seccomp->architectures[1] == OCI_ARCH_X32);
    CHECK(verdict(seccomp, "read") == ALLOWED && verdict(seccomp, "old") == ALLOWED && verdict(seccomp, "mount") == EPERM);
    CHECK(verdict(seccomp, "new") == ALLOWED && verdict(seccomp, "arm") == ENOSYS && verdict(seccomp, "notarm") == ALLOWED);
    CHECK(verdict_with(seccomp, "clone", CLONE_NEWUSER) == ENOSYS && verdict(seccomp, "clone") == ALLOWED);
    seccomp = decode(&arena, text, &admin, &err);
    CHECK(verdict(seccomp, "mount") == ALLOWED && verdict(seccomp, "new") == ENOSYS);
    const struct seccomp_target arm = {.architecture = AUDIT_ARCH_AARCH64, .kernel_major = 7};
    seccomp = decode(&arena, text, &arm, &err);
    CHECK(seccomp->architectures_count == 1 && verdict(seccomp, "arm") == ALLOWED && verdict(seccomp, "notarm") == ENOSYS);
}

static const char *complaint(const char *members) {
    static struct err err;
    AUTO_ARENA struct arena arena = {0};
    err = (struct err){0};
    AUTO_FREE char *text = mem_format("{'defaultAction':'SCMP_ACT_ALLOW',%s}", members);
    decode(&arena, text, &plain, &err);
    return err.text;
}

CASE(bad_profiles_are_refused) {
    CHECK_STR(complaint("'syscalls':[{'names':['a'],'action':'ALLOW'}]"),
              "p.json: syscalls[0].action: expected one of SCMP_ACT_ALLOW, SCMP_ACT_ERRNO, SCMP_ACT_KILL, SCMP_ACT_KILL_PROCESS, "
              "SCMP_ACT_KILL_THREAD, SCMP_ACT_LOG, SCMP_ACT_NOTIFY, SCMP_ACT_TRACE, SCMP_ACT_TRAP, found \"ALLOW\"");
    CHECK_STR(complaint("'syscalls':[{'names':['a'],'name':'b','action':'SCMP_ACT_LOG'}]"),
              "p.json: syscalls[0]: has both name and names");
    CHECK_STR(complaint("'syscalls':[{'action':'SCMP_ACT_LOG'}]"), "p.json: syscalls[0].names: must not be empty");
    CHECK_STR(complaint("'syscalls':[{'names':['a'],'action':'SCMP_ACT_ERRNO','errno':'EWHAT'}]"),
              "p.json: syscalls[0].errno: expected the name of an error like EPERM, found \"EWHAT\"");
    CHECK_STR(complaint("'syscalls':[{'names':['a'],'action':'SCMP_ACT_LOG','includes':{'minKernel':'4'}}]"),
              "p.json: syscalls[0]: expected a minKernel like 4.8");
    CHECK_STR(complaint("'archMap':[{'architecture':'SCMP_ARCH_ARM'}],'architectures':['SCMP_ARCH_ARM']"),
              "p.json: archMap: cannot stand beside architectures");
    CHECK_STR(complaint("'syscalls':[{'names':['a'],'action':'SCMP_ACT_LOG'},{'names':['a'],'action':'SCMP_ACT_ALLOW','errnoRet':1,"
                        "'includes':{'arches':['arm']}}]"),
              "p.json: syscalls[1].errnoRet: only SCMP_ACT_ERRNO and SCMP_ACT_TRACE return an error number, found SCMP_ACT_ALLOW");
}

CASE(podman_s_profile_is_read) {
    static const char path[] = "/usr/share/containers/seccomp.json";
    if (access(path, R_OK) < 0) {
        SKIP("podman's profile is not installed");
    }
    struct err err = {0};
    AUTO_FREE char *text = NULL;
    size_t size = 0;
    AUTO_ARENA struct arena arena = {0};
    CHECK_INT(fd_read_file(AT_FDCWD, path, JSON_MAX_BYTES, &text, &size, &err), 0);
    const struct json_document document = {.name = path, .text = text, .size = size};
    struct oci_seccomp *seccomp = NULL;
    CHECK_INT(seccomp_profile_decode(&document, &plain, &arena, &seccomp, &err), 0);
    CHECK_STR(err.text, "");
    CHECK(verdict(seccomp, "read") == ALLOWED && verdict(seccomp, "bpf") == EPERM && verdict(seccomp, "kexec_load") == EPERM);
}

int main(void) {
    RUN(the_default_profile_allows_work);
    RUN(the_default_profile_denies_what_reaches_the_host);
    RUN(capabilities_open_their_calls);
    RUN(the_default_profile_does_not_contradict_itself);
    RUN(the_default_profile_is_known_to_libseccomp);
    RUN(profiles_are_resolved);
    RUN(bad_profiles_are_refused);
    RUN(podman_s_profile_is_read);
    return check_done();
}

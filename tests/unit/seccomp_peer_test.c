// Our system call filters, run by a simulator over all numbers of calls and many arguments: against what the rules say, worked out plainly
// from the profile, and against libseccomp's programs. Those are right for real profiles and for rules that do not meet; where several
// rules compare one argument in different ways, libseccomp 2.5 loses or invents matches, so only the rules' own word counts there.
#include "tests/unit/check.h"

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/container/seccomp_filter.h"
#include "runtime/kernel/syscalls.h"
#include "specs/json.h"
#include "specs/oci_seccomp.h"
#include "specs/seccomp_profile.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { X32_BIT = 0x40000000, BROKEN = 0x12345678 };

// --- the simulator ---

// The action, or BROKEN for a program that the kernel would not take.
static uint32_t simulate(const struct sock_filter *program, size_t count, const struct seccomp_data *data) {
    uint32_t accumulator = 0;
    for (size_t at = 0; at < count; at++) {
        const struct sock_filter *step = &program[at];
        uint32_t value = step->k;
        switch (step->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            if (value % 4 != 0 || value >= sizeof(*data)) {
                return BROKEN;
            }
            memcpy(&accumulator, (const char *)data + value, sizeof(accumulator));
            break;
        case BPF_ALU | BPF_AND | BPF_K:
            accumulator &= value;
            break;
        case BPF_JMP | BPF_JA:
            at += value;
            break;
        case BPF_JMP | BPF_JEQ | BPF_K:
            at += accumulator == value ? step->jt : step->jf;
            break;
        case BPF_JMP | BPF_JGT | BPF_K:
            at += accumulator > value ? step->jt : step->jf;
            break;
        case BPF_JMP | BPF_JGE | BPF_K:
            at += accumulator >= value ? step->jt : step->jf;
            break;
        case BPF_JMP | BPF_JSET | BPF_K:
            at += (accumulator & value) != 0 ? step->jt : step->jf;
            break;
        case BPF_RET | BPF_K:
            return value;
        default:
            return BROKEN;
        }
    }
    return BROKEN;
}

// --- libseccomp's program ---

struct program {
    struct sock_filter *code;
    size_t count;
};

static uint32_t with_number(uint32_t action, struct opt_u32 number) {
    bool takes = action == SECCOMP_RET_ERRNO || action == SECCOMP_RET_TRACE;
    return takes ? action | (number.set ? number.value : EPERM) : action;
}

static int add_rule(scmp_filter_ctx filter, const struct oci_seccomp_rule *rule, uint32_t action, int number) {
    static const enum scmp_compare operators[] = {
        [OCI_SECCOMP_NE] = SCMP_CMP_NE, [OCI_SECCOMP_LT] = SCMP_CMP_LT, [OCI_SECCOMP_LE] = SCMP_CMP_LE,
        [OCI_SECCOMP_EQ] = SCMP_CMP_EQ, [OCI_SECCOMP_GE] = SCMP_CMP_GE, [OCI_SECCOMP_GT] = SCMP_CMP_GT,
        [OCI_SECCOMP_MASKED_EQ] = SCMP_CMP_MASKED_EQ,
    };
    struct scmp_arg_cmp compares[8];
    uint32_t seen = 0;
    bool twice = false;
    for (size_t i = 0; i < rule->args_count; i++) {
        const struct oci_seccomp_arg *arg = &rule->args[i];
        compares[i] = (struct scmp_arg_cmp){arg->index, operators[arg->op], arg->value, arg->value_two};
        twice |= seen >> arg->index & 1;
        seen |= 1U << arg->index;
    }
    if (!twice) {
        return seccomp_rule_add_array(filter, action, number, (unsigned)rule->args_count, compares);
    }
    int result = 0;
    for (size_t i = 0; i < rule->args_count && result == 0; i++) {
        result = seccomp_rule_add_array(filter, action, number, 1, &compares[i]);
    }
    return result;
}

// False when it refuses a rule.
static bool make_peer(const struct oci_seccomp *seccomp, const uint32_t *architectures, size_t count, struct arena *arena,
                      struct program *ret) {
    uint32_t otherwise = with_number(seccomp->default_action, seccomp->default_errno_ret);
    scmp_filter_ctx filter = seccomp_init(otherwise);
    bool native = false;
    int result = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    for (size_t i = 0; i < count && result == 0; i++) {
        native |= architectures[i] == seccomp_arch_native();
        result = seccomp_arch_add(filter, architectures[i]);
        result = result == -EEXIST ? 0 : result;
    }
    if (!native) {
        result = seccomp_arch_remove(filter, seccomp_arch_native());
    }
    for (size_t i = 0; i < seccomp->syscalls_count && result == 0; i++) {
        const struct oci_seccomp_rule *rule = &seccomp->syscalls[i];
        uint32_t action = with_number(rule->action, rule->errno_ret);
        for (size_t j = 0; j < rule->names_count && action != otherwise && result == 0; j++) {
            int number = seccomp_syscall_resolve_name(rule->names[j]);
            result = number == __NR_SCMP_ERROR ? 0 : add_rule(filter, rule, action, number);
        }
    }
    AUTO_FD int fd = memfd_create("peer", MFD_CLOEXEC);
    struct stat status = {0};
    if (result == 0 && seccomp_export_bpf(filter, fd) == 0 && fstat(fd, &status) == 0) {
        ret->count = (size_t)status.st_size / sizeof(*ret->code);
        ret->code = arena_array(arena, ret->count + 1, sizeof(*ret->code));
        CHECK_INT(pread(fd, ret->code, (size_t)status.st_size, 0), status.st_size);
    }
    seccomp_release(filter);
    return result == 0 && status.st_size > 0;
}

// --- what the rules say ---

static bool holds(const struct oci_seccomp_arg *arg, const struct seccomp_data *data, bool whole) {
    uint64_t mask = whole ? UINT64_MAX : UINT32_MAX;
    uint64_t found = data->args[arg->index] & mask, value = arg->value & mask, two = arg->value_two & mask;
    switch (arg->op) {
    case OCI_SECCOMP_NE:
        return found != value;
    case OCI_SECCOMP_LT:
        return found < value;
    case OCI_SECCOMP_LE:
        return found <= value;
    case OCI_SECCOMP_EQ:
        return found == value;
    case OCI_SECCOMP_GE:
        return found >= value;
    case OCI_SECCOMP_GT:
        return found > value;
    default:
        return (found & value) == (two & value);
    }
}

static bool rule_holds(const struct oci_seccomp_rule *rule, const struct seccomp_data *data, bool whole) {
    uint32_t seen = 0;
    bool twice = false, all = true, any = false;
    for (size_t i = 0; i < rule->args_count; i++) {
        bool one = holds(&rule->args[i], data, whole);
        twice |= seen >> rule->args[i].index & 1;
        seen |= 1U << rule->args[i].index;
        all &= one;
        any |= one;
    }
    return twice ? any : all;
}

// On 32-bit x86 libseccomp has parts of socketcall(2) and ipc(2) as -100 and -200 less the first argument that means them.
static bool is_part(uint32_t architecture, int number, int of) {
    return architecture == AUDIT_ARCH_I386 &&
           ((of == 102 && number < -100 && number > -200) || (of == 117 && number < -200 && number > -300));
}

// A rule for a part: the other arguments it speaks of are those of the call, and the first tells the part.
static bool part_holds(const struct oci_seccomp_rule *rule, int number, const struct seccomp_data *data) {
    uint32_t seen = 0;
    bool twice = false, all = true, any = false;
    for (size_t i = 0; i < rule->args_count; i++) {
        bool one = rule->args[i].index == 0 || holds(&rule->args[i], data, false);
        twice |= seen >> rule->args[i].index & 1;
        seen |= 1U << rule->args[i].index;
        all &= one;
        any |= one;
    }
    return (uint32_t)data->args[0] == (uint32_t)(-number % 100) && (twice ? any : all);
}

static bool is_as_strict(uint32_t action, uint32_t than) {
    return (int32_t)(action & SECCOMP_RET_ACTION_FULL) <= (int32_t)(than & SECCOMP_RET_ACTION_FULL);
}

// architecture: that of the number, x32 apart.
static uint32_t meant(const struct oci_seccomp *seccomp, uint32_t architecture, const struct seccomp_data *data) {
    uint32_t otherwise = with_number(seccomp->default_action, seccomp->default_errno_ret), decided = otherwise, strictest = otherwise;
    uint32_t parts = otherwise, *of_parts = NULL;
    bool is_decided = false, found = false;
    int newest = -1;
    for (size_t i = 0; i < seccomp->syscalls_count; i++) {
        const struct oci_seccomp_rule *rule = &seccomp->syscalls[i];
        uint32_t action = with_number(rule->action, rule->errno_ret);
        bool named = false, part = false;
        for (size_t j = 0; j < rule->names_count; j++) {
            int number = seccomp_syscall_resolve_name_arch(architecture, rule->names[j]);
            newest = number > newest ? number : newest;
            named |= number >= 0 && number == data->nr;
            part |= is_part(architecture, number, data->nr) && part_holds(rule, number, data);
        }
        if (action == otherwise) {
            continue;
        }
        if (part && (!of_parts || !is_as_strict(*of_parts, action))) {
            parts = action;
            of_parts = &parts;
        }
        if (!named) {
            continue;
        }
        if (rule->args_count == 0) {
            decided = is_decided ? decided : action;
            is_decided = true;
        } else if (rule_holds(rule, data, (architecture & __AUDIT_ARCH_64BIT) != 0) && (!found || !is_as_strict(strictest, action))) {
            found = true;
            strictest = action;
        }
    }
    if (of_parts && !is_decided && (!found || !is_as_strict(strictest, parts))) {
        found = true;
        strictest = parts;
    }
    if (found && (!is_decided || !is_as_strict(decided, strictest))) {
        return strictest;
    }
    bool newer = newest >= 0 && data->nr > newest && !is_decided;
    return newer && seccomp->default_action == SECCOMP_RET_ERRNO ? SECCOMP_RET_ERRNO | ENOSYS : decided;
}

// --- the comparison ---

struct comparison {
    const struct oci_seccomp *seccomp;
    struct program ours, peer; // peer.count 0: none to compare with
    uint32_t architecture;     // as a token: with x32
    bool is_new[1024];         // numbers of calls that this libseccomp does not know
    bool is_real;              // a profile in use, whose rules do not meet on socketcall(2) and ipc(2)
    unsigned long compared, differed;
};

static const uint64_t interesting[] = {
    0,          1,           2,           3,    7,          9,          16,         17,
    40,         0xff,        0x1000,      0x7e020000,         0x7fffffff,         0x80000000,         0xfffffffe, 0xffffffff,
    0x100000000, 0x100000001, 0x80000000ffffffff, 0xffffffff00000000, 0xffffffff00000001, UINT64_MAX - 1, UINT64_MAX,
};

static uint64_t seed = 88172645463325252ULL;

static uint64_t random_number(void) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

// Parts of socketcall(2) and ipc(2) have numbers of their own, too. libseccomp knows them, but does not tell: its program does.
static bool has_own_number(uint32_t architecture, int number) {
    return architecture == AUDIT_ARCH_I386 && (number == 337 || number == 345 || (number >= 359 && number <= 402));
}

static bool is_whole(uint32_t architecture, int number) {
    return architecture == AUDIT_ARCH_I386 && (number == 102 || number == 117);
}

static void complain(struct comparison *comparison, const struct seccomp_data *data, const char *who, uint32_t ours, uint32_t other) {
    if (comparison->differed++ > 0) {
        return;
    }
    printf("# architecture %#x, call %#x: ours %#x, %s %#x; arguments", data->arch, (unsigned)data->nr, ours, who, other);
    for (int i = 0; i < 6; i++) {
        printf(" %#llx", (unsigned long long)data->args[i]);
    }
    printf("\n");
}

static void compare_one(struct comparison *comparison, const struct seccomp_data *data) {
    const struct oci_seccomp *seccomp = comparison->seccomp;
    uint32_t ours = simulate(comparison->ours.code, comparison->ours.count, data);
    uint32_t otherwise = with_number(seccomp->default_action, seccomp->default_errno_ret);
    comparison->compared++;
    if (comparison->is_new[(uint32_t)data->nr % X32_BIT < 1024 ? (uint32_t)data->nr % X32_BIT : 1023]) {
        return;
    }
    // Whose newest call is one of those with a number of its own is newer than its names tell.
    bool between = comparison->architecture == AUDIT_ARCH_I386 && ours == otherwise;
    if (data->nr >= 0 && !has_own_number(comparison->architecture, data->nr) &&
        (data->nr >= X32_BIT) == (comparison->architecture == OCI_ARCH_X32)) {
        uint32_t said = meant(seccomp, comparison->architecture, data);
        if (ours != said && !(between && said == (SECCOMP_RET_ERRNO | ENOSYS))) {
            complain(comparison, data, "the rules say", ours, said);
        }
    }
    if (comparison->peer.count > 0 && (comparison->is_real || !is_whole(comparison->architecture, data->nr))) {
        uint32_t peer = simulate(comparison->peer.code, comparison->peer.count, data);
        // libseccomp has no word for what is newer than the profile.
        bool newer = ours == (SECCOMP_RET_ERRNO | ENOSYS) && peer == otherwise;
        if (ours != peer && !newer) {
            complain(comparison, data, "libseccomp's", ours, peer);
        }
    }
}

static void compare_number(struct comparison *comparison, uint32_t number, unsigned rounds) {
    bool whole = (comparison->architecture & __AUDIT_ARCH_64BIT) != 0;
    uint32_t arch = comparison->architecture == OCI_ARCH_X32 ? AUDIT_ARCH_X86_64 : comparison->architecture;
    for (unsigned round = 0; round < rounds; round++) {
        struct seccomp_data data = {.nr = (int)number, .arch = arch};
        for (int i = 0; i < 6; i++) {
            data.args[i] = interesting[random_number() % ARRAY_LEN(interesting)];
        }
        // Values of the rules themselves, and their neighbours.
        if (round % 2 == 1 && comparison->seccomp->syscalls_count > 0) {
            const struct oci_seccomp_rule *rule = &comparison->seccomp->syscalls[random_number() % comparison->seccomp->syscalls_count];
            for (size_t i = 0; i < rule->args_count; i++) {
                data.args[rule->args[i].index] =
                    (rule->args[i].op == OCI_SECCOMP_MASKED_EQ ? rule->args[i].value_two : rule->args[i].value) + random_number() % 3 - 1;
            }
        }
        for (int i = 0; i < 6 && !whole; i++) {
            data.args[i] = (uint32_t)data.args[i]; // 32-bit programs have no high halves
        }
        compare_one(comparison, &data);
    }
}

static const uint32_t edges[] = {1023, 0x3fffffff, 0x40000000, 0x40000fff, 0x7fffffff, 0x80000000, 0xfffffffe, UINT32_MAX};

static enum syscall_architecture column_of(uint32_t architecture) {
    return architecture == AUDIT_ARCH_X86_64   ? SYSCALL_X86_64
           : architecture == AUDIT_ARCH_I386   ? SYSCALL_I386
           : architecture == OCI_ARCH_X32      ? SYSCALL_X32
           : architecture == AUDIT_ARCH_AARCH64 ? SYSCALL_AARCH64
                                                : SYSCALL_ARM;
}

static void note_new(struct comparison *comparison) {
    memset(comparison->is_new, 0, sizeof(comparison->is_new));
    for (const struct syscall_row *row = syscall_rows; *row->name; row++) {
        int32_t number = row->numbers[column_of(comparison->architecture)];
        if (number >= 0 && number < 1023 && seccomp_syscall_resolve_name(row->name) == __NR_SCMP_ERROR) {
            comparison->is_new[number] = true;
        }
    }
}

static int peers_refused;

enum kind { REAL, PLAIN, ANY };

static void compare_all(const struct oci_seccomp *seccomp, const uint32_t *architectures, size_t count, unsigned rounds, enum kind kind) {
    AUTO_ARENA struct arena arena = {0};
    struct err err = {0};
    const void *code;
    size_t size;
    struct comparison comparison = {.seccomp = seccomp, .is_real = kind == REAL};
    if (kind != ANY && !make_peer(seccomp, architectures, count, &arena, &comparison.peer)) {
        CHECK(kind != REAL);
        peers_refused++;
    }
    CHECK_INT(seccomp_filter_make_for(seccomp, architectures, count, &arena, &code, &size, &err), 0);
    comparison.ours.code = arena_alloc(&arena, size);
    memcpy(comparison.ours.code, code, size);
    comparison.ours.count = size / sizeof(struct sock_filter);
    for (size_t i = 0; i < count; i++) {
        comparison.architecture = architectures[i];
        note_new(&comparison);
        uint32_t bit = architectures[i] == OCI_ARCH_X32 ? X32_BIT : 0;
        for (uint32_t number = 0; number < 620; number++) {
            compare_number(&comparison, number | bit, rounds);
        }
        for (size_t k = 0; k < ARRAY_LEN(edges); k++) {
            compare_number(&comparison, edges[k], rounds);
        }
    }
    // An architecture that nobody listed.
    const struct seccomp_data foreign = {.nr = 1, .arch = AUDIT_ARCH_RISCV64};
    CHECK_INT(simulate(comparison.ours.code, comparison.ours.count, &foreign), SECCOMP_RET_KILL_PROCESS);
    CHECK_INT(comparison.differed, 0);
    CHECK(comparison.compared > 600);
}

static const uint32_t x86_family[] = {AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, OCI_ARCH_X32};
static const uint32_t x86_two[] = {AUDIT_ARCH_X86_64, AUDIT_ARCH_I386};
static const uint32_t x86_alone[] = {AUDIT_ARCH_X86_64};
static const uint32_t arm_family[] = {AUDIT_ARCH_AARCH64, AUDIT_ARCH_ARM};

static void compare_families(const struct oci_seccomp *seccomp, unsigned rounds, enum kind kind) {
    compare_all(seccomp, x86_family, ARRAY_LEN(x86_family), rounds, kind);
    compare_all(seccomp, x86_two, ARRAY_LEN(x86_two), rounds, kind);
    compare_all(seccomp, x86_alone, ARRAY_LEN(x86_alone), rounds, kind);
    compare_all(seccomp, arm_family, ARRAY_LEN(arm_family), rounds, kind);
}

CASE(the_table_of_names_is_the_same) {
    const struct {
        uint32_t architecture;
        enum syscall_architecture column;
        bool has_parts;
    } all[] = {
        {AUDIT_ARCH_X86_64, SYSCALL_X86_64, false}, {AUDIT_ARCH_I386, SYSCALL_I386, true},       {OCI_ARCH_X32, SYSCALL_X32, false},
        {AUDIT_ARCH_AARCH64, SYSCALL_AARCH64, false}, {AUDIT_ARCH_ARM, SYSCALL_ARM, false},      {AUDIT_ARCH_RISCV64, SYSCALL_RISCV64, false},
        {AUDIT_ARCH_PPC64LE, SYSCALL_PPC64LE, true}, {AUDIT_ARCH_S390X, SYSCALL_S390X, true},    {AUDIT_ARCH_S390, SYSCALL_S390, true},
    };
    struct syscall_index index;
    int newer = 0;
    syscall_index_fill(&index);
    CHECK(!syscall_find(&index, "nosuch") && !syscall_find(&index, "") && !syscall_find(&index, "zzz") && !syscall_find(&index, "\xff"));
    for (const struct syscall_row *row = syscall_rows; *row->name; row++) {
        CHECK(syscall_find(&index, row->name) == row);
        newer += seccomp_syscall_resolve_name(row->name) == __NR_SCMP_ERROR;
        for (size_t i = 0; i < ARRAY_LEN(all) && seccomp_syscall_resolve_name(row->name) != __NR_SCMP_ERROR; i++) {
            int theirs = seccomp_syscall_resolve_name_arch(all[i].architecture, row->name), ours = row->numbers[all[i].column];
            theirs = theirs >= X32_BIT ? theirs - X32_BIT : theirs;
            // A part has a number less than -100 there, whatever its own.
            bool part = all[i].has_parts && row->part > 0 && theirs == -(100 + row->part);
            if (ours != theirs && !(ours < 0 && theirs < 0) && !part) {
                printf("# %s on %#x: ours %d, libseccomp's %d\n", row->name, all[i].architecture, ours, theirs);
                check_state.case_failed = 1;
            }
        }
    }
    // And what libseccomp knows is in the table.
    for (int number = 0; number < 600; number++) {
        for (size_t i = 0; i < ARRAY_LEN(all); i++) {
            char *name = seccomp_syscall_resolve_num_arch(all[i].architecture, number + (all[i].column == SYSCALL_X32 ? X32_BIT : 0));
            CHECK(!name || syscall_find(&index, name));
            free(name);
        }
    }
    CHECK(newer < 40);
}

CASE(the_built_in_profile_is_the_same) {
    const uint64_t sets[] = {0, UINT64_C(1) << 21, UINT64_MAX >> 23};
    for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
        AUTO_ARENA struct arena arena = {0};
        const struct seccomp_target target = {.capabilities = sets[i], .kernel_major = 6, .kernel_minor = 1};
        compare_families(seccomp_profile_default(&target, &arena), 8, REAL);
    }
}

CASE(the_profile_of_podman_and_docker_is_the_same) {
    static const char path[] = "/usr/share/containers/seccomp.json";
    AUTO_FREE char *text = NULL;
    size_t size;
    struct err err = {0};
    if (fd_read_file(AT_FDCWD, path, JSON_MAX_BYTES, &text, &size, &err) < 0) {
        SKIP("there is no /usr/share/containers/seccomp.json");
    }
    const struct json_document document = {.name = path, .text = text, .size = size};
    const uint64_t sets[] = {0, UINT64_C(0xa80425fb), UINT64_MAX >> 23};
    for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
        AUTO_ARENA struct arena arena = {0};
        struct oci_seccomp *seccomp = NULL;
        const struct seccomp_target target = {.capabilities = sets[i], .kernel_major = 6, .kernel_minor = 1};
        CHECK_INT(seccomp_profile_decode(&document, &target, &arena, &seccomp, &err), 0);
        compare_families(seccomp, 8, REAL);
        seccomp->default_errno_ret = (struct opt_u32){0}; // EPERM, and so ENOSYS for what is newer
        compare_families(seccomp, 8, REAL);
    }
}

// --- random profiles ---

static const char *const names[] = {
    "read",   "write",  "open",       "openat",     "close",    "socket",    "bind",         "accept",     "accept4", "connect",
    "sendto", "recvmsg", "sendmsg",   "recvmmsg",   "sendmmsg", "send",      "recv",         "setsockopt", "shmget",  "semop",
    "shmat",  "msgctl",  "semtimedop", "socketcall", "ipc",      "ioctl",     "rt_sigaction", "execve",     "clone",   "clone3",
    "mmap",   "lseek",   "personality", "ptrace",    "mount",    "umask",     "kill",         "getpid",     "exit",    "futex_waitv",
    "nosuch", "arm_fadvise64_64", "time", "statx",   "preadv2",  "waitid",    "keyctl",       "bpf",        "userfaultfd", "io_uring_setup",
};

static const uint32_t actions[] = {SECCOMP_RET_ALLOW,       SECCOMP_RET_ERRNO,      SECCOMP_RET_KILL_THREAD, SECCOMP_RET_KILL_PROCESS,
                                   SECCOMP_RET_TRAP,        SECCOMP_RET_LOG,        SECCOMP_RET_TRACE,       SECCOMP_RET_USER_NOTIF};

static struct oci_seccomp_arg make_arg(uint32_t index) {
    return (struct oci_seccomp_arg){
        .index = index,
        .op = (uint32_t)(random_number() % (OCI_SECCOMP_MASKED_EQ + 1)),
        .value = interesting[random_number() % ARRAY_LEN(interesting)],
        .value_two = interesting[random_number() % ARRAY_LEN(interesting)],
    };
}

// plain: each name in one rule, and each argument compared once.
static struct oci_seccomp *make_profile(bool plain, struct arena *arena) {
    struct oci_seccomp *seccomp = arena_alloc(arena, sizeof(*seccomp));
    seccomp->default_action = actions[random_number() % ARRAY_LEN(actions)];
    seccomp->syscalls_count = plain ? 8 : 1 + random_number() % 12;
    seccomp->syscalls = arena_array(arena, seccomp->syscalls_count, sizeof(*seccomp->syscalls));
    for (size_t i = 0; i < seccomp->syscalls_count; i++) {
        struct oci_seccomp_rule *rule = &seccomp->syscalls[i];
        rule->action = actions[random_number() % ARRAY_LEN(actions)];
        if (rule->action == SECCOMP_RET_ERRNO) {
            rule->errno_ret = (struct opt_u32){true, (uint32_t)(random_number() % 40)};
        }
        rule->names_count = 1 + random_number() % 6;
        rule->names = arena_array(arena, rule->names_count + 1, sizeof(*rule->names));
        for (size_t j = 0; j < rule->names_count; j++) {
            // In plain profiles each rule has six names of its own.
            rule->names[j] = names[plain ? 6 * i + j : random_number() % ARRAY_LEN(names)];
        }
        rule->args_count = random_number() % 2 ? random_number() % 4 : 0;
        rule->args = arena_array(arena, rule->args_count + 1, sizeof(*rule->args));
        for (size_t j = 0; j < rule->args_count; j++) {
            rule->args[j] = make_arg((uint32_t)(plain ? 2 * j : random_number() % 6));
        }
    }
    return seccomp;
}

CASE(plain_profiles_are_the_same) {
    for (int i = 0; i < 60; i++) {
        AUTO_ARENA struct arena arena = {0};
        compare_families(make_profile(true, &arena), 4, PLAIN);
    }
    CHECK(peers_refused < 60);
}

CASE(any_profile_does_what_its_rules_say) {
    for (int i = 0; i < 120; i++) {
        AUTO_ARENA struct arena arena = {0};
        compare_families(make_profile(false, &arena), 4, ANY);
    }
}

// --- what is left open ---

static uint32_t answer(const struct oci_seccomp *seccomp, uint32_t architecture, uint32_t number, uint64_t first) {
    AUTO_ARENA struct arena arena = {0};
    struct err err = {0};
    const void *code = NULL;
    size_t size = 0;
    CHECK_INT(seccomp_filter_make_for(seccomp, x86_family, ARRAY_LEN(x86_family), &arena, &code, &size, &err), 0);
    const struct seccomp_data data = {.nr = (int)number, .arch = architecture, .args = {first}};
    return simulate(code, size / sizeof(struct sock_filter), &data);
}

CASE(the_strictest_of_conditions_counts_and_is_not_lost_beside_a_rule_without) {
    static const char *one[] = {"umask", NULL};
    struct oci_seccomp_arg odd = {.index = 0, .op = OCI_SECCOMP_MASKED_EQ, .value = 1, .value_two = 1};
    struct oci_seccomp_arg low = {.index = 0, .op = OCI_SECCOMP_LT, .value = 10};
    struct oci_seccomp_rule rules[] = {
        {.names = one, .names_count = 1, .action = SECCOMP_RET_LOG, .args = &low, .args_count = 1},
        {.names = one, .names_count = 1, .action = SECCOMP_RET_TRAP, .args = &odd, .args_count = 1},
        {.names = one, .names_count = 1, .action = SECCOMP_RET_ALLOW},
        {.names = one, .names_count = 1, .action = SECCOMP_RET_KILL_PROCESS},
    };
    struct oci_seccomp seccomp = {.default_action = SECCOMP_RET_ERRNO, .syscalls = rules, .syscalls_count = ARRAY_LEN(rules)};
    CHECK_INT(answer(&seccomp, AUDIT_ARCH_X86_64, 95, 3), SECCOMP_RET_TRAP);
    CHECK_INT(answer(&seccomp, AUDIT_ARCH_X86_64, 95, 4), SECCOMP_RET_LOG);
    CHECK_INT(answer(&seccomp, AUDIT_ARCH_X86_64, 95, 12), SECCOMP_RET_ALLOW);
    seccomp.syscalls_count = 2;
    CHECK_INT(answer(&seccomp, AUDIT_ARCH_X86_64, 95, 12), SECCOMP_RET_ERRNO | EPERM);
    CHECK_INT(answer(&seccomp, AUDIT_ARCH_X86_64, 95, UINT64_C(0x100000000)), SECCOMP_RET_ERRNO | EPERM);
    CHECK_INT(answer(&seccomp, AUDIT_ARCH_X86_64, 95, UINT64_C(0x100000001)), SECCOMP_RET_TRAP);
}

CASE(what_is_newer_is_missing_on_each_architecture) {
    static const char *two[] = {"read", "umask", NULL};
    struct oci_seccomp_rule rule = {.names = two, .names_count = 2, .action = SECCOMP_RET_ALLOW};
    struct oci_seccomp seccomp = {.default_action = SECCOMP_RET_ERRNO, .syscalls = &rule, .syscalls_count = 1};
    CHECK_INT(answer(&seccomp, AUDIT_ARCH_X86_64, 95, 0), SECCOMP_RET_ALLOW);
    CHECK_INT(answer(&seccomp, AUDIT_ARCH_X86_64, 94, 0), SECCOMP_RET_ERRNO | EPERM);
    CHECK_INT(answer(&seccomp, AUDIT_ARCH_X86_64, 96, 0), SECCOMP_RET_ERRNO | ENOSYS);
    CHECK_INT(answer(&seccomp, AUDIT_ARCH_I386, 60, 0), SECCOMP_RET_ALLOW);
    CHECK_INT(answer(&seccomp, AUDIT_ARCH_I386, 61, 0), SECCOMP_RET_ERRNO | ENOSYS);
    CHECK_INT(answer(&seccomp, AUDIT_ARCH_X86_64, X32_BIT + 95, 0), SECCOMP_RET_ALLOW);
    CHECK_INT(answer(&seccomp, AUDIT_ARCH_X86_64, X32_BIT + 96, 0), SECCOMP_RET_ERRNO | ENOSYS);
    CHECK_INT(answer(&seccomp, AUDIT_ARCH_X86_64, UINT32_MAX, 0), SECCOMP_RET_ERRNO | EPERM);
    seccomp.default_action = SECCOMP_RET_KILL_PROCESS;
    CHECK_INT(answer(&seccomp, AUDIT_ARCH_X86_64, 96, 0), SECCOMP_RET_KILL_PROCESS);
}

static double now_us(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

// A figure for people; what must hold is that it is far from libseccomp's milliseconds.
CASE(making_one_is_quick) {
    const struct seccomp_target target = {.kernel_major = 6, .kernel_minor = 1};
    double best = 1e9, peer_best = 1e9;
    size_t size = 0, longest = 0;
    for (int i = 0; i < 300; i++) {
        AUTO_ARENA struct arena arena = {0};
        struct err err = {0};
        const void *code;
        struct program peer;
        const struct oci_seccomp *seccomp = seccomp_profile_default(&target, &arena);
        double start = now_us();
        CHECK_INT(seccomp_filter_make_for(seccomp, x86_family, ARRAY_LEN(x86_family), &arena, &code, &size, &err), 0);
        double taken = now_us() - start;
        best = taken < best ? taken : best;
        if (i < 3) {
            start = now_us();
            CHECK(make_peer(seccomp, x86_family, ARRAY_LEN(x86_family), &arena, &peer));
            taken = now_us() - start;
            peer_best = taken < peer_best ? taken : peer_best;
            longest = peer.count;
        }
    }
    printf("# built-in profile, three architectures: %.0f us, %zu instructions; libseccomp %.0f us, %zu instructions\n", best,
           size / sizeof(struct sock_filter), peer_best, longest);
    CHECK(best < peer_best);
}

int main(void) {
    RUN(the_table_of_names_is_the_same);
    RUN(the_built_in_profile_is_the_same);
    RUN(the_profile_of_podman_and_docker_is_the_same);
    RUN(plain_profiles_are_the_same);
    RUN(any_profile_does_what_its_rules_say);
    RUN(the_strictest_of_conditions_counts_and_is_not_lost_beside_a_rule_without);
    RUN(what_is_newer_is_missing_on_each_architecture);
    RUN(making_one_is_quick);
    return check_done();
}

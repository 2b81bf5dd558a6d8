#include "runtime/container/seccomp_filter.h"

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "specs/oci_seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <nettle/base16.h>
#include <nettle/sha2.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    FORMAT = 1, // of what this file makes from the same input: count up with every change
    NAME_SIZE = 2 * SHA256_DIGEST_SIZE + 1,
    PROGRAM_MAX_BYTES = BPF_MAXINSNS * (int)sizeof(struct sock_filter),
    ARCHITECTURES_MAX = 32,
};

// --- compiling ---

struct architectures {
    uint32_t tokens[ARCHITECTURES_MAX];
    size_t count;
};

static int choose_architectures(const struct oci_seccomp *seccomp, struct architectures *architectures, struct err *err) {
    // libseccomp's tokens are the kernel's numbers, as in the section.
    architectures->tokens[architectures->count++] = seccomp_arch_native();
    if (seccomp->architectures_count == 0 && seccomp_arch_native() == SCMP_ARCH_X86_64) {
        architectures->tokens[architectures->count++] = SCMP_ARCH_X86;
    }
    for (size_t i = 0; i < seccomp->architectures_count; i++) {
        bool known = false;
        for (size_t j = 0; j < architectures->count; j++) {
            known |= architectures->tokens[j] == seccomp->architectures[i];
        }
        if (!known && architectures->count == ARCHITECTURES_MAX) {
            return err_set(err, ERR_INPUT, "config.json: linux.seccomp.architectures: more than %d of them", ARCHITECTURES_MAX);
        }
        if (!known) {
            architectures->tokens[architectures->count++] = seccomp->architectures[i];
        }
    }
    return 0;
}

// The kernel's and libseccomp's word for an action: its number lies in the low half.
static uint32_t action_with(uint32_t action, struct opt_u32 errno_ret) {
    bool takes_number = action == SECCOMP_RET_ERRNO || action == SECCOMP_RET_TRACE;
    return takes_number ? action | ((errno_ret.set ? errno_ret.value : EPERM) & SECCOMP_RET_DATA) : action;
}

static struct scmp_arg_cmp comparison(const struct oci_seccomp_arg *arg) {
    static const enum scmp_compare operators[] = {
        [OCI_SECCOMP_NE] = SCMP_CMP_NE,
        [OCI_SECCOMP_LT] = SCMP_CMP_LT,
        [OCI_SECCOMP_LE] = SCMP_CMP_LE,
        [OCI_SECCOMP_EQ] = SCMP_CMP_EQ,
        [OCI_SECCOMP_GE] = SCMP_CMP_GE,
        [OCI_SECCOMP_GT] = SCMP_CMP_GT,
        [OCI_SECCOMP_MASKED_EQ] = SCMP_CMP_MASKED_EQ,
    };
    return (struct scmp_arg_cmp){.arg = arg->index, .op = operators[arg->op], .datum_a = arg->value, .datum_b = arg->value_two};
}

// Adds the rule for one system call. Conditions on different arguments must all hold; several on the same argument cannot be in one
// rule of libseccomp, and each is a rule of its own then, as the other runtimes have it.
static int add_rule(scmp_filter_ctx filter, const struct oci_seccomp_rule *rule, uint32_t action, int number) {
    struct scmp_arg_cmp comparisons[6];
    bool twice = false;
    uint32_t seen = 0;
    for (size_t i = 0; i < rule->args_count; i++) {
        twice |= (seen >> rule->args[i].index & 1) != 0;
        seen |= UINT32_C(1) << rule->args[i].index;
    }
    if (!twice) {
        for (size_t i = 0; i < rule->args_count; i++) {
            comparisons[i] = comparison(&rule->args[i]);
        }
        return seccomp_rule_add_array(filter, action, number, (unsigned)rule->args_count, comparisons);
    }
    for (size_t i = 0; i < rule->args_count; i++) {
        comparisons[0] = comparison(&rule->args[i]);
        int result = seccomp_rule_add_array(filter, action, number, 1, comparisons);
        if (result < 0) {
            return result;
        }
    }
    return 0;
}

static int add_rules(scmp_filter_ctx filter, const struct oci_seccomp *seccomp, uint32_t default_action, struct err *err) {
    for (size_t i = 0; i < seccomp->syscalls_count; i++) {
        const struct oci_seccomp_rule *rule = &seccomp->syscalls[i];
        uint32_t action = action_with(rule->action, rule->errno_ret);
        if (action == default_action) {
            continue;
        }
        for (size_t j = 0; j < rule->args_count; j++) {
            if (rule->args[j].index > 5 || rule->args[j].op > OCI_SECCOMP_MASKED_EQ) {
                return err_set(err, ERR_INPUT,
                               "config.json: linux.seccomp.syscalls[%zu].args[%zu]: a system call has arguments 0 to 5", i, j);
            }
        }
        for (size_t j = 0; j < rule->names_count; j++) {
            int number = seccomp_syscall_resolve_name(rule->names[j]);
            if (number == __NR_SCMP_ERROR) {
                log_debug("linux.seccomp.syscalls[%zu].names: no system call of this host is called %s", i, rule->names[j]);
                continue;
            }
            int result = add_rule(filter, rule, action, number);
            if (result < 0) {
                return err_num(err, -result, "config.json: linux.seccomp.syscalls[%zu]: add a rule for %s", i, rule->names[j]);
            }
        }
    }
    return 0;
}

static void filter_cleanup(scmp_filter_ctx *filter) {
    if (*filter) {
        seccomp_release(*filter);
    }
}

static int set_up(scmp_filter_ctx filter, const struct architectures *architectures, struct err *err) {
    const struct {
        enum scmp_filter_attr attribute;
        uint32_t value;
    } attributes[] = {
        {SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS}, {SCMP_FLTATR_CTL_OPTIMIZE, 2}, // a binary tree
    };
    for (size_t i = 0; i < ARRAY_LEN(attributes); i++) {
        int result = seccomp_attr_set(filter, attributes[i].attribute, attributes[i].value);
        if (result < 0) {
            return err_num(err, -result, "set up the system call filter");
        }
    }
    for (size_t i = 0; i < architectures->count; i++) {
        int result = seccomp_arch_add(filter, architectures->tokens[i]);
        if (result < 0 && result != -EEXIST) {
            return err_num(err, -result, "config.json: linux.seccomp.architectures: add architecture %#x",
                           architectures->tokens[i]);
        }
    }
    return 0;
}

// --- calls newer than the profile ---

// The highest number of a call that the profile names, -1 for none.
static int newest_call(const struct oci_seccomp *seccomp, uint32_t architecture) {
    int newest = -1;
    for (size_t i = 0; i < seccomp->syscalls_count; i++) {
        for (size_t j = 0; j < seccomp->syscalls[i].names_count; j++) {
            int number = seccomp_syscall_resolve_name_arch(architecture, seccomp->syscalls[i].names[j]);
            newest = number > newest ? number : newest;
        }
    }
    return newest;
}

enum { X32_BIT = 0x40000000, PREFIX_PER_ARCHITECTURE = 6, PREFIX_MAX = PREFIX_PER_ARCHITECTURE * ARCHITECTURES_MAX };

// Instructions to put in front of the filter, which leave all but the newer calls to it. Returns how many.
static size_t make_prefix(const struct oci_seccomp *seccomp, const struct architectures *architectures,
                          struct sock_filter *prefix) {
    size_t count = 0;
    if (seccomp->default_action != SECCOMP_RET_ERRNO ||
        action_with(seccomp->default_action, seccomp->default_errno_ret) == (SECCOMP_RET_ERRNO | ENOSYS)) {
        return 0;
    }
    for (size_t i = 0; i < architectures->count; i++) {
        // x32 shares its architecture with x86-64 and is told by a bit of the number: the filter's own affair.
        int newest = architectures->tokens[i] == SCMP_ARCH_X32 ? -1 : newest_call(seccomp, architectures->tokens[i]);
        if (newest < 0) {
            continue;
        }
        const struct sock_filter part[PREFIX_PER_ARCHITECTURE] = {
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, architectures->tokens[i], 0, 4),
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
            BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 2, 0),
            BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, (uint32_t)newest, 0, 1),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        };
        memcpy(prefix + count, part, sizeof(part));
        count += PREFIX_PER_ARCHITECTURE;
    }
    return count;
}

// libseccomp 2.5 writes a program to a file only.
static int export_program(scmp_filter_ctx filter, const struct sock_filter *prefix, size_t prefix_count, struct arena *arena,
                          const void **ret_program, size_t *ret_size, struct err *err) {
    AUTO_FD int fd = memfd_create("seccomp", MFD_CLOEXEC);
    if (fd < 0) {
        return err_sys(err, "make a file in memory for the system call filter");
    }
    int result = seccomp_export_bpf(filter, fd);
    if (result < 0) {
        return err_num(err, -result, "compile the system call filter");
    }
    struct stat status;
    size_t prefix_size = prefix_count * sizeof(*prefix);
    if (fstat(fd, &status) < 0) {
        return err_sys(err, "compile the system call filter");
    }
    if (status.st_size == 0 || status.st_size + (off_t)prefix_size > PROGRAM_MAX_BYTES) {
        return err_set(err, ERR_INPUT, "config.json: linux.seccomp: the filter has %lld instructions, the kernel takes %d",
                       (long long)(status.st_size + (off_t)prefix_size) / (long long)sizeof(*prefix), BPF_MAXINSNS);
    }
    size_t size = (size_t)status.st_size;
    char *program = arena_alloc(arena, prefix_size + size);
    memcpy(program, prefix, prefix_size);
    if (pread(fd, program + prefix_size, size, 0) != (ssize_t)size) {
        return err_sys(err, "read the compiled system call filter");
    }
    *ret_program = program;
    *ret_size = prefix_size + size;
    return 0;
}

static int compile(const struct oci_seccomp *seccomp, const struct architectures *architectures, struct arena *arena,
                   const void **ret_program, size_t *ret_size, struct err *err) {
    uint32_t default_action = action_with(seccomp->default_action, seccomp->default_errno_ret);
    AUTO(filter_cleanup) scmp_filter_ctx filter = seccomp_init(default_action);
    if (!filter) {
        return err_set(err, ERR_UNSUPPORTED, "config.json: linux.seccomp.defaultAction: libseccomp does not take %#x",
                       default_action);
    }
    if (set_up(filter, architectures, err) < 0 || add_rules(filter, seccomp, default_action, err) < 0) {
        return -1;
    }
    struct sock_filter prefix[PREFIX_MAX];
    size_t prefix_count = make_prefix(seccomp, architectures, prefix);
    return export_program(filter, prefix, prefix_count, arena, ret_program, ret_size, err);
}

// --- the cache ---

static void hash_u64(struct sha256_ctx *hash, uint64_t number) {
    sha256_update(hash, sizeof(number), (const uint8_t *)&number);
}

static void hash_opt(struct sha256_ctx *hash, struct opt_u32 number) {
    hash_u64(hash, number.set ? number.value : UINT64_MAX);
}

static void hash_rule(struct sha256_ctx *hash, const struct oci_seccomp_rule *rule) {
    hash_u64(hash, rule->action);
    hash_opt(hash, rule->errno_ret);
    hash_u64(hash, rule->names_count);
    for (size_t i = 0; i < rule->names_count; i++) {
        sha256_update(hash, strlen(rule->names[i]) + 1, (const uint8_t *)rule->names[i]);
    }
    hash_u64(hash, rule->args_count);
    for (size_t i = 0; i < rule->args_count; i++) {
        hash_u64(hash, (uint64_t)rule->args[i].index << 32 | rule->args[i].op);
        hash_u64(hash, rule->args[i].value);
        hash_u64(hash, rule->args[i].value_two);
    }
}

// Every count stands in front of what it counts, so that no two sections hash the same bytes.
static void name_of(const struct oci_seccomp *seccomp, const struct architectures *architectures, char name[NAME_SIZE]) {
    struct sha256_ctx hash;
    sha256_init(&hash);
    const struct scmp_version *version = seccomp_version();
    hash_u64(&hash, FORMAT);
    hash_u64(&hash, (uint64_t)version->major << 40 | (uint64_t)version->minor << 20 | version->micro);
    hash_u64(&hash, architectures->count);
    for (size_t i = 0; i < architectures->count; i++) {
        hash_u64(&hash, architectures->tokens[i]);
    }
    hash_u64(&hash, seccomp->default_action);
    hash_opt(&hash, seccomp->default_errno_ret);
    hash_u64(&hash, seccomp->syscalls_count);
    for (size_t i = 0; i < seccomp->syscalls_count; i++) {
        hash_rule(&hash, &seccomp->syscalls[i]);
    }
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256_digest(&hash, sizeof(digest), digest);
    base16_encode_update(name, sizeof(digest), digest);
    name[NAME_SIZE - 1] = '\0';
}

static bool take_cached(int cache_fd, const char *name, struct arena *arena, const void **ret_program, size_t *ret_size) {
    AUTO_FD int fd = openat(cache_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0) {
        return false;
    }
    if (!S_ISREG(status.st_mode) || status.st_uid != geteuid() || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0 ||
        status.st_size <= 0 || status.st_size > PROGRAM_MAX_BYTES || status.st_size % (off_t)sizeof(struct sock_filter) != 0) {
        log_warn("system call filter %s in the cache is not taken: it is not a file of this user that nobody else can write", name);
        return false;
    }
    size_t size = (size_t)status.st_size;
    void *program = arena_alloc(arena, size);
    if (fd_read_full(fd, program, size) != (ssize_t)size) {
        return false;
    }
    *ret_program = program;
    *ret_size = size;
    return true;
}

// The file has no name until it is whole and on the disk, so a crash leaves nothing, and two that write the same do not meet.
static void keep(int cache_fd, const char *name, const void *program, size_t size) {
    AUTO_FD int fd = openat(cache_fd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    char link[64];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    if (fd < 0 || fd_write_all(fd, program, size) < 0 || fsync(fd) < 0) {
        log_debug("system call filter %s is not kept: %s", name, strerror(errno));
        return;
    }
    if (linkat(AT_FDCWD, link, cache_fd, name, AT_SYMLINK_FOLLOW) == 0) {
        return;
    }
    // What is there already was just written by another, or not taken.
    if (errno != EEXIST || unlinkat(cache_fd, name, 0) < 0 || linkat(AT_FDCWD, link, cache_fd, name, AT_SYMLINK_FOLLOW) < 0) {
        log_debug("system call filter %s is not kept: %s", name, strerror(errno));
    }
}

int seccomp_filter_get(const struct oci_seccomp *seccomp, int cache_fd, struct arena *arena, const void **ret_program,
                       size_t *ret_size, struct err *err) {
    struct architectures architectures = {0};
    char name[NAME_SIZE];
    if (choose_architectures(seccomp, &architectures, err) < 0) {
        return -1;
    }
    if (cache_fd >= 0) {
        name_of(seccomp, &architectures, name);
        if (take_cached(cache_fd, name, arena, ret_program, ret_size)) {
            return 0;
        }
    }
    if (compile(seccomp, &architectures, arena, ret_program, ret_size, err) < 0) {
        return -1;
    }
    if (cache_fd >= 0) {
        keep(cache_fd, name, *ret_program, *ret_size);
    }
    return 0;
}

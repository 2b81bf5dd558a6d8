#include "runtime/kernel/jail.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/kernel/sys.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <unistd.h>

#if defined(__x86_64__)
#define JAIL_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define JAIL_ARCH AUDIT_ARCH_AARCH64
#else
#error "add this machine's AUDIT_ARCH"
#endif

struct program {
    struct sock_filter code[8 + 2 * JAIL_MAX_CALLS + JAIL_MAX_CHECKS * (8 + 2 * JAIL_MAX_VALUES)];
    size_t size;
};

static void add(struct program *program, struct sock_filter step) {
    program->code[program->size++] = step;
}

static void add_return(struct program *program, uint32_t action) {
    add(program, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
}

static void add_load(struct program *program, size_t offset) {
    add(program, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

// Returns unless the accumulator is this.
static void add_unless(struct program *program, uint32_t value, uint32_t action) {
    add(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 1, 0));
    add_return(program, action);
}

// Behind the match of its number, which is gone from the accumulator then: so all ways out of it return.
static void add_check(struct program *program, const struct jail_check *check) {
    assert(check->values_count <= JAIL_MAX_VALUES && check->argument < 6);
    size_t jump = program->size;
    add(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, check->number, 0, 0));
    add_load(program, offsetof(struct seccomp_data, args) + check->argument * sizeof(uint64_t));
    if (check->without) {
        add(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, check->without, 0, 1));
        add_return(program, check->otherwise);
    }
    for (size_t i = 0; i < check->values_count; i++) {
        add(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, check->values[i], 0, 1));
        add_return(program, SECCOMP_RET_ALLOW);
    }
    add_return(program, check->values_count > 0 ? check->otherwise : SECCOMP_RET_ALLOW);
    program->code[jump].jf = (uint8_t)(program->size - jump - 1);
}

int jail_filter_calls(const struct jail_filter *filter, struct err *err) {
    struct program program = {.size = 0};
    assert(filter->calls_count <= JAIL_MAX_CALLS && filter->checks_count <= JAIL_MAX_CHECKS);
    add_load(&program, offsetof(struct seccomp_data, arch));
    add_unless(&program, JAIL_ARCH, SECCOMP_RET_KILL_PROCESS);
    // Numbers of x32 have a bit more and match nothing.
    add_load(&program, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < filter->calls_count; i++) {
        add(&program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, filter->calls[i], 0, 1));
        add_return(&program, SECCOMP_RET_ALLOW);
    }
    for (size_t i = 0; i < filter->checks_count; i++) {
        add_check(&program, &filter->checks[i]);
    }
    add_return(&program, filter->otherwise);
    const struct sock_fprog loaded = {.len = (unsigned short)program.size, .filter = program.code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &loaded) < 0) {
        return err_sys(err, "filter its system calls");
    }
    return 0;
}

// The lowest of those that is not below `from`; INT32_MAX: none is.
static int next_kept(const int *kept, size_t count, int from) {
    int next = INT32_MAX;
    for (size_t i = 0; i < count; i++) {
        next = kept[i] >= from && kept[i] < next ? kept[i] : next;
    }
    return next;
}

int jail_keep_descriptors(const int *kept, size_t count, struct err *err) {
    AUTO_FD int null = -1;
    int last_standard = STDERR_FILENO;
#ifdef __SANITIZE_ADDRESS__
    last_standard = STDOUT_FILENO; // its reports are worth more
#endif
    for (int i = 0; i <= last_standard; i++) {
        if (next_kept(kept, count, i) == i) {
            continue; // who keeps all three may be where there is no /dev/null that is ours
        }
        null = null < 0 ? open("/dev/null", O_RDWR | O_CLOEXEC) : null;
        if (dup3(null, i, O_CLOEXEC) < 0 && errno != EINVAL) {
            return err_sys(err, "redirect its standard descriptors");
        }
    }
    (void)fd_take(&null); // closed with the others
    for (int from = STDERR_FILENO + 1;;) {
        int next = next_kept(kept, count, from);
        if (from < next && sys_close_range((unsigned)from, next == INT32_MAX ? ~0U : (unsigned)next - 1, 0) < 0) {
            return err_sys(err, "close its other descriptors");
        }
        if (next == INT32_MAX) {
            return 0;
        }
        from = next + 1;
    }
}

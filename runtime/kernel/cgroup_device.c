// Which devices a group may use.
//
// Theory of operation. Rules are ordered, and the last one that matches decides, for reading, writing and making a node each by
// itself; what none matches is denied. Version 2 asks a BPF program at every open and mknod of a device (bpf(2),
// BPF_PROG_TYPE_CGROUP_DEVICE). The program tries the rules from the last to the first, with the requested access in a register: a
// rule that allows takes its bits out, and when none is left the answer is yes; one that denies a bit still left answers no.
// Neighbouring rules of one type, and in those of one major number, share the test for it, so that the usual list is some 20
// instructions.
//
// Version 1 keeps a default and a list of exceptions, and an exception is taken back only by the very same numbers. An order of
// rules that it cannot express would be taken in silence and not enforced; such rules are refused here.
#include "runtime/kernel/cgroup_plan.h"

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ANY CGROUP_DEVICE_ANY
#define ALL CGROUP_DEVICE_ALL

const struct cgroup_device_rule cgroup_device_defaults[] = {
    {.allow = true, .type = 'c', .major = ANY, .minor = ANY, .access = CGROUP_DEVICE_MKNOD},
    {.allow = true, .type = 'b', .major = ANY, .minor = ANY, .access = CGROUP_DEVICE_MKNOD},
    {.allow = true, .type = 'c', .major = 1, .minor = 3, .access = ALL},     // null
    {.allow = true, .type = 'c', .major = 1, .minor = 5, .access = ALL},     // zero
    {.allow = true, .type = 'c', .major = 1, .minor = 7, .access = ALL},     // full
    {.allow = true, .type = 'c', .major = 1, .minor = 8, .access = ALL},     // random
    {.allow = true, .type = 'c', .major = 1, .minor = 9, .access = ALL},     // urandom
    {.allow = true, .type = 'c', .major = 5, .minor = 0, .access = ALL},     // tty
    {.allow = true, .type = 'c', .major = 5, .minor = 2, .access = ALL},     // ptmx
    {.allow = true, .type = 'c', .major = 136, .minor = ANY, .access = ALL}, // pts/*
};
const size_t cgroup_device_default_count = ARRAY_LEN(cgroup_device_defaults);

static const char program_name[] = "coffer_device";

static int check_rules(const struct cgroup_device_rule *rules, size_t count, struct err *err) {
    if (count > CGROUP_DEVICE_MAX_RULES) {
        return err_set(err, ERR_INPUT, "%zu device rules are more than %d", count, CGROUP_DEVICE_MAX_RULES);
    }
    for (size_t i = 0; i < count; i++) {
        if (rules[i].type != 'a' && rules[i].type != 'b' && rules[i].type != 'c') {
            return err_set(err, ERR_INPUT, "device rule %zu: type is '%c', expected a, b or c", i, rules[i].type);
        }
        if (rules[i].major < ANY || rules[i].major > INT32_MAX || rules[i].minor < ANY || rules[i].minor > INT32_MAX) {
            return err_set(err, ERR_INPUT, "device rule %zu: %" PRId64 ":%" PRId64 " cannot be a device's number", i,
                           rules[i].major, rules[i].minor);
        }
        if (rules[i].access > ALL) {
            return err_set(err, ERR_INPUT, "device rule %zu: unknown access", i);
        }
    }
    return 0;
}

static bool is_total(const struct cgroup_device_rule *rule) {
    return rule->type == 'a' && rule->major == ANY && rule->minor == ANY && rule->access == ALL;
}

// Rules before the last one for everything never decide.
static size_t first_that_counts(const struct cgroup_device_rule *rules, size_t count) {
    size_t first = count;
    while (first > 0 && (first == count || !is_total(&rules[first]))) {
        first--;
    }
    return first;
}

enum target { TO_NEXT, TO_ALLOW, TO_DENY }; // jumps to the two answers get their distance at the end

struct program {
    struct bpf_insn *insns;
    size_t count;
    bool to_allow, to_deny; // whether anything jumps there
};

static void emit(struct program *program, struct bpf_insn insn) {
    program->insns[program->count++] = insn;
}

static void emit_load(struct program *program, uint8_t to, int16_t offset) {
    emit(program, (struct bpf_insn){.code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = to, .src_reg = BPF_REG_1, .off = offset});
}

static void emit_alu(struct program *program, uint8_t operation, uint8_t reg, int32_t value) {
    emit(program, (struct bpf_insn){.code = BPF_ALU64 | operation | BPF_K, .dst_reg = reg, .imm = value});
}

// A jump to an answer has its target in src_reg until resolve(), which no jump against a constant uses.
static void emit_jump(struct program *program, uint8_t condition, uint8_t reg, int32_t value, enum target target) {
    emit(program, (struct bpf_insn){.code = BPF_JMP | condition | BPF_K, .dst_reg = reg, .src_reg = target, .imm = value});
    program->to_allow |= target == TO_ALLOW;
    program->to_deny |= target == TO_DENY;
}

static void land_here(struct program *program, size_t jump) {
    program->insns[jump].off = (int16_t)(program->count - jump - 1);
}

static void emit_answer(struct program *program, enum target target, int32_t answer) {
    for (size_t i = 0; i < program->count; i++) {
        if (BPF_CLASS(program->insns[i].code) == BPF_JMP && program->insns[i].src_reg == target) {
            land_here(program, i);
            program->insns[i].src_reg = 0;
        }
    }
    emit_alu(program, BPF_MOV, BPF_REG_0, answer);
    emit(program, (struct bpf_insn){.code = BPF_JMP | BPF_EXIT});
}

enum { ACCESS = BPF_REG_3, TYPE = BPF_REG_2, MAJOR = BPF_REG_4, MINOR = BPF_REG_5 };

static int32_t kernel_access(unsigned access) {
    return (access & CGROUP_DEVICE_READ ? BPF_DEVCG_ACC_READ : 0) | (access & CGROUP_DEVICE_WRITE ? BPF_DEVCG_ACC_WRITE : 0) |
           (access & CGROUP_DEVICE_MKNOD ? BPF_DEVCG_ACC_MKNOD : 0);
}

// One rule where type and major number are known to match. Returns true when nothing gets past it.
static bool emit_rule(struct program *program, const struct cgroup_device_rule *rule) {
    enum target answer = rule->allow ? TO_ALLOW : TO_DENY;
    if (rule->access == ALL) {
        if (rule->minor != ANY) {
            emit_jump(program, BPF_JEQ, MINOR, (int32_t)rule->minor, answer);
            return false;
        }
        emit_jump(program, BPF_JA, 0, 0, answer);
        return true;
    }
    size_t skip = program->count;
    if (rule->minor != ANY) {
        emit_jump(program, BPF_JNE, MINOR, (int32_t)rule->minor, TO_NEXT);
    }
    if (rule->allow) {
        emit_alu(program, BPF_AND, ACCESS, ~kernel_access(rule->access));
        emit_jump(program, BPF_JEQ, ACCESS, 0, TO_ALLOW);
    } else {
        emit_jump(program, BPF_JSET, ACCESS, kernel_access(rule->access), TO_DENY);
    }
    if (rule->minor != ANY) {
        land_here(program, skip);
    }
    return false;
}

// The rules [first, last) of one type, from the last to the first, in runs of one major number. True as above.
static bool emit_type(struct program *program, const struct cgroup_device_rule *rules, size_t first, size_t last) {
    while (last > first) {
        int64_t major = rules[last - 1].major;
        size_t skip = program->count;
        if (major != ANY) {
            emit_jump(program, BPF_JNE, MAJOR, (int32_t)major, TO_NEXT);
        }
        bool ended = false;
        for (; last > first && rules[last - 1].major == major; last--) {
            ended =
                ended || emit_rule(program, &rules[last - 1]); // what comes after an end is not emitted: it could not be reached
        }
        if (major != ANY) {
            land_here(program, skip);
        } else if (ended) {
            return true;
        }
    }
    return false;
}

size_t cgroup_device_program(const struct cgroup_device_rule *rules, size_t count, struct bpf_insn *ret_program) {
    struct program program = {.insns = ret_program};
    // struct bpf_cgroup_dev_ctx: the type in the low half of access_type, the access in the high half.
    emit_load(&program, TYPE, offsetof(struct bpf_cgroup_dev_ctx, access_type));
    emit(&program, (struct bpf_insn){.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = ACCESS, .src_reg = TYPE});
    emit_alu(&program, BPF_AND, TYPE, 0xffff);
    emit_alu(&program, BPF_RSH, ACCESS, 16);
    emit_load(&program, MAJOR, offsetof(struct bpf_cgroup_dev_ctx, major));
    emit_load(&program, MINOR, offsetof(struct bpf_cgroup_dev_ctx, minor));

    bool ended = false;
    size_t first = first_that_counts(rules, count);
    for (size_t last = count; last > first && !ended;) {
        char type = rules[last - 1].type;
        size_t start = last;
        while (start > first && rules[start - 1].type == type) {
            start--;
        }
        size_t skip = program.count;
        if (type != 'a') {
            emit_jump(&program, BPF_JNE, TYPE, type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR, TO_NEXT);
        }
        ended = emit_type(&program, rules, start, last);
        if (type != 'a') {
            land_here(&program, skip);
            ended = false;
        }
        last = start;
    }
    // The kernel refuses instructions that cannot be reached.
    if (!ended || program.to_deny) {
        emit_answer(&program, TO_DENY, 0);
    }
    if (program.to_allow) {
        emit_answer(&program, TO_ALLOW, 1);
    }
    return program.count;
}

static int bpf(int command, union bpf_attr *attr) {
    return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}

// The program that was attached here by this file before, -1 when there is none.
static int find_attached(int dir_fd) {
    uint32_t ids[64] = {0};
    union bpf_attr query;
    memset(&query, 0, sizeof(query));
    query.query.target_fd = (uint32_t)dir_fd;
    query.query.attach_type = BPF_CGROUP_DEVICE;
    query.query.prog_ids = (uintptr_t)ids;
    query.query.prog_cnt = ARRAY_LEN(ids);
    if (bpf(BPF_PROG_QUERY, &query) < 0) {
        return -1;
    }
    for (uint32_t i = 0; i < query.query.prog_cnt && i < ARRAY_LEN(ids); i++) {
        union bpf_attr attr;
        memset(&attr, 0, sizeof(attr));
        attr.prog_id = ids[i];
        AUTO_FD int fd = bpf(BPF_PROG_GET_FD_BY_ID, &attr);
        struct bpf_prog_info info;
        memset(&info, 0, sizeof(info));
        memset(&attr, 0, sizeof(attr));
        attr.info.bpf_fd = (uint32_t)fd;
        attr.info.info_len = sizeof(info);
        attr.info.info = (uintptr_t)&info;
        if (fd >= 0 && bpf(BPF_OBJ_GET_INFO_BY_FD, &attr) == 0 && strcmp(info.name, program_name) == 0) {
            return fd_take(&fd);
        }
    }
    return -1;
}

int cgroup_set_devices_v2(int dir_fd, bool fresh, const struct cgroup_device_rule *rules, size_t count, struct err *err) {
    if (check_rules(rules, count, err) < 0) {
        return -1;
    }
    // As large as these rules need: the largest possible one on the stack would cost each start twelve page faults.
    AUTO_ARENA struct arena arena = {0};
    struct bpf_insn *insns = arena_array(&arena, CGROUP_DEVICE_INSNS(count), sizeof(*insns));
    union bpf_attr attr;
    memset(&attr, 0, sizeof(attr));
    attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
    attr.insn_cnt = (uint32_t)cgroup_device_program(rules, count, insns);
    attr.insns = (uintptr_t)insns;
    attr.license = (uintptr_t) "Apache-2.0";
    memcpy(attr.prog_name, program_name, sizeof(program_name));
    AUTO_FD int program_fd = bpf(BPF_PROG_LOAD, &attr);
    if (program_fd < 0) {
        return err_sys(err, "load the device program (%s)",
                       errno == EPERM ? "it needs CAP_BPF and CAP_NET_ADMIN in the host's user namespace" : "bpf(2)");
    }
    AUTO_FD int before = fresh ? -1 : find_attached(dir_fd);
    memset(&attr, 0, sizeof(attr));
    attr.target_fd = (uint32_t)dir_fd;
    attr.attach_bpf_fd = (uint32_t)program_fd;
    attr.attach_type = BPF_CGROUP_DEVICE;
    attr.attach_flags = BPF_F_ALLOW_MULTI;
    if (before >= 0) {
        attr.attach_flags |= BPF_F_REPLACE; // Linux 5.6
        attr.replace_bpf_fd = (uint32_t)before;
    }
    if (bpf(BPF_PROG_ATTACH, &attr) < 0) {
        return err_sys(err, "attach the device program");
    }
    return 0;
}

// "c 1:3 rwm", "b *:* m".
static void describe(const struct cgroup_device_rule *rule, char type, char room[64]) {
    char major[24] = "*", minor[24] = "*";
    if (rule->major != ANY) {
        snprintf(major, sizeof(major), "%" PRId64, rule->major);
    }
    if (rule->minor != ANY) {
        snprintf(minor, sizeof(minor), "%" PRId64, rule->minor);
    }
    snprintf(room, 64, "%c %s:%s %s%s%s", type, major, minor, rule->access & CGROUP_DEVICE_READ ? "r" : "",
             rule->access & CGROUP_DEVICE_WRITE ? "w" : "", rule->access & CGROUP_DEVICE_MKNOD ? "m" : "");
}

static bool overlap(const struct cgroup_device_rule *a, const struct cgroup_device_rule *b) {
    return (a->type == 'a' || b->type == 'a' || a->type == b->type) &&
           (a->major == ANY || b->major == ANY || a->major == b->major) &&
           (a->minor == ANY || b->minor == ANY || a->minor == b->minor) && (a->access & b->access) != 0;
}

// Version 1 keeps a default and a list of exceptions from it. An exception can always be added; a rule that agrees with the default
// takes one back, and must name its very numbers. Where there is none to take back it has no effect: dockerd denies a device that way.
static int check_expressible(const struct cgroup_device_rule *rules, size_t first, size_t count, struct err *err) {
    bool allows = first < count && is_total(&rules[first]) && rules[first].allow;
    for (size_t i = first; i < count; i++) {
        for (size_t j = first; j < i; j++) {
            if (rules[i].allow != allows || rules[j].allow == allows || is_total(&rules[j]) || !overlap(&rules[i], &rules[j])) {
                continue;
            }
            if (rules[i].major == rules[j].major && rules[i].minor == rules[j].minor &&
                (rules[i].type == rules[j].type || rules[i].type == 'a')) {
                continue;
            }
            char later[64], earlier[64];
            describe(&rules[i], rules[i].type, later);
            describe(&rules[j], rules[j].type, earlier);
            return err_set(err, ERR_UNSUPPORTED, "cgroup version 1 cannot %s device %s after it was told to %s %s",
                           rules[i].allow ? "allow" : "deny", later, rules[j].allow ? "allow" : "deny", earlier);
        }
    }
    return 0;
}

static int write_line(int fd, const char *file, const char *line, struct err *err) {
    ssize_t written;
    do {
        written = write(fd, line, strlen(line));
    } while (written < 0 && errno == EINTR);
    return written < 0 ? err_sys(err, "write \"%s\" to %s", line, file) : 0;
}

int cgroup_set_devices_v1(int dir_fd, const struct cgroup_device_rule *rules, size_t count, struct err *err) {
    size_t first = first_that_counts(rules, count);
    if (check_rules(rules, count, err) < 0 || check_expressible(rules, first, count, err) < 0) {
        return -1;
    }
    static const char *const files[] = {"devices.deny", "devices.allow"};
    AUTO_FD int deny_fd = openat(dir_fd, files[0], O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    AUTO_FD int allow_fd = openat(dir_fd, files[1], O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    if (deny_fd < 0 || allow_fd < 0) {
        return err_sys(err, "open devices.deny and devices.allow");
    }
    // A new group has what its parent has: begin with nothing. "a" is for everything, whatever stands behind it.
    if ((count == 0 || !is_total(&rules[first])) && write_line(deny_fd, files[0], "a", err) < 0) {
        return -1;
    }
    for (size_t i = first; i < count; i++) {
        int fd = rules[i].allow ? allow_fd : deny_fd;
        if (is_total(&rules[i])) {
            if (write_line(fd, files[rules[i].allow], "a", err) < 0) {
                return -1;
            }
            continue;
        }
        for (const char *type = rules[i].type == 'a' ? "bc" : rules[i].type == 'b' ? "b" : "c"; *type && rules[i].access; type++) {
            char line[64];
            describe(&rules[i], *type, line);
            if (write_line(fd, files[rules[i].allow], line, err) < 0) {
                return -1;
            }
        }
    }
    return 0;
}

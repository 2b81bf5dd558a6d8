#include "runtime/container/seccomp_calls.h"

#include "runtime/base/arena.h"
#include "runtime/base/log.h"
#include "runtime/kernel/syscalls.h"
#include "specs/oci_seccomp.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint32_t action_with(uint32_t action, struct opt_u32 errno_ret) {
    bool takes_number = action == SECCOMP_RET_ERRNO || action == SECCOMP_RET_TRACE;
    return takes_number ? action | ((errno_ret.set ? errno_ret.value : EPERM) & SECCOMP_RET_DATA) : action;
}

uint32_t seccomp_default_action(const struct oci_seccomp *seccomp) {
    return action_with(seccomp->default_action, seccomp->default_errno_ret);
}

// The kernel's order: the lower as a signed number, the stricter.
static bool is_stricter(uint32_t action, uint32_t than) {
    return (int32_t)(action & SECCOMP_RET_ACTION_FULL) < (int32_t)(than & SECCOMP_RET_ACTION_FULL);
}

// --- names to numbers ---

enum { X32_BIT = 0x40000000 };

static const struct {
    uint32_t architecture;
    enum syscall_architecture column;
    bool has_parts;
} columns[] = {
    {AUDIT_ARCH_X86_64, SYSCALL_X86_64, false},   {AUDIT_ARCH_I386, SYSCALL_I386, true},      {OCI_ARCH_X32, SYSCALL_X32, false},
    {AUDIT_ARCH_AARCH64, SYSCALL_AARCH64, false}, {AUDIT_ARCH_ARM, SYSCALL_ARM, false},       {AUDIT_ARCH_RISCV64, SYSCALL_RISCV64, false},
    {AUDIT_ARCH_PPC64LE, SYSCALL_PPC64LE, true},  {AUDIT_ARCH_S390X, SYSCALL_S390X, true},  {AUDIT_ARCH_S390, SYSCALL_S390, true},
};

void seccomp_names_find(const struct oci_seccomp *seccomp, struct arena *arena, struct seccomp_names *ret) {
    struct syscall_index index;
    size_t count = 0;
    for (size_t i = 0; i < seccomp->syscalls_count; i++) {
        count += seccomp->syscalls[i].names_count;
    }
    *ret = (struct seccomp_names){.rows = arena_array(arena, count + 1, sizeof(*ret->rows))};
    syscall_index_fill(&index);
    for (size_t i = 0; i < seccomp->syscalls_count; i++) {
        const struct oci_seccomp_rule *rule = &seccomp->syscalls[i];
        for (size_t j = 0; j < rule->names_count; j++) {
            const struct syscall_row *row = syscall_find(&index, rule->names[j]);
            if (!row) {
                log_debug("linux.seccomp.syscalls: no system call is known here by the name %s", rule->names[j]);
            }
            ret->rows[ret->count++] = row;
        }
    }
}

// A name's numbers: its own, and that of the call it is a part of with the first argument that means it.
struct numbers {
    int32_t own;  // -1: none
    int32_t part; // -1: none
    uint32_t part_argument;
};

static struct numbers numbers_of(const struct syscall_row *row, size_t column) {
    struct numbers numbers = {.own = -1, .part = -1};
    if (!row) {
        return numbers;
    }
    numbers.own = row->numbers[columns[column].column];
    if (columns[column].column == SYSCALL_X32 && numbers.own >= 0) {
        numbers.own |= X32_BIT;
    }
    if (columns[column].has_parts && row->part > 0) {
        bool ipc = row->part > SYSCALL_IPC_PARTS;
        numbers.part = ipc ? SYSCALL_IPC : SYSCALL_SOCKETCALL;
        numbers.part_argument = ipc ? row->part - SYSCALL_IPC_PARTS : row->part;
    }
    return numbers;
}

// --- rules to calls ---

// A number and the rule that names it, in the order of the profile.
struct mention {
    uint32_t number;
    uint32_t rule;
    uint32_t order;
    bool is_part; // only with this first argument
    uint32_t part_argument;
};

static int by_number(const void *left, const void *right) {
    const struct mention *a = left, *b = right;
    if (a->number != b->number) {
        return a->number < b->number ? -1 : 1;
    }
    return a->order < b->order ? -1 : a->order > b->order;
}

// By number, those of one number in the profile's order. Numbers are dense but for a few of ARM's own, so they are counted; this is most
// of the work of a start with a filter, and half as long by qsort(3) alone again.
static struct mention *sort_mentions(struct mention *mentions, size_t count, struct arena *arena) {
    enum { DENSE = 1024 };
    uint32_t base = count > 0 && mentions[0].number >= X32_BIT ? X32_BIT : 0;
    uint32_t starts[DENSE + 1] = {0};
    for (size_t i = 0; i < count; i++) {
        if (mentions[i].number - base >= DENSE) {
            qsort(mentions, count, sizeof(*mentions), by_number);
            return mentions;
        }
        starts[mentions[i].number - base + 1]++;
    }
    for (size_t i = 1; i < DENSE; i++) {
        starts[i] += starts[i - 1];
    }
    struct mention *sorted = arena_array(arena, count + 1, sizeof(*sorted));
    for (size_t i = 0; i < count; i++) {
        sorted[starts[mentions[i].number - base]++] = mentions[i];
    }
    return sorted;
}

static struct mention *list_mentions(const struct oci_seccomp *seccomp, const struct seccomp_names *names, size_t column,
                                     struct arena *arena, struct seccomp_calls *calls, size_t *ret_count) {
    size_t name = 0, count = 0;
    uint32_t otherwise = seccomp_default_action(seccomp);
    struct mention *mentions = arena_array(arena, 2 * names->count + 1, sizeof(*mentions));
    for (size_t i = 0; i < seccomp->syscalls_count; i++) {
        const struct oci_seccomp_rule *rule = &seccomp->syscalls[i];
        bool counts = action_with(rule->action, rule->errno_ret) != otherwise;
        for (size_t j = 0; j < rule->names_count; j++) {
            struct numbers numbers = numbers_of(names->rows[name++], column);
            calls->newest = numbers.own > calls->newest ? numbers.own : calls->newest;
            if (numbers.own >= 0 && counts) {
                mentions[count] = (struct mention){.number = (uint32_t)numbers.own, .rule = (uint32_t)i, .order = (uint32_t)count};
                count++;
            }
            if (numbers.part >= 0 && counts) {
                mentions[count] = (struct mention){(uint32_t)numbers.part, (uint32_t)i, (uint32_t)count, true, numbers.part_argument};
                count++;
            }
        }
    }
    *ret_count = count;
    return sort_mentions(mentions, count, arena);
}

static void add_compare(struct seccomp_condition *condition, const struct oci_seccomp_arg *arg) {
    condition->compares[condition->count++] = (struct seccomp_compare){(uint8_t)arg->index, (uint8_t)arg->op, arg->value, arg->value_two};
}

static struct seccomp_condition begin_condition(const struct mention *mention, uint32_t action) {
    struct seccomp_condition condition = {.action = action};
    if (mention->is_part) {
        const struct oci_seccomp_arg part = {.index = 0, .op = OCI_SECCOMP_EQ, .value = mention->part_argument};
        add_compare(&condition, &part);
    }
    return condition;
}

// The conditions of one rule. Several on the same argument cannot be in one rule of libseccomp: each is a rule of its own then, as the
// other runtimes have it. The first argument of a call with parts is what tells them.
static size_t add_conditions(const struct oci_seccomp_rule *rule, const struct mention *mention, uint32_t action,
                             struct seccomp_condition *conditions) {
    uint32_t seen = 0;
    bool twice = false;
    for (size_t i = 0; i < rule->args_count; i++) {
        twice |= (seen >> rule->args[i].index & 1) != 0;
        seen |= UINT32_C(1) << rule->args[i].index;
    }
    struct seccomp_condition *all = &conditions[0];
    *all = begin_condition(mention, action);
    for (size_t i = 0; i < rule->args_count; i++) {
        bool replaced = mention->is_part && rule->args[i].index == 0;
        struct seccomp_condition *at = twice ? &conditions[i] : all;
        if (twice) {
            *at = begin_condition(mention, action);
        }
        if (!replaced) {
            add_compare(at, &rule->args[i]);
        }
    }
    return twice ? rule->args_count : 1;
}

// The strictest to the front; those alike stay in their order.
static void sort_conditions(struct seccomp_condition *conditions, size_t count) {
    for (size_t i = 1; i < count; i++) {
        struct seccomp_condition moved = conditions[i];
        size_t at = i;
        for (; at > 0 && is_stricter(moved.action, conditions[at - 1].action); at--) {
            conditions[at] = conditions[at - 1];
        }
        conditions[at] = moved;
    }
}

// One number: `count` mentions of it.
static void judge_call(const struct oci_seccomp *seccomp, const struct mention *mentions, size_t count, struct arena *arena,
                       struct seccomp_call *call) {
    size_t room = 0;
    bool decided = false;
    *call = (struct seccomp_call){.number = mentions[0].number, .action = seccomp_default_action(seccomp)};
    for (size_t i = 0; i < count; i++) {
        const struct oci_seccomp_rule *rule = &seccomp->syscalls[mentions[i].rule];
        room += rule->args_count > 0 ? rule->args_count : mentions[i].is_part;
        if (rule->args_count == 0 && !mentions[i].is_part && !decided) {
            decided = true;
            call->action = action_with(rule->action, rule->errno_ret);
        }
    }
    if (room == 0) {
        return;
    }
    struct seccomp_condition *conditions = arena_array(arena, room, sizeof(*conditions));
    for (size_t i = 0; i < count; i++) {
        const struct oci_seccomp_rule *rule = &seccomp->syscalls[mentions[i].rule];
        uint32_t action = action_with(rule->action, rule->errno_ret);
        // Arguments of a part lie behind a pointer, where no filter can look: whoever speaks of the whole call means it.
        bool counts = !decided || (!mentions[i].is_part && is_stricter(action, call->action));
        if ((rule->args_count > 0 || mentions[i].is_part) && counts) {
            call->condition_count += add_conditions(rule, &mentions[i], action, conditions + call->condition_count);
        }
    }
    sort_conditions(conditions, call->condition_count);
    call->conditions = conditions;
}

void seccomp_calls_collect(const struct oci_seccomp *seccomp, const struct seccomp_names *names, uint32_t architecture,
                           struct arena *arena, struct seccomp_calls *ret) {
    size_t count, column = 0;
    while (columns[column].architecture != architecture) {
        column++;
        assert(column < ARRAY_LEN(columns));
    }
    *ret = (struct seccomp_calls){.newest = -1};
    const struct mention *mentions = list_mentions(seccomp, names, column, arena, ret, &count);
    ret->items = arena_array(arena, count + 1, sizeof(*ret->items));
    for (size_t i = 0; i < count;) {
        size_t same = 1;
        while (i + same < count && mentions[i + same].number == mentions[i].number) {
            same++;
        }
        judge_call(seccomp, mentions + i, same, arena, &ret->items[ret->count++]);
        i += same;
    }
}

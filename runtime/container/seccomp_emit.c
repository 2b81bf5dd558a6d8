#include "runtime/container/seccomp_emit.h"

#include "runtime/base/arena.h"
#include "specs/oci_seccomp.h"

#include <string.h>

// A conditional jump has 8 bits; a few less, for what may be written between a look at the distance and the jump itself.
enum { REACH = 250, FIRST_ROOM = 1024 };

static size_t add(struct emitter *emitter, struct sock_filter instruction) {
    if (emitter->count == emitter->room) {
        size_t room = emitter->room ? 2 * emitter->room : FIRST_ROOM;
        struct sock_filter *code = arena_array(emitter->arena, room, sizeof(*code));
        if (emitter->count > 0) {
            memcpy(code, emitter->code, emitter->count * sizeof(*code));
        }
        emitter->code = code;
        emitter->room = room;
    }
    emitter->code[emitter->count] = instruction;
    return emitter->count++;
}

static struct emit_label label_at(size_t at) {
    return (struct emit_label){.at = at};
}

struct emit_label emit_action(uint32_t action) {
    return (struct emit_label){.is_action = true, .action = action};
}

static bool is_same(struct emit_label left, struct emit_label right) {
    return left.is_action == right.is_action && (left.is_action ? left.action == right.action : left.at == right.at);
}

// The instruction of an action that is in reach, or a new one.
static size_t find_action(struct emitter *emitter, uint32_t action) {
    size_t place = 0;
    while (place < emitter->recent_count && emitter->recent[place].action != action) {
        place++;
    }
    if (place < emitter->recent_count && emitter->count - emitter->recent[place].at - 1 <= REACH) {
        return emitter->recent[place].at;
    }
    size_t at = add(emitter, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
    if (place == emitter->recent_count) {
        place = emitter->recent_count < EMIT_RECENT ? emitter->recent_count++ : at % EMIT_RECENT;
    }
    emitter->recent[place].action = action;
    emitter->recent[place].at = at;
    return at;
}

// An instruction in reach of the next few that leads to the label.
static size_t in_reach(struct emitter *emitter, struct emit_label label) {
    if (label.is_action) {
        return find_action(emitter, label.action);
    }
    size_t distance = emitter->count - label.at - 1;
    return distance <= REACH ? label.at : add(emitter, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, (uint32_t)distance));
}

struct emit_label emit_jump(struct emitter *emitter, uint16_t code, uint32_t value, struct emit_label yes, struct emit_label no) {
    if (is_same(yes, no)) {
        return yes;
    }
    size_t yes_at = in_reach(emitter, yes);
    size_t no_at = in_reach(emitter, no);
    uint8_t yes_distance = (uint8_t)(emitter->count - yes_at - 1), no_distance = (uint8_t)(emitter->count - no_at - 1);
    return label_at(add(emitter, (struct sock_filter)BPF_JUMP(BPF_JMP | code | BPF_K, value, yes_distance, no_distance)));
}

// Goes on to the very next instruction: where that is another one, by way of a jump.
static void lead_to(struct emitter *emitter, struct emit_label next) {
    if (next.is_action) {
        add(emitter, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, next.action));
    } else if (next.at + 1 != emitter->count) {
        add(emitter, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, (uint32_t)(emitter->count - next.at - 1)));
    }
}

struct emit_label emit_load(struct emitter *emitter, uint32_t offset, struct emit_label next) {
    if (next.is_action) {
        return next; // nobody looks at what was loaded
    }
    lead_to(emitter, next);
    return label_at(add(emitter, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset)));
}

// --- arguments ---

static uint32_t offset_of(uint8_t index, bool high) {
    uint32_t offset = (uint32_t)offsetof(struct seccomp_data, args) + index * 8U;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    high = !high;
#endif
    return offset + (high ? 4 : 0);
}

// (half & mask) == value; nothing is written where that is always so.
static struct emit_label emit_masked(struct emitter *emitter, uint32_t offset, uint32_t mask, uint32_t value, struct emit_label yes,
                                     struct emit_label no) {
    if (mask == 0) {
        return yes; // of nothing, nothing is left
    }
    struct emit_label label = emit_jump(emitter, BPF_JEQ, value & mask, yes, no);
    if (mask != UINT32_MAX && !label.is_action) {
        lead_to(emitter, label);
        label = label_at(add(emitter, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask)));
    }
    return emit_load(emitter, offset, label);
}

// The low half by `code` (BPF_JGT, BPF_JGE), where the high halves are the same; else those decide.
static struct emit_label emit_order(struct emitter *emitter, const struct seccomp_compare *compare, bool whole, uint16_t code,
                                    struct emit_label yes, struct emit_label no) {
    struct emit_label low = emit_jump(emitter, code, (uint32_t)compare->value, yes, no);
    low = emit_load(emitter, offset_of(compare->index, false), low);
    if (!whole) {
        return low;
    }
    uint32_t high = (uint32_t)(compare->value >> 32);
    struct emit_label same = emit_jump(emitter, BPF_JEQ, high, low, no);
    struct emit_label above = emit_jump(emitter, BPF_JGT, high, yes, same);
    return emit_load(emitter, offset_of(compare->index, true), above);
}

static struct emit_label emit_compare(struct emitter *emitter, const struct seccomp_compare *compare, bool whole, struct emit_label yes,
                                      struct emit_label no) {
    uint64_t mask = UINT64_MAX, value = compare->value;
    switch (compare->op) {
    case OCI_SECCOMP_GT:
        return emit_order(emitter, compare, whole, BPF_JGT, yes, no);
    case OCI_SECCOMP_GE:
        return emit_order(emitter, compare, whole, BPF_JGE, yes, no);
    case OCI_SECCOMP_LE:
        return emit_order(emitter, compare, whole, BPF_JGT, no, yes);
    case OCI_SECCOMP_LT:
        return emit_order(emitter, compare, whole, BPF_JGE, no, yes);
    case OCI_SECCOMP_MASKED_EQ:
        mask = compare->value;
        value = compare->value_two;
        break;
    case OCI_SECCOMP_NE: {
        struct emit_label swapped = yes;
        yes = no;
        no = swapped;
        break;
    }
    default:
        break;
    }
    struct emit_label low = emit_masked(emitter, offset_of(compare->index, false), (uint32_t)mask, (uint32_t)value, yes, no);
    return whole ? emit_masked(emitter, offset_of(compare->index, true), (uint32_t)(mask >> 32), (uint32_t)(value >> 32), low, no) : low;
}

struct emit_label emit_conditions(struct emitter *emitter, const struct seccomp_call *call, bool whole) {
    struct emit_label next = emit_action(call->action);
    for (size_t i = call->condition_count; i-- > 0;) {
        const struct seccomp_condition *condition = &call->conditions[i];
        struct emit_label holds = emit_action(condition->action);
        for (uint32_t j = condition->count; j-- > 0;) {
            holds = emit_compare(emitter, &condition->compares[j], whole, holds, next);
        }
        next = holds;
    }
    return next;
}

// --- numbers ---

struct emit_label emit_ranges(struct emitter *emitter, const struct emit_range *ranges, size_t count) {
    if (count == 1) {
        return ranges[0].target;
    }
    size_t half = count / 2;
    struct emit_label above = emit_ranges(emitter, ranges + half, count - half);
    struct emit_label below = emit_ranges(emitter, ranges, half);
    return emit_jump(emitter, BPF_JGE, ranges[half].first, above, below);
}

struct sock_filter *emit_finish(struct emitter *emitter, struct emit_label start, size_t *ret_count) {
    lead_to(emitter, start);
    struct sock_filter *program = arena_array(emitter->arena, emitter->count, sizeof(*program));
    for (size_t i = 0; i < emitter->count; i++) {
        program[i] = emitter->code[emitter->count - 1 - i];
    }
    *ret_count = emitter->count;
    return program;
}

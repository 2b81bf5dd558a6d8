// seccomp_emit: classic BPF for the kernel's filter (seccomp(2)), written from its end to its beginning: all jumps go forwards, so what
// one leads to is always there already. Internal to the filter (seccomp_filter.h).
#ifndef COFFER_CONTAINER_SECCOMP_EMIT_H
#define COFFER_CONTAINER_SECCOMP_EMIT_H

#include "runtime/base/attr.h"
#include "runtime/container/seccomp_calls.h"

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

// Where a jump leads: an instruction, or an action's, of which there are as many as the short reach of jumps needs.
struct emit_label {
    bool is_action;
    uint32_t action;
    size_t at; // counted from the end
};

enum { EMIT_RECENT = 8 };

struct emitter {
    struct arena *arena;
    struct sock_filter *code; // from the end
    size_t count;
    size_t room;
    struct { // where an action's instruction was written last
        uint32_t action;
        size_t at;
    } recent[EMIT_RECENT];
    size_t recent_count;
};

// The numbers from `first` on, to the next range, lead there.
struct emit_range {
    uint32_t first;
    struct emit_label target;
};

struct emit_label emit_action(uint32_t action);

// Loads the field of struct seccomp_data at the offset, and goes on at `next`.
struct emit_label emit_load(struct emitter *emitter, uint32_t offset, struct emit_label next);

// code: BPF_JEQ, BPF_JGT, BPF_JGE. Of two labels that are the same nothing is written.
struct emit_label emit_jump(struct emitter *emitter, uint16_t code, uint32_t value, struct emit_label yes, struct emit_label no);

// What a call comes to by its arguments. whole: they are compared as 64 bits, else by their low half, as 32-bit programs have them.
struct emit_label emit_conditions(struct emitter *emitter, const struct seccomp_call *call, bool whole);

// A tree over the ranges, of which the first begins at 0. The number is loaded.
struct emit_label emit_ranges(struct emitter *emitter, const struct emit_range *ranges, size_t count);

// The program that begins at the label, in the arena.
struct sock_filter *emit_finish(struct emitter *emitter, struct emit_label start, size_t *ret_count);

#endif

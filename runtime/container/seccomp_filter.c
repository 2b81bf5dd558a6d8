#include "runtime/container/seccomp_filter.h"

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/container/seccomp_calls.h"
#include "runtime/container/seccomp_emit.h"
#include "specs/oci_seccomp.h"
#include "specs/seccomp_profile.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

// x32 shares its architecture with x86-64, and is told by a bit of the number.
enum { X32_BIT = 0x40000000, FAMILY_MAX = 4 };

static bool is_64_bit(uint32_t architecture) {
    // libseccomp's token of x32 is a 32-bit one: its arguments are compared as those of other 32-bit programs.
    return (architecture & __AUDIT_ARCH_64BIT) != 0;
}

// --- which architectures ---

static void add_once(uint32_t *architectures, size_t *count, uint32_t architecture) {
    for (size_t i = 0; i < *count; i++) {
        if (architectures[i] == architecture) {
            return;
        }
    }
    architectures[(*count)++] = architecture;
}

// The native one is there always. Of the others those count whose programs can run here: no call ever comes by the rest.
static size_t choose(const struct oci_seccomp *seccomp, uint32_t architectures[FAMILY_MAX]) {
    uint32_t native = seccomp_native_architecture();
    size_t count = 0;
    add_once(architectures, &count, native);
    if (seccomp->architectures_count == 0 && native == AUDIT_ARCH_X86_64) {
        add_once(architectures, &count, AUDIT_ARCH_I386);
    }
    for (size_t i = 0; i < seccomp->architectures_count; i++) {
        if (seccomp_runs_beside(native, seccomp->architectures[i])) {
            add_once(architectures, &count, seccomp->architectures[i]);
        }
    }
    return count;
}

// --- one architecture ---

struct section {
    struct emitter *emitter;
    struct emit_range *ranges;
    size_t count;
};

static void add_range(struct section *section, uint64_t first, struct emit_label target) {
    if (first > UINT32_MAX) {
        return;
    }
    struct emit_range *last = section->count > 0 ? &section->ranges[section->count - 1] : NULL;
    if (last && last->first == first) {
        last->target = target; // what was to fill the gap has none to fill
        return;
    }
    bool same = last && last->target.is_action == target.is_action &&
                (target.is_action ? last->target.action == target.action : last->target.at == target.at);
    if (!same) {
        section->ranges[section->count++] = (struct emit_range){.first = (uint32_t)first, .target = target};
    }
}

// Calls with the very same conditions share their part of the program.
static struct emit_label conditions_of(struct section *section, const struct seccomp_calls *calls, size_t at, bool whole) {
    return calls->items[at].condition_count > 0 ? emit_conditions(section->emitter, &calls->items[at], whole)
                                                : emit_action(calls->items[at].action);
}

// The numbers of one architecture from `first` on: its calls, the default between them, and ENOSYS for what is newer than all of them.
static void add_calls(struct section *section, const struct oci_seccomp *seccomp, const struct seccomp_calls *calls,
                      uint32_t first, bool whole) {
    uint32_t otherwise = seccomp_default_action(seccomp);
    add_range(section, first, emit_action(otherwise));
    for (size_t i = 0; i < calls->count; i++) {
        add_range(section, calls->items[i].number, conditions_of(section, calls, i, whole));
        add_range(section, (uint64_t)calls->items[i].number + 1, emit_action(otherwise));
    }
    bool stands_in = seccomp->default_action == SECCOMP_RET_ERRNO && otherwise != (SECCOMP_RET_ERRNO | ENOSYS);
    if (stands_in && calls->newest >= 0) {
        add_range(section, (uint64_t)calls->newest + 1, emit_action(SECCOMP_RET_ERRNO | ENOSYS));
    }
}

// The part of the program for an architecture of the kernel's; x32 has a part of x86-64's.
static struct emit_label emit_architecture(struct emitter *emitter, const struct oci_seccomp *seccomp, const struct seccomp_names *names,
                                           uint32_t architecture, bool with_x32) {
    struct seccomp_calls calls, x32_calls = {.newest = -1};
    seccomp_calls_collect(seccomp, names, architecture, emitter->arena, &calls);
    if (with_x32) {
        seccomp_calls_collect(seccomp, names, OCI_ARCH_X32, emitter->arena, &x32_calls);
    }
    size_t most = 2 * (calls.count + x32_calls.count) + 8;
    struct section section = {.emitter = emitter, .ranges = arena_array(emitter->arena, most, sizeof(*section.ranges))};
    add_calls(&section, seccomp, &calls, 0, is_64_bit(architecture));
    if (with_x32) {
        add_calls(&section, seccomp, &x32_calls, X32_BIT, is_64_bit(OCI_ARCH_X32));
    } else {
        uint32_t beyond = architecture == AUDIT_ARCH_X86_64 ? SECCOMP_RET_KILL_PROCESS : seccomp_default_action(seccomp);
        add_range(&section, X32_BIT, emit_action(beyond));
    }
    // -1, by which a tracer has a call passed over, is no call of any entry.
    add_range(&section, UINT32_MAX, emit_action(seccomp_default_action(seccomp)));
    return emit_load(emitter, offsetof(struct seccomp_data, nr), emit_ranges(emitter, section.ranges, section.count));
}

// --- all of them ---

int seccomp_filter_make_for(const struct oci_seccomp *seccomp, const uint32_t *architectures, size_t count, struct arena *arena,
                            const void **ret_program, size_t *ret_size, struct err *err) {
    struct emitter emitter = {.arena = arena};
    bool with_x32 = false;
    for (size_t i = 0; i < count; i++) {
        with_x32 = with_x32 || architectures[i] == OCI_ARCH_X32;
    }
    struct seccomp_names names;
    seccomp_names_find(seccomp, arena, &names);
    struct emit_label label = emit_action(SECCOMP_RET_KILL_PROCESS);
    // From the end to the beginning, so the first is looked at first.
    for (size_t i = count; i-- > 0;) {
        uint32_t architecture = architectures[i];
        if (architecture != OCI_ARCH_X32) {
            bool x32 = with_x32 && architecture == AUDIT_ARCH_X86_64;
            struct emit_label section = emit_architecture(&emitter, seccomp, &names, architecture, x32);
            label = emit_jump(&emitter, BPF_JEQ, architecture, section, label);
        }
    }
    label = emit_load(&emitter, offsetof(struct seccomp_data, arch), label);
    size_t instructions;
    *ret_program = emit_finish(&emitter, label, &instructions);
    *ret_size = instructions * sizeof(struct sock_filter);
    if (instructions > BPF_MAXINSNS) {
        return err_set(err, ERR_INPUT, "config.json: linux.seccomp: the filter has %zu instructions, the kernel takes %d", instructions,
                       BPF_MAXINSNS);
    }
    return 0;
}

int seccomp_filter_make(const struct oci_seccomp *seccomp, struct arena *arena, const void **ret_program, size_t *ret_size,
                        struct err *err) {
    uint32_t architectures[FAMILY_MAX];
    size_t count = choose(seccomp, architectures);
    return seccomp_filter_make_for(seccomp, architectures, count, arena, ret_program, ret_size, err);
}

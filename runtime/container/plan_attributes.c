#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/number_set.h"
#include "runtime/container/plan.h"
#include "runtime/kernel/lsm.h"
#include "specs/oci_config.h"

#include <string.h>

enum { IOPRIO_CLASS_SHIFT = 13 };

static void plan_scheduler(const struct oci_scheduler *from, struct plan_scheduler *to) {
    *to = (struct plan_scheduler){
        .set = true,
        .policy = from->policy,
        .flags = from->flags,
        .nice = from->nice,
        .priority = (uint32_t)from->priority,
        .runtime_ns = from->runtime_ns,
        .deadline_ns = from->deadline_ns,
        .period_ns = from->period_ns,
    };
}

static int plan_memory(const struct oci_memory_policy *from, struct arena *arena, struct plan_memory *to, struct err *err) {
    struct number_set nodes = {0};
    if (from->nodes && number_set_parse(from->nodes, &nodes) < 0) {
        return err_set(err, ERR_INPUT, "config.json: linux.memoryPolicy.nodes: expected a list of memory nodes like 0-3,7, found \"%.64s\"",
                       from->nodes);
    }
    size_t size = (nodes.limit + 63) / 64 * sizeof(*nodes.words);
    *to = (struct plan_memory){
        .set = true,
        .mode = from->mode | from->flags,
        .nodes_bytes = arena_copy(arena, nodes.words, size),
        .nodes_size = size,
    };
    return 0;
}

int container_plan_attributes(const struct oci_linux *os, const struct oci_process *from, struct arena *arena, struct plan_process *to,
                              struct err *err) {
    if (from->scheduler) {
        plan_scheduler(from->scheduler, &to->scheduler);
    }
    if (from->io_priority) {
        to->set_io_priority = true;
        to->io_priority = from->io_priority->class_ << IOPRIO_CLASS_SHIFT | (uint32_t)from->io_priority->priority;
    }
    if (os->personality) {
        to->set_personality = true;
        to->personality = os->personality->domain;
    }
    return os->memory_policy ? plan_memory(os->memory_policy, arena, &to->memory, err) : 0;
}

static int check_label(enum lsm lsm, const char *label, const char *field, struct err *err) {
    if (!lsm_is_label(lsm, label)) {
        return err_set(err, ERR_INPUT, "process.%s: \"%.64s\" cannot be a label of %s", field, label, lsm_name(lsm));
    }
    if (!lsm_is_on(lsm)) {
        return err_set(err, ERR_UNSUPPORTED, "process.%s: \"%.128s\" was asked for, but this host has no %s, or it is off; leave it out", field,
                       label, lsm_name(lsm));
    }
    return 0;
}

// A label that cannot be had is an error, as is the second of two: no kernel has both modules on.
int container_plan_label(const struct oci_process *from, struct plan_process *to, struct err *err) {
    const char *profile = from->apparmor_profile, *context = from->selinux_label;
    bool has_profile = profile && *profile, has_context = context && *context;
    // Where there is no AppArmor everything is unconfined.
    if (has_profile && strcmp(profile, "unconfined") == 0 && !lsm_is_on(LSM_APPARMOR)) {
        has_profile = false;
    }
    if ((has_profile && check_label(LSM_APPARMOR, profile, "apparmorProfile", err) < 0) ||
        (has_context && check_label(LSM_SELINUX, context, "selinuxLabel", err) < 0)) {
        return -1;
    }
    if (has_profile && has_context) {
        return err_set(err, ERR_INPUT, "process.apparmorProfile and process.selinuxLabel: a process has one of them, leave the other out");
    }
    to->lsm = has_profile ? LSM_APPARMOR : has_context ? LSM_SELINUX : LSM_NONE;
    to->lsm_label = has_profile ? profile : has_context ? context : NULL;
    return 0;
}

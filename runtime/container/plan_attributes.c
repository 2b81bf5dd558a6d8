#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/number_set.h"
#include "runtime/container/plan.h"
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

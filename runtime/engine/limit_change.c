#include "runtime/engine/limit_change.h"

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/container/container.h"
#include "runtime/engine/engine.h"
#include "runtime/engine/event_log.h"
#include "runtime/engine/home.h"
#include "runtime/engine/record.h"
#include "runtime/engine/request.h"
#include "runtime/engine/request_json.h"
#include "runtime/engine/resources.h"
#include "runtime/engine/restart_policy.h"
#include "runtime/engine/target.h"
#include "specs/oci_config.h"

#include <string.h>

// --- the wish ---

static void take_number(struct opt_i64 *number, const struct opt_i64 *change) {
    if (change->set) {
        *number = *change;
    }
}

static void take_text(const char **text, const char *change) {
    if (change) {
        *text = change;
    }
}

static void merge(struct run_request *request, const struct run_request *changes) {
    // --cpus says what the two others say.
    if (changes->nano_cpus.set) {
        request->cpu_period = request->cpu_quota = (struct opt_i64){0};
    }
    if (changes->cpu_period.set || changes->cpu_quota.set) {
        request->nano_cpus = (struct opt_i64){0};
    }
    take_number(&request->memory_bytes, &changes->memory_bytes);
    take_number(&request->memory_swap_bytes, &changes->memory_swap_bytes);
    take_number(&request->memory_reservation_bytes, &changes->memory_reservation_bytes);
    take_number(&request->nano_cpus, &changes->nano_cpus);
    take_number(&request->cpu_shares, &changes->cpu_shares);
    take_number(&request->cpu_period, &changes->cpu_period);
    take_number(&request->cpu_quota, &changes->cpu_quota);
    take_number(&request->cpu_rt_period, &changes->cpu_rt_period);
    take_number(&request->cpu_rt_runtime, &changes->cpu_rt_runtime);
    take_number(&request->blkio_weight, &changes->blkio_weight);
    take_number(&request->pids_limit, &changes->pids_limit);
    take_text(&request->cpuset_cpus, changes->cpuset_cpus);
    take_text(&request->cpuset_mems, changes->cpuset_mems);
    take_text(&request->restart, changes->restart);
}

static bool changes_limits(const struct run_request *changes) {
    const struct opt_i64 numbers[] = {
        changes->memory_bytes, changes->memory_swap_bytes, changes->memory_reservation_bytes,
        changes->nano_cpus,    changes->cpu_shares,        changes->cpu_period,
        changes->cpu_quota,    changes->cpu_rt_period,     changes->cpu_rt_runtime,
        changes->blkio_weight, changes->pids_limit,
    };
    bool any = changes->cpuset_cpus || changes->cpuset_mems;
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        any = any || numbers[i].set;
    }
    return any;
}

static int check_restart(const struct run_request *request, struct err *err) {
    struct restart_policy policy;
    if (restart_policy_parse(request->restart, &policy, err) < 0) {
        return -1;
    }
    return request->remove && policy.kind != RESTART_NO
               ? err_set(err, ERR_INPUT, "--restart: the container is removed when it has ended (--rm), and not started again")
               : 0;
}

int limit_change(const struct limit_change *change, struct arena *arena, const struct run_request **ret, struct err *err) {
    struct run_request changes, *whole = arena_alloc(arena, sizeof(*whole));
    struct oci_resources resources;
    AUTO_BUF struct buf text = {0};
    *whole = *change->request;
    if (request_read_json(change->text, arena, &changes, err) < 0) {
        return -1;
    }
    merge(whole, &changes);
    if (check_restart(whole, err) < 0 || resources_change(whole, &changes, &resources, err) < 0) {
        return -1;
    }
    if (change->runs && changes_limits(&changes) &&
        container_update(change->home->oci_root, change->record->id, &resources, err) < 0) {
        return -1;
    }
    request_write_json(whole, &text);
    change->record->request = arena_copy_string(arena, buf_string(&text));
    *ret = whole;
    return 0;
}

// --- the command ---

// Without a monitor.
static int change_record(struct target *target, const char *text, struct err *err) {
    AUTO_RECORD_DIR struct record_dir dir = {.fd = -1};
    const struct run_request *changed;
    if (control_lock(&target->home, target->id, &dir, err) < 0 ||
        record_read(&target->home, &target->arena, target->id, &target->record, err) < 0 ||
        request_read_json(target->record.request, &target->arena, &target->request, err) < 0) {
        return -1;
    }
    const struct limit_change change = {
        .home = &target->home,
        .record = &target->record,
        .request = &target->request,
        .text = text,
        .runs = record_runs_alone(&target->home, target->id),
    };
    return limit_change(&change, &target->arena, &changed, err) < 0 ? -1 : record_write(&dir, &target->record, err);
}

int engine_update(const struct engine *engine, const char *name, const struct run_request *changes, struct err *err) {
    AUTO_TARGET struct target target = TARGET_NONE;
    AUTO_BUF struct buf text = {0};
    struct control_message answer;
    struct restart_policy policy;
    if (restart_policy_parse(changes->restart, &policy, err) < 0 || target_open(&target, engine, name, err) < 0) {
        return -1;
    }
    request_write_json(changes, &text);
    const struct control_message wish = {.kind = CONTROL_UPDATE, .size = (uint32_t)text.size, .bytes = text.data};
    int result = target_ask(&target, &wish, &answer, err);
    result = result > 0 ? change_record(&target, buf_string(&text), err) : result;
    if (result < 0) {
        return err_in(err, "update %s", name);
    }
    events_add_container(&target.home, &(struct event_log_container){.record = &target.record}, "update");
    return 0;
}

#include "runtime/engine/adopt.h"

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/engine/engine.h"
#include "runtime/engine/home.h"
#include "runtime/engine/monitor_launch.h"
#include "runtime/engine/record.h"
#include "runtime/engine/request.h"
#include "runtime/engine/request_json.h"
#include "runtime/engine/restart_policy.h"
#include "runtime/engine/start.h"

#include <string.h>

int adopt_container(const struct home *home, struct record_dir *give_dir, enum monitor_adopts adopts, struct err *err) {
    const struct engine engine = {.store = home->store, .root = home->root, .oci_root = home->oci_root, .user_bus = home->user_bus};
    AUTO_START struct start start = START_NONE;
    AUTO(launched_monitor_finish) struct launched_monitor launched = {.socket = -1, .pidfd = -1};
    char id[RECORD_ID_SIZE];
    memcpy(id, give_dir->id, sizeof(id));
    return start_adopt(&start, &engine, give_dir, adopts, err) < 0 || monitor_launch(&start, 0, &launched, err) < 0
               ? err_in(err, "container %.12s: make another monitor for it", id)
               : 0;
}

bool adopt_wants_restart(const struct record *record) {
    AUTO_ARENA struct arena arena = {0};
    struct run_request request;
    struct restart_policy policy;
    struct err damaged;
    return !record->stopped && !record->remove && record->started &&
           request_read_json(record->request, &arena, &request, &damaged) == 0 &&
           restart_policy_parse(request.restart, &policy, &damaged) == 0 &&
           restart_policy_wants(&policy, record->exit_code, record->restarts);
}

// target: a container that is there, by its name, and the line to its monitor. Private to the engine.
#ifndef COFFER_ENGINE_TARGET_H
#define COFFER_ENGINE_TARGET_H

#include "runtime/base/arena.h"
#include "runtime/base/attr.h"
#include "runtime/engine/control.h"
#include "runtime/engine/ending.h"
#include "runtime/engine/home.h"
#include "runtime/engine/record.h"
#include "runtime/engine/request.h"

#include <stdbool.h>

struct engine;
struct err;

struct target {
    struct home home;
    struct arena arena;
    char id[RECORD_ID_SIZE];
    struct record record;
    struct run_request request;
    int socket; // -1: there is no monitor
    char why[ENDING_TEXT_SIZE]; // the answer ENDED: why it was killed, or ""
};

#define TARGET_NONE                                                                                                                \
    { .home = {.store_fd = -1, .containers_fd = -1, .names_fd = -1, .live_fd = -1}, .socket = -1 }

void target_finish(struct target *target);
#define AUTO_TARGET AUTO(target_finish)

// One that is just being started, or worked on by another command, is waited for.
int target_open(struct target *target, const struct engine *engine, const char *name, struct err *err) MUST_CHECK;

// Looks for its monitor and reads its record again.
int target_look(struct target *target, struct err *err) MUST_CHECK;

// Sends a wish and waits for the answer, whose bytes are left out. 1: there is no monitor, or it has ended meanwhile; `record` is what
// it has left, or as it was where that is removed. -1: the monitor's error.
int target_ask(struct target *target, const struct control_message *wish, struct control_message *ret_answer,
               struct err *err) MUST_CHECK;

// The same in two steps: told is what target_tell returned, which does not wait.
bool target_tell(const struct target *target, const struct control_message *wish);
int target_ask_told(struct target *target, const struct control_message *wish, bool told, struct control_message *ret_answer,
                    struct err *err) MUST_CHECK;

enum record_state target_state(const struct target *target);

// Whether it runs, is about to, or waits to be restarted; without a monitor, too.
bool target_runs(const struct target *target);

// Takes the lock of one that does not run, which so cannot start or be removed. 1, with err: it runs all the same, open it anew.
int target_lock_stopped(const struct target *target, struct record_dir *ret_dir, struct err *err) MUST_CHECK;

// The error of who needs one that runs: that it does not, or why not now.
int target_not_running(const struct target *target, const char *verb, const char *name, struct err *err);

#endif

// health: whether a container does what it is there for, with docker's meanings (--health-*, HEALTHCHECK): what is checked, and
// the state that checks lead to. Pure: events and the clock go in, what is to be done comes out; nothing is touched.
//
// The first check comes one interval after the container's start, each other one interval after the end of the one before. As long
// as it has never been healthy the failures of checks that began within the start period do not count, and checks come at the start
// interval; one success ends that. So many failures one after the other as there are retries make it unhealthy, one success makes it
// healthy again. While it is paused there are no checks, and one that the pause has met does not count. A restart begins anew.
//
// A port that is waited for is looked at between the checks, too, often and without a word, until it has been healthy once: it
// costs next to nothing, and who waits for it learns it at once.
#ifndef COFFER_ENGINE_HEALTH_H
#define COFFER_ENGINE_HEALTH_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;
struct image_settings;
struct run_request;

enum health_kind { HEALTH_CHECK_NONE, HEALTH_CHECK_COMMAND, HEALTH_CHECK_PORT };
enum health_status { HEALTH_NONE, HEALTH_STARTING, HEALTH_HEALTHY, HEALTH_UNHEALTHY, HEALTH_STATUS_COUNT };

// What becomes of a container that is unhealthy (--health-on-failure).
enum health_action { HEALTH_DO_NOTHING, HEALTH_DO_KILL, HEALTH_DO_RESTART, HEALTH_DO_STOP };

struct health_check {
    enum health_kind kind;
    const char *const *command; // NULL-terminated
    size_t command_count;
    uint16_t port; // TCP, at any of its addresses
    int64_t interval_ms, timeout_ms, start_period_ms, start_interval_ms;
    int64_t retries;
    enum health_action on_failure;
};

// What the request and the image ask for: a field of the request counts, else the image's, else the default. The strings live in
// the arena. An error names the flag; what an image asks for and cannot be is no check.
int health_check_make(const struct run_request *request, const struct image_settings *image, struct arena *arena,
                      struct health_check *ret, struct err *err) MUST_CHECK;

// "starting"; "none" for HEALTH_NONE.
const char *health_status_name(enum health_status status);
enum health_status health_status_named(const char *name); // HEALTH_NONE for anything else

struct health {
    const struct health_check *check;
    enum health_status status;
    int64_t streak; // failures one after the other
    int64_t started_ms;
    int64_t next_ms;       // when the next check is due; 0: none is
    int64_t peek_ms;       // when the port is looked at; 0: never
    int64_t checked_ms;    // when the check that runs began; 0: none runs
};

// The container has just started. All times are clock_now_ms().
void health_begin(struct health *health, const struct health_check *check, int64_t now_ms);

// It has ended: nothing is due. What it was stays to be seen.
void health_end(struct health *health);

enum health_step { HEALTH_WAIT, HEALTH_PEEK, HEALTH_CHECK };

// When health_step() is to be called; 0: never.
int64_t health_due_ms(const struct health *health);

// What is to be done now. HEALTH_PEEK is answered by health_peeked(), HEALTH_CHECK by health_checked() once it is over.
enum health_step health_step(struct health *health, int64_t now_ms);

void health_peeked(struct health *health, bool is_open, int64_t now_ms);

// A check out of turn. False: one runs already.
bool health_check_now(struct health *health, int64_t now_ms);

enum health_result { HEALTH_SUCCESS, HEALTH_FAILURE, HEALTH_NO_RESULT };

// How the check ended; no result is one that the container's pause or end has met. Returns what is to be done with the container.
enum health_action health_checked(struct health *health, enum health_result result, int64_t now_ms);

#endif

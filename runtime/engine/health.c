#include "runtime/engine/health.h"

#include <assert.h>
#include <string.h>

enum {
    PEEK_FIRST_MS = 20,
    PEEK_LAST_MS = 1000,
    PEEK_SHARE = 8, // of the time it has been up
};

static const char *const names[] = {
    [HEALTH_NONE] = "none",
    [HEALTH_STARTING] = "starting",
    [HEALTH_HEALTHY] = "healthy",
    [HEALTH_UNHEALTHY] = "unhealthy",
};
static_assert(ARRAY_LEN(names) == HEALTH_STATUS_COUNT, "a status without a name");

const char *health_status_name(enum health_status status) {
    return names[status];
}

enum health_status health_status_named(const char *name) {
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(names[i], name) == 0) {
            return (enum health_status)i;
        }
    }
    return HEALTH_NONE;
}

static int64_t interval_ms(const struct health *health, int64_t now_ms) {
    const struct health_check *check = health->check;
    bool starts = health->status == HEALTH_STARTING && now_ms - health->started_ms < check->start_period_ms;
    return starts ? check->start_interval_ms : check->interval_ms;
}

static bool is_peeked_at(const struct health *health) {
    return health->check->kind == HEALTH_CHECK_PORT && health->status == HEALTH_STARTING;
}

static void plan_peek(struct health *health, int64_t now_ms) {
    int64_t wait_ms = (now_ms - health->started_ms) / PEEK_SHARE;
    wait_ms = wait_ms < PEEK_FIRST_MS ? PEEK_FIRST_MS : wait_ms > PEEK_LAST_MS ? PEEK_LAST_MS : wait_ms;
    health->peek_ms = is_peeked_at(health) ? now_ms + wait_ms : 0;
}

static void plan_next(struct health *health, int64_t now_ms) {
    health->next_ms = now_ms + interval_ms(health, now_ms);
    plan_peek(health, now_ms);
}

void health_begin(struct health *health, const struct health_check *check, int64_t now_ms) {
    *health = (struct health){.check = check, .started_ms = now_ms};
    if (check->kind != HEALTH_CHECK_NONE) {
        health->status = HEALTH_STARTING;
        plan_next(health, now_ms);
    }
}

void health_end(struct health *health) {
    health->next_ms = health->peek_ms = health->checked_ms = 0;
}

int64_t health_due_ms(const struct health *health) {
    if (health->checked_ms != 0) {
        return 0;
    }
    return health->peek_ms != 0 && health->peek_ms < health->next_ms ? health->peek_ms : health->next_ms;
}

enum health_step health_step(struct health *health, int64_t now_ms) {
    int64_t due_ms = health_due_ms(health);
    if (due_ms == 0 || now_ms < due_ms) {
        return HEALTH_WAIT;
    }
    if (now_ms >= health->next_ms) {
        health->checked_ms = now_ms;
        return HEALTH_CHECK;
    }
    return HEALTH_PEEK;
}

void health_peeked(struct health *health, bool is_open, int64_t now_ms) {
    if (is_open) {
        health->next_ms = now_ms;
    } else {
        plan_peek(health, now_ms);
    }
}

bool health_check_now(struct health *health, int64_t now_ms) {
    if (health->checked_ms != 0) {
        return false;
    }
    health->checked_ms = now_ms;
    return true;
}

static enum health_action fail(struct health *health, int64_t began_ms) {
    const struct health_check *check = health->check;
    if (health->status == HEALTH_STARTING && began_ms - health->started_ms < check->start_period_ms) {
        return HEALTH_DO_NOTHING;
    }
    health->streak++;
    if (health->streak < check->retries || health->status == HEALTH_UNHEALTHY) {
        return HEALTH_DO_NOTHING;
    }
    health->status = HEALTH_UNHEALTHY;
    return check->on_failure;
}

enum health_action health_checked(struct health *health, enum health_result result, int64_t now_ms) {
    int64_t began_ms = health->checked_ms;
    enum health_action action = HEALTH_DO_NOTHING;
    if (began_ms == 0) {
        return HEALTH_DO_NOTHING; // the container has ended, or started again, meanwhile
    }
    if (result == HEALTH_SUCCESS) {
        health->streak = 0;
        health->status = HEALTH_HEALTHY;
    } else if (result == HEALTH_FAILURE) {
        action = fail(health, began_ms);
    }
    health->checked_ms = 0;
    plan_next(health, now_ms);
    return action;
}

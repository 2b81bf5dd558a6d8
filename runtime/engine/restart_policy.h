// restart_policy: whether and when a container that has ended is started again, with docker's meanings (--restart). Touches nothing.
#ifndef COFFER_ENGINE_RESTART_POLICY_H
#define COFFER_ENGINE_RESTART_POLICY_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stdint.h>

struct err;

enum restart_kind { RESTART_NO, RESTART_ON_FAILURE, RESTART_ALWAYS, RESTART_UNLESS_STOPPED };

struct restart_policy {
    enum restart_kind kind;
    int64_t max_restarts; // on failure; 0: any number
};

// "no", "on-failure", "on-failure:N", "always", "unless-stopped"; NULL and "" are no.
int restart_policy_parse(const char *text, struct restart_policy *ret, struct err *err) MUST_CHECK;

// For a container that ended by itself and had been started again `restarts` times before.
bool restart_policy_wants(const struct restart_policy *policy, int exit_code, int64_t restarts);

// How long to wait: 100 ms, then twice as long each time, up to a minute; from the beginning where it was up for 10 s.
// before_ms: the wait before; 0: none yet.
int64_t restart_policy_delay_ms(int64_t before_ms, int64_t up_ms);

#endif

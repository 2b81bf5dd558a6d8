#include "runtime/engine/restart_policy.h"

#include "runtime/base/err.h"
#include "runtime/base/mem.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_DELAY_MS = 100, MAX_DELAY_MS = 60000, LONG_ENOUGH_MS = 10000, MAX_DIGITS = 9 };

static const char *const kinds[] = {
    [RESTART_NO] = "no",
    [RESTART_ON_FAILURE] = "on-failure",
    [RESTART_ALWAYS] = "always",
    [RESTART_UNLESS_STOPPED] = "unless-stopped",
};

int restart_policy_parse(const char *text, struct restart_policy *ret, struct err *err) {
    *ret = (struct restart_policy){.kind = RESTART_NO};
    if (!text || !*text) {
        return 0;
    }
    size_t length = strcspn(text, ":");
    const char *count = text[length] ? text + length + 1 : NULL;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (strlen(kinds[i]) != length || strncmp(kinds[i], text, length) != 0) {
            continue;
        }
        if (count && (i != RESTART_ON_FAILURE || !*count || strlen(count) > MAX_DIGITS || count[strspn(count, "0123456789")])) {
            break;
        }
        *ret = (struct restart_policy){.kind = (enum restart_kind)i, .max_restarts = count ? atoll(count) : 0};
        return 0;
    }
    return err_set(err, ERR_INPUT, "--restart: expected no, on-failure[:N], always or unless-stopped, found \"%s\"", text);
}

bool restart_policy_wants(const struct restart_policy *policy, int exit_code, int64_t restarts) {
    switch (policy->kind) {
    case RESTART_ON_FAILURE:
        return exit_code != 0 && (policy->max_restarts == 0 || restarts < policy->max_restarts);
    case RESTART_ALWAYS:
    case RESTART_UNLESS_STOPPED:
        return true;
    default:
        return false;
    }
}

int64_t restart_policy_delay_ms(int64_t before_ms, int64_t up_ms) {
    if (before_ms == 0 || up_ms >= LONG_ENOUGH_MS) {
        return FIRST_DELAY_MS;
    }
    return 2 * before_ms < MAX_DELAY_MS ? 2 * before_ms : MAX_DELAY_MS;
}

// What is checked: the request's flags over the image's HEALTHCHECK over the defaults.
#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/engine/health.h"
#include "runtime/engine/request.h"
#include "specs/image_config.h"

#include <stdlib.h>
#include <string.h>

enum {
    INTERVAL_MS = 30000,
    TIMEOUT_MS = 30000,
    START_INTERVAL_MS = 5000,
    RETRIES = 3,
    NS_PER_MS = 1000000,
};

static const char *const actions[] = {
    [HEALTH_DO_NOTHING] = "none",
    [HEALTH_DO_KILL] = "kill",
    [HEALTH_DO_RESTART] = "restart",
    [HEALTH_DO_STOP] = "stop",
};

static int take_action(const char *text, enum health_action *ret, struct err *err) {
    *ret = HEALTH_DO_NOTHING;
    for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
        if (!text || strcmp(text, actions[i]) == 0) {
            *ret = (enum health_action)(text ? i : HEALTH_DO_NOTHING);
            return 0;
        }
    }
    return err_set(err, ERR_INPUT, "--health-on-failure: expected none, kill, restart or stop, found \"%s\"", text);
}

static int take_port(const char *text, uint16_t *ret, struct err *err) {
    char *end;
    unsigned long port = text[0] >= '0' && text[0] <= '9' ? strtoul(text, &end, 10) : 0;
    if (port == 0 || port > UINT16_MAX || (*end && strcmp(end, "/tcp") != 0)) {
        return err_set(err, ERR_INPUT, "--health-port: expected PORT or PORT/tcp, 1 to 65535, found \"%s\"", text);
    }
    *ret = (uint16_t)port;
    return 0;
}

struct test {
    const char *const *items; // "CMD" or "CMD-SHELL" and what behind it, or "NONE"
    size_t count;
};

static const char **copy(struct arena *arena, const char *const *items, size_t count, size_t room) {
    const char **list = arena_array(arena, room + 1, sizeof(*list));
    for (size_t i = 0; i < count; i++) {
        list[i] = arena_copy_string(arena, items[i]);
    }
    return list;
}

// Docker's forms. Others are none.
static void take_command(const struct test *test, const struct image_settings *image, struct arena *arena, struct health_check *check) {
    static const char *const usual_shell[] = {"/bin/sh", "-c"};
    if (test->count < 2) {
        return;
    }
    if (strcmp(test->items[0], "CMD") == 0) {
        check->command_count = test->count - 1;
        check->command = copy(arena, test->items + 1, check->command_count, check->command_count);
    } else if (strcmp(test->items[0], "CMD-SHELL") == 0) {
        bool own = image->shell_count > 0;
        size_t count = own ? image->shell_count : ARRAY_LEN(usual_shell);
        const char **words = copy(arena, own ? image->shell : usual_shell, count, count + 1);
        words[count] = arena_copy_string(arena, test->items[1]);
        check->command = words;
        check->command_count = count + 1;
    }
    check->kind = check->command_count > 0 && check->command[0][0] ? HEALTH_CHECK_COMMAND : HEALTH_CHECK_NONE;
}

// 0 is as if nothing was said (docker).
static int64_t length_ms(const struct opt_i64 *wish, int64_t image_ns, int64_t usual_ms) {
    if (wish->set && wish->value > 0) {
        return wish->value;
    }
    return image_ns >= NS_PER_MS ? image_ns / NS_PER_MS : usual_ms;
}

static int check_flags(const struct run_request *run, struct err *err) {
    bool says_more = run->health_test.count > 0 || run->health_port || run->health_on_failure || run->health_interval_ms.set ||
                     run->health_timeout_ms.set || run->health_retries.set || run->health_start_period_ms.set ||
                     run->health_start_interval_ms.set;
    if (run->no_healthcheck && says_more) {
        return err_set(err, ERR_INPUT, "--no-healthcheck and the --health flags exclude each other");
    }
    if (run->health_port && run->health_test.count > 0) {
        return err_set(err, ERR_INPUT, "--health-cmd and --health-port exclude each other: give one of them");
    }
    return 0;
}

int health_check_make(const struct run_request *run, const struct image_settings *image, struct arena *arena, struct health_check *ret,
                      struct err *err) {
    static const struct image_healthcheck nothing = {0};
    const struct image_healthcheck *own = image->healthcheck ? image->healthcheck : &nothing;
    struct health_check check = {
        .interval_ms = length_ms(&run->health_interval_ms, own->interval_ns, INTERVAL_MS),
        .timeout_ms = length_ms(&run->health_timeout_ms, own->timeout_ns, TIMEOUT_MS),
        .start_period_ms = length_ms(&run->health_start_period_ms, own->start_period_ns, 0),
        .start_interval_ms = length_ms(&run->health_start_interval_ms, own->start_interval_ns, START_INTERVAL_MS),
        .retries = run->health_retries.set && run->health_retries.value > 0 ? run->health_retries.value
                   : own->retries > 0                                       ? own->retries
                                                                            : RETRIES,
    };
    const struct test test = run->health_test.count > 0 ? (struct test){(const char *const *)run->health_test.items, run->health_test.count}
                                                        : (struct test){own->test, own->test_count};
    if (check_flags(run, err) < 0 || take_action(run->health_on_failure, &check.on_failure, err) < 0) {
        return -1;
    }
    if (run->health_port) {
        check.kind = HEALTH_CHECK_PORT;
        if (take_port(run->health_port, &check.port, err) < 0) {
            return -1;
        }
    } else if (!run->no_healthcheck) {
        take_command(&test, image, arena, &check);
    }
    *ret = check;
    return 0;
}

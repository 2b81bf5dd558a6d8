#include "tests/unit/check.h"

#include "runtime/base/err.h"
#include "runtime/engine/restart_policy.h"

static void check_refused(const char *text) {
    struct restart_policy policy;
    struct err err = {0};
    char expected[256];
    snprintf(expected, sizeof(expected), "--restart: expected no, on-failure[:N], always or unless-stopped, found \"%s\"", text);
    CHECK_INT(restart_policy_parse(text, &policy, &err), -1);
    CHECK_STR(err.text, expected);
}

static struct restart_policy parsed(const char *text) {
    struct restart_policy policy;
    struct err err = {0};
    CHECK_INT(restart_policy_parse(text, &policy, &err), 0);
    return policy;
}

CASE(policies_as_docker_writes_them) {
    CHECK_INT(parsed(NULL).kind, RESTART_NO);
    CHECK_INT(parsed("").kind, RESTART_NO);
    CHECK_INT(parsed("no").kind, RESTART_NO);
    CHECK_INT(parsed("always").kind, RESTART_ALWAYS);
    CHECK_INT(parsed("unless-stopped").kind, RESTART_UNLESS_STOPPED);
    CHECK_INT(parsed("on-failure").kind, RESTART_ON_FAILURE);
    CHECK_INT(parsed("on-failure").max_restarts, 0);
    CHECK_INT(parsed("on-failure:7").max_restarts, 7);
    static const char *const wrong[] = {"yes", "on", "on-failure:", "on-failure:-1", "on-failure:1x", "on-failure:1234567890", "always:1", "no:", ":"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        check_refused(wrong[i]);
    }
}

CASE(what_is_started_again) {
    const struct restart_policy no = parsed("no"), always = parsed("always"), twice = parsed("on-failure:2"), often = parsed("on-failure");
    CHECK(!restart_policy_wants(&no, 1, 0));
    CHECK(restart_policy_wants(&always, 0, 1000));
    CHECK(restart_policy_wants(&often, 137, 1000));
    CHECK(!restart_policy_wants(&often, 0, 0));
    CHECK(restart_policy_wants(&twice, 1, 1));
    CHECK(!restart_policy_wants(&twice, 1, 2));
}

CASE(each_wait_is_twice_as_long_up_to_a_minute) {
    int64_t delay_ms = 0, sum_ms = 0;
    for (int i = 0; i < 10; i++) {
        delay_ms = restart_policy_delay_ms(delay_ms, 9999);
        CHECK_INT(delay_ms, 100 << i);
        sum_ms += delay_ms;
    }
    CHECK_INT(sum_ms, 102300);
    CHECK_INT(restart_policy_delay_ms(delay_ms, 0), 60000);
    CHECK_INT(restart_policy_delay_ms(60000, 0), 60000);
    CHECK_INT(restart_policy_delay_ms(60000, 10000), 100);
}

int main(void) {
    RUN(policies_as_docker_writes_them);
    RUN(what_is_started_again);
    RUN(each_wait_is_twice_as_long_up_to_a_minute);
    return check_done();
}

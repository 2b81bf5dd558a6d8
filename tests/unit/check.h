// The unit tests' frame: each *_test.c is a program of its own that prints one TAP line a case, so that one runner counts all tests.
//
//     CASE(arena_is_zeroed) { CHECK(p[0] == 0); CHECK_STR(err.text, "expected message"); }
//     int main(void) { RUN(arena_is_zeroed); return check_done(); }
//
// A failed CHECK prints where and what, marks the case as failed and goes on; SKIP("reason") marks it skipped and leaves the case.
#ifndef COFFER_TESTS_UNIT_CHECK_H
#define COFFER_TESTS_UNIT_CHECK_H

#include <stdio.h>
#include <string.h>

static struct {
    int cases, failed;
    int case_failed;
    const char *skip_reason;
} check_state;

#define CASE(name) static void case_##name(void)
#define RUN(name) check_run(#name, case_##name)

#define CHECK(condition)                                                                                                                \
    do {                                                                                                                                \
        if (!(condition)) {                                                                                                             \
            printf("# %s:%d: failed: %s\n", __FILE__, __LINE__, #condition);                                                            \
            check_state.case_failed = 1;                                                                                                \
        }                                                                                                                               \
    } while (0)

#define CHECK_STR(found, expected)                                                                                                      \
    do {                                                                                                                                \
        const char *check_found = (found), *check_expected = (expected);                                                                \
        if (!check_found || strcmp(check_found, check_expected) != 0) {                                                                 \
            printf("# %s:%d: %s is \"%s\", expected \"%s\"\n", __FILE__, __LINE__, #found, check_found ? check_found : "(null)",        \
                   check_expected);                                                                                                     \
            check_state.case_failed = 1;                                                                                                \
        }                                                                                                                               \
    } while (0)

#define CHECK_INT(found, expected)                                                                                                      \
    do {                                                                                                                                \
        long long check_found = (long long)(found), check_expected = (long long)(expected);                                             \
        if (check_found != check_expected) {                                                                                            \
            printf("# %s:%d: %s is %lld, expected %lld\n", __FILE__, __LINE__, #found, check_found, check_expected);                    \
            check_state.case_failed = 1;                                                                                                \
        }                                                                                                                               \
    } while (0)

#define SKIP(reason)                                                                                                                    \
    do {                                                                                                                                \
        check_state.skip_reason = (reason);                                                                                             \
        return;                                                                                                                         \
    } while (0)

static inline void check_run(const char *name, void (*run)(void)) {
    check_state.case_failed = 0;
    check_state.skip_reason = NULL;
    run();
    check_state.cases++;
    check_state.failed += check_state.case_failed;
    printf("%s %d - %s", check_state.case_failed ? "not ok" : "ok", check_state.cases, name);
    if (check_state.skip_reason && !check_state.case_failed) {
        printf(" # skip %s", check_state.skip_reason);
    }
    putchar('\n');
    fflush(stdout);
}

static inline int check_done(void) {
    printf("1..%d\n", check_state.cases);
    return check_state.failed ? 1 : 0;
}

#endif

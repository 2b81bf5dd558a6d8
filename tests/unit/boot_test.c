#include "tests/unit/check.h"

#include "runtime/base/arena.h"
#include "runtime/engine/boot.h"
#include "runtime/engine/view.h"

#define NEEDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static struct boot_item items[4];

// a, b, c and d, of which each needs these.
static struct boot ordered(struct arena *arena, const char *const *const *needs) {
    static const char *const names[] = {"a", "b", "c", "d"};
    static const char *const ids[] = {"aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb", "cccccccccccccccc", "dddddddddddddddd"};
    struct boot boot = {.items = items, .count = 4};
    for (size_t i = 0; i < 4; i++) {
        items[i] = (struct boot_item){.id = ids[i], .name = names[i], .result = BOOT_STARTED, .reason = ""};
    }
    boot_order(arena, &boot, needs);
    return boot;
}

CASE(one_comes_behind_those_it_needs_by_name_or_id_and_strangers_are_not_waited_for) {
    AUTO_ARENA struct arena arena = {0};
    const char *const none[] = {NULL};
    const char *const *needs[] = {NEEDS("c", "bbbbbbbbbbbb"), none, NEEDS("nobody"), NEEDS("bb")};
    struct boot boot = ordered(&arena, needs);
    CHECK_INT(boot.items[0].after_count, 2);
    CHECK_INT(boot.items[0].after[0], 2);
    CHECK_INT(boot.items[0].after[1], 1);
    CHECK_INT(boot.items[2].after_count, 0);
    CHECK_INT(boot.items[3].after_count, 0); // too short for an id
    CHECK(boot.items[1].is_waited_for && boot.items[2].is_waited_for && !boot.items[0].is_waited_for);
    for (size_t i = 0; i < 4; i++) {
        CHECK_INT(boot.items[i].result, BOOT_STARTED);
    }
}

CASE(a_circle_is_skipped_with_what_is_behind_it_and_nothing_else) {
    AUTO_ARENA struct arena arena = {0};
    const char *const none[] = {NULL};
    const char *const *needs[] = {NEEDS("b"), NEEDS("a"), NEEDS("a"), none};
    struct boot boot = ordered(&arena, needs);
    CHECK_INT(boot.items[0].result, BOOT_SKIPPED);
    CHECK_INT(boot.items[1].result, BOOT_SKIPPED);
    CHECK_INT(boot.items[2].result, BOOT_SKIPPED);
    CHECK_STR(boot.items[2].reason, "it waits for itself, by way of those it needs");
    CHECK_INT(boot.items[3].result, BOOT_STARTED);
}

CASE(what_shall_run) {
    static const struct {
        const char *restart;
        bool started, stopped, wanted;
    } cases[] = {
        {"always", true, false, true},          {"always", true, true, true},     {"always", false, false, false},
        {"unless-stopped", true, false, true},  {"unless-stopped", true, true, false}, {"on-failure", true, false, false},
        {"no", true, false, false},             {NULL, true, false, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const struct view view = {.record = {.started = cases[i].started, .stopped = cases[i].stopped}, .request = {.restart = cases[i].restart}};
        CHECK_INT(boot_wants(&view), cases[i].wanted);
    }
}

int main(void) {
    RUN(one_comes_behind_those_it_needs_by_name_or_id_and_strangers_are_not_waited_for);
    RUN(a_circle_is_skipped_with_what_is_behind_it_and_nothing_else);
    RUN(what_shall_run);
    return check_done();
}

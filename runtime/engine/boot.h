// boot: the containers that shall run when the host has come up are started: those that are restarted "always", and those "unless-stopped"
// that no user has stopped. One waits for those it needs: whose network it shares, whose volumes it takes, and whom its label
// "coffer.after" names; where one of these has a health check, until it is healthy. What does not wait for another starts at the same time.
#ifndef COFFER_ENGINE_BOOT_H
#define COFFER_ENGINE_BOOT_H

#include "runtime/base/arena.h"
#include "runtime/base/attr.h"
#include "runtime/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct engine;
struct view;

#define BOOT_LABEL_AFTER "coffer.after"

enum boot_result { BOOT_STARTED, BOOT_RUNS, BOOT_FAILED, BOOT_SKIPPED };

struct boot_item {
    const char *id, *name;
    const size_t *after; // items that come before it, by their numbers
    size_t after_count;
    bool is_waited_for;  // until it is healthy
    enum boot_result result;
    const char *reason; // of BOOT_FAILED and BOOT_SKIPPED; "" else
    int64_t took_ms;
};

struct boot {
    struct boot_item *items; // the oldest first
    size_t count;
};

// Names and ids that the container has to wait for, NULL-terminated, in the arena.
const char **boot_needs(const struct view *view, struct arena *arena);

// Whether it is to run once the host has come up.
bool boot_wants(const struct view *view);

// Reads what shall run, and in which order. Those in a circle are BOOT_SKIPPED already.
int boot_plan(const struct engine *engine, struct arena *arena, struct boot *ret, struct err *err) MUST_CHECK;

// Fills `after` of each by the needs of all; those that lead in a circle, and those behind them, are BOOT_SKIPPED. needs: boot_needs() of
// each item. What is not among the items is not waited for.
void boot_order(struct arena *arena, struct boot *boot, const char *const *const *needs);

// Starts them, at most so many at once, and waits at most so long for one to become healthy.
int boot_run(const struct engine *engine, struct arena *arena, struct boot *boot, size_t most_at_once, int64_t health_ms,
             struct err *err) MUST_CHECK;

// The host goes down: tells all monitors to end their containers, each by its own stop signal and timeout, which is nobody's wish that they
// stay stopped. Waits for all, at most so long.
struct boot_halted {
    size_t count;  // that ran
    size_t left;   // of them, that were told and go on
    size_t untold; // that could not be told, with a warning each
};
int boot_halt(const struct engine *engine, int64_t most_ms, struct boot_halted *ret, struct err *err) MUST_CHECK;

#endif

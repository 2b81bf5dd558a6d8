// health_file: what is known of a container's health, where all commands find it.
//
// Two small files in the container's run-time folder (live.h), each replaced as a whole: `health` with the status and the failures in
// a row, as one line, which lists read for each container; and `health.log` with the last checks, as docker's inspect shows them.
// A container that has ended keeps both in its folder of the store.
#ifndef COFFER_ENGINE_HEALTH_FILE_H
#define COFFER_ENGINE_HEALTH_FILE_H

#include "runtime/base/attr.h"
#include "runtime/engine/health.h"

#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;
struct home;

enum {
    HEALTH_LOG_ENTRIES = 5,
    HEALTH_LOG_BYTES = 4096, // of output, of each check
};

struct health_report {
    enum health_status status; // HEALTH_NONE: it has no check, or has not been started yet
    int64_t streak;            // failures one after the other
    const char *log; // JSON, in the arena: [{"Start": RFC 3339, "End": the same, "ExitCode": -1 past the timeout, "Output": "..."}]
};

// All of it.
int health_file_read(const struct home *home, const char *id, struct arena *arena, struct health_report *ret, struct err *err) MUST_CHECK;

// The status alone: cheap. What cannot be read is HEALTH_NONE.
enum health_status health_file_status(const struct home *home, const char *id);

// --- for who checks ---

struct health_entry {
    int64_t start_ns, end_ns; // since 1970
    int exit_code;
    const char *output;
    size_t output_size; // what is above the bound is left out
};

// Forgets what was, and begins with `starting`. Only for containers with a check.
int health_file_begin(const struct home *home, const char *id, struct err *err) MUST_CHECK;

// Adds a check to the log.
int health_file_log(const struct home *home, const char *id, const struct health_entry *entry, struct err *err) MUST_CHECK;
int health_file_set(const struct home *home, const char *id, enum health_status status, int64_t streak, struct err *err) MUST_CHECK;

// Keeps it for a container that has ended, whose run-time folder goes.
int health_file_keep(const struct home *home, const char *id, struct err *err) MUST_CHECK;

#endif

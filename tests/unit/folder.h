// For tests of files by their paths: a folder of the test's own, and what was warned of meanwhile.
#ifndef COFFER_TESTS_UNIT_FOLDER_H
#define COFFER_TESTS_UNIT_FOLDER_H

#include "tests/unit/check.h"

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/log.h"

#include <stdio.h>

static struct arena arena;
static char folder[] = "/tmp/coffer-unit-test.XXXXXX"; // made by mkdtemp(3) in main
static struct buf warnings;

static inline void warn(enum log_level level, const char *line) {
    (void)level;
    buf_add_string(&warnings, line);
    buf_add_char(&warnings, '\n');
}

static inline const char *path(const char *name) {
    return arena_format(&arena, "%s/%s", folder, name);
}

static inline const char *write_file(const char *name, const char *text) {
    FILE *file = fopen(path(name), "w");
    CHECK(file && fputs(text, file) >= 0);
    if (file) {
        fclose(file);
    }
    return path(name);
}

#endif

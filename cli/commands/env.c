#include "cli/commands/env.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/base/strv.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

enum { ENV_FILE_MAX_BYTES = 1 << 20 };

static void add_variable(struct strv *env, const char *text) {
    if (strchr(text, '=')) {
        strv_add(env, text);
        return;
    }
    const char *value = getenv(text);
    if (value) {
        strv_add_format(env, "%s=%s", text, value);
    }
}

static int read_env_file(struct strv *env, const char *path, struct err *err) {
    AUTO_FREE char *text = NULL;
    size_t size;
    if (fd_read_file(AT_FDCWD, path, ENV_FILE_MAX_BYTES, &text, &size, err) < 0) {
        return err_in(err, "--env-file");
    }
    unsigned number = 0;
    char *rest = text;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
        number++;
        line += strspn(line, " \t");
        line[strcspn(line, "\r")] = '\0';
        if (!*line || *line == '#') {
            continue;
        }
        size_t name = strcspn(line, "=");
        if (name == 0 || strcspn(line, " \t") < name) {
            return err_set(err, ERR_INPUT, "--env-file %s: line %u: expected NAME=VALUE or NAME", path, number);
        }
        add_variable(env, line);
    }
    return 0;
}

int env_fill(const struct strv *files, const struct strv *options, struct strv *env, struct err *err) {
    for (size_t i = 0; i < files->count; i++) {
        if (read_env_file(env, files->items[i], err) < 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < options->count; i++) {
        const char *text = options->items[i];
        if (!*text || *text == '=') {
            return err_set(err, ERR_INPUT, "--env \"%s\": expected NAME=VALUE or NAME", text);
        }
        add_variable(env, text);
    }
    return 0;
}

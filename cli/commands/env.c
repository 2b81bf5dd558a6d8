#include "cli/commands/env.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/base/strv.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MAX_BYTES = 1 << 20 };

// What differs between the two.
struct kind {
    const char *flag, *file_flag;
    void (*add)(struct strv *list, const char *text);
};

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

static void add_label(struct strv *labels, const char *text) {
    AUTO_FREE char *label = mem_format("%s%s", text, strchr(text, '=') ? "" : "=");
    strv_set_env(labels, label);
}

static int read_file(const struct kind *kind, struct strv *list, const char *path, struct err *err) {
    AUTO_FREE char *text = NULL;
    size_t size;
    if (fd_read_file(AT_FDCWD, path, FILE_MAX_BYTES, &text, &size, err) < 0) {
        return err_in(err, "%s", kind->file_flag);
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
            return err_set(err, ERR_INPUT, "%s %s: line %u: expected NAME=VALUE or NAME", kind->file_flag, path, number);
        }
        kind->add(list, line);
    }
    return 0;
}

static int fill(const struct kind *kind, const struct strv *files, const struct strv *options, struct strv *list, struct err *err) {
    for (size_t i = 0; i < files->count; i++) {
        if (read_file(kind, list, files->items[i], err) < 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < options->count; i++) {
        const char *text = options->items[i];
        if (!*text || *text == '=') {
            return err_set(err, ERR_INPUT, "%s \"%s\": expected NAME=VALUE or NAME", kind->flag, text);
        }
        kind->add(list, text);
    }
    return 0;
}

int env_fill(const struct strv *files, const struct strv *options, struct strv *env, struct err *err) {
    static const struct kind kind = {"--env", "--env-file", add_variable};
    return fill(&kind, files, options, env, err);
}

int labels_fill(const struct strv *files, const struct strv *options, struct strv *labels, struct err *err) {
    static const struct kind kind = {"--label", "--label-file", add_label};
    return fill(&kind, files, options, labels, err);
}

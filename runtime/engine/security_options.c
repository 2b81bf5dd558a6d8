#include "runtime/engine/security_options.h"

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/strv.h"

#include <string.h>
#include <strings.h>

static int take_no_new_privileges(struct arena *arena, const char *value, struct security_options *options, struct err *err) {
    (void)arena;
    if (*value && strcmp(value, "true") != 0 && strcmp(value, "false") != 0) {
        return err_set(err, ERR_INPUT, "--security-opt no-new-privileges: expected true or false, found \"%s\"", value);
    }
    options->no_new_privileges = strcmp(value, "false") != 0;
    return 0;
}

static int take_seccomp(struct arena *arena, const char *value, struct security_options *options, struct err *err) {
    (void)arena;
    options->seccomp = value;
    return *value ? 0 : err_set(err, ERR_INPUT, "--security-opt seccomp: expected seccomp=FILE, seccomp=unconfined or seccomp=default");
}

static int take_apparmor(struct arena *arena, const char *value, struct security_options *options, struct err *err) {
    (void)arena;
    options->apparmor = value;
    return *value ? 0 : err_set(err, ERR_INPUT, "--security-opt apparmor: expected apparmor=PROFILE or apparmor=unconfined");
}

static int take_label(struct arena *arena, const char *value, struct security_options *options, struct err *err) {
    (void)arena;
    (void)options;
    return strcmp(value, "disable") == 0
               ? 0
               : err_set(err, ERR_UNSUPPORTED, "--security-opt label=%s: containers get no SELinux label; leave it out, or say label=disable",
                         value);
}

static int take_systempaths(struct arena *arena, const char *value, struct security_options *options, struct err *err) {
    (void)arena;
    options->all_paths = true;
    return strcmp(value, "unconfined") == 0
               ? 0
               : err_set(err, ERR_INPUT, "--security-opt systempaths: expected unconfined, found \"%s\"", value);
}

static int add_paths(struct arena *arena, const char *name, const char *value, struct security_paths *paths, struct err *err) {
    size_t count = paths->count + 1;
    for (const char *at = value; *at; at++) {
        count += *at == ':';
    }
    const char **items = arena_array(arena, count, sizeof(*items));
    if (paths->count > 0) {
        memcpy(items, paths->items, paths->count * sizeof(*items));
    }
    paths->items = items;
    char *rest = arena_copy_string(arena, value);
    for (char *path = strsep(&rest, ":"); path; path = strsep(&rest, ":")) {
        bool all = strcmp(name, "unmask") == 0 && strcasecmp(path, "all") == 0;
        if (path[0] != '/' && !all) {
            return err_set(err, ERR_INPUT, "--security-opt %s: expected absolute paths with colons between them, found \"%s\"", name, value);
        }
        paths->items[paths->count++] = path;
    }
    return 0;
}

static int take_mask(struct arena *arena, const char *value, struct security_options *options, struct err *err) {
    return add_paths(arena, "mask", value, &options->mask, err);
}

static int take_unmask(struct arena *arena, const char *value, struct security_options *options, struct err *err) {
    return add_paths(arena, "unmask", value, &options->unmask, err);
}

static const struct security_option {
    const char *name;
    int (*take)(struct arena *arena, const char *value, struct security_options *options, struct err *err);
} known[] = {
    {"no-new-privileges", take_no_new_privileges},
    {"seccomp", take_seccomp},
    {"apparmor", take_apparmor},
    {"label", take_label},
    {"systempaths", take_systempaths},
    {"mask", take_mask},
    {"unmask", take_unmask},
};

// "name", "name=value" or, as docker once had it, "name:value".
static int take(const char *word, struct arena *arena, struct security_options *options, struct err *err) {
    size_t length = strcspn(word, "=:");
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (strlen(known[i].name) == length && strncmp(known[i].name, word, length) == 0) {
            return known[i].take(arena, word[length] ? word + length + 1 : "", options, err);
        }
    }
    return err_set(err, ERR_INPUT,
                   "--security-opt %s: expected no-new-privileges, seccomp=, apparmor=, label=disable, systempaths=unconfined, mask= or unmask=",
                   word);
}

int security_options_read(const struct strv *words, struct arena *arena, struct security_options *ret, struct err *err) {
    *ret = (struct security_options){0};
    for (size_t i = 0; i < words->count; i++) {
        if (take(words->items[i], arena, ret, err) < 0) {
            return -1;
        }
    }
    return 0;
}

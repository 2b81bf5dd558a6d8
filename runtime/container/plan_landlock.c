// Landlock by annotations of config.json:
//
//     run.coffer.landlock.ro            paths in the container, colons between: below them files and directories may be read,
//     run.coffer.landlock.rx            and programs executed, too,
//     run.coffer.landlock.rw            or all be read and changed, but nothing executed
//     run.coffer.landlock.tcp.bind      TCP ports, commas between, that may be bound to
//     run.coffer.landlock.tcp.connect   and connected to
//     run.coffer.landlock.required      "false": a host that cannot do it is no error, but a warning
//
// One of the first three denies all other files, each of the next two all other ports; an empty one allows nothing. A path that is
// listed twice has the rights of both. What is not named stays as it was.
#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/container/plan.h"
#include "runtime/kernel/landlock.h"
#include "specs/oci_config.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

static const char prefix[] = "run.coffer.landlock.";

enum { RULES_MAX = 1024, PORT_MAX = 65535 };

static const uint64_t reading = LANDLOCK_READ_FILE | LANDLOCK_READ_DIR;

static const struct key {
    const char *name;
    uint64_t file_rights;
    uint64_t tcp_rights;
} keys[] = {
    {"ro", reading, 0},
    {"rx", reading | LANDLOCK_EXECUTE, 0},
    {"rw", reading | LANDLOCK_WRITE_FILE | LANDLOCK_CHANGE_DIR | LANDLOCK_REFER | LANDLOCK_TRUNCATE | LANDLOCK_IOCTL_DEVICE, 0},
    {"tcp.bind", 0, LANDLOCK_BIND_TCP},
    {"tcp.connect", 0, LANDLOCK_CONNECT_TCP},
    {"required", 0, 0},
};

static int wrong(const struct text_pair *annotation, const char *expected, const char *found, struct err *err) {
    return err_set(err, ERR_INPUT, "config.json: annotations: %.64s: expected %s, found \"%.256s\"", annotation->name, expected, found);
}

static const struct key *find_key(const char *annotation) {
    const char *name = annotation + strlen(prefix);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (strcmp(keys[i].name, name) == 0) {
            return &keys[i];
        }
    }
    return NULL;
}

static bool read_port(const char *text, uint64_t *ret) {
    size_t length = strlen(text);
    if (length == 0 || length > 5 || strspn(text, "0123456789") != length) {
        return false;
    }
    *ret = strtoul(text, NULL, 10);
    return *ret <= PORT_MAX;
}

static int add_rule(const struct text_pair *annotation, const struct key *key, const char *item, struct plan_landlock *to, struct err *err) {
    struct plan_landlock_rule rule = {.annotation = annotation->name, .rights = key->file_rights | key->tcp_rights};
    if (key->tcp_rights && !read_port(item, &rule.port)) {
        return wrong(annotation, "ports up to 65535 with commas between", item, err);
    }
    if (key->file_rights && (item[0] != '/' || strlen(item) >= PATH_MAX)) {
        return wrong(annotation, "absolute paths with colons between", item, err);
    }
    if (to->rule_count == RULES_MAX) {
        return err_set(err, ERR_INPUT, "config.json: annotations: %s: there are more than %d Landlock rules; name directories that hold the rest",
                       annotation->name, RULES_MAX);
    }
    rule.path = key->file_rights ? item : NULL;
    to->rules[to->rule_count++] = rule;
    return 0;
}

static int add_rules(const struct text_pair *annotation, const struct key *key, struct arena *arena, struct plan_landlock *to,
                     struct err *err) {
    const char *at = annotation->value;
    const char separator = key->file_rights ? ':' : ',';
    while (*at) {
        const char *end = strchr(at, separator);
        size_t length = end ? (size_t)(end - at) : strlen(at);
        if (add_rule(annotation, key, arena_copy(arena, at, length), to, err) < 0) {
            return -1;
        }
        at += length;
        if (end && *++at == '\0') {
            return add_rule(annotation, key, "", to, err); // which says what is missing behind the last separator
        }
    }
    return 0;
}

// What the kernel cannot do of an annotation, NULL when it can.
static const char *find_lack(const struct key *key, int version) {
    if (version == 0) {
        return "this kernel has no Landlock, or it is off (see lsm= of its command line)";
    }
    return key->tcp_rights && version < LANDLOCK_TCP_VERSION ? "this kernel's Landlock knows nothing of TCP ports (Linux 6.7 does)" : NULL;
}

static bool is_ours(const struct text_pair *annotation) {
    return strncmp(annotation->name, prefix, strlen(prefix)) == 0;
}

// The first that the host lacks something for is the error; with required=false each is told.
static int tell_lacks(const struct oci_config *config, int version, bool required, struct err *err) {
    for (size_t i = 0; i < config->annotations_count; i++) {
        const struct text_pair *annotation = &config->annotations[i];
        const struct key *key = is_ours(annotation) ? find_key(annotation->name) : NULL;
        const char *lack = key && (key->file_rights || key->tcp_rights) ? find_lack(key, version) : NULL;
        if (lack && required) {
            return err_set(err, ERR_UNSUPPORTED, "config.json: annotations: %s: %s; to run without it set %srequired to \"false\"",
                           annotation->name, lack, prefix);
        }
        if (lack) {
            log_warn("annotation %s is not applied: %s", annotation->name, lack);
        }
    }
    return 0;
}

static int read_required(const struct text_pair *annotation, bool *ret, struct err *err) {
    *ret = strcmp(annotation->value, "true") == 0;
    return *ret || strcmp(annotation->value, "false") == 0 ? 0 : wrong(annotation, "true or false", annotation->value, err);
}

static int read_annotation(const struct text_pair *annotation, struct arena *arena, struct plan_landlock *to, bool *required,
                           struct err *err) {
    const struct key *key = find_key(annotation->name);
    if (!key) {
        return err_set(err, ERR_INPUT, "config.json: annotations: %.128s: expected ro, rx, rw, tcp.bind, tcp.connect or required behind %s",
                       annotation->name, prefix);
    }
    if (!key->file_rights && !key->tcp_rights) {
        return read_required(annotation, required, err);
    }
    to->file_rights |= key->file_rights ? UINT64_MAX : 0;
    to->tcp_rights |= key->tcp_rights;
    return add_rules(annotation, key, arena, to, err);
}

// All are read, whatever the host can do: a mistake is one everywhere.
int container_plan_landlock_rules(const struct oci_config *config, int version, struct arena *arena, struct plan_landlock *to,
                                  struct err *err) {
    struct plan_landlock found = {.rules = arena_array(arena, RULES_MAX, sizeof(*found.rules))};
    bool required = true;
    for (size_t i = 0; i < config->annotations_count; i++) {
        const struct text_pair *annotation = &config->annotations[i];
        if (is_ours(annotation) && read_annotation(annotation, arena, &found, &required, err) < 0) {
            return -1;
        }
    }
    if (tell_lacks(config, version, required, err) < 0) {
        return -1;
    }
    found.file_rights &= landlock_file_rights(version);
    found.tcp_rights = version < LANDLOCK_TCP_VERSION ? 0 : found.tcp_rights;
    *to = found;
    return 0;
}

int container_plan_landlock(const struct oci_config *config, struct arena *arena, struct plan_landlock *to, struct err *err) {
    for (size_t i = 0; i < config->annotations_count; i++) {
        if (is_ours(&config->annotations[i])) {
            return container_plan_landlock_rules(config, landlock_version(), arena, to, err);
        }
    }
    return 0;
}

#include "runtime/engine/log_options.h"

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/quantity.h"
#include "runtime/base/quote.h"
#include "runtime/base/strv.h"

#include <limits.h>
#include <stdbool.h>
#include <string.h>

static const char *const driver_names[] = {
    [LOG_DRIVER_K8S_FILE] = "k8s-file",
    [LOG_DRIVER_JSON_FILE] = "json-file",
    [LOG_DRIVER_JOURNALD] = "journald",
    [LOG_DRIVER_NONE] = "none",
};

_Static_assert(ARRAY_LEN(driver_names) == LOG_DRIVER_COUNT, "a name for each driver");

enum { SHORT_ID = 12, NAME_ROOM = NAME_MAX - 12 }; // behind a file's name there is room for ".500" and ".new"

const char *log_driver_name(enum log_driver driver) {
    return driver_names[driver];
}

static int parse_driver(const char *text, enum log_driver *ret, struct err *err) {
    char quoted[QUOTE_SIZE];
    if (!text || strcmp(text, "local") == 0) {
        *ret = LOG_DRIVER_K8S_FILE;
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(driver_names); i++) {
        if (strcmp(text, driver_names[i]) == 0) {
            *ret = (enum log_driver)i;
            return 0;
        }
    }
    return err_set(err, ERR_INPUT, "--log-driver: expected k8s-file, json-file, journald or none, found %s",
                   quote_text(text, quoted));
}

// --- tags ---

static const char *after_colon(const char *text) {
    const char *colon = strchr(text, ':');
    return colon ? colon + 1 : text;
}

// As docker names them; the text for an owner, and how much of it is shown (0: all).
static const struct tag_field {
    const char *name;
    size_t offset; // of its member of struct log_owner
    unsigned cut;
    bool is_digest; // its algorithm does not belong to a short form
} tag_fields[] = {
    {"{{.ID}}", offsetof(struct log_owner, id), SHORT_ID, false},
    {"{{.FullID}}", offsetof(struct log_owner, id), 0, false},
    {"{{.Name}}", offsetof(struct log_owner, name), 0, false},
    {"{{.ImageName}}", offsetof(struct log_owner, image), 0, false},
    {"{{.ImageID}}", offsetof(struct log_owner, image_id), SHORT_ID, true},
    {"{{.ImageFullID}}", offsetof(struct log_owner, image_id), 0, false},
};

static const struct tag_field *field_at(const char *text) {
    for (size_t i = 0; i < ARRAY_LEN(tag_fields); i++) {
        if (strncmp(text, tag_fields[i].name, strlen(tag_fields[i].name)) == 0) {
            return &tag_fields[i];
        }
    }
    return NULL;
}

static const char *field_text(const struct tag_field *field, const struct log_owner *owner) {
    const char *text = *(const char *const *)((const char *)owner + field->offset);
    return !text ? "" : field->is_digest ? after_colon(text) : text;
}

const char *log_options_tag(const struct log_options *options, const struct log_owner *owner, struct arena *arena) {
    AUTO_BUF struct buf tag = {0};
    const char *at = options->tag ? options->tag : "{{.Name}}";
    while (*at) {
        const struct tag_field *field = field_at(at);
        if (!field) {
            buf_add_char(&tag, *at++);
            continue;
        }
        const char *text = field_text(field, owner);
        buf_add(&tag, text, field->cut ? strnlen(text, field->cut) : strlen(text));
        at += strlen(field->name);
    }
    return arena_copy(arena, buf_string(&tag), tag.size < LOG_TAG_SIZE ? tag.size : LOG_TAG_SIZE - 1);
}

// --- options ---

static int set_size(struct log_options *options, const char *value, struct err *err) {
    char quoted[QUOTE_SIZE];
    int64_t bytes;
    if (quantity_bytes(value, &bytes) < 0 || bytes == 0) {
        return err_set(err, ERR_INPUT, "--log-opt max-size: expected a size such as 10m, or -1 for no limit, found %s",
                       quote_text(value, quoted));
    }
    options->max_size_bytes = bytes < 0 ? 0 : bytes;
    return 0;
}

static int set_files(struct log_options *options, const char *value, struct err *err) {
    char quoted[QUOTE_SIZE];
    int64_t count;
    if (quantity_int(value, &count) < 0 || count < 1 || count > LOG_MOST_FILES) {
        return err_set(err, ERR_INPUT, "--log-opt max-file: expected a number from 1 to %d, found %s", LOG_MOST_FILES,
                       quote_text(value, quoted));
    }
    options->max_files = (int)count;
    return 0;
}

static int set_path(struct log_options *options, const char *value, struct err *err) {
    char quoted[QUOTE_SIZE];
    const char *name = strrchr(value, '/');
    if (value[0] != '/' || !name[1] || strcmp(name, "/.") == 0 || strcmp(name, "/..") == 0 || strlen(name + 1) > NAME_ROOM ||
        strlen(value) >= PATH_MAX) {
        return err_set(err, ERR_INPUT, "--log-opt path: expected the absolute path of a file, found %s", quote_text(value, quoted));
    }
    options->path = value;
    return 0;
}

static int set_tag(struct log_options *options, const char *value, struct err *err) {
    char quoted[QUOTE_SIZE];
    for (const char *at = value; *at; at++) {
        const struct tag_field *field = field_at(at);
        if ((unsigned char)*at < ' ' || *at == 0x7f) {
            return err_set(err, ERR_INPUT, "--log-opt tag: expected no control characters, found %s", quote_text(value, quoted));
        }
        if (at[0] == '{' && at[1] == '{' && !field) {
            return err_set(
                err, ERR_INPUT,
                "--log-opt tag: expected {{.ID}}, {{.FullID}}, {{.Name}}, {{.ImageName}}, {{.ImageID}} or {{.ImageFullID}}, "
                "found %s",
                quote_text(at, quoted));
        }
        at += field ? strlen(field->name) - 1 : 0;
    }
    options->tag = value;
    return 0;
}

enum { OF_K8S_FILE = 1 << LOG_DRIVER_K8S_FILE, OF_JSON_FILE = 1 << LOG_DRIVER_JSON_FILE, OF_JOURNALD = 1 << LOG_DRIVER_JOURNALD };

static const struct {
    const char *name;
    unsigned drivers; // that know it
    int (*set)(struct log_options *options, const char *value, struct err *err);
} rows[] = {
    {"max-size", OF_K8S_FILE | OF_JSON_FILE, set_size},
    {"max-file", OF_K8S_FILE | OF_JSON_FILE, set_files},
    {"path", OF_K8S_FILE | OF_JSON_FILE, set_path},
    {"tag", OF_JSON_FILE | OF_JOURNALD, set_tag},
};

static int unknown(enum log_driver driver, const char *name, struct err *err) {
    char quoted[QUOTE_SIZE];
    AUTO_BUF struct buf known = {0};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].drivers >> driver & 1) {
            buf_add_format(&known, "%s%s", known.size ? ", " : "", rows[i].name);
        }
    }
    return err_set(err, ERR_INPUT, "--log-opt: expected %s of the log driver %s, found %s", known.size ? known.data : "no option",
                   driver_names[driver], quote_text(name, quoted));
}

static int parse_option(struct arena *arena, const char *text, struct log_options *options, struct err *err) {
    char quoted[QUOTE_SIZE];
    const char *equals = strchr(text, '=');
    if (!equals || equals == text) {
        return err_set(err, ERR_INPUT, "--log-opt: expected NAME=VALUE, found %s", quote_text(text, quoted));
    }
    const char *name = arena_copy(arena, text, (size_t)(equals - text));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (strcmp(name, rows[i].name) == 0 && rows[i].drivers >> options->driver & 1) {
            return rows[i].set(options, arena_copy_string(arena, equals + 1), err);
        }
    }
    return unknown(options->driver, name, err);
}

int log_options_parse(struct arena *arena, const char *driver, const struct strv *options, struct log_options *ret,
                      struct err *err) {
    struct log_options parsed = {.max_size_bytes = LOG_DEFAULT_SIZE_BYTES, .max_files = LOG_DEFAULT_FILES};
    if (parse_driver(driver, &parsed.driver, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < options->count; i++) {
        if (parse_option(arena, options->items[i], &parsed, err) < 0) {
            return -1;
        }
    }
    *ret = parsed;
    return 0;
}

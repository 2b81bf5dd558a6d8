#include "cli/template.h"

#include "cli/output.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "specs/json.h"

#include <stdlib.h>
#include <string.h>

enum verb { VERB_NONE, VERB_JSON, VERB_INDEX, VERB_LEN };

static const struct json_name verbs[] = {{"json", VERB_JSON}, {"index", VERB_INDEX}, {"len", VERB_LEN}, {NULL, 0}};

// The words between {{ and }}.
struct action {
    char *words[4];
    size_t count;
};

static int wrong(const char *text, const char *why, struct err *err) {
    return err_set(err, ERR_INPUT, "--format: {{%s}}: %s", text, why);
}

static void add_go(struct buf *buf, const json_t *value);

static void add_go_object(struct buf *buf, const json_t *object) {
    json_t *copy = json_copy((json_t *)(uintptr_t)object); // foreach wants it writable
    const char *name, *separator = "";
    json_t *member;
    buf_add_string(buf, "map[");
    json_object_foreach(copy, name, member) {
        buf_add_format(buf, "%s%s:", separator, name);
        add_go(buf, member);
        separator = " ";
    }
    buf_add_char(buf, ']');
    json_decref(copy);
}

// A value as Go prints it with %v.
static void add_go(struct buf *buf, const json_t *value) {
    switch (json_typeof(value)) {
    case JSON_STRING:
        buf_add_string(buf, json_string_value(value));
        break;
    case JSON_INTEGER:
        buf_add_format(buf, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        break;
    case JSON_REAL:
        buf_add_format(buf, "%g", json_real_value(value));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        buf_add_string(buf, json_is_true(value) ? "true" : "false");
        break;
    case JSON_NULL:
        buf_add_string(buf, "<nil>");
        break;
    case JSON_ARRAY:
        buf_add_char(buf, '[');
        for (size_t i = 0; i < json_array_size(value); i++) {
            buf_add_string(buf, i ? " " : "");
            add_go(buf, json_array_get(value, i));
        }
        buf_add_char(buf, ']');
        break;
    case JSON_OBJECT:
        add_go_object(buf, value);
        break;
    }
}

static void add_json(struct buf *buf, const json_t *value) {
    if (json_print(value, JSON_COMPACT | JSON_ENCODE_ANY, buf) < 0) {
        buf_add_string(buf, "null");
    }
}

static int unknown_name(const char *text, const char *name, const json_t *object, struct err *err) {
    if (!json_is_object(object)) {
        return wrong(text, "only objects have members", err);
    }
    AUTO_BUF struct buf names = {0};
    json_t *copy = json_copy((json_t *)(uintptr_t)object);
    const char *known;
    json_t *member;
    json_object_foreach(copy, known, member) {
        buf_add_format(&names, "%s%s", names.size > 0 ? ", " : "", known);
    }
    json_decref(copy);
    return err_set(err, ERR_INPUT, "--format: {{%s}}: expected one of %s, found \"%s\"", text, buf_string(&names), name);
}

// ".Config.Cmd" from the root down; "." is the root.
static const json_t *find_path(const char *text, const char *path, const json_t *root, struct err *err) {
    if (path[0] != '.') {
        (void)wrong(text, "expected a name that begins with a point, such as .Id", err);
        return NULL;
    }
    AUTO_FREE char *copy = mem_copy_string(path + 1);
    char *rest = *copy ? copy : NULL;
    for (char *name; root && rest && (name = strsep(&rest, "."));) {
        const json_t *member = json_object_get(root, name);
        if (!member) {
            (void)unknown_name(text, name, root, err);
            return NULL;
        }
        root = member;
    }
    return root;
}

// {{index .List 0}}, {{index .Object "name"}}
static const json_t *find_index(const char *text, const struct action *action, const json_t *root, struct err *err) {
    const json_t *value = find_path(text, action->words[1], root, err), *item = NULL;
    char *key = action->words[2];
    if (!value) {
        return NULL;
    }
    if (json_is_array(value) && strspn(key, "0123456789") == strlen(key)) {
        item = json_array_get(value, strtoul(key, NULL, 10));
    } else if (json_is_object(value)) {
        size_t length = strlen(key);
        bool quoted = length >= 2 && key[0] == '"' && key[length - 1] == '"';
        AUTO_FREE char *name = mem_format("%.*s", (int)(quoted ? length - 2 : length), key + quoted);
        item = json_object_get(value, name);
    }
    if (!item) {
        (void)wrong(text, "there is no such item", err);
    }
    return item;
}

static int add_action(const char *text, const struct action *action, const json_t *root, struct buf *buf, struct err *err) {
    int64_t verb = action->words[0][0] == '.' ? VERB_NONE : json_value_of(verbs, action->words[0]);
    size_t wanted = verb == VERB_NONE ? 1 : verb == VERB_INDEX ? 3 : 2;
    if (verb < 0 || action->count != wanted) {
        return wrong(text, "expected .NAME, json .NAME, index .NAME KEY or len .NAME", err);
    }
    const json_t *value =
        verb == VERB_INDEX ? find_index(text, action, root, err) : find_path(text, action->words[wanted - 1], root, err);
    if (!value) {
        return -1;
    }
    if (verb == VERB_JSON) {
        add_json(buf, value);
    } else if (verb == VERB_LEN) {
        size_t length = json_is_string(value)   ? json_string_length(value)
                        : json_is_object(value) ? json_object_size(value)
                                                : json_array_size(value);
        buf_add_format(buf, "%zu", length);
    } else {
        add_go(buf, value);
    }
    return 0;
}

// Reads the action behind {{ and moves on behind its }}.
static int take_action(const char **at, const json_t *root, struct buf *buf, struct err *err) {
    const char *close = strstr(*at, "}}");
    if (!close) {
        return err_set(err, ERR_INPUT, "--format: expected }} behind \"{{%s\"", *at);
    }
    AUTO_FREE char *text = mem_format("%.*s", (int)(close - *at), *at);
    AUTO_FREE char *copy = mem_copy_string(text);
    struct action action = {0};
    char *rest = copy;
    for (char *word; (word = strsep(&rest, " "));) {
        if (*word && action.count == ARRAY_LEN(action.words)) {
            return wrong(text, "has too many words", err);
        }
        if (*word) {
            action.words[action.count++] = word;
        }
    }
    *at = close + 2;
    return action.count == 0 ? wrong(text, "is empty", err) : add_action(text, &action, root, buf, err);
}

int template_format(const char *template, const json_t *document, struct buf *buf, struct err *err) {
    for (const char *at = template; *at;) {
        if (strncmp(at, "{{", 2) == 0) {
            at += 2;
            if (take_action(&at, document, buf, err) < 0) {
                return -1;
            }
        } else if (at[0] == '\\' && (at[1] == 'n' || at[1] == 't')) {
            buf_add_char(buf, at[1] == 'n' ? '\n' : '\t');
            at += 2;
        } else {
            buf_add_char(buf, *at++);
        }
    }
    buf_add_char(buf, '\n');
    return 0;
}

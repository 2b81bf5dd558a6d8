#include "runtime/container/systemd_properties.h"

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/quantity.h"
#include "specs/values.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char prefix[] = "org.systemd.property.";

enum { LIST_MAX = 1024, NAME_LEAST = 3, US_DIGITS = 6 };

static int wrong(const struct text_pair *annotation, const char *expected, struct err *err) {
    return err_set(err, ERR_INPUT, "config.json: annotations: %.128s: \"%.128s\" is not %s", annotation->name, annotation->value, expected);
}

static bool begins(const char *text, const char *word) {
    return strncmp(text, word, strlen(word)) == 0;
}

static const char *skip_blanks(const char *text) {
    return text + strspn(text, " \t");
}

// 'text' or "text", with a backslash in front of what is meant as it stands. NULL when it is no such thing; *at is moved behind it.
static const char *take_quoted(const char **at, struct arena *arena) {
    char quote = **at;
    if (quote != '\'' && quote != '"') {
        return NULL;
    }
    char *text = arena_alloc(arena, strlen(*at));
    size_t size = 0;
    for (const char *from = *at + 1; *from; from++) {
        if (*from == quote) {
            *at = from + 1;
            return text;
        }
        from += *from == '\\' && from[1];
        text[size++] = *from;
    }
    return NULL;
}

static int add_text(const struct text_pair *annotation, const char *name, const char *value, struct systemd_properties *list,
                    struct err *err) {
    const char *text = take_quoted(&value, list->arena);
    if (!text || *skip_blanks(value)) {
        return wrong(annotation, "a text in quotes", err);
    }
    systemd_add(list, name, "s")->text = text;
    return 0;
}

static int add_texts(const struct text_pair *annotation, const char *name, const char *value, struct systemd_properties *list,
                     struct err *err) {
    const char **items = arena_array(list->arena, LIST_MAX, sizeof(*items));
    size_t count = 0;
    const char *at = skip_blanks(value + 1);
    while (*at != ']') {
        const char *item = count < LIST_MAX ? take_quoted(&at, list->arena) : NULL;
        at = skip_blanks(at);
        if (!item || (*at != ',' && *at != ']')) {
            return wrong(annotation, "a list of texts, as in ['a', 'b']", err);
        }
        items[count++] = item;
        at = *at == ',' ? skip_blanks(at + 1) : at;
    }
    if (*skip_blanks(at + 1)) {
        return wrong(annotation, "a list of texts, as in ['a', 'b']", err);
    }
    struct systemd_property *property = systemd_add(list, name, "as");
    property->items = items;
    property->count = count;
    return 0;
}

// A number that fits its type. strtoull() takes a minus, which no unsigned number has here.
static bool take_number(const char *text, char type, uint64_t *ret) {
    char *end;
    errno = 0;
    if (type == 't' || type == 'u') {
        unsigned long long value = strtoull(text, &end, 10);
        *ret = value;
        return strchr("0123456789", *text) && *text && !*end && errno == 0 && (type == 't' || value <= UINT32_MAX);
    }
    long long value = strtoll(text, &end, 10);
    *ret = (uint64_t)value;
    return end > text && !*end && errno == 0 && (type == 'x' || (value >= INT32_MIN && value <= INT32_MAX));
}

static int add_number(const struct text_pair *annotation, const char *name, const char *value, bool seconds,
                      struct systemd_properties *list, struct err *err) {
    static const struct {
        const char *word;
        const char *type;
    } types[] = {{"uint64 ", "t"}, {"int64 ", "x"}, {"uint32 ", "u"}, {"int32 ", "i"}};
    const char *type = "i"; // GVariant's own rule for a bare number
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (begins(value, types[i].word)) {
            type = types[i].type;
            value = skip_blanks(value + strlen(types[i].word));
            break;
        }
    }
    // Times are numbers of microseconds, 64 bits wide, whatever type was written.
    int64_t time;
    if (seconds) {
        if (quantity_decimal(value, US_DIGITS, &time) < 0) {
            return wrong(annotation, "a number of seconds", err);
        }
        systemd_add(list, name, "t")->number = (uint64_t)time;
        return 0;
    }
    uint64_t number;
    if (!take_number(value, *type, &number)) {
        return wrong(annotation, "a value such as true, 'text', ['a', 'b'], 5, uint64 5, int64 5, uint32 5 or int32 5", err);
    }
    systemd_add(list, name, type)->number = number;
    return 0;
}

static int add_annotation(const struct text_pair *annotation, struct systemd_properties *list, struct err *err) {
    const char *name = annotation->name + sizeof(prefix) - 1, *value = skip_blanks(annotation->value);
    size_t size = strlen(name);
    if (size < NAME_LEAST || strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") != size) {
        return err_set(err, ERR_INPUT, "config.json: annotations: %.128s: a property's name is at least %d letters", annotation->name,
                       NAME_LEAST);
    }
    // Documented in seconds, set in microseconds.
    bool seconds = size > 4 && strcmp(name + size - 3, "Sec") == 0 && name[size - 4] != 'U';
    if (seconds) {
        name = arena_format(list->arena, "%.*sUSec", (int)(size - 3), name);
    }
    if (strcmp(value, "true") == 0 || strcmp(value, "false") == 0) {
        systemd_add(list, name, "b")->number = *value == 't';
        return 0;
    }
    if (*value == '\'' || *value == '"') {
        return add_text(annotation, name, value, list, err);
    }
    return *value == '[' ? add_texts(annotation, name, value, list, err) : add_number(annotation, name, value, seconds, list, err);
}

int systemd_add_annotations(const struct text_pair *annotations, size_t count, struct systemd_properties *list, struct err *err) {
    for (size_t i = 0; i < count; i++) {
        if (begins(annotations[i].name, prefix) && add_annotation(&annotations[i], list, err) < 0) {
            return -1;
        }
    }
    return 0;
}

// What templates can do with a value: docker's functions, and those of Go's text/template.
#include "cli/template_tree.h"

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "specs/json.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

// --- values ---

bool template_is_true(const json_t *value) {
    return json_is_string(value)    ? json_string_length(value) > 0
           : json_is_array(value)   ? json_array_size(value) > 0
           : json_is_object(value)  ? json_object_size(value) > 0
           : json_is_integer(value) ? json_integer_value(value) != 0
           : json_is_real(value)    ? json_real_value(value) > 0 || json_real_value(value) < 0
                                    : json_is_true(value);
}

static void add_object(struct buf *buf, const json_t *object) {
    json_t *copy = json_copy((json_t *)(uintptr_t)object); // foreach wants it writable
    const char *name, *separator = "";
    json_t *member;
    buf_add_string(buf, "map[");
    json_object_foreach(copy, name, member) {
        buf_add_format(buf, "%s%s:", separator, name);
        template_add_value(buf, member);
        separator = " ";
    }
    buf_add_char(buf, ']');
    json_decref(copy);
}

void template_add_value(struct buf *buf, const json_t *value) {
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
            template_add_value(buf, json_array_get(value, i));
        }
        buf_add_char(buf, ']');
        break;
    case JSON_OBJECT:
        add_object(buf, value);
        break;
    }
}

static json_t *from_buf(const struct buf *buf) {
    return json_stringn(buf->data ? buf->data : "", buf->size);
}

// --- functions ---

static json_t *call_json(const char *text, const json_t *const *args, size_t count, struct err *err) {
    AUTO_BUF struct buf buf = {0};
    (void)text, (void)count, (void)err;
    if (json_print(args[0], JSON_COMPACT | JSON_ENCODE_ANY, &buf) < 0) {
        buf_add_string(&buf, "null");
    }
    return from_buf(&buf);
}

static json_t *call_len(const char *text, const json_t *const *args, size_t count, struct err *err) {
    const json_t *value = args[0];
    (void)text, (void)count, (void)err;
    return json_integer((json_int_t)(json_is_string(value)   ? json_string_length(value)
                                     : json_is_object(value) ? json_object_size(value)
                                                             : json_array_size(value)));
}

// A list by a number, an object by a name: where that is not there, nothing, as of Go's maps.
static json_t *call_index(const char *text, const json_t *const *args, size_t count, struct err *err) {
    const json_t *value = args[0];
    for (size_t i = 1; i < count; i++) {
        if (json_is_array(value) && json_is_integer(args[i])) {
            json_int_t at = json_integer_value(args[i]);
            value = at < 0 ? NULL : json_array_get(value, (size_t)at);
        } else if (json_is_object(value) && json_is_string(args[i])) {
            const json_t *member = json_object_get(value, json_string_value(args[i]));
            value = member || i + 1 < count ? member : args[count]; // behind the last stands ""
        } else {
            value = NULL;
        }
        if (!value) {
            (void)template_wrong(text, "there is no such item", err);
            return NULL;
        }
    }
    return json_incref((json_t *)(uintptr_t)value);
}

static json_t *in_case(const json_t *value, int (*convert)(int)) {
    AUTO_BUF struct buf buf = {0};
    template_add_value(&buf, value);
    for (size_t i = 0; i < buf.size; i++) {
        buf.data[i] = (char)convert((unsigned char)buf.data[i]);
    }
    return from_buf(&buf);
}

static json_t *call_lower(const char *text, const json_t *const *args, size_t count, struct err *err) {
    (void)text, (void)count, (void)err;
    return in_case(args[0], tolower);
}

static json_t *call_upper(const char *text, const json_t *const *args, size_t count, struct err *err) {
    (void)text, (void)count, (void)err;
    return in_case(args[0], toupper);
}

static json_t *call_title(const char *text, const json_t *const *args, size_t count, struct err *err) {
    AUTO_BUF struct buf buf = {0};
    (void)text, (void)count, (void)err;
    template_add_value(&buf, args[0]);
    for (size_t i = 0; i < buf.size; i++) {
        if (i == 0 || buf.data[i - 1] == ' ') {
            buf.data[i] = (char)toupper((unsigned char)buf.data[i]);
        }
    }
    return from_buf(&buf);
}

static json_t *call_join(const char *text, const json_t *const *args, size_t count, struct err *err) {
    AUTO_BUF struct buf buf = {0};
    (void)count;
    if (!json_is_array(args[0]) || !json_is_string(args[1])) {
        (void)template_wrong(text, "join: expected a list and a text", err);
        return NULL;
    }
    for (size_t i = 0; i < json_array_size(args[0]); i++) {
        buf_add_string(&buf, i > 0 ? json_string_value(args[1]) : "");
        template_add_value(&buf, json_array_get(args[0], i));
    }
    return from_buf(&buf);
}

static json_t *call_split(const char *text, const json_t *const *args, size_t count, struct err *err) {
    const char *whole = json_string_value(args[0]), *separator = json_string_value(args[1]);
    (void)count;
    if (!whole || !separator || !*separator) {
        (void)template_wrong(text, "split: expected two texts", err);
        return NULL;
    }
    json_t *list = json_array();
    for (const char *end; (end = strstr(whole, separator)); whole = end + strlen(separator)) {
        json_array_append_new(list, json_stringn(whole, (size_t)(end - whole)));
    }
    json_array_append_new(list, json_string(whole));
    return list;
}

static json_t *add_all(const json_t *const *args, size_t count, const char *separator, const char *end) {
    AUTO_BUF struct buf buf = {0};
    for (size_t i = 0; i < count; i++) {
        buf_add_string(&buf, i > 0 ? separator : "");
        template_add_value(&buf, args[i]);
    }
    buf_add_string(&buf, end);
    return from_buf(&buf);
}

static json_t *call_print(const char *text, const json_t *const *args, size_t count, struct err *err) {
    (void)text, (void)err;
    return add_all(args, count, "", "");
}

static json_t *call_println(const char *text, const json_t *const *args, size_t count, struct err *err) {
    (void)text, (void)err;
    return add_all(args, count, " ", "\n");
}

// %s, %v, %d and %q with a width, and %%: our own, so that no template becomes a format of printf(3).
static json_t *call_printf(const char *text, const json_t *const *args, size_t count, struct err *err) {
    AUTO_BUF struct buf buf = {0};
    const char *format = json_string_value(args[0]);
    size_t next = 1;
    for (const char *at = format ? format : ""; *at; at++) {
        if (at[0] != '%' || at[1] == '%') {
            at += at[0] == '%';
            buf_add_char(&buf, *at);
            continue;
        }
        AUTO_BUF struct buf word = {0};
        bool left = *++at == '-';
        char *end;
        long width = strtol(at + left, &end, 10);
        at = end;
        if (!*at || !strchr("svdq", *at) || next == count || width < 0 || width > 1000) {
            (void)template_wrong(text, "printf: expected %s, %v, %d or %q, and a value for each", err);
            return NULL;
        }
        if (*at == 'q') {
            json_t *quoted = call_json(text, &args[next], 1, err);
            buf_add_string(&word, json_string_value(quoted));
            json_decref(quoted);
        } else {
            template_add_value(&word, args[next]);
        }
        next++;
        buf_add_format(&buf, "%*s", (int)(left ? -width : width), buf_string(&word));
    }
    return from_buf(&buf);
}

static json_t *call_not(const char *text, const json_t *const *args, size_t count, struct err *err) {
    (void)text, (void)count, (void)err;
    return json_boolean(!template_is_true(args[0]));
}

static json_t *first_that(const json_t *const *args, size_t count, bool is_true) {
    size_t i = 0;
    while (i + 1 < count && template_is_true(args[i]) != is_true) {
        i++;
    }
    return json_incref((json_t *)(uintptr_t)args[i]);
}

static json_t *call_and(const char *text, const json_t *const *args, size_t count, struct err *err) {
    (void)text, (void)err;
    return first_that(args, count, false);
}

static json_t *call_or(const char *text, const json_t *const *args, size_t count, struct err *err) {
    (void)text, (void)err;
    return first_that(args, count, true);
}

static json_t *call_eq(const char *text, const json_t *const *args, size_t count, struct err *err) {
    bool equal = false;
    (void)text, (void)err;
    for (size_t i = 1; i < count && !equal; i++) {
        equal = json_equal(args[0], args[i]) == 1;
    }
    return json_boolean(equal);
}

static json_t *call_ne(const char *text, const json_t *const *args, size_t count, struct err *err) {
    (void)text, (void)count, (void)err;
    return json_boolean(json_equal(args[0], args[1]) != 1);
}

// Below 0, 0 or above it, as strcmp(3).
static int order(const json_t *const *args) {
    if (json_is_string(args[0]) && json_is_string(args[1])) {
        return strcmp(json_string_value(args[0]), json_string_value(args[1]));
    }
    double left = json_number_value(args[0]), right = json_number_value(args[1]);
    return left < right ? -1 : left > right;
}

#define ORDER_CALL(name, condition)                                                                                                \
    static json_t *call_##name(const char *text, const json_t *const *args, size_t count, struct err *err) {                       \
        (void)text, (void)count, (void)err;                                                                                        \
        return json_boolean(order(args) condition 0);                                                                              \
    }
ORDER_CALL(lt, <)
ORDER_CALL(le, <=)
ORDER_CALL(gt, >)
ORDER_CALL(ge, >=)

static const struct template_function functions[] = {
    {"json", 1, 1, call_json},
    {"index", 2, 8, call_index},
    {"len", 1, 1, call_len},
    {"join", 2, 2, call_join},
    {"split", 2, 2, call_split},
    {"lower", 1, 1, call_lower},
    {"upper", 1, 1, call_upper},
    {"title", 1, 1, call_title},
    {"printf", 1, TEMPLATE_MAX_OPERANDS, call_printf},
    {"print", 0, TEMPLATE_MAX_OPERANDS, call_print},
    {"println", 0, TEMPLATE_MAX_OPERANDS, call_println},
    {"and", 1, TEMPLATE_MAX_OPERANDS, call_and},
    {"or", 1, TEMPLATE_MAX_OPERANDS, call_or},
    {"not", 1, 1, call_not},
    {"eq", 2, TEMPLATE_MAX_OPERANDS, call_eq},
    {"ne", 2, 2, call_ne},
    {"lt", 2, 2, call_lt},
    {"le", 2, 2, call_le},
    {"gt", 2, 2, call_gt},
    {"ge", 2, 2, call_ge},
};

const struct template_function *template_function(const char *name) {
    for (size_t i = 0; i < ARRAY_LEN(functions); i++) {
        if (strcmp(functions[i].name, name) == 0) {
            return &functions[i];
        }
    }
    return NULL;
}

void template_add_function_names(struct buf *buf) {
    for (size_t i = 0; i < ARRAY_LEN(functions); i++) {
        buf_add_format(buf, "%s%s", i > 0 ? ", " : "", functions[i].name);
    }
}

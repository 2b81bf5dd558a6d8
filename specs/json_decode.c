#include "specs/json.h"

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

// One step from the root to the value in hand: a member's name, or without one an array's index.
struct step {
    const char *name;
    size_t index;
};

struct json_reader {
    const struct json_document *document;
    struct arena *arena;
    struct err *err;
    struct step trail[JSON_MAX_DEPTH];
    unsigned depth;
};

struct arena *json_arena(const struct json_reader *reader) {
    return reader->arena;
}

void json_push_index(struct json_reader *reader, size_t index) {
    assert(reader->depth < JSON_MAX_DEPTH); // the document is not deeper
    reader->trail[reader->depth++] = (struct step){.index = index};
}

void json_push_name(struct json_reader *reader, const char *name) {
    assert(reader->depth < JSON_MAX_DEPTH);
    reader->trail[reader->depth++] = (struct step){.name = name};
}

void json_pop(struct json_reader *reader) {
    assert(reader->depth > 0);
    reader->depth--;
}

// Appends a foreign string for a message: short, and without what would act on a terminal.
static void add_found_text(struct buf *buf, const char *text) {
    enum { MAX_SHOWN = 64 };
    buf_add_char(buf, '"');
    size_t i = 0;
    for (; i < MAX_SHOWN && text[i]; i++) {
        unsigned char byte = (unsigned char)text[i];
        if (byte < 0x20 || byte == 0x7f) {
            buf_add_format(buf, "\\x%02x", byte);
        } else {
            buf_add_char(buf, text[i]);
        }
    }
    buf_add_string(buf, text[i] ? "...\"" : "\"");
}

static bool is_plain_name(const char *name) {
    for (const char *at = name; *at; at++) {
        if (!isalnum((unsigned char)*at) && *at != '_' && *at != '-') {
            return false;
        }
    }
    return *name != '\0';
}

// "config.json: linux.namespaces[1].type: "
static void add_place(struct buf *buf, const struct json_reader *reader) {
    buf_add_string(buf, reader->document->name);
    buf_add_string(buf, ": ");
    for (unsigned i = 0; i < reader->depth; i++) {
        const struct step *step = &reader->trail[i];
        if (!step->name) {
            buf_add_format(buf, "[%zu]", step->index);
        } else if (is_plain_name(step->name)) {
            buf_add_format(buf, "%s%s", i > 0 ? "." : "", step->name);
        } else {
            buf_add_char(buf, '[');
            add_found_text(buf, step->name);
            buf_add_char(buf, ']');
        }
    }
    if (reader->depth > 0) {
        buf_add_string(buf, ": ");
    }
}

int json_fail(struct json_reader *reader, const char *format, ...) {
    AUTO_BUF struct buf text = {0};
    add_place(&text, reader);
    char what[ERR_TEXT_SIZE];
    va_list args;
    va_start(args, format);
    if (vsnprintf(what, sizeof(what), format, args) >= 0) {
        buf_add_string(&text, what);
    }
    va_end(args);
    return err_set(reader->err, ERR_INPUT, "%s", text.data);
}

// An integer above INT64_MAX, as json_parse() hands it on.
static bool is_big(const json_t *value) {
    return json_is_string(value) && json_string_length(value) > 0 && json_string_value(value)[0] == '\0';
}

// `exact` shows the value itself, where its type is right and its value wrong.
static void add_found(struct buf *buf, const json_t *value, bool exact) {
    static const char *const types[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "an array", [JSON_STRING] = "a string", [JSON_INTEGER] = "a number",
        [JSON_REAL] = "a number",    [JSON_TRUE] = "true",      [JSON_FALSE] = "false",     [JSON_NULL] = "null"};
    if (!value) {
        buf_add_string(buf, "nothing");
    } else if (is_big(value)) {
        buf_add_string(buf, exact ? json_string_value(value) + 1 : "a number");
    } else if (exact && json_is_string(value)) {
        add_found_text(buf, json_string_value(value));
    } else if (exact && json_is_integer(value)) {
        buf_add_format(buf, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    } else if (exact && json_is_real(value)) {
        buf_add_string(buf, "a fraction");
    } else {
        buf_add_string(buf, types[json_typeof(value)]);
    }
}

static int fail_expected(struct json_reader *reader, const char *what, const json_t *found, bool exact) {
    AUTO_BUF struct buf text = {0};
    add_found(&text, found, exact);
    return json_fail(reader, "expected %s, found %s", what, text.data);
}

int json_expected(struct json_reader *reader, const char *what, const json_t *found) {
    return fail_expected(reader, what, found, false);
}

int json_expected_exact(struct json_reader *reader, const char *what, const json_t *found) {
    return fail_expected(reader, what, found, true);
}

void json_warn(struct json_reader *reader, const json_t *found, const char *what) {
    if (reader->document->warn) {
        AUTO_BUF struct buf text = {0};
        add_place(&text, reader);
        add_found(&text, found, true);
        buf_add_char(&text, ' ');
        buf_add_string(&text, what);
        reader->document->warn(reader->document->warn_context, text.data);
    }
}

// Integers: the range of each kind, and the words for it.
static const struct {
    int64_t min;
    uint64_t max;
    const char *words;
} ranges[] = {
    [JSON_KIND_I32] = {INT32_MIN, INT32_MAX, "an integer from -2147483648 to 2147483647"},
    [JSON_KIND_U32] = {0, UINT32_MAX, "an integer from 0 to 4294967295"},
    [JSON_KIND_I64] = {INT64_MIN, INT64_MAX, "an integer from -9223372036854775808 to 9223372036854775807"},
    [JSON_KIND_U64] = {0, UINT64_MAX, "an integer from 0 to 18446744073709551615"},
};

// The value as 64 bits, in two's complement where the kind has a sign.
static int take_integer(struct json_reader *reader, enum json_kind kind, const json_t *value, uint64_t *ret) {
    if (is_big(value)) {
        uint64_t big = strtoull(json_string_value(value) + 1, NULL, 10);
        if (big > ranges[kind].max) {
            return fail_expected(reader, ranges[kind].words, value, true);
        }
        *ret = big;
        return 0;
    }
    if (!json_is_integer(value)) {
        return fail_expected(reader, "an integer", value, json_is_real(value));
    }
    json_int_t integer = json_integer_value(value);
    if (integer < ranges[kind].min || (integer > 0 && (uint64_t)integer > ranges[kind].max)) {
        return fail_expected(reader, ranges[kind].words, value, true);
    }
    *ret = (uint64_t)integer;
    return 0;
}

int json_take_name(struct json_reader *reader, const struct json_name *names, const json_t *value, uint32_t *ret) {
    int64_t found = json_is_string(value) && !is_big(value) ? json_value_of(names, json_string_value(value)) : -1;
    if (found >= 0) {
        *ret = (uint32_t)found;
        return 0;
    }
    AUTO_BUF struct buf text = {0};
    buf_add_string(&text, names[0].name && names[1].name ? "one of " : "");
    for (const struct json_name *name = names; name->name; name++) {
        buf_add_format(&text, "%s%s", name > names ? ", " : "", name->name);
    }
    return fail_expected(reader, text.data, value, true);
}

int json_take_string(struct json_reader *reader, const json_t *value, const char **ret) {
    if (!json_is_string(value) || is_big(value)) {
        return json_expected(reader, "a string", value);
    }
    *ret = arena_copy(reader->arena, json_string_value(value), json_string_length(value));
    return 0;
}

static int check_items(struct json_reader *reader, size_t count) {
    if (count > JSON_MAX_ITEMS) {
        return json_fail(reader, "expected at most %d items, found %zu", JSON_MAX_ITEMS, count);
    }
    return 0;
}

int json_take_strings(struct json_reader *reader, const json_t *value, const char ***ret, size_t *ret_count) {
    if (!json_is_array(value)) {
        return json_expected(reader, "an array of strings", value);
    }
    size_t count = json_array_size(value);
    if (check_items(reader, count) < 0) {
        return -1;
    }
    const char **items = arena_array(reader->arena, count + 1, sizeof(*items));
    for (size_t i = 0; i < count; i++) {
        json_push_index(reader, i);
        if (json_take_string(reader, json_array_get(value, i), &items[i]) < 0) {
            return -1;
        }
        json_pop(reader);
    }
    *ret = items;
    *ret_count = count;
    return 0;
}

// Arrays of numbers and of names of numbers.
static int take_u32s(struct json_reader *reader, const struct json_row *row, const json_t *value, uint32_t **ret,
                     size_t *ret_count) {
    if (!json_is_array(value)) {
        return json_expected(reader, row->kind == JSON_KIND_U32S ? "an array of integers" : "an array of strings", value);
    }
    size_t count = json_array_size(value);
    if (check_items(reader, count) < 0) {
        return -1;
    }
    uint32_t *items = arena_array(reader->arena, count + 1, sizeof(*items));
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(value, i);
        json_push_index(reader, i);
        uint64_t integer = 0;
        int result = row->kind == JSON_KIND_U32S ? take_integer(reader, JSON_KIND_U32, item, &integer)
                                                 : json_take_name(reader, row->names, item, &items[i]);
        if (result < 0) {
            return -1;
        }
        if (row->kind == JSON_KIND_U32S) {
            items[i] = (uint32_t)integer;
        }
        json_pop(reader);
    }
    *ret = items;
    *ret_count = count;
    return 0;
}

static int take_pairs(struct json_reader *reader, json_t *value, struct text_pair **ret, size_t *ret_count) {
    if (!json_is_object(value)) {
        return json_expected(reader, "an object of strings", value);
    }
    size_t count = json_object_size(value);
    if (check_items(reader, count) < 0) {
        return -1;
    }
    struct text_pair *items = arena_array(reader->arena, count + 1, sizeof(*items));
    struct text_pair *item = items;
    const char *name;
    json_t *member;
    json_object_foreach(value, name, member) {
        json_push_name(reader, name);
        item->name = arena_copy_string(reader->arena, name);
        if (json_take_string(reader, member, &item->value) < 0) {
            return -1;
        }
        item++;
        json_pop(reader);
    }
    *ret = items;
    *ret_count = count;
    return 0;
}

static int take_keys(struct json_reader *reader, json_t *value, const char ***ret, size_t *ret_count) {
    if (!json_is_object(value)) {
        return json_expected(reader, "an object", value);
    }
    size_t count = json_object_size(value);
    if (check_items(reader, count) < 0) {
        return -1;
    }
    const char **items = arena_array(reader->arena, count + 1, sizeof(*items));
    const char **item = items;
    const char *name;
    json_t *member;
    json_object_foreach(value, name, member) {
        *item++ = arena_copy_string(reader->arena, name);
    }
    *ret = items;
    *ret_count = count;
    return 0;
}

static int take_list(struct json_reader *reader, const struct json_table *table, json_t *value, void **ret, size_t *ret_count) {
    if (!json_is_array(value)) {
        return json_expected(reader, "an array of objects", value);
    }
    size_t count = json_array_size(value);
    if (check_items(reader, count) < 0) {
        return -1;
    }
    char *items = arena_array(reader->arena, count + 1, table->size);
    for (size_t i = 0; i < count; i++) {
        json_push_index(reader, i);
        if (json_take_table(reader, table, json_array_get(value, i), items + i * table->size) < 0) {
            return -1;
        }
        json_pop(reader);
    }
    *ret = items;
    *ret_count = count;
    return 0;
}

static int take_by_name(struct json_reader *reader, const struct json_table *table, json_t *value, void **ret, size_t *ret_count) {
    if (!json_is_object(value)) {
        return json_expected(reader, "an object of objects", value);
    }
    size_t count = json_object_size(value);
    if (check_items(reader, count) < 0) {
        return -1;
    }
    char *items = arena_array(reader->arena, count + 1, table->size);
    char *item = items;
    const char *name;
    json_t *member;
    json_object_foreach(value, name, member) {
        const char *copy = arena_copy_string(reader->arena, name);
        memcpy(item, &copy, sizeof(copy));
        json_push_name(reader, name);
        if (json_take_table(reader, table, member, item) < 0) {
            return -1;
        }
        json_pop(reader);
        item += table->size;
    }
    *ret = items;
    *ret_count = count;
    return 0;
}

static int take_pointer(struct json_reader *reader, const struct json_table *table, json_t *value, void **ret) {
    void *object = arena_alloc(reader->arena, table->size);
    if (json_take_table(reader, table, value, object) < 0) {
        return -1;
    }
    *ret = object;
    return 0;
}

// Numbers and booleans go behind the flag of a struct opt_*, or straight to the member.
static int take_scalar(struct json_reader *reader, const struct json_row *row, const json_t *value, char *into) {
    uint64_t integer = 0;
    if (row->kind == JSON_KIND_BOOL) {
        if (!json_is_boolean(value)) {
            return json_expected(reader, "true or false", value);
        }
        integer = json_is_true(value);
    } else if (take_integer(reader, row->kind, value, &integer) < 0) {
        return -1;
    }
    static const struct {
        uint8_t size, behind_flag;
    } places[] = {
        [JSON_KIND_BOOL] = {sizeof(bool), offsetof(struct opt_bool, value)},
        [JSON_KIND_I32] = {4, offsetof(struct opt_i32, value)},
        [JSON_KIND_U32] = {4, offsetof(struct opt_u32, value)},
        [JSON_KIND_I64] = {8, offsetof(struct opt_i64, value)},
        [JSON_KIND_U64] = {8, offsetof(struct opt_u64, value)},
    };
    if (row->optional) {
        *(bool *)into = true;
        into += places[row->kind].behind_flag;
    }
    switch (places[row->kind].size) {
    case 8:
        memcpy(into, &integer, 8);
        break;
    case 4:
        memcpy(into, &(uint32_t){(uint32_t)integer}, 4);
        break;
    default:
        *(bool *)into = integer != 0;
        break;
    }
    return 0;
}

static int take_mask(struct json_reader *reader, const struct json_row *row, const json_t *value, uint32_t *ret) {
    uint32_t *items;
    size_t count;
    if (take_u32s(reader, row, value, &items, &count) < 0) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        *ret |= items[i];
    }
    return 0;
}

static int take_value(struct json_reader *reader, const struct json_row *row, json_t *value, char *base) {
    void *into = base + row->offset;
    size_t *count = (void *)(base + row->count_offset);
    switch ((enum json_kind)row->kind) {
    case JSON_KIND_BOOL:
    case JSON_KIND_I32:
    case JSON_KIND_U32:
    case JSON_KIND_I64:
    case JSON_KIND_U64:
        return take_scalar(reader, row, value, into);
    case JSON_KIND_STRING:
        return json_take_string(reader, value, into);
    case JSON_KIND_ENUM:
        return json_take_name(reader, row->names, value, into);
    case JSON_KIND_MASK:
        return take_mask(reader, row, value, into);
    case JSON_KIND_STRINGS:
        return json_take_strings(reader, value, into, count);
    case JSON_KIND_ENUMS:
    case JSON_KIND_U32S:
        return take_u32s(reader, row, value, into, count);
    case JSON_KIND_PAIRS:
        return take_pairs(reader, value, into, count);
    case JSON_KIND_KEYS:
        return take_keys(reader, value, into, count);
    case JSON_KIND_OBJECT:
        return json_take_table(reader, row->table, value, into);
    case JSON_KIND_POINTER:
        return take_pointer(reader, row->table, value, into);
    case JSON_KIND_LIST:
        return take_list(reader, row->table, value, into, count);
    case JSON_KIND_BY_NAME:
        return take_by_name(reader, row->table, value, into, count);
    case JSON_KIND_CUSTOM:
        return row->custom(reader, value, into);
    }
    return json_fail(reader, "has a row of no kind");
}

static int fail_missing(struct json_reader *reader, const struct json_row *row) {
    static const char *const words[] = {
        [JSON_KIND_BOOL] = "true or false",
        [JSON_KIND_I32] = "an integer",
        [JSON_KIND_U32] = "an integer",
        [JSON_KIND_I64] = "an integer",
        [JSON_KIND_U64] = "an integer",
        [JSON_KIND_STRING] = "a string",
        [JSON_KIND_MASK] = "an array of strings",
        [JSON_KIND_STRINGS] = "an array of strings",
        [JSON_KIND_ENUMS] = "an array of strings",
        [JSON_KIND_U32S] = "an array of integers",
        [JSON_KIND_PAIRS] = "an object of strings",
        [JSON_KIND_KEYS] = "an object",
        [JSON_KIND_OBJECT] = "an object",
        [JSON_KIND_POINTER] = "an object",
        [JSON_KIND_LIST] = "an array of objects",
        [JSON_KIND_BY_NAME] = "an object of objects",
        [JSON_KIND_CUSTOM] = "a value",
    };
    uint32_t unused;
    return row->kind == JSON_KIND_ENUM ? json_take_name(reader, row->names, NULL, &unused)
                                       : json_expected(reader, words[row->kind], NULL);
}

static bool is_empty(const json_t *value) {
    return (json_is_string(value) && json_string_length(value) == 0) || (json_is_array(value) && json_array_size(value) == 0) ||
           (json_is_object(value) && json_object_size(value) == 0);
}

int json_take_table(struct json_reader *reader, const struct json_table *table, json_t *value, void *into) {
    if (!json_is_object(value)) {
        return json_expected(reader, "an object", value);
    }
    for (uint32_t i = 0; i < table->count; i++) {
        const struct json_row *row = &table->rows[i];
        json_t *member = json_object_get(value, row->name);
        bool absent = !member || json_is_null(member);
        if (absent && !(row->flags & JSON_NEEDED)) {
            continue;
        }
        json_push_name(reader, row->name);
        if (absent) {
            return fail_missing(reader, row);
        }
        if (take_value(reader, row, member, into) < 0) {
            return -1;
        }
        if ((row->flags & JSON_NOT_EMPTY) && is_empty(member)) {
            return json_fail(reader, "must not be empty");
        }
        json_pop(reader);
    }
    return 0;
}

static void drop_json(json_t **value) {
    json_decref(*value);
}

int json_decode(const struct json_document *document, const struct json_table *table, struct arena *arena, void *into,
                struct err *err) {
    AUTO(drop_json) json_t *root = NULL;
    if (json_parse(document, &root, err) < 0) {
        return -1;
    }
    struct json_reader reader = {.document = document, .arena = arena, .err = err};
    return json_take_table(&reader, table, root, into);
}

int json_decode_list(const struct json_document *document, const struct json_table *table, struct arena *arena, void *ret_items,
                     size_t *ret_count, struct err *err) {
    AUTO(drop_json) json_t *root = NULL;
    if (json_parse(document, &root, err) < 0) {
        return -1;
    }
    struct json_reader reader = {.document = document, .arena = arena, .err = err};
    return take_list(&reader, table, root, ret_items, ret_count);
}

int json_decode_custom(const struct json_document *document, json_custom_fn *custom, struct arena *arena, void *into,
                       struct err *err) {
    AUTO(drop_json) json_t *root = NULL;
    if (json_parse(document, &root, err) < 0) {
        return -1;
    }
    struct json_reader reader = {.document = document, .arena = arena, .err = err};
    return custom(&reader, root, into);
}

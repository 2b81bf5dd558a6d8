#include "specs/toml.h"

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/base/quantity.h"
#include "runtime/base/quote.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct reader {
    const char *name;
    const char *at, *end;
    unsigned line;
    unsigned values;
    struct arena *arena;
    struct err *err;
};

// The names of a key, "a.b" being two.
struct path {
    const char *names[TOML_MAX_DEPTH];
    size_t count;
};

static int fail(const struct reader *reader, const char *format, ...) PRINTF_LIKE(2, 3);
static int fail(const struct reader *reader, const char *format, ...) {
    char text[ERR_TEXT_SIZE / 2];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return err_set(reader->err, ERR_INPUT, "%s: line %u: %s", reader->name, reader->line, text);
}

static bool at_end(const struct reader *reader) {
    return reader->at == reader->end;
}

static bool at_line_end(const struct reader *reader) {
    return at_end(reader) || *reader->at == '\n' || (*reader->at == '\r' && reader->end - reader->at > 1 && reader->at[1] == '\n');
}

static bool at_text(const struct reader *reader, const char *text) {
    size_t size = strlen(text);
    return (size_t)(reader->end - reader->at) >= size && memcmp(reader->at, text, size) == 0;
}

static bool take_char(struct reader *reader, char byte) {
    if (at_end(reader) || *reader->at != byte) {
        return false;
    }
    reader->at++;
    return true;
}

// What stands where something else was expected, for messages.
static const char *found(const struct reader *reader, char room[QUOTE_SIZE]) {
    if (at_end(reader)) {
        return "the end of the file";
    }
    if (at_line_end(reader)) {
        return "the end of the line";
    }
    char text[16];
    size_t size = 0;
    for (const char *at = reader->at; at < reader->end && size < sizeof(text) - 1 && !strchr(" \t\r\n", *at); at++) {
        text[size++] = *at;
    }
    text[size] = '\0';
    if (size == 0) { // a blank, a NUL or a lone carriage return
        snprintf(room, QUOTE_SIZE, "byte 0x%02x", (unsigned char)*reader->at);
        return room;
    }
    return quote_text(text, room);
}

static void skip_blanks(struct reader *reader) {
    while (!at_end(reader) && (*reader->at == ' ' || *reader->at == '\t')) {
        reader->at++;
    }
}

// Controls are nowhere allowed but for the tab.
static bool is_control(char byte) {
    return ((unsigned char)byte < 0x20 && byte != '\t') || byte == 0x7f;
}

static int skip_comment(struct reader *reader) {
    if (!take_char(reader, '#')) {
        return 0;
    }
    while (!at_line_end(reader)) {
        if (is_control(*reader->at)) {
            return fail(reader, "a comment holds the control character 0x%02x", (unsigned char)*reader->at);
        }
        reader->at++;
    }
    return 0;
}

static bool take_newline(struct reader *reader) {
    if (at_end(reader) || !at_line_end(reader)) {
        return false;
    }
    reader->at += *reader->at == '\r' ? 2 : 1;
    reader->line++;
    return true;
}

// Blanks, comments and ends of lines.
static int skip_space(struct reader *reader) {
    do {
        skip_blanks(reader);
        if (skip_comment(reader) < 0) {
            return -1;
        }
    } while (take_newline(reader));
    return 0;
}

static int end_line(struct reader *reader, const char *behind) {
    char room[QUOTE_SIZE];
    skip_blanks(reader);
    if (skip_comment(reader) < 0) {
        return -1;
    }
    if (!at_end(reader) && !take_newline(reader)) {
        return fail(reader, "expected the end of the line behind %s, found %s", behind, found(reader, room));
    }
    return 0;
}

static int count_value(struct reader *reader) {
    return ++reader->values > TOML_MAX_VALUES ? fail(reader, "the document has more than %d values", TOML_MAX_VALUES) : 0;
}

static void add_utf8(struct buf *text, uint32_t code) {
    if (code < 0x80) {
        buf_add_char(text, (char)code);
        return;
    }
    unsigned more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const unsigned char marks[] = {0, 0xc0, 0xe0, 0xf0};
    buf_add_char(text, (char)(marks[more] | (code >> 6 * more)));
    while (more-- > 0) {
        buf_add_char(text, (char)(0x80 | ((code >> 6 * more) & 0x3f)));
    }
}

static int hex_value(char digit) {
    return digit >= '0' && digit <= '9'   ? digit - '0'
           : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10
           : digit >= 'A' && digit <= 'F' ? digit - 'A' + 10
                                          : -1;
}

// \uXXXX and \UXXXXXXXX; reader->at is behind the letter.
static int take_code(struct reader *reader, unsigned digits, struct buf *text) {
    uint32_t code = 0;
    for (unsigned i = 0; i < digits; i++) {
        int value = at_end(reader) ? -1 : hex_value(*reader->at);
        if (value < 0) {
            return fail(reader, "expected %u hexadecimal digits behind \\%c in a string", digits, digits == 4 ? 'u' : 'U');
        }
        code = code << 4 | (uint32_t)value;
        reader->at++;
    }
    if (code == 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) {
        return fail(reader, "a string holds the escape of U+%04X, which is no character", code);
    }
    add_utf8(text, code);
    return 0;
}

static int take_escape(struct reader *reader, struct buf *text) {
    static const char letters[] = "btnfre\"\\", meant[] = "\b\t\n\f\r\x1b\"\\";
    char letter = at_end(reader) ? '\0' : *reader->at;
    const char *known = letter ? strchr(letters, letter) : NULL;
    if (known && letter != 'e') { // \e came with a later version
        buf_add_char(text, meant[known - letters]);
        reader->at++;
        return 0;
    }
    if (letter == 'u' || letter == 'U') {
        reader->at++;
        return take_code(reader, letter == 'u' ? 4 : 8, text);
    }
    return fail(reader,
                "a string holds an escape that is not known; expected one of \\b \\t \\n \\f \\r \\\" \\\\ \\uXXXX \\UXXXXXXXX");
}

// "basic" or 'literal', from its quote on.
static int take_string(struct reader *reader, const char **ret) {
    char quote = *reader->at;
    if (at_text(reader, "\"\"\"") || at_text(reader, "'''")) {
        return fail(reader, "strings over several lines are not read; write it on one line");
    }
    AUTO_BUF struct buf text = {0};
    reader->at++;
    while (!take_char(reader, quote)) {
        if (at_line_end(reader)) {
            return fail(reader, "a string does not end on its line; expected %c", quote);
        }
        char byte = *reader->at++;
        if (is_control(byte)) {
            return fail(reader, "a string holds the control character 0x%02x", (unsigned char)byte);
        }
        if (byte != '\\' || quote == '\'') {
            buf_add_char(&text, byte);
        } else if (take_escape(reader, &text) < 0) {
            return -1;
        }
    }
    *ret = arena_copy(reader->arena, buf_string(&text), text.size);
    return 0;
}

static bool is_bare(char byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') || byte == '-' ||
           byte == '_';
}

static int take_name(struct reader *reader, const char **ret) {
    char room[QUOTE_SIZE];
    if (!at_end(reader) && (*reader->at == '"' || *reader->at == '\'')) {
        return take_string(reader, ret);
    }
    const char *start = reader->at;
    while (!at_end(reader) && is_bare(*reader->at)) {
        reader->at++;
    }
    if (reader->at == start) {
        return fail(reader, "expected a key, found %s", found(reader, room));
    }
    *ret = arena_copy(reader->arena, start, (size_t)(reader->at - start));
    return 0;
}

static int take_path(struct reader *reader, struct path *ret) {
    ret->count = 0;
    do {
        skip_blanks(reader);
        if (ret->count == TOML_MAX_DEPTH) {
            return fail(reader, "a key has more than %d names", TOML_MAX_DEPTH);
        }
        if (take_name(reader, &ret->names[ret->count++]) < 0) {
            return -1;
        }
        skip_blanks(reader);
    } while (take_char(reader, '.'));
    return 0;
}

static struct toml_value *find(const struct toml_table *table, const char *key) {
    struct toml_value *value = table->values;
    while (value && strcmp(value->key, key) != 0) {
        value = value->next;
    }
    return value;
}

static struct toml_value *add(struct reader *reader, struct toml_table *table, const char *key, enum toml_kind kind) {
    struct toml_value **end = &table->values;
    while (*end) {
        end = &(*end)->next;
    }
    struct toml_value *value = arena_alloc(reader->arena, sizeof(*value));
    value->key = key;
    value->kind = kind;
    value->line = reader->line;
    *end = value;
    return value;
}

static struct toml_table *new_table(struct reader *reader) {
    struct toml_table *table = arena_alloc(reader->arena, sizeof(*table));
    table->line = reader->line;
    return table;
}

static struct toml_table *last_table(const struct toml_value *value) {
    struct toml_table *table = value->table;
    while (table->next) {
        table = table->next;
    }
    return table;
}

static int taken(const struct reader *reader, const struct toml_value *value) {
    char room[QUOTE_SIZE];
    return fail(reader, "%s is there already, as %s, since line %u", quote_text(value->key, room), toml_kind_name(value->kind),
                value->line);
}

// The table that all but the last name of a path lead to, from `table` on; made where it is missing. dotted: by a key, which may
// not go into an array of tables.
static struct toml_table *descend(struct reader *reader, struct toml_table *table, const struct path *path, bool dotted) {
    for (size_t i = 0; i + 1 < path->count; i++) {
        struct toml_value *value = find(table, path->names[i]);
        if (!value) {
            if (count_value(reader) < 0) {
                return NULL;
            }
            value = add(reader, table, path->names[i], TOML_TABLE);
            value->table = new_table(reader);
            value->closed = dotted;
        } else if (value->kind != TOML_TABLE && (dotted || value->kind != TOML_TABLES)) {
            taken(reader, value);
            return NULL;
        }
        table = last_table(value);
    }
    return table;
}

// [a.b] or [[a.b]], from its bracket on: *current is the table that the following lines fill.
static int take_header(struct reader *reader, struct toml_table *root, struct toml_table **current) {
    char room[QUOTE_SIZE];
    bool list = at_text(reader, "[[");
    struct path path;
    reader->at += list ? 2 : 1;
    if (take_path(reader, &path) < 0) {
        return -1;
    }
    if (!at_text(reader, list ? "]]" : "]")) {
        return fail(reader, "expected %s behind the table's name, found %s", list ? "]]" : "]", found(reader, room));
    }
    reader->at += list ? 2 : 1;
    struct toml_table *parent = descend(reader, root, &path, false);
    if (!parent || count_value(reader) < 0) {
        return -1;
    }
    const char *name = path.names[path.count - 1];
    struct toml_value *value = find(parent, name);
    if (value && (value->kind != (list ? TOML_TABLES : TOML_TABLE) || value->closed)) {
        return taken(reader, value);
    }
    if (!value) {
        value = add(reader, parent, name, list ? TOML_TABLES : TOML_TABLE);
        value->table = new_table(reader);
    } else if (list) {
        last_table(value)->next = new_table(reader);
    }
    value->count += list;
    value->closed = !list;
    *current = last_table(value);
    return end_line(reader, "the table's name");
}

static int take_strings(struct reader *reader, struct toml_value *value) {
    char room[QUOTE_SIZE];
    AUTO_FREE const char **items = NULL;
    size_t count = 0;
    reader->at++;
    for (;;) {
        if (skip_space(reader) < 0) {
            return -1;
        }
        if (take_char(reader, ']')) {
            break;
        }
        if (at_end(reader) || (*reader->at != '"' && *reader->at != '\'')) {
            return fail(reader, "expected a string or ] in an array, found %s", found(reader, room));
        }
        items = mem_resize(items, count + 1, sizeof(*items));
        if (count_value(reader) < 0 || take_string(reader, &items[count]) < 0 || skip_space(reader) < 0) {
            return -1;
        }
        count++;
        if (!take_char(reader, ',') && (at_end(reader) || *reader->at != ']')) {
            return fail(reader, "expected , or ] in an array, found %s", found(reader, room));
        }
    }
    value->kind = TOML_STRINGS;
    value->strings = arena_array(reader->arena, count + 1, sizeof(*value->strings));
    value->count = count;
    if (count > 0) {
        memcpy(value->strings, items, count * sizeof(*items));
    }
    return 0;
}

// true, false or a number.
static int take_word(struct reader *reader, struct toml_value *value) {
    char word[64], room[QUOTE_SIZE];
    size_t size = 0;
    const char *at = reader->at;
    while (at < reader->end && size < sizeof(word) - 1 && (is_bare(*at) || *at == '+' || *at == '.' || *at == ':')) {
        word[size++] = *at++;
    }
    word[size] = '\0';
    if (strcmp(word, "true") == 0 || strcmp(word, "false") == 0) {
        value->kind = TOML_BOOL;
        value->boolean = word[0] == 't';
    } else if (quantity_int(word[0] == '+' ? word + 1 : word, &value->integer) == 0 && word[1] != '-') {
        value->kind = TOML_INTEGER;
    } else {
        return fail(reader,
                    "expected a string in quotes, true, false, a whole number or an array of strings as value of \"%s\", found %s",
                    value->key, found(reader, room));
    }
    reader->at = at;
    return 0;
}

static int take_value(struct reader *reader, struct toml_value *value) {
    char room[QUOTE_SIZE];
    if (at_line_end(reader)) {
        return fail(reader, "expected a value behind \"%s =\", found %s", value->key, found(reader, room));
    }
    switch (*reader->at) {
    case '"':
    case '\'':
        value->kind = TOML_STRING;
        return take_string(reader, &value->string);
    case '[':
        return take_strings(reader, value);
    case '{':
        return fail(reader, "inline tables are not read; write a table of its own for \"%s\"", value->key);
    default:
        return take_word(reader, value);
    }
}

static int take_pair(struct reader *reader, struct toml_table *table) {
    char room[QUOTE_SIZE];
    struct path path;
    if (take_path(reader, &path) < 0) {
        return -1;
    }
    if (!take_char(reader, '=')) {
        return fail(reader, "expected = behind the key %s, found %s", quote_text(path.names[path.count - 1], room),
                    found(reader, (char[QUOTE_SIZE]){0}));
    }
    table = descend(reader, table, &path, true);
    if (!table || count_value(reader) < 0) {
        return -1;
    }
    const struct toml_value *there = find(table, path.names[path.count - 1]);
    if (there) {
        return taken(reader, there);
    }
    struct toml_value *value = add(reader, table, path.names[path.count - 1], TOML_STRING);
    skip_blanks(reader);
    return take_value(reader, value) < 0 ? -1 : end_line(reader, "the value");
}

int toml_parse(const char *name, const char *text, size_t size, struct arena *arena, struct toml_table **ret, struct err *err) {
    if (size > TOML_MAX_BYTES) {
        return err_set(err, ERR_INPUT, "%s: is larger than %d bytes", name, TOML_MAX_BYTES);
    }
    struct reader reader = {.name = name, .at = text, .end = text + size, .line = 1, .arena = arena, .err = err};
    struct toml_table *root = new_table(&reader), *current = root;
    for (;;) {
        if (skip_space(&reader) < 0) {
            return -1;
        }
        if (at_end(&reader)) {
            *ret = root;
            return 0;
        }
        if ((*reader.at == '[' ? take_header(&reader, root, &current) : take_pair(&reader, current)) < 0) {
            return -1;
        }
    }
}

const struct toml_value *toml_find(const struct toml_table *table, const char *key) {
    return find(table, key);
}

const char *toml_kind_name(enum toml_kind kind) {
    static const char *const names[] = {
        [TOML_STRING] = "a string",  [TOML_BOOL] = "true or false",
        [TOML_INTEGER] = "a number", [TOML_STRINGS] = "an array of strings",
        [TOML_TABLE] = "a table",    [TOML_TABLES] = "an array of tables",
    };
    return names[kind];
}

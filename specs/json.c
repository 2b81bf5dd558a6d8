#include "specs/json.h"

#include "runtime/base/buf.h"
#include "runtime/base/err.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>

// Theory of operation. Before jansson sees a foreign document, one pass over its bytes, which only tells strings from the rest,
//   - bounds the depth (jansson's own bound, 2048, is its stack's, not ours), and the number of values, which is that of commas and
//   brackets,
//   - refuses the NUL escape in strings, which C strings cannot hold,
//   - finds integers above INT64_MAX, which jansson cannot represent but unsigned fields may hold (RLIM_INFINITY is the common
//   one).
//     They are handed on as strings that begin with the NUL escape just refused, so that no document can forge one.
// The length of lists is bounded by the decoder, before it allocates.

static const char big_mark[] = "\"\\u0000";
enum { BIG_GROWTH = sizeof(big_mark) }; // the mark without its NUL, and the closing quote

struct scan {
    const char *text;
    size_t size;
    size_t copied; // what `marked` already holds of text
    unsigned depth;
    unsigned values;
    struct buf *marked; // the text with marked integers; empty if there are none
};

// Where a position is, for messages: lines and columns count from 1, columns in bytes.
static void locate(const char *text, size_t at, unsigned *ret_line, unsigned *ret_column) {
    *ret_line = *ret_column = 1;
    for (size_t i = 0; i < at; i++) {
        *ret_column += 1;
        if (text[i] == '\n') {
            *ret_line += 1;
            *ret_column = 1;
        }
    }
}

static int refuse(const struct json_document *document, size_t at, const char *why, struct err *err) {
    unsigned line, column;
    locate(document->text, at, &line, &column);
    return err_set(err, ERR_INPUT, "%s: line %u, column %u: %s", document->name, line, column, why);
}

// From behind the opening quote to the closing one, or the end. Returns the position of a NUL escape, if there is one, by *ret_nul.
static size_t skip_string(const struct scan *scan, size_t at, bool *ret_nul) {
    *ret_nul = false;
    while (at < scan->size && scan->text[at] != '"') {
        if (scan->text[at] == '\\') {
            if (scan->size - at >= 6 && memcmp(scan->text + at + 1, "u0000", 5) == 0) {
                *ret_nul = true;
                return at;
            }
            at++;
        }
        at++;
    }
    return at;
}

static bool is_digit(char byte) {
    return byte >= '0' && byte <= '9';
}

// Skips digits; if they are an integer above INT64_MAX, it is copied marked. The digits of a fraction or an exponent are no
// integer, and a negative one is not ours to save.
static size_t take_digits(struct scan *scan, size_t start) {
    size_t end = start;
    uint64_t value = 0;
    bool fits = scan->text[start] != '0';
    for (; end < scan->size && is_digit(scan->text[end]); end++) {
        fits = fits && !__builtin_mul_overflow(value, 10, &value) && !__builtin_add_overflow(value, scan->text[end] - '0', &value);
    }
    bool part = start > 0 && strchr(".eE+-", scan->text[start - 1]) && scan->text[start - 1];
    bool whole = end == scan->size || !(scan->text[end] && strchr(".eE", scan->text[end]));
    if (fits && value > INT64_MAX && !part && whole) {
        buf_add(scan->marked, scan->text + scan->copied, start - scan->copied);
        buf_add_string(scan->marked, big_mark);
        buf_add(scan->marked, scan->text + start, end - start);
        buf_add_char(scan->marked, '"');
        scan->copied = end;
    }
    return end;
}

// An opening bracket or a comma at `at`: what stands behind it is a value more.
static int count_value(struct scan *scan, const struct json_document *document, size_t at, struct err *err) {
    if (++scan->values > JSON_MAX_VALUES) {
        return refuse(document, at, "the document has more than 65536 values", err);
    }
    if (scan->text[at] != ',' && ++scan->depth > JSON_MAX_DEPTH) {
        return refuse(document, at, "objects and arrays are nested more than 32 deep", err);
    }
    return 0;
}
static_assert(JSON_MAX_DEPTH == 32 && JSON_MAX_VALUES == 65536, "the messages name them");

static int scan_text(const struct json_document *document, struct buf *marked, struct err *err) {
    struct scan scan = {.text = document->text, .size = document->size, .marked = marked};
    size_t at = 0;
    while (at < scan.size) {
        char byte = scan.text[at];
        if (byte == '"') {
            bool has_nul;
            at = skip_string(&scan, at + 1, &has_nul);
            if (has_nul) {
                return refuse(document, at, "a string holds \\u0000", err);
            }
        } else if (is_digit(byte)) {
            at = take_digits(&scan, at);
            continue;
        } else if (byte == '{' || byte == '[' || byte == ',') {
            if (count_value(&scan, document, at, err) < 0) {
                return -1;
            }
        } else if ((byte == '}' || byte == ']') && scan.depth > 0) {
            scan.depth--;
        }
        at++;
    }
    if (scan.copied > 0) {
        buf_add(marked, scan.text + scan.copied, scan.size - scan.copied);
    }
    return 0;
}

// jansson's column in the marked text, less what the marks on that line take.
static int unmarked_column(const struct buf *marked, const json_error_t *error) {
    int column = error->column;
    size_t end = error->position > 0 && (size_t)error->position < marked->size ? (size_t)error->position : marked->size;
    size_t start = end;
    while (start > 0 && marked->data[start - 1] != '\n') {
        start--;
    }
    const char *at = marked->data + start;
    while ((at = memmem(at, (size_t)(marked->data + end - at), big_mark, sizeof(big_mark) - 1))) {
        at++;
        column -= BIG_GROWTH;
    }
    return column > 0 ? column : 1;
}

// The seed of jansson's hash tables, against documents made to collide. jansson would open /dev/urandom for it, three system calls
// in each start; the kernel has put 16 random bytes beside our arguments. They also make the stack's canary, hence the mixing.
void json_seed(void) {
    uint64_t words[2] = {1, 1};
    unsigned long at = getauxval(AT_RANDOM);
    if (at) {
        memcpy(words, (const void *)at, sizeof(words)); // NOLINT: the auxiliary vector holds addresses as numbers
    }
    uint64_t mixed = (words[0] ^ (words[1] << 23 | words[1] >> 41)) * 0x9e3779b97f4a7c15u;
    mixed = (mixed ^ mixed >> 29) * 0xbf58476d1ce4e5b9u;
    json_object_seed((size_t)(mixed ^ mixed >> 32) | 1);
}

// What the parser would call something else expected near the end, or near a sign that nobody sees.
static const char *explain_nothing(const struct json_document *document) {
    static const char byte_order_mark[] = "\xef\xbb\xbf";
    if (document->size >= 3 && memcmp(document->text, byte_order_mark, 3) == 0) {
        return "begins with a byte order mark (EF BB BF), which JSON has not; remove these three bytes";
    }
    for (size_t i = 0; i < document->size; i++) {
        if (!strchr(" \t\r\n", document->text[i]) || !document->text[i]) {
            return NULL;
        }
    }
    return document->size > 0 ? "holds nothing but white space; expected JSON" : "is empty; expected JSON";
}

int json_parse(const struct json_document *document, json_t **ret, struct err *err) {
    size_t max_bytes = document->max_bytes ? document->max_bytes : JSON_MAX_BYTES;
    if (document->size > max_bytes) {
        return err_set(err, ERR_INPUT, "%s: is larger than %zu bytes", document->name, max_bytes);
    }
    AUTO_BUF struct buf marked = {0};
    if (scan_text(document, &marked, err) < 0) {
        return -1;
    }
    json_seed();
    json_error_t error;
    json_t *root = marked.size > 0 ? json_loadb(marked.data, marked.size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error)
                                   : json_loadb(document->text, document->size, JSON_REJECT_DUPLICATES, &error);
    if (!root) {
        const char *nothing = explain_nothing(document);
        if (nothing) {
            return err_set(err, ERR_INPUT, "%s: %s", document->name, nothing);
        }
        // jansson shows the bytes it stumbled over; they must not act on a terminal.
        for (char *at = error.text; *at; at++) {
            *at = (unsigned char)*at < 0x20 || *at == 0x7f ? '?' : *at;
        }
        int column = marked.size > 0 ? unmarked_column(&marked, &error) : error.column;
        return err_set(err, ERR_INPUT, "%s: line %d, column %d: %s", document->name, error.line, column, error.text);
    }
    *ret = root;
    return 0;
}

static int add_text(const char *text, size_t size, void *buf) {
    buf_add(buf, text, size);
    return 0;
}

int json_print(const json_t *value, size_t flags, struct buf *text) {
    return json_dump_callback(value, add_text, text, flags);
}

const char *json_name_of(const struct json_name *names, uint32_t value) {
    while (names->name && names->value != value) {
        names++;
    }
    return names->name;
}

int64_t json_value_of(const struct json_name *names, const char *name) {
    for (; names->name; names++) {
        if (strcmp(names->name, name) == 0) {
            return names->value;
        }
    }
    return -1;
}

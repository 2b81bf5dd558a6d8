// Decoding JSON documents by tables: a row says which member of an object goes where in a plain struct, and of what type it is.
//
//     struct point { const char *label; const char **tags; size_t tags_count; struct opt_u32 x; };
//     static const struct json_row point_rows[] = {
//         ROW_STRING("label", struct point, label, JSON_NEEDED),
//         ROW_STRINGS("tags", struct point, tags, 0),
//         ROW_OPT_U32("x", struct point, x, 0),
//     };
//     static const struct json_table point_table = JSON_TABLE(struct point, point_rows);
//
// Everything decoded is copied into the caller's arena; the document's text is not needed afterwards. Members without a row are
// ignored, as the OCI documents want it; null counts as absent (other tools write it for empty lists); a name twice in one object
// is an error. An absent string is NULL, an absent list NULL with count 0, everything else absent is zero. Arrays have one zeroed
// item behind the last one, so a list of strings ends in NULL.
//
// Errors are one sentence that begins with the document's name and the way to the field:
//     config.json: linux.namespaces[1].type: expected one of cgroup, ipc, ..., found "mnt"
// They have the kind ERR_INPUT. Documents are foreign bytes: size, depth and the length of lists are bounded before decoding.
//
// The macros check at compile time that a row's kind fits the type of the member it fills.
#ifndef COFFER_SPECS_JSON_H
#define COFFER_SPECS_JSON_H

#include "runtime/base/attr.h"
#include "specs/values.h"

#include <jansson.h>

struct arena;
struct buf;
struct err;

enum {
    JSON_MAX_BYTES = 4 << 20,   // of a document, where its reader says nothing else
    JSON_MAX_DEPTH = 32,        // objects and arrays inside each other
    JSON_MAX_ITEMS = 32 * 1024, // of one array or object
    JSON_MAX_VALUES = 64 * 1024, // of the whole document: what they take in memory is many times their text
};

enum json_flag {
    JSON_NEEDED = 1,    // absent (or null) is an error
    JSON_NOT_EMPTY = 2, // a string or list, if present, must not be empty
};

enum json_kind {
    JSON_KIND_BOOL,    // bool
    JSON_KIND_I32,     // int32_t
    JSON_KIND_U32,     // uint32_t
    JSON_KIND_I64,     // int64_t
    JSON_KIND_U64,     // uint64_t
    JSON_KIND_STRING,  // const char *
    JSON_KIND_ENUM,    // uint32_t or enum, by name
    JSON_KIND_MASK,    // uint32_t or enum: an array of names, their values or-ed
    JSON_KIND_STRINGS, // const char **, and its count
    JSON_KIND_ENUMS,   // uint32_t *, and its count: an array of names
    JSON_KIND_U32S,    // uint32_t *, and its count
    JSON_KIND_PAIRS,   // struct text_pair *, and its count: an object of strings
    JSON_KIND_KEYS,    // const char **, and its count: the names of an object's members, whatever they hold
    JSON_KIND_OBJECT,  // a struct within the struct
    JSON_KIND_POINTER, // a pointer to a struct, NULL when absent
    JSON_KIND_LIST,    // an array of structs, and its count: an array of objects
    JSON_KIND_BY_NAME, // the same from an object of objects; the struct's first member is const char *name
    JSON_KIND_CUSTOM,  // whatever json_custom_fn makes of it
};

// A name in a document and the number it stands for. Tables end with a NULL name and are in the order messages shall list them.
struct json_name {
    const char *name;
    uint32_t value;
};

struct json_reader;
struct json_table;

// Decodes value into the member at `into`. -1 after json_fail().
typedef int json_custom_fn(struct json_reader *reader, json_t *value, void *into);

struct json_row {
    const char *name;
    uint8_t kind;          // enum json_kind
    uint8_t optional;      // the member is a struct opt_*
    uint8_t flags;         // enum json_flag
    uint32_t offset;       // of the member
    uint32_t count_offset; // of the size_t that counts a list
    union {
        const struct json_table *table; // OBJECT, POINTER, LIST, BY_NAME
        const struct json_name *names;  // ENUM, MASK, ENUMS
        json_custom_fn *custom;         // CUSTOM
    };
};

struct json_table {
    uint32_t size; // of the struct
    uint32_t count;
    const struct json_row *rows;
};

// clang-format off
#define JSON_TABLE(type, row_array) {.size = sizeof(type), .count = ARRAY_LEN(row_array), .rows = (row_array)}

// offsetof, for a member of this type and no other.
#define JSON_MEMBER(type, member, member_type)                                                                                     \
    ((uint32_t)(offsetof(type, member) +                                                                                           \
                0 * sizeof(char[__builtin_types_compatible_p(__typeof__(((type *)0)->member), member_type) ? 1 : -1])))
#define JSON_ROW(member_name, type, member, member_type, row_kind, row_flags)                                                      \
    .name = (member_name), .kind = JSON_KIND_##row_kind, .flags = (row_flags), .offset = JSON_MEMBER(type, member, member_type)
#define JSON_COUNT(type, member) .count_offset = JSON_MEMBER(type, member##_count, size_t)

#define ROW_BOOL(name, type, member, flags) {JSON_ROW(name, type, member, bool, BOOL, flags)}
#define ROW_I32(name, type, member, flags) {JSON_ROW(name, type, member, int32_t, I32, flags)}
#define ROW_U32(name, type, member, flags) {JSON_ROW(name, type, member, uint32_t, U32, flags)}
#define ROW_I64(name, type, member, flags) {JSON_ROW(name, type, member, int64_t, I64, flags)}
#define ROW_U64(name, type, member, flags) {JSON_ROW(name, type, member, uint64_t, U64, flags)}
#define ROW_OPT_BOOL(name, type, member, flags) {JSON_ROW(name, type, member, struct opt_bool, BOOL, flags), .optional = 1}
#define ROW_OPT_I32(name, type, member, flags) {JSON_ROW(name, type, member, struct opt_i32, I32, flags), .optional = 1}
#define ROW_OPT_U32(name, type, member, flags) {JSON_ROW(name, type, member, struct opt_u32, U32, flags), .optional = 1}
#define ROW_OPT_I64(name, type, member, flags) {JSON_ROW(name, type, member, struct opt_i64, I64, flags), .optional = 1}
#define ROW_OPT_U64(name, type, member, flags) {JSON_ROW(name, type, member, struct opt_u64, U64, flags), .optional = 1}
#define ROW_STRING(name, type, member, flags) {JSON_ROW(name, type, member, const char *, STRING, flags)}
#define ROW_ENUM(name, type, member, name_table, flags) {JSON_ROW(name, type, member, uint32_t, ENUM, flags), .names = (name_table)}
#define ROW_MASK(name, type, member, name_table, flags) {JSON_ROW(name, type, member, uint32_t, MASK, flags), .names = (name_table)}
// Lists: the count is the member of the same name with _count behind it.
#define ROW_STRINGS(name, type, member, flags)                                                                                     \
    {JSON_ROW(name, type, member, const char **, STRINGS, flags), JSON_COUNT(type, member)}
#define ROW_ENUMS(name, type, member, name_table, flags)                                                                           \
    {JSON_ROW(name, type, member, uint32_t *, ENUMS, flags), JSON_COUNT(type, member), .names = (name_table)}
#define ROW_U32S(name, type, member, flags) {JSON_ROW(name, type, member, uint32_t *, U32S, flags), JSON_COUNT(type, member)}
#define ROW_PAIRS(name, type, member, flags)                                                                                       \
    {JSON_ROW(name, type, member, struct text_pair *, PAIRS, flags), JSON_COUNT(type, member)}
#define ROW_KEYS(name, type, member, flags) {JSON_ROW(name, type, member, const char **, KEYS, flags), JSON_COUNT(type, member)}
#define ROW_OBJECT(name, type, member, sub_type, sub_table, flags)                                                                 \
    {JSON_ROW(name, type, member, sub_type, OBJECT, flags), .table = &(sub_table)}
// An object of the document whose members are kept in the struct at hand: the sub-table is of that struct.
#define ROW_FLAT(member_name, flat_table, row_flags)                                                                               \
    {.name = (member_name), .kind = JSON_KIND_OBJECT, .flags = (row_flags), .table = &(flat_table)}
#define ROW_POINTER(name, type, member, sub_type, sub_table, flags)                                                                \
    {JSON_ROW(name, type, member, sub_type *, POINTER, flags), .table = &(sub_table)}
#define ROW_LIST(name, type, member, sub_type, sub_table, flags)                                                                   \
    {JSON_ROW(name, type, member, sub_type *, LIST, flags), JSON_COUNT(type, member), .table = &(sub_table)}
#define ROW_BY_NAME(name, type, member, sub_type, sub_table, flags)                                                                \
    {JSON_ROW(name, type, member, sub_type *, BY_NAME, flags), JSON_COUNT(type, member), .table = &(sub_table)}
#define ROW_CUSTOM(name, type, member, member_type, function, flags)                                                               \
    {JSON_ROW(name, type, member, member_type, CUSTOM, flags), .custom = (function)}
// clang-format on

// Told what is odd but no error, as a sentence like those of errors.
typedef void json_warn_fn(void *context, const char *text);

// A document before it is decoded. The text is borrowed and need not end in NUL.
struct json_document {
    const char *name; // for messages: "config.json", or a digest
    const char *text;
    size_t size;
    size_t max_bytes;   // 0: JSON_MAX_BYTES
    json_warn_fn *warn; // NULL: warnings are dropped
    void *warn_context;
};

// Parses and decodes a document whose root is an object into the struct at `into`, which the caller has zeroed.
int json_decode(const struct json_document *document, const struct json_table *table, struct arena *arena, void *into,
                struct err *err) MUST_CHECK;

// The same for a document whose root is an array of objects: *ret_items are `*ret_count` structs in the arena, a zeroed one behind them.
int json_decode_list(const struct json_document *document, const struct json_table *table, struct arena *arena, void *ret_items,
                     size_t *ret_count, struct err *err) MUST_CHECK;

// The same with a function for the root, whatever that is.
int json_decode_custom(const struct json_document *document, json_custom_fn *custom, struct arena *arena, void *into,
                       struct err *err) MUST_CHECK;

// Only parses, with the same bounds and messages. *ret is the caller's (json_decref). Integers above INT64_MAX are strings in it, of a
// NUL byte and the digits, which no string of a document can be: jansson's integers are signed.
int json_parse(const struct json_document *document, json_t **ret, struct err *err) MUST_CHECK;

// Seeds jansson's hash tables, without the system calls it would make for that: for those who give it a text themselves.
void json_seed(void);

// Appends a value as text, as json_dumps(3) with these JSON_* flags has it (whose memory would not be free(3)'s: specs/json_pool.c).
// -1 when a string of it is not UTF-8.
int json_print(const json_t *value, size_t flags, struct buf *text) MUST_CHECK;

// For custom decoders. The reader's way to the value is kept by whoever descends into it: push before, pop after.
struct arena *json_arena(const struct json_reader *reader);
void json_push_index(struct json_reader *reader, size_t index);
void json_push_name(struct json_reader *reader, const char *name);
void json_pop(struct json_reader *reader);
int json_fail(struct json_reader *reader, const char *format, ...) PRINTF_LIKE(2, 3); // returns -1
int json_expected(struct json_reader *reader, const char *what, const json_t *found);       // "expected WHAT, found a number"
int json_expected_exact(struct json_reader *reader, const char *what, const json_t *found); // "expected WHAT, found 5"
void json_warn(struct json_reader *reader, const json_t *found, const char *what);          // "\"CAP_FLY\" WHAT"
int json_take_table(struct json_reader *reader, const struct json_table *table, json_t *value, void *into) MUST_CHECK;
int json_take_name(struct json_reader *reader, const struct json_name *names, const json_t *value, uint32_t *ret) MUST_CHECK;
int json_take_string(struct json_reader *reader, const json_t *value, const char **ret) MUST_CHECK;
int json_take_strings(struct json_reader *reader, const json_t *value, const char ***ret, size_t *ret_count) MUST_CHECK;

// The name that stands for value, NULL if none does; and the other way, -1 if there is none.
const char *json_name_of(const struct json_name *names, uint32_t value);
int64_t json_value_of(const struct json_name *names, const char *name);

// Gives back what documents were in, for a process that is going to be there for long. Nothing where one is there still.
void json_trim(void);

#endif

// Messages between two processes of ours (the program and init, later the host and the guest), from tables.
//
// A struct is described by rows; one table serves both encoding and decoding, so the two cannot differ. Decoding trusts nothing:
// every length is checked against what is left, and whatever is left over at the end is an error. Strings may be NULL.
#ifndef COFFER_BASE_WIRE_H
#define COFFER_BASE_WIRE_H

#include "runtime/base/attr.h"

#include <stddef.h>
#include <stdint.h>

struct arena;
struct buf;
struct err;

enum wire_kind {
    WIRE_BOOL,    // bool
    WIRE_U32,     // uint32_t, int32_t or an enum
    WIRE_U64,     // uint64_t or int64_t
    WIRE_STRING,  // const char *
    WIRE_BYTES,   // const void * with a size_t beside it
    WIRE_STRINGS, // const char ** with a size_t count beside it; NULL-terminated after decoding
    WIRE_RECORD,  // a struct inside the struct
    WIRE_RECORDS, // pointer to an array of structs with a size_t count beside it
};

struct wire_record;

struct wire_field {
    enum wire_kind kind;
    uint32_t offset;
    uint32_t count_offset;            // of the size_t that belongs to BYTES, STRINGS, RECORDS
    const struct wire_record *record; // of RECORD, RECORDS
};

struct wire_record {
    uint32_t size;
    uint32_t count;
    const struct wire_field *fields;
};

// Rows: WIRE(struct plan, STRING, hostname), WIRE_COUNTED(struct plan, STRINGS, args, args_count), WIRE_SUB(struct plan, caps, caps_record).
#define WIRE(type, kind_suffix, member) {.kind = WIRE_##kind_suffix, .offset = offsetof(type, member)}
#define WIRE_COUNTED(type, kind_suffix, member, counter)                                                                               \
    {.kind = WIRE_##kind_suffix, .offset = offsetof(type, member), .count_offset = offsetof(type, counter)}
#define WIRE_SUB(type, member, record_table) {.kind = WIRE_RECORD, .offset = offsetof(type, member), .record = &(record_table)}
#define WIRE_ARRAY(type, member, counter, record_table)                                                                                \
    {.kind = WIRE_RECORDS, .offset = offsetof(type, member), .count_offset = offsetof(type, counter), .record = &(record_table)}
#define WIRE_TABLE(type, rows) {.size = sizeof(type), .count = ARRAY_LEN(rows), .fields = (rows)}

// Appends the struct at `from` to the message.
void wire_encode(const struct wire_record *record, const void *from, struct buf *message);

// Fills the zeroed struct at `ret`; its strings and arrays live in the arena, bytes and text are copied there.
int wire_decode(const struct wire_record *record, const void *message, size_t size, struct arena *arena, void *ret,
                struct err *err) MUST_CHECK;

#endif

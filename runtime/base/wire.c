#include "runtime/base/wire.h"

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"

#include <stdbool.h>
#include <string.h>

// NULL strings and arrays are told apart from empty ones by this length.
static const uint32_t absent = UINT32_MAX;

static void put_u32(struct buf *message, uint32_t value) {
    buf_add(message, &value, sizeof(value));
}

static void put_string(struct buf *message, const char *text) {
    if (!text) {
        put_u32(message, absent);
        return;
    }
    size_t size = strlen(text);
    put_u32(message, (uint32_t)size);
    buf_add(message, text, size);
}

static void put_field(const struct wire_field *field, const char *from, struct buf *message) {
    const char *at = from + field->offset;
    size_t count = 0;
    const void *pointer = NULL;
    if (field->kind == WIRE_BYTES || field->kind == WIRE_STRINGS || field->kind == WIRE_RECORDS) {
        memcpy(&count, from + field->count_offset, sizeof(count));
        put_u32(message, (uint32_t)count);
    }
    if (field->kind != WIRE_RECORD && field->kind >= WIRE_STRING) {
        memcpy(&pointer, at, sizeof(pointer));
    }
    switch (field->kind) {
    case WIRE_BOOL:
        buf_add(message, at, sizeof(bool));
        break;
    case WIRE_U32:
        buf_add(message, at, sizeof(uint32_t));
        break;
    case WIRE_U64:
        buf_add(message, at, sizeof(uint64_t));
        break;
    case WIRE_STRING:
        put_string(message, pointer);
        break;
    case WIRE_BYTES:
        buf_add(message, pointer, count);
        break;
    case WIRE_STRINGS:
        for (size_t i = 0; i < count; i++) {
            put_string(message, ((const char *const *)pointer)[i]);
        }
        break;
    case WIRE_RECORD:
        wire_encode(field->record, at, message);
        break;
    case WIRE_RECORDS:
        for (size_t i = 0; i < count; i++) {
            wire_encode(field->record, (const char *)pointer + i * field->record->size, message);
        }
        break;
    }
}

void wire_encode(const struct wire_record *record, const void *from, struct buf *message) {
    for (uint32_t i = 0; i < record->count; i++) {
        put_field(&record->fields[i], from, message);
    }
}

struct reader {
    const char *at;
    size_t left;
    struct arena *arena;
};

static bool take(struct reader *reader, void *into, size_t size) {
    if (reader->left < size) {
        return false;
    }
    if (size > 0) {
        memcpy(into, reader->at, size);
    }
    reader->at += size;
    reader->left -= size;
    return true;
}

static bool take_string(struct reader *reader, const char **ret) {
    uint32_t size;
    if (!take(reader, &size, sizeof(size))) {
        return false;
    }
    if (size == absent) {
        *ret = NULL;
        return true;
    }
    if (reader->left < size) {
        return false;
    }
    *ret = arena_copy(reader->arena, reader->at, size);
    reader->at += size;
    reader->left -= size;
    return true;
}

static bool take_record(struct reader *reader, const struct wire_record *record, char *into);

static bool take_array(struct reader *reader, const struct wire_field *field, char *into) {
    uint32_t count;
    if (!take(reader, &count, sizeof(count))) {
        return false;
    }
    size_t wide = count;
    // An item takes at least one byte of the message (four for a string), so a count beyond what is left is a lie.
    if (wide > reader->left) {
        return false;
    }
    void *pointer = NULL;
    if (field->kind == WIRE_BYTES) {
        char *bytes = arena_alloc(reader->arena, wide + 1);
        if (!take(reader, bytes, wide)) {
            return false;
        }
        pointer = bytes;
    } else if (field->kind == WIRE_STRINGS) {
        const char **strings = arena_array(reader->arena, wide + 1, sizeof(*strings));
        for (size_t i = 0; i < wide; i++) {
            if (!take_string(reader, &strings[i])) {
                return false;
            }
        }
        pointer = strings;
    } else {
        char *items = arena_array(reader->arena, wide + 1, field->record->size);
        for (size_t i = 0; i < wide; i++) {
            if (!take_record(reader, field->record, items + i * field->record->size)) {
                return false;
            }
        }
        pointer = items;
    }
    memcpy(into + field->offset, &pointer, sizeof(pointer));
    memcpy(into + field->count_offset, &wide, sizeof(wide));
    return true;
}

static bool take_bool(struct reader *reader, bool *ret) {
    unsigned char byte;
    if (!take(reader, &byte, 1) || byte > 1) {
        return false;
    }
    *ret = byte == 1;
    return true;
}

static bool take_field(struct reader *reader, const struct wire_field *field, char *into) {
    char *at = into + field->offset;
    switch (field->kind) {
    case WIRE_BOOL:
        return take_bool(reader, (bool *)at);
    case WIRE_U32:
        return take(reader, at, sizeof(uint32_t));
    case WIRE_U64:
        return take(reader, at, sizeof(uint64_t));
    case WIRE_STRING:
        return take_string(reader, (const char **)(void *)at);
    case WIRE_RECORD:
        return take_record(reader, field->record, at);
    case WIRE_BYTES:
    case WIRE_STRINGS:
    case WIRE_RECORDS:
        return take_array(reader, field, into);
    }
    return false;
}

static bool take_record(struct reader *reader, const struct wire_record *record, char *into) {
    for (uint32_t i = 0; i < record->count; i++) {
        if (!take_field(reader, &record->fields[i], into)) {
            return false;
        }
    }
    return true;
}

int wire_decode(const struct wire_record *record, const void *message, size_t size, struct arena *arena, void *ret, struct err *err) {
    struct reader reader = {.at = message, .left = size, .arena = arena};
    if (!take_record(&reader, record, ret)) {
        return err_set(err, ERR_INPUT, "the message of %zu bytes ends early or holds a bad length", size);
    }
    if (reader.left > 0) {
        return err_set(err, ERR_INPUT, "the message of %zu bytes has %zu left over", size, reader.left);
    }
    return 0;
}

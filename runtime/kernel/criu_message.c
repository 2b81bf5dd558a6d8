#include "runtime/kernel/criu_message.h"

#include "runtime/base/buf.h"
#include "runtime/base/err.h"

#include <string.h>

// How a value is written (protocol buffers, "wire types").
enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES_RUN = 2, WIRE_FIXED32 = 5 };

// Fields of criu_req, criu_resp and what they hold.
enum {
    REQUEST_TYPE = 1,
    REQUEST_OPTIONS = 2,
    REQUEST_NOTIFY_SUCCESS = 3,
    REPLY_TYPE = 1,
    REPLY_SUCCESS = 2,
    REPLY_RESTORE = 4,
    REPLY_NOTIFY = 5,
    REPLY_ERRNUM = 7,
    REPLY_TEXT = 9,
    RESTORE_PID = 1,
    NOTIFY_SCRIPT = 1,
    NOTIFY_PID = 2,
};

// --- writing ---

static void put_varint(struct buf *message, uint64_t value) {
    for (; value >= 0x80; value >>= 7) {
        buf_add_char(message, (char)(value | 0x80));
    }
    buf_add_char(message, (char)value);
}

static void put_bytes(struct buf *message, uint32_t field, const void *data, size_t size) {
    put_varint(message, (uint64_t)field << 3 | WIRE_BYTES_RUN);
    put_varint(message, size);
    buf_add(message, data, size);
}

void criu_put_number(struct buf *message, uint32_t field, uint64_t value) {
    put_varint(message, (uint64_t)field << 3 | WIRE_VARINT);
    put_varint(message, value);
}

void criu_put_flag(struct buf *message, uint32_t field, bool value) {
    if (value) {
        criu_put_number(message, field, 1);
    }
}

void criu_put_string(struct buf *message, uint32_t field, const char *text) {
    put_bytes(message, field, text, strlen(text));
}

void criu_put_message(struct buf *message, uint32_t field, const struct buf *inner) {
    put_bytes(message, field, buf_string(inner), inner->size);
}

void criu_put_pair(struct buf *options, enum criu_option option, const char *first, const char *second) {
    AUTO_BUF struct buf inner = {0};
    if (first) {
        criu_put_string(&inner, 1, first);
    }
    criu_put_string(&inner, 2, second);
    criu_put_message(options, option, &inner);
}

void criu_put_named_number(struct buf *options, enum criu_option option, const char *first, uint64_t second) {
    AUTO_BUF struct buf inner = {0};
    criu_put_string(&inner, 1, first);
    criu_put_number(&inner, 2, second);
    criu_put_message(options, option, &inner);
}

void criu_put_request(struct buf *message, enum criu_type type, const struct buf *options, bool notify_success) {
    criu_put_number(message, REQUEST_TYPE, type);
    if (options) {
        criu_put_message(message, REQUEST_OPTIONS, options);
    } else {
        criu_put_number(message, REQUEST_NOTIFY_SUCCESS, notify_success);
    }
}

// --- reading ---

struct reader {
    const uint8_t *at, *end;
};

struct field {
    uint64_t number;
    uint64_t value;      // of a varint
    struct reader bytes; // of a run of bytes
    bool is_run;
};

static bool take_varint(struct reader *reader, uint64_t *ret) {
    *ret = 0;
    for (unsigned shift = 0; shift < 64 && reader->at < reader->end; shift += 7) {
        uint8_t byte = *reader->at++;
        *ret |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            return true;
        }
    }
    return false;
}

static bool skip(struct reader *reader, size_t size) {
    if ((size_t)(reader->end - reader->at) < size) {
        return false;
    }
    reader->at += size;
    return true;
}

// The next field; false where the bytes are none.
static bool take_field(struct reader *reader, struct field *ret) {
    uint64_t key, size;
    if (!take_varint(reader, &key)) {
        return false;
    }
    *ret = (struct field){.number = key >> 3};
    switch (key & 7) {
    case WIRE_VARINT:
        return take_varint(reader, &ret->value);
    case WIRE_FIXED64:
        return skip(reader, 8);
    case WIRE_FIXED32:
        return skip(reader, 4);
    case WIRE_BYTES_RUN:
        if (!take_varint(reader, &size) || size > (uint64_t)(reader->end - reader->at)) {
            return false;
        }
        ret->is_run = true;
        ret->bytes = (struct reader){reader->at, reader->at + size};
        reader->at += size;
        return true;
    default:
        return false;
    }
}

static void copy_text(const struct field *field, char *room, size_t room_size) {
    size_t size = field->is_run ? (size_t)(field->bytes.end - field->bytes.at) : 0;
    size = size < room_size ? size : room_size - 1;
    memcpy(room, field->bytes.at ? field->bytes.at : (const uint8_t *)"", size);
    room[size] = '\0';
}

static bool take_restore(struct reader reader, struct criu_reply *reply) {
    struct field field;
    while (reader.at < reader.end) {
        if (!take_field(&reader, &field)) {
            return false;
        }
        if (field.number == RESTORE_PID) {
            reply->pid = (int32_t)field.value;
        }
    }
    return true;
}

static bool take_notify(struct reader reader, struct criu_reply *reply) {
    struct field field;
    while (reader.at < reader.end) {
        if (!take_field(&reader, &field)) {
            return false;
        }
        if (field.number == NOTIFY_SCRIPT) {
            copy_text(&field, reply->script, sizeof(reply->script));
        } else if (field.number == NOTIFY_PID) {
            reply->pid = (int32_t)field.value;
        }
    }
    return true;
}

static bool take_reply(struct reader reader, struct criu_reply *reply, bool *ret_has_type) {
    struct field field;
    while (reader.at < reader.end) {
        if (!take_field(&reader, &field)) {
            return false;
        }
        bool good = true;
        switch (field.number) {
        case REPLY_TYPE:
            reply->type = (uint32_t)field.value;
            *ret_has_type = !field.is_run;
            break;
        case REPLY_SUCCESS:
            reply->success = field.value != 0;
            break;
        case REPLY_RESTORE:
            good = take_restore(field.bytes, reply);
            break;
        case REPLY_NOTIFY:
            good = take_notify(field.bytes, reply);
            break;
        case REPLY_ERRNUM:
            reply->errnum = (int32_t)field.value;
            break;
        case REPLY_TEXT:
            copy_text(&field, reply->text, sizeof(reply->text));
            break;
        default:
            break;
        }
        if (!good) {
            return false;
        }
    }
    return true;
}

int criu_reply_decode(const void *data, size_t size, struct criu_reply *ret, struct err *err) {
    struct criu_reply reply = {0};
    bool has_type = false;
    const struct reader reader = {data, (const uint8_t *)data + size};
    if (size > CRIU_MESSAGE_MAX || !take_reply(reader, &reply, &has_type) || !has_type) {
        return err_set(err, ERR_CORRUPT, "criu answered with what is no reply");
    }
    // Where nothing was restored it says -1.
    if (reply.pid < 0 && reply.success) {
        return err_set(err, ERR_CORRUPT, "criu answered with the process id %d", reply.pid);
    }
    *ret = reply;
    return 0;
}

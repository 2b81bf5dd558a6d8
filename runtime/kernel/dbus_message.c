#include "runtime/kernel/dbus_message.h"

#include "runtime/base/buf.h"
#include "runtime/base/err.h"

#include <string.h>

enum { VERSION = 1, NO_FLAGS = 0 };

// The fields of a header, by their numbers.
enum {
    FIELD_PATH = 1,
    FIELD_INTERFACE = 2,
    FIELD_MEMBER = 3,
    FIELD_ERROR = 4,
    FIELD_REPLY_SERIAL = 5,
    FIELD_DESTINATION = 6,
    FIELD_SENDER = 7,
    FIELD_SIGNATURE = 8,
};

static const uint8_t zeroes[8];

// --- writing ---

static void pad(struct buf *body, size_t alignment) {
    buf_add(body, zeroes, -body->size & (alignment - 1));
}

void dbus_put_byte(struct buf *body, uint8_t value) {
    buf_add(body, &value, 1);
}

void dbus_put_u32(struct buf *body, uint32_t value) {
    pad(body, 4);
    buf_add(body, &value, sizeof(value));
}

void dbus_put_bool(struct buf *body, bool value) {
    dbus_put_u32(body, value);
}

void dbus_put_u64(struct buf *body, uint64_t value) {
    pad(body, 8);
    buf_add(body, &value, sizeof(value));
}

void dbus_put_string(struct buf *body, const char *text) {
    size_t size = strlen(text);
    dbus_put_u32(body, (uint32_t)size);
    buf_add(body, text, size + 1);
}

void dbus_put_signature(struct buf *body, const char *signature) {
    size_t size = strlen(signature);
    dbus_put_byte(body, (uint8_t)size);
    buf_add(body, signature, size + 1);
}

void dbus_put_struct(struct buf *body) {
    pad(body, 8);
}

struct dbus_array dbus_array_begin(struct buf *body, size_t element_alignment) {
    dbus_put_u32(body, 0);
    struct dbus_array array = {.length_at = body->size - sizeof(uint32_t)};
    pad(body, element_alignment); // does not count, and is there for an empty array too
    array.begin = body->size;
    return array;
}

void dbus_array_end(struct buf *body, struct dbus_array array) {
    uint32_t size = (uint32_t)(body->size - array.begin);
    memcpy(body->data + array.length_at, &size, sizeof(size));
}

static void put_field(struct buf *message, uint8_t number, const char *signature, const char *value) {
    if (!value || !*value) {
        return;
    }
    dbus_put_struct(message);
    dbus_put_byte(message, number);
    dbus_put_signature(message, signature);
    if (*signature == 'g') {
        dbus_put_signature(message, value);
    } else {
        dbus_put_string(message, value);
    }
}

void dbus_encode(const struct dbus_header *header, const struct buf *body, struct buf *ret_message) {
    struct buf message = {0};
    const uint8_t start[4] = {__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 'B' : 'l', (uint8_t)header->type, NO_FLAGS, VERSION};
    buf_add(&message, start, sizeof(start));
    dbus_put_u32(&message, (uint32_t)(body ? body->size : 0));
    dbus_put_u32(&message, header->serial);
    struct dbus_array fields = dbus_array_begin(&message, 8);
    put_field(&message, FIELD_PATH, "o", header->path);
    put_field(&message, FIELD_INTERFACE, "s", header->interface);
    put_field(&message, FIELD_MEMBER, "s", header->member);
    put_field(&message, FIELD_ERROR, "s", header->error);
    put_field(&message, FIELD_DESTINATION, "s", header->destination);
    put_field(&message, FIELD_SIGNATURE, "g", header->signature);
    if (header->reply_serial != 0) {
        dbus_put_struct(&message);
        dbus_put_byte(&message, FIELD_REPLY_SERIAL);
        dbus_put_signature(&message, "u");
        dbus_put_u32(&message, header->reply_serial);
    }
    dbus_array_end(&message, fields);
    pad(&message, 8);
    if (body) {
        buf_add(&message, body->data, body->size);
    }
    buf_add(ret_message, message.data, message.size);
    buf_finish(&message);
}

// --- reading ---

struct cursor {
    const uint8_t *bytes;
    size_t at;
    size_t end;
    bool big;
};

static bool skip_padding(struct cursor *cursor, size_t alignment) {
    size_t size = -cursor->at & (alignment - 1);
    if (size > cursor->end - cursor->at || memcmp(cursor->bytes + cursor->at, zeroes, size) != 0) {
        return false;
    }
    cursor->at += size;
    return true;
}

static uint32_t u32_at(const uint8_t *bytes, bool big) {
    uint32_t value;
    memcpy(&value, bytes, sizeof(value));
    return big == (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__) ? value : __builtin_bswap32(value);
}

static bool take_fixed(struct cursor *cursor, size_t size) {
    if (!skip_padding(cursor, size) || size > cursor->end - cursor->at) {
        return false;
    }
    cursor->at += size;
    return true;
}

static bool take_u32(struct cursor *cursor, uint32_t *ret) {
    if (!take_fixed(cursor, sizeof(*ret))) {
        return false;
    }
    *ret = u32_at(cursor->bytes + cursor->at - sizeof(*ret), cursor->big);
    return true;
}

// A text of this length and the NUL behind it, the only one.
static bool take_text(struct cursor *cursor, size_t size, const char **ret) {
    if (size >= cursor->end - cursor->at) {
        return false;
    }
    const char *text = (const char *)cursor->bytes + cursor->at;
    if (text[size] != '\0' || memchr(text, '\0', size)) {
        return false;
    }
    cursor->at += size + 1;
    *ret = text;
    return true;
}

static bool take_string(struct cursor *cursor, const char **ret) {
    uint32_t size;
    return take_u32(cursor, &size) && take_text(cursor, size, ret);
}

// Where the first complete type of a signature ends; NULL when it is none.
static const char *type_end(const char *signature, unsigned depth) {
    if (depth > DBUS_DEPTH_MAX || *signature == '\0') {
        return NULL;
    }
    if (*signature == 'a') {
        return type_end(signature + 1, depth + 1);
    }
    if (*signature != '(' && *signature != '{') {
        return strchr("ybnqiuxtdhsogv", *signature) ? signature + 1 : NULL;
    }
    char close = *signature == '(' ? ')' : '}';
    const char *at = signature + 1;
    do {
        at = type_end(at, depth + 1);
    } while (at && *at != close);
    return at ? at + 1 : NULL;
}

static bool is_signature(const char *signature) {
    while (signature && *signature) {
        signature = type_end(signature, 0);
    }
    return signature != NULL;
}

static bool take_signature(struct cursor *cursor, const char **ret) {
    if (cursor->at >= cursor->end) {
        return false;
    }
    size_t size = cursor->bytes[cursor->at++];
    return take_text(cursor, size, ret) && is_signature(*ret);
}

static size_t alignment_of(char type) {
    switch (type) {
    case 'y':
    case 'g':
    case 'v':
        return 1;
    case 'n':
    case 'q':
        return 2;
    case 'b':
    case 'i':
    case 'u':
    case 'h':
    case 's':
    case 'o':
    case 'a':
        return 4;
    default:
        return 8;
    }
}

static bool check_value(struct cursor *cursor, const char *signature, unsigned depth);

static bool check_array(struct cursor *cursor, const char *element, unsigned depth) {
    uint32_t size;
    if (!take_u32(cursor, &size) || !skip_padding(cursor, alignment_of(*element)) || size > cursor->end - cursor->at) {
        return false;
    }
    struct cursor inside = *cursor;
    inside.end = cursor->at + size;
    // Every type takes a byte at least, so this ends; a run of bytes needs no look at each.
    while (*element != 'y' && inside.at < inside.end) {
        if (!check_value(&inside, element, depth)) {
            return false;
        }
    }
    cursor->at += size;
    return true;
}

static bool check_struct(struct cursor *cursor, const char *member, unsigned depth) {
    if (!skip_padding(cursor, 8)) {
        return false;
    }
    while (*member != ')' && *member != '}') {
        if (!check_value(cursor, member, depth)) {
            return false;
        }
        member = type_end(member, 0);
    }
    return true;
}

static bool check_variant(struct cursor *cursor, unsigned depth) {
    const char *signature;
    if (!take_signature(cursor, &signature)) {
        return false;
    }
    const char *end = type_end(signature, 0);
    return end && *end == '\0' && check_value(cursor, signature, depth);
}

// Moves over one value of the first type in the signature, which is a valid one.
static bool check_value(struct cursor *cursor, const char *signature, unsigned depth) {
    const char *text;
    uint32_t number;
    if (depth > DBUS_DEPTH_MAX) {
        return false;
    }
    switch (*signature) {
    case 'a':
        return check_array(cursor, signature + 1, depth + 1);
    case '(':
    case '{':
        return check_struct(cursor, signature + 1, depth + 1);
    case 'v':
        return check_variant(cursor, depth + 1);
    case 'g':
        return take_signature(cursor, &text);
    case 's':
    case 'o':
        return take_string(cursor, &text);
    case 'b':
        return take_u32(cursor, &number) && number <= 1;
    default:
        return take_fixed(cursor, alignment_of(*signature));
    }
}

static int corrupt(struct err *err, const char *what) {
    return err_set(err, ERR_CORRUPT, "the bus sent a message with %s", what);
}

int dbus_message_size(const void *head, size_t *ret_size, struct err *err) {
    const uint8_t *bytes = head;
    if ((bytes[0] != 'l' && bytes[0] != 'B') || bytes[3] != VERSION) {
        return corrupt(err, "an unknown byte order or version");
    }
    bool big = bytes[0] == 'B';
    uint64_t body = u32_at(bytes + 4, big), fields = u32_at(bytes + 12, big);
    uint64_t size = DBUS_HEAD_BYTES + ((fields + 7) & ~UINT64_C(7)) + body;
    if (size > DBUS_MESSAGE_MAX) {
        return corrupt(err, "more bytes than are taken");
    }
    *ret_size = (size_t)size;
    return 0;
}

static bool take_field(struct cursor *cursor, struct dbus_message *message) {
    const struct {
        uint8_t number;
        char type;
        const char **to;
    } known[] = {
        {FIELD_PATH, 'o', &message->path},     {FIELD_INTERFACE, 's', &message->interface}, {FIELD_MEMBER, 's', &message->member},
        {FIELD_ERROR, 's', &message->error},   {FIELD_SENDER, 's', &message->sender},       {FIELD_SIGNATURE, 'g', &message->signature},
    };
    const char *signature;
    if (!skip_padding(cursor, 8) || cursor->at >= cursor->end) {
        return false;
    }
    uint8_t number = cursor->bytes[cursor->at++];
    if (!take_signature(cursor, &signature)) {
        return false;
    }
    const char *end = type_end(signature, 0);
    if (!end || *end != '\0') {
        return false;
    }
    if (number == FIELD_REPLY_SERIAL) {
        return *signature == 'u' && take_u32(cursor, &message->reply_serial);
    }
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (known[i].number == number) {
            return *signature == known[i].type &&
                   (known[i].type == 'g' ? take_signature(cursor, known[i].to) : take_string(cursor, known[i].to));
        }
    }
    return check_value(cursor, signature, 1); // of a later version: passed over
}

// What each type must have (D-Bus Specification, "Header Fields").
static bool is_complete(const struct dbus_message *message) {
    switch (message->type) {
    case DBUS_CALL:
        return message->path && message->member;
    case DBUS_RETURN:
        return message->reply_serial != 0;
    case DBUS_ERROR:
        return message->reply_serial != 0 && message->error;
    case DBUS_SIGNAL:
        return message->path && message->interface && message->member;
    default:
        return true; // unknown types are to be passed over
    }
}

int dbus_decode(const void *bytes, size_t size, struct dbus_message *ret, struct err *err) {
    size_t told;
    if (size < DBUS_HEAD_BYTES) {
        return corrupt(err, "too few bytes");
    }
    if (dbus_message_size(bytes, &told, err) < 0) {
        return -1;
    }
    if (told != size) {
        return corrupt(err, "a size that is not its own");
    }
    const uint8_t *data = bytes;
    struct dbus_message message = {.type = data[1], .signature = "", .bytes = data, .size = size, .big = data[0] == 'B'};
    message.serial = u32_at(data + 8, message.big);
    struct cursor cursor = {.bytes = data, .at = DBUS_HEAD_BYTES, .big = message.big};
    cursor.end = DBUS_HEAD_BYTES + u32_at(data + 12, message.big);
    while (cursor.at < cursor.end) {
        if (!take_field(&cursor, &message)) {
            return corrupt(err, "a damaged header");
        }
    }
    cursor.end = size;
    if (message.serial == 0 || message.type == 0 || !is_complete(&message) || !skip_padding(&cursor, 8)) {
        return corrupt(err, "a damaged header");
    }
    message.body = cursor.at;
    for (const char *type = message.signature; *type; type = type_end(type, 0)) {
        if (!check_value(&cursor, type, 0)) {
            return corrupt(err, "a body that is not as its signature says");
        }
    }
    if (cursor.at != size) {
        return corrupt(err, "bytes behind its body");
    }
    *ret = message;
    return 0;
}

struct dbus_reader dbus_read(const struct dbus_message *message) {
    return (struct dbus_reader){.message = message, .signature = message->signature, .at = message->body};
}

static struct cursor cursor_of(const struct dbus_reader *reader) {
    const struct dbus_message *message = reader->message;
    return (struct cursor){.bytes = message->bytes, .at = reader->at, .end = message->size, .big = message->big};
}

static int not_as_expected(const struct dbus_reader *reader, const char *expected, struct err *err) {
    return err_set(err, ERR_CORRUPT, "the bus sent a message of signature \"%s\", expected %s", reader->message->signature, expected);
}

int dbus_read_u32(struct dbus_reader *reader, uint32_t *ret, struct err *err) {
    struct cursor cursor = cursor_of(reader);
    if (*reader->signature != 'u' || !take_u32(&cursor, ret)) {
        return not_as_expected(reader, "a number", err);
    }
    reader->signature++;
    reader->at = cursor.at;
    return 0;
}

int dbus_read_string(struct dbus_reader *reader, const char **ret, struct err *err) {
    struct cursor cursor = cursor_of(reader);
    if ((*reader->signature != 's' && *reader->signature != 'o') || !take_string(&cursor, ret)) {
        return not_as_expected(reader, "a text", err);
    }
    reader->signature++;
    reader->at = cursor.at;
    return 0;
}

int dbus_read_variant_string(struct dbus_reader *reader, const char **ret, struct err *err) {
    struct cursor cursor = cursor_of(reader);
    const char *inside;
    if (*reader->signature != 'v' || !take_signature(&cursor, &inside) || strcmp(inside, "s") != 0 || !take_string(&cursor, ret)) {
        return not_as_expected(reader, "a variant with a text", err);
    }
    reader->signature++;
    reader->at = cursor.at;
    return 0;
}

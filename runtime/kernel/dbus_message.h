// Messages of D-Bus (D-Bus Specification 0.42, "Type system" and "Message protocol"): bodies are put together value by value, and
// what comes from the bus is checked whole before anything of it is looked at.
//
// There is no library in this: libdbus-1.a of Debian 12 calls libsystemd, which is there as a shared library only, and would be as
// large as all of init and what it talks to. Needed are one kind of call and the answers to it.
//
// Writing. A body is a buf that begins at an alignment of 8, as a body does in its message; values are put behind each other, and the
// caller keeps them in step with the signature that he gives. Integers are in the order of this machine, which the header names.
//
// Reading. dbus_decode() checks bounds, alignment, padding, strings, signatures, booleans and depth of the header and of the body
// against its signature; from then on every read is within bounds. Nothing is copied: all pointers lead into the message's bytes.
#ifndef COFFER_KERNEL_DBUS_MESSAGE_H
#define COFFER_KERNEL_DBUS_MESSAGE_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;

enum {
    DBUS_HEAD_BYTES = 16,         // enough to tell how long the message is
    DBUS_MESSAGE_MAX = 1 << 20,   // the specification has 128 MiB; nothing that we ask for is answered by more than a few hundred
    DBUS_DEPTH_MAX = 64,          // arrays, structs and variants in each other
    DBUS_SIGNATURE_MAX = 255,
};

enum dbus_type { DBUS_CALL = 1, DBUS_RETURN = 2, DBUS_ERROR = 3, DBUS_SIGNAL = 4 };

// --- writing ---

void dbus_put_byte(struct buf *body, uint8_t value);
void dbus_put_bool(struct buf *body, bool value);
void dbus_put_u32(struct buf *body, uint32_t value);
void dbus_put_u64(struct buf *body, uint64_t value);
void dbus_put_string(struct buf *body, const char *text);         // s and o
void dbus_put_signature(struct buf *body, const char *signature); // g, and in front of a variant's value
void dbus_put_struct(struct buf *body);                           // the beginning of (...) or {...}: they begin at 8

// An array's length stands before its elements and is known behind them.
struct dbus_array {
    size_t length_at;
    size_t begin;
};
struct dbus_array dbus_array_begin(struct buf *body, size_t element_alignment); // 1, 4 or 8
void dbus_array_end(struct buf *body, struct dbus_array array);

struct dbus_header {
    enum dbus_type type;
    uint32_t serial; // not 0
    uint32_t reply_serial;
    const char *destination; // NULL: the field is left out, as in all that follow
    const char *path;
    const char *interface;
    const char *member;
    const char *error;
    const char *signature; // of the body
};

// Appends the whole message.
void dbus_encode(const struct dbus_header *header, const struct buf *body, struct buf *ret_message);

// --- reading ---

struct dbus_message {
    enum dbus_type type;
    uint32_t serial;
    uint32_t reply_serial; // 0 where there is none
    const char *sender;    // NULL where the field is not there, as in all that follow
    const char *path;
    const char *interface;
    const char *member;
    const char *error;
    const char *signature; // "" for an empty body
    const uint8_t *bytes;
    size_t body; // where it begins
    size_t size;
    bool big; // integers have their highest byte first
};

// How long the message is that begins with these DBUS_HEAD_BYTES bytes.
int dbus_message_size(const void *head, size_t *ret_size, struct err *err) MUST_CHECK;

// Takes a message of exactly this size apart. ERR_CORRUPT, naming what is wrong with it.
int dbus_decode(const void *bytes, size_t size, struct dbus_message *ret, struct err *err) MUST_CHECK;

// Reads the values of a body one after the other.
struct dbus_reader {
    const struct dbus_message *message;
    const char *signature; // what is left of it
    size_t at;
};
struct dbus_reader dbus_read(const struct dbus_message *message);

// The next value, which must be of the named type: an integer, a string or object path, a variant that holds a string.
// ERR_CORRUPT else.
int dbus_read_u32(struct dbus_reader *reader, uint32_t *ret, struct err *err) MUST_CHECK;
int dbus_read_string(struct dbus_reader *reader, const char **ret, struct err *err) MUST_CHECK;
int dbus_read_variant_string(struct dbus_reader *reader, const char **ret, struct err *err) MUST_CHECK;

#endif

// Messages of D-Bus. What decodes must be readable as what it says it is, within its own bytes, and text must end in them.
#include "runtime/base/err.h"
#include "runtime/kernel/dbus_message.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const struct dbus_message *message, const char *text) {
    const char *begin = (const char *)message->bytes;
    if (text && *text && (text < begin || text >= begin + message->size || text + strlen(text) >= begin + message->size)) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct err err = {0};
    struct dbus_message message;
    size_t told;
    if (size >= DBUS_HEAD_BYTES && dbus_message_size(data, &told, &err) == 0 && (told < DBUS_HEAD_BYTES || told > DBUS_MESSAGE_MAX)) {
        abort();
    }
    if (dbus_decode(data, size, &message, &err) < 0) {
        if (err.kind != ERR_CORRUPT) {
            abort();
        }
        return 0;
    }
    const char *const texts[] = {message.sender, message.path, message.interface, message.member, message.error, message.signature};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        check_text(&message, texts[i]);
    }
    struct dbus_reader reader = dbus_read(&message);
    for (;;) {
        const char *text;
        uint32_t number;
        if (dbus_read_u32(&reader, &number, &err) == 0) {
            continue;
        }
        if (dbus_read_string(&reader, &text, &err) < 0 && dbus_read_variant_string(&reader, &text, &err) < 0) {
            return 0;
        }
        check_text(&message, text);
    }
}

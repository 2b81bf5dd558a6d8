// Replies of criu. What decodes must have text that ends in its room.
#include "runtime/base/err.h"
#include "runtime/kernel/criu_message.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct criu_reply reply;
    struct err err = {0};
    if (criu_reply_decode(data, size, &reply, &err) < 0) {
        if (err.kind != ERR_CORRUPT) {
            abort();
        }
        return 0;
    }
    if (strnlen(reply.script, sizeof(reply.script)) == sizeof(reply.script) ||
        strnlen(reply.text, sizeof(reply.text)) == sizeof(reply.text) || (reply.success && reply.pid < 0)) {
        abort();
    }
    return 0;
}

#include "runtime/base/secret.h"

#include "runtime/base/buf.h"

#include <stdint.h>
#include <string.h>

void secret_wipe(const char *text) {
    if (text) {
        explicit_bzero((char *)(uintptr_t)text, strlen(text));
    }
}

void secret_finish(struct buf *buf) {
    if (buf->data) {
        explicit_bzero(buf->data, buf->room);
    }
    buf_finish(buf);
}

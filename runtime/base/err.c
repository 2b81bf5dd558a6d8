#include "runtime/base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

// A text that does not fit loses its end, never its beginning: the user's act stands in front.
static void set_text(struct err *err, const char *format, va_list args) {
    if (vsnprintf(err->text, sizeof(err->text), format, args) < 0) {
        err->text[0] = '\0';
    }
}

static void append_errno(struct err *err, int errnum) {
    size_t used = strlen(err->text);
    snprintf(err->text + used, sizeof(err->text) - used, ": %s", strerror(errnum));
}

int err_set(struct err *err, enum err_kind kind, const char *format, ...) {
    va_list args;
    va_start(args, format);
    err->kind = kind;
    err->errnum = 0;
    set_text(err, format, args);
    va_end(args);
    return -1;
}

int err_sys(struct err *err, const char *format, ...) {
    int errnum = errno;
    va_list args;
    va_start(args, format);
    err->kind = ERR_SYSTEM;
    err->errnum = errnum;
    set_text(err, format, args);
    va_end(args);
    append_errno(err, errnum);
    return -1;
}

int err_num(struct err *err, int errnum, const char *format, ...) {
    va_list args;
    va_start(args, format);
    err->kind = ERR_SYSTEM;
    err->errnum = errnum;
    set_text(err, format, args);
    va_end(args);
    append_errno(err, errnum);
    return -1;
}

int err_in(struct err *err, const char *format, ...) {
    char below[ERR_TEXT_SIZE];
    memcpy(below, err->text, sizeof(below));
    va_list args;
    va_start(args, format);
    set_text(err, format, args);
    va_end(args);
    size_t used = strlen(err->text);
    snprintf(err->text + used, sizeof(err->text) - used, ": %s", below);
    return -1;
}

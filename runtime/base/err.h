// struct err: what failed, as one sentence, outermost act first.
//
// The caller owns it, usually on its stack, and passes it as the last parameter. It holds no pointers, so that init can write it
// down a socket whole. Fallible functions return -1 (or NULL) and fill it; on success they leave it alone.
//
// Three makers, and no other: err_set for our own judgement, err_sys when the kernel refused (keeps errno and adds its text),
// err_in to put "what I was doing" in front of a message that came from below. It is printed once, in main.
#ifndef COFFER_BASE_ERR_H
#define COFFER_BASE_ERR_H

#include "runtime/base/attr.h"

enum err_kind {
    ERR_NONE = 0,
    ERR_SYSTEM,         // the kernel or a library refused; errnum says how
    ERR_INPUT,          // what the user, a file or a peer gave is wrong
    ERR_NOT_FOUND,      // a named object does not exist
    ERR_EXISTS,         // a name is taken
    ERR_STATE,          // the object is not in a state that allows this
    ERR_UNSUPPORTED,    // this host or this build cannot do it
    ERR_CORRUPT,        // data does not match its digest, size or format
    ERR_NOT_EXECUTABLE, // the container's command exists but cannot be executed (exit code 126)
    ERR_NO_COMMAND,     // the container's command does not exist (exit code 127)
    ERR_KIND_COUNT
};

enum { ERR_TEXT_SIZE = 1024 };

struct err {
    enum err_kind kind;
    int errnum; // errno of the system call that failed, 0 where there was none
    char text[ERR_TEXT_SIZE];
};

// Sets kind and text. Returns -1, so that a caller can write `return err_set(err, ...)`.
int err_set(struct err *err, enum err_kind kind, const char *format, ...) PRINTF_LIKE(3, 4);

// Sets kind ERR_SYSTEM, keeps errno, and ends the text with errno's own words. Returns -1.
int err_sys(struct err *err, const char *format, ...) PRINTF_LIKE(2, 3);

// The same for an error number that is not in errno.
int err_num(struct err *err, int errnum, const char *format, ...) PRINTF_LIKE(3, 4);

// Puts "format: " in front of the text; kind and errnum stay. Returns -1.
int err_in(struct err *err, const char *format, ...) PRINTF_LIKE(2, 3);

#endif

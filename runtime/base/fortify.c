// The program is linked statically with musl, for its start (Makefile), and with archives of Debian's libraries, which were built for
// glibc with _FORTIFY_SOURCE. What those need of glibc beyond what both C libraries have are a handful of checking functions:
// here they are, checks included. Built for glibc this file is empty.
#include <features.h>

#ifndef __GLIBC__

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int __snprintf_chk(char *to, size_t max, int flag, size_t room, const char *format, ...) __attribute__((format(printf, 5, 6)));
int __vsnprintf_chk(char *to, size_t max, int flag, size_t room, const char *format, va_list args)
    __attribute__((format(printf, 5, 0)));
int __fprintf_chk(FILE *to, int flag, const char *format, ...) __attribute__((format(printf, 3, 4)));
char *__strncpy_chk(char *to, const char *from, size_t count, size_t room);

int __vsnprintf_chk(char *to, size_t max, int flag, size_t room, const char *format, va_list args) {
    (void)flag;
    if (max > room) {
        abort();
    }
    return vsnprintf(to, max, format, args);
}

int __snprintf_chk(char *to, size_t max, int flag, size_t room, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int length = __vsnprintf_chk(to, max, flag, room, format, args);
    va_end(args);
    return length;
}

int __fprintf_chk(FILE *to, int flag, const char *format, ...) {
    (void)flag;
    va_list args;
    va_start(args, format);
    int length = vfprintf(to, format, args);
    va_end(args);
    return length;
}

char *__strncpy_chk(char *to, const char *from, size_t count, size_t room) {
    if (count > room) {
        abort();
    }
    return strncpy(to, from, count);
}

#endif

// Shared libraries that only some commands need, loaded on first use: what every start linked would cost every start 60-100 us
// each.
//
// The caller names the functions it wants in a table and owns the pointers; a library once loaded stays until the process ends.
// Not part of init, which is static (see INIT_SRC in the Makefile).
//
//     struct isal { void (*inflate_init)(struct inflate_state *); int (*inflate)(struct inflate_state *); } isal;
//     const struct library_symbol symbols[] = {{"isal_inflate_init", &isal.inflate_init}, {"isal_inflate", &isal.inflate}};
//     library_load("libisal.so.2", "libisal2", symbols, ARRAY_LEN(symbols), err)
#ifndef COFFER_BASE_LIBRARY_H
#define COFFER_BASE_LIBRARY_H

#include "runtime/base/attr.h"

#include <stddef.h>

struct err;

struct library_symbol {
    const char *name;
    void *pointer; // address of the function pointer to fill
};

// Loads the library by its soname (dlopen(3)) and fills all pointers; on failure none is touched. `package` is the Debian package
// that has it, named in the error, which is of kind ERR_UNSUPPORTED. Loading the same library again is cheap.
int library_load(const char *soname, const char *package, const struct library_symbol *symbols, size_t count,
                 struct err *err) MUST_CHECK;

#endif

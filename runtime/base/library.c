#include "runtime/base/library.h"

#include "runtime/base/err.h"

#include <dlfcn.h>
#include <string.h>

int library_load(const char *soname, const char *package, const struct library_symbol *symbols, size_t count, struct err *err) {
    void *library = dlopen(soname, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        return err_set(err, ERR_UNSUPPORTED, "load %s (Debian package %s): %s", soname, package, dlerror());
    }
    for (size_t i = 0; i < count; i++) {
        if (!dlsym(library, symbols[i].name)) {
            dlclose(library);
            return err_set(err, ERR_UNSUPPORTED, "load %s (Debian package %s): it has no function \"%s\"", soname, package,
                           symbols[i].name);
        }
    }
    for (size_t i = 0; i < count; i++) {
        // POSIX has object and function pointers of one size; ISO C has no cast between them.
        void *address = dlsym(library, symbols[i].name);
        memcpy(symbols[i].pointer, &address, sizeof(address));
    }
    return 0;
}

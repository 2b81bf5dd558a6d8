#include "tests/unit/check.h"

#include "runtime/base/err.h"
#include "runtime/base/library.h"

CASE(functions_of_a_library_are_called) {
    struct err err = {0};
    double (*cosine)(double) = NULL;
    const struct library_symbol symbols[] = {{"cos", &cosine}};
    CHECK_INT(library_load("libm.so.6", "libc6", symbols, 1, &err), 0);
    CHECK(cosine && cosine(0) == 1);
}

CASE(a_missing_library_names_its_package) {
    struct err err = {0};
    CHECK_INT(library_load("libnowhere.so.7", "libnowhere7", NULL, 0, &err), -1);
    CHECK_INT(err.kind, ERR_UNSUPPORTED);
    CHECK_STR(err.text, "load libnowhere.so.7 (Debian package libnowhere7): libnowhere.so.7: cannot open shared object file: "
                        "No such file or directory");
}

CASE(a_missing_function_leaves_all_pointers_alone) {
    struct err err = {0};
    double (*cosine)(double) = NULL;
    double (*other)(double) = NULL;
    const struct library_symbol symbols[] = {{"cos", &cosine}, {"no_such_function", &other}};
    CHECK_INT(library_load("libm.so.6", "libc6", symbols, 2, &err), -1);
    CHECK_STR(err.text, "load libm.so.6 (Debian package libc6): it has no function \"no_such_function\"");
    CHECK(!cosine && !other);
}

int main(void) {
    RUN(functions_of_a_library_are_called);
    RUN(a_missing_library_names_its_package);
    RUN(a_missing_function_leaves_all_pointers_alone);
    return check_done();
}

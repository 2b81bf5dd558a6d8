// Small values that documents are made of. They live in the arena of the document they were decoded from.
#ifndef COFFER_SPECS_VALUES_H
#define COFFER_SPECS_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// A scalar that a document may leave out, where leaving it out is not the same as zero.
struct opt_bool {
    bool set;
    bool value;
};

struct opt_i32 {
    bool set;
    int32_t value;
};

struct opt_u32 {
    bool set;
    uint32_t value;
};

struct opt_i64 {
    bool set;
    int64_t value;
};

struct opt_u64 {
    bool set;
    uint64_t value;
};

// One member of an object whose values are all strings (annotations, labels, sysctl).
struct text_pair {
    const char *name;
    const char *value;
};

#endif

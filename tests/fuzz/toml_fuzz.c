// TOML. What is read must be a tree without holes, whose keys are one of a kind in their table; what is refused is refused with a
// line.
#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "specs/toml.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct toml_table *table, unsigned depth) {
    if (!table || depth > 2 * TOML_MAX_DEPTH) {
        abort();
    }
    for (const struct toml_value *value = table->values; value; value = value->next) {
        if (!value->key || value->line == 0 || toml_find(table, value->key) != value) {
            abort();
        }
        size_t count = 0;
        switch (value->kind) {
        case TOML_STRING:
            (void)strlen(value->string);
            break;
        case TOML_STRINGS:
            while (value->strings[count]) {
                count++;
            }
            if (count != value->count) {
                abort();
            }
            break;
        case TOML_TABLE:
        case TOML_TABLES:
            for (const struct toml_table *item = value->table; item; item = item->next, count++) {
                check(item, depth + 1);
            }
            if (count != (value->kind == TOML_TABLE ? 1 : value->count)) {
                abort();
            }
            break;
        case TOML_BOOL:
        case TOML_INTEGER:
            break;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    AUTO_ARENA struct arena arena = {0};
    struct err err = {0};
    struct toml_table *root = NULL;
    if (size > 1 << 14) {
        return 0;
    }
    if (toml_parse("fuzz.conf", (const char *)data, size, &arena, &root, &err) < 0) {
        if (err.kind != ERR_INPUT || strncmp(err.text, "fuzz.conf: line ", 16) != 0) {
            abort();
        }
        return 0;
    }
    check(root, 0);
    return 0;
}

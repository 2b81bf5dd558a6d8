#include "cli/commands/removal.h"

#include "images/catalog.h"
#include "images/gc.h"
#include "runtime/base/buf.h"
#include "runtime/base/strv.h"

#include <stddef.h>

void removal_add_lines(struct buf *buf, const char *what, const struct strv *list) {
    for (size_t i = 0; i < list->count; i++) {
        buf_add_format(buf, "%s: %s\n", what, list->items[i]);
    }
}

void removal_add(struct buf *buf, const struct catalog_removal *removal) {
    removal_add_lines(buf, "Untagged", removal->untagged);
    removal_add_lines(buf, "Deleted", removal->deleted);
}

int removal_collect(const struct store *store, struct buf *buf, uint64_t *bytes, struct err *err) {
    AUTO_STRV struct strv layers = {0};
    struct gc_result result = {.layers = &layers};
    if (gc_run(store, &result, err) < 0) {
        return -1;
    }
    removal_add_lines(buf, "Deleted layer", &layers);
    *bytes += result.bytes;
    return 0;
}

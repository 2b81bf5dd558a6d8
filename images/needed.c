#include "images/needed.h"

#include "images/image_record.h"
#include "images/store.h"
#include "images/tags.h"
#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"

#include <stdlib.h>
#include <string.h>

void needed_finish(struct needed *needed) {
    free(needed->names);
    *needed = (struct needed){0};
}

static void need(struct needed *needed, const char *name) {
    if (needed->count == needed->room) {
        needed->room = needed->room ? 2 * needed->room : 64;
        needed->names = mem_resize(needed->names, needed->room, sizeof(*needed->names));
    }
    needed->names[needed->count++] = name;
}

static int compare(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

bool needed_has(const struct needed *needed, const char *name) {
    return needed->count > 0 && bsearch(&name, needed->names, needed->count, sizeof(*needed->names), compare);
}

static void need_blob(struct needed *needed, struct arena *arena, const char *digest) {
    char path[IMAGE_RECORD_PATH_SIZE];
    if (digest) {
        need(needed, arena_copy_string(arena, image_record_blob_path(digest, path)));
    }
}

int needed_find(const struct store *store, struct arena *arena, struct needed *needed, struct err *err) {
    const char **ids;
    size_t count;
    if (image_record_list(store, arena, &ids, &count, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        char path[IMAGE_RECORD_PATH_SIZE];
        struct image_record record;
        if (image_record_read(store, image_record_path(ids[i], path), arena, &record, err) < 0) {
            return -1;
        }
        for (size_t layer = 0; layer < record.layers_count; layer++) {
            need(needed, record.layers[layer].key);
        }
        need_blob(needed, arena, record.id);
        need_blob(needed, arena, record.manifest);
    }
    struct tag *tags;
    if (tag_list(store, arena, &tags, &count, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        need_blob(needed, arena, tags[i].ref.digest);
    }
    if (needed->count > 0) {
        qsort(needed->names, needed->count, sizeof(*needed->names), compare);
    }
    return 0;
}

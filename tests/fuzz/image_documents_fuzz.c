// Manifests, indexes, configurations, manifest.json of archives, and references: the first byte says as what the rest is read.
#include "images/list.h"
#include "images/ref.h"
#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "specs/image_config.h"
#include "specs/image_manifest.h"
#include "specs/json.h"
#include "specs/json_write.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// What was read once is read again when it is written: a record is made of it.
static void read_config(const struct json_document *document, struct arena *arena) {
    AUTO_BUF struct buf text = {0};
    struct err err = {0};
    struct image_config config;
    if (image_config_decode(document, arena, &config, &err) < 0) {
        return;
    }
    struct json_writer writer = {.buf = &text};
    image_config_write(&config, &writer, NULL);
    const struct json_document again = {.name = "again", .text = text.data, .size = text.size, .max_bytes = SIZE_MAX};
    if (image_config_decode(&again, arena, &config, &err) < 0) {
        abort();
    }
}

// What an index lists can be listed anew, and says the same there.
static void list_again(const struct image_manifest *index, struct arena *arena) {
    AUTO_BUF struct buf text = {0};
    struct err err = {0};
    struct image_manifest again;
    struct list list = {.annotations = index->annotations, .annotations_count = index->annotations_count};
    list.items = arena_array(arena, index->manifests_count + 1, sizeof(*list.items));
    list.items_count = index->manifests_count;
    for (size_t i = 0; i < list.items_count; i++) {
        list.items[i].descriptor = index->manifests[i];
    }
    if (list_render(&list, LIST_OCI, &text, &err) < 0) {
        abort();
    }
    const struct json_document document = {.name = "again", .text = text.data, .size = text.size, .max_bytes = SIZE_MAX};
    if (image_manifest_decode(&document, NULL, arena, &again, &err) < 0 || again.kind != IMAGE_INDEX ||
        again.manifests_count != index->manifests_count) {
        abort();
    }
}

// The short form of a reference is the same reference.
static void read_ref(const char *text, struct arena *arena) {
    struct err err = {0};
    struct image_ref ref, again;
    const char *hex;
    (void)image_id_like(text, &hex);
    if (image_ref_parse(arena, text, &ref, &err) == 0 &&
        (image_ref_parse(arena, image_ref_familiar(arena, &ref), &again, &err) < 0 || strcmp(ref.name, again.name) != 0 ||
         strstr(ref.name, ".."))) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    AUTO_ARENA struct arena arena = {0};
    struct err err = {0};
    if (size == 0) {
        return 0;
    }
    AUTO_FREE char *text = mem_alloc(size);
    memcpy(text, data + 1, size - 1);
    const struct json_document document = {.name = "fuzz", .text = text, .size = size - 1};
    struct image_manifest manifest;
    struct image_archive_item *items;
    size_t count;
    switch (data[0] % 4) {
    case 0:
        if (image_manifest_decode(&document, NULL, &arena, &manifest, &err) == 0) {
            if (manifest.kind == IMAGE_INDEX) {
                list_again(&manifest, &arena);
            }
            for (size_t i = 0; i < manifest.manifests_count; i++) {
                (void)image_descriptor_is_foreign(&manifest.manifests[i]);
                (void)image_descriptor_is_attestation(&manifest.manifests[i]);
                if (manifest.manifests[i].platform) {
                    (void)image_platform_rank(manifest.manifests[i].platform, image_platform_of_host());
                }
            }
        }
        break;
    case 1:
        read_config(&document, &arena);
        break;
    case 2:
        (void)!image_archive_decode(&document, &arena, &items, &count, &err);
        break;
    default:
        read_ref(text, &arena);
        break;
    }
    return 0;
}

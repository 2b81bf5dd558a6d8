// What refers to a manifest by its member "subject". (OCI distribution-spec 1.1, "Listing Referrers", "Referrers Tag Schema".)
#include "images/registry_state.h"

#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/base/quote.h"
#include "specs/image_manifest_write.h"
#include "specs/json.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_ITEMS = 32 * 1024, MAX_BYTES = 64 << 20 };

// An index; some servers write null for nothing.
struct page {
    struct image_descriptor *manifests;
    size_t manifests_count;
};

static const struct json_row page_rows[] = {
    ROW_LIST("manifests", struct page, manifests, struct image_descriptor, image_descriptor_table, 0),
};
static const struct json_table page_table = JSON_TABLE(struct page, page_rows);

struct found {
    struct image_descriptor *items;
    size_t count, room;
    size_t bytes; // of all pages
    struct arena *arena;
    const char *artifact_type;
    const char *what; // for messages
};

static void add(struct found *found, const struct image_descriptor *item) {
    if (found->count == found->room) {
        found->room = found->room ? 2 * found->room : 16;
        found->items = mem_resize(found->items, found->room, sizeof(*found->items));
    }
    found->items[found->count++] = *item;
}

// The server may have filtered or not; here it is done in any case.
static int take_page(struct found *found, const char *text, size_t size, struct err *err) {
    struct page page = {0};
    char quoted[QUOTE_SIZE];
    const struct json_document document = {.name = found->what, .text = text ? text : "", .size = size};
    if (json_decode(&document, &page_table, found->arena, &page, err) < 0) {
        return -1;
    }
    found->bytes += size;
    if (found->count + page.manifests_count > MAX_ITEMS || found->bytes > MAX_BYTES) {
        return err_set(err, ERR_INPUT, "%s: are more than %d, or than %d bytes", found->what, MAX_ITEMS, MAX_BYTES);
    }
    for (size_t i = 0; i < page.manifests_count; i++) {
        const struct image_descriptor *item = &page.manifests[i];
        struct digest digest;
        struct err ignored;
        if (digest_parse(item->digest, &digest, &ignored) < 0) {
            log_warn("%s: %s is left out: it is no digest", found->what, quote_text(item->digest, quoted));
        } else if (!found->artifact_type || (item->artifact_type && strcmp(item->artifact_type, found->artifact_type) == 0)) {
            add(found, item);
        }
    }
    return 0;
}

// 1: done, 0: the registry has no such list.
static int list(struct registry *registry, const struct image_ref *ref, struct found *found, struct err *err) {
    AUTO_ARENA struct arena arena = {0};
    const char *url = NULL, *path = arena_format(&arena, "/referrers/%s", ref->digest);
    struct exchange_request request = {
        .method = "GET",
        .path = found->artifact_type ? url_with_parameter(&arena, path, "artifactType", found->artifact_type) : path,
        .actions = "pull",
        .what = found->what,
        .headers = {"Accept: " IMAGE_OCI_INDEX},
        .body_fd = -1,
        .out_fd = -1,
        .max_bytes = JSON_MAX_BYTES,
    };
    for (unsigned pages = 0; pages < REGISTRY_MAX_PAGES; pages++) {
        AUTO_EXCHANGE struct exchange exchange = {0};
        request.url = url;
        exchange_start(&exchange, registry, ref, &request);
        if (exchange_wait(&exchange, err) < 0) {
            return -1;
        }
        const struct fetch_answer *answer = exchange_answer(&exchange);
        if (!url && (answer->status == 404 || answer->status == 405)) {
            return 0;
        }
        if (answer->status != 200) {
            return exchange_refused(&exchange, err);
        }
        if (take_page(found, answer->body, answer->body_size, err) < 0) {
            return -1;
        }
        const char *next = exchange_next_page(&exchange, &arena);
        if (!next) {
            return 1;
        }
        if (url && strcmp(next, url) == 0) {
            break;
        }
        url = next;
    }
    return err_set(err, ERR_INPUT, "%s: the registry's list leads from page to page without an end", found->what);
}

// Registries before 1.1: an index under a tag made of the digest.
static int list_by_tag(struct registry *registry, const struct image_ref *ref, struct found *found, struct err *err) {
    struct registry_manifest manifest;
    struct image_ref tagged = *ref;
    struct digest digest;
    char quoted[QUOTE_SIZE];
    if (digest_parse(ref->digest, &digest, err) < 0) {
        return -1;
    }
    tagged.digest = NULL;
    tagged.tag = arena_format(found->arena, "%s-%.64s", digest_algorithm_name(digest.algorithm), digest.hex);
    if (registry_get_manifest(registry, &tagged, false, found->arena, &manifest, err) < 0) {
        return err->kind == ERR_NOT_FOUND ? 0 : -1;
    }
    if (manifest.media_type && strcmp(manifest.media_type, IMAGE_OCI_INDEX) != 0) {
        return err_set(err, ERR_INPUT, "%s: tag %s: expected an index, found %s", found->what, tagged.tag,
                       quote_text(manifest.media_type, quoted));
    }
    return take_page(found, manifest.text, manifest.size, err);
}

int registry_list_referrers(struct registry *registry, const struct image_ref *ref, const char *artifact_type, struct arena *arena,
                            struct image_descriptor **ret, size_t *ret_count, struct err *err) {
    struct found found = {
        .arena = arena,
        .artifact_type = artifact_type,
        .what = arena_format(arena, "%s: referrers of %s", ref->name, ref->digest),
    };
    int result = list(registry, ref, &found, err);
    result = result == 0 ? list_by_tag(registry, ref, &found, err) : result;
    if (result >= 0) {
        struct image_descriptor *items = arena_array(arena, found.count + 1, sizeof(*items));
        if (found.count > 0) {
            memcpy(items, found.items, found.count * sizeof(*items));
        }
        *ret = items;
        *ret_count = found.count;
        result = 0;
    }
    free(found.items);
    return result;
}

// Lists that a registry has in pages: tags, and repositories.
#include "images/registry_state.h"

#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/base/quote.h"
#include "specs/json.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct page {
    const char **names;
    size_t names_count;
};

static const struct json_row tags_rows[] = {
    ROW_STRINGS("tags", struct page, names, 0),
};
static const struct json_table tags_table = JSON_TABLE(struct page, tags_rows);

static const struct json_row catalog_rows[] = {
    ROW_STRINGS("repositories", struct page, names, 0),
};
static const struct json_table catalog_table = JSON_TABLE(struct page, catalog_rows);

struct names {
    const char **items;
    size_t count, room;
    struct arena *arena;
};

static void add(struct names *names, const char *text) {
    if (names->count == names->room) {
        names->room = names->room ? 2 * names->room : 64;
        names->items = mem_resize(names->items, names->room, sizeof(*names->items));
    }
    names->items[names->count++] = arena_copy_string(names->arena, text);
}

// What a registry calls a tag or repository becomes part of a command line somewhere.
static bool is_name(const char *text, bool is_tag) {
    size_t length = strlen(text);
    return is_tag
               ? image_tag_valid(text)
               : length > 0 && length <= IMAGE_REF_NAME_MAX && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789._-/") == length;
}

// The target of `<TARGET>; rel="next"` among the links of one line (RFC 8288); NULL: none.
static const char *find_next(const char *line, struct arena *arena) {
    for (const char *at = line, *end; (at = strchr(at, '<')) && (end = strchr(at, '>')); at = end) {
        const char *rel = strcasestr(end, "rel="), *other = strchr(end, '<');
        if (rel && (!other || rel < other) && (strncasecmp(rel + 4, "\"next\"", 6) == 0 || strncasecmp(rel + 4, "next", 4) == 0)) {
            return arena_copy(arena, at + 1, (size_t)(end - at - 1));
        }
    }
    return NULL;
}

// Path and query of what the server says, whatever host a proxy in front of it has written there.
const char *exchange_next_page(const struct exchange *exchange, struct arena *arena) {
    const struct fetch_answer *answer = exchange_answer(exchange);
    for (size_t i = 0; i < answer->headers_count; i++) {
        struct url url, here;
        struct err ignored;
        const char *target = strcmp(answer->headers[i].name, "link") == 0 ? find_next(answer->headers[i].value, arena) : NULL;
        if (target && url_resolve(arena, &exchange->url, target, &url, &ignored) == 0 &&
            url_resolve(arena, &exchange->origin, url.path, &here, &ignored) == 0) {
            return here.text;
        }
    }
    return NULL;
}

static int take_page(const struct exchange *exchange, bool is_tags, struct names *names, struct err *err) {
    const struct fetch_answer *answer = exchange_answer(exchange);
    AUTO_ARENA struct arena arena = {0};
    struct page page = {0};
    char quoted[QUOTE_SIZE];
    const struct json_document document = {
        .name = exchange->request.what,
        .text = answer->body ? answer->body : "",
        .size = answer->body_size,
    };
    if (json_decode(&document, is_tags ? &tags_table : &catalog_table, &arena, &page, err) < 0) {
        return -1;
    }
    if (names->count + page.names_count > REGISTRY_MAX_NAMES) {
        return err_set(err, ERR_INPUT, "%s: the list is longer than %d names", exchange->request.what, REGISTRY_MAX_NAMES);
    }
    for (size_t i = 0; i < page.names_count; i++) {
        if (is_name(page.names[i], is_tags)) {
            add(names, page.names[i]);
        } else {
            log_warn("%s: %s is left out: no %s can be called so", exchange->request.what, quote_text(page.names[i], quoted),
                     is_tags ? "tag" : "repository");
        }
    }
    return 0;
}

// Fetches page after page.
static int list(struct registry *registry, const struct image_ref *ref, bool is_tags, struct names *names, struct err *err) {
    AUTO_ARENA struct arena arena = {0};
    const char *url = NULL;
    struct exchange_request request = {
        .method = "GET",
        .path = arena_format(&arena, "%s?n=%d", is_tags ? "/tags/list" : "/v2/_catalog", REGISTRY_PAGE),
        .actions = is_tags ? "pull" : "registry:catalog:*",
        .what = is_tags ? ref->name : ref->registry,
        .headers = {"Accept: application/json"},
        .body_fd = -1,
        .out_fd = -1,
        .bare = !is_tags,
    };
    for (unsigned pages = 0; pages < REGISTRY_MAX_PAGES; pages++) {
        AUTO_EXCHANGE struct exchange exchange = {0};
        request.url = url;
        exchange_start(&exchange, registry, ref, &request);
        if (exchange_wait(&exchange, err) < 0) {
            return -1;
        }
        if (exchange_answer(&exchange)->status != 200) {
            return exchange_refused(&exchange, err);
        }
        if (take_page(&exchange, is_tags, names, err) < 0) {
            return -1;
        }
        const char *next = exchange_next_page(&exchange, &arena);
        if (!next) {
            return 0;
        }
        if (url && strcmp(next, url) == 0) {
            break;
        }
        url = next;
    }
    return err_set(err, ERR_INPUT, "%s: the registry's list leads from page to page without an end", request.what);
}

static int list_into(struct registry *registry, const struct image_ref *ref, bool is_tags, struct arena *arena, const char ***ret,
                     size_t *ret_count, struct err *err) {
    struct names names = {.arena = arena};
    int result = list(registry, ref, is_tags, &names, err);
    if (result == 0) {
        const char **items = arena_array(arena, names.count + 1, sizeof(*items));
        if (names.count > 0) {
            memcpy(items, names.items, names.count * sizeof(*items));
        }
        *ret = items;
        *ret_count = names.count;
    }
    free(names.items);
    return result;
}

int registry_list_tags(struct registry *registry, const struct image_ref *ref, struct arena *arena, const char ***ret_tags,
                       size_t *ret_count, struct err *err) {
    return list_into(registry, ref, true, arena, ret_tags, ret_count, err);
}

int registry_list_repositories(struct registry *registry, const char *host, struct arena *arena, const char ***ret_names,
                               size_t *ret_count, struct err *err) {
    const struct image_ref ref = {.registry = host, .repository = "", .name = host};
    return list_into(registry, &ref, false, arena, ret_names, ret_count, err);
}

// Searching: the old index API (GET /v1/search), which docker.io, quay.io and some others serve, else the catalog, gone through
// here.
#include "images/registry_state.h"

#include "specs/json.h"

#include <string.h>

struct found {
    const char *name, *description;
    int64_t stars;
    bool official;
};

struct results {
    struct found *found;
    size_t found_count;
};

static const struct json_row found_rows[] = {
    ROW_STRING("name", struct found, name, JSON_NEEDED | JSON_NOT_EMPTY),
    ROW_STRING("description", struct found, description, 0),
    ROW_I64("star_count", struct found, stars, 0),
    ROW_BOOL("is_official", struct found, official, 0),
};
static const struct json_table found_table = JSON_TABLE(struct found, found_rows);

static const struct json_row results_rows[] = {
    ROW_LIST("results", struct results, found, struct found, found_table, JSON_NEEDED),
};
static const struct json_table results_table = JSON_TABLE(struct results, results_rows);

static void add(struct registry_found *list, size_t *count, const struct found *found, const char *host, struct arena *arena) {
    list[(*count)++] = (struct registry_found){
        .name = strcmp(host, "docker.io") == 0 ? found->name : arena_format(arena, "%s/%s", host, found->name),
        .description = found->description ? found->description : "",
        .stars = found->stars,
        .official = found->official,
    };
}

// 1: answered, 0: the registry has no such thing.
static int ask_index(struct registry *registry, const struct registry_query *query, struct arena *arena,
                     struct registry_found *list, size_t *count, struct err *err) {
    AUTO_EXCHANGE struct exchange exchange = {0};
    const struct image_ref ref = {.registry = query->host, .repository = "", .name = query->host};
    const char *path = url_with_parameter(&exchange.arena, "/v1/search", "q", query->term);
    path = url_with_parameter(&exchange.arena, path, "n", arena_format(&exchange.arena, "%zu", query->limit));
    bool hub = strcmp(query->host, "docker.io") == 0;
    const struct exchange_request request = {
        .method = "GET",
        .path = path,
        .url = hub ? arena_format(&exchange.arena, "https://index.docker.io%s", path) : NULL,
        .actions = "registry:catalog:*",
        .what = query->host,
        .headers = {"Accept: application/json"},
        .body_fd = -1,
        .out_fd = -1,
        .bare = true,
    };
    exchange_start(&exchange, registry, &ref, &request);
    if (exchange_wait(&exchange, err) < 0) {
        return -1;
    }
    const struct fetch_answer *answer = exchange_answer(&exchange);
    const char *type = fetch_header(answer, "content-type");
    bool none = answer->status == 404 || answer->status == 405 || (answer->status == 200 && type && !strstr(type, "json"));
    if (none && !hub) {
        return 0;
    }
    if (answer->status != 200) {
        return exchange_refused(&exchange, err);
    }
    struct results results = {0};
    const struct json_document document = {.name = query->host, .text = answer->body, .size = answer->body_size};
    if (json_decode(&document, &results_table, arena, &results, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < results.found_count && *count < query->limit; i++) {
        add(list, count, &results.found[i], query->host, arena);
    }
    return 1;
}

int registry_search(struct registry *registry, const struct registry_query *query, struct arena *arena, struct registry_found **ret,
                    size_t *ret_count, struct err *err) {
    struct registry_found *list = arena_array(arena, query->limit + 1, sizeof(*list));
    size_t count = 0, names_count = 0;
    const char **names;
    int asked = ask_index(registry, query, arena, list, &count, err);
    if (asked < 0 || (asked == 0 && registry_list_repositories(registry, query->host, arena, &names, &names_count, err) < 0)) {
        return -1;
    }
    for (size_t i = 0; i < names_count && count < query->limit; i++) {
        if (strstr(names[i], query->term)) {
            add(list, &count, &(struct found){.name = names[i]}, query->host, arena);
        }
    }
    *ret = list;
    *ret_count = count;
    return 0;
}

#include "cli/commands/all.h"
#include "cli/context.h"
#include "cli/output.h"
#include "cli/registry_session.h"
#include "images/ref.h"
#include "images/registry.h"
#include "runtime/base/err.h"

#include <stddef.h>
#include <string.h>

enum { DEFAULT_LIMIT = 25 };

struct search_request {
    struct list_options list;
    struct registry_flags registry;
    struct opt_i64 limit;
};

enum { COLUMN_NAME, COLUMN_DESCRIPTION, COLUMN_STARS, COLUMN_OFFICIAL };

static const struct table_column columns[] = {
    [COLUMN_NAME] = {"Name", "NAME", TABLE_QUIET},
    [COLUMN_DESCRIPTION] = {"Description", "DESCRIPTION", .cut = 45},
    [COLUMN_STARS] = {"StarCount", "STARS", TABLE_RIGHT},
    [COLUMN_OFFICIAL] = {"IsOfficial", "OFFICIAL"},
    {0},
};

// "quay.io/term": whether what stands before the first slash is a registry is decided as in an image's name.
static int split(struct context *context, const char *word, struct registry_query *query, struct err *err) {
    const char *slash = strchr(word, '/');
    struct image_ref ref;
    query->host = "docker.io";
    query->term = word;
    if (slash) {
        const char *as_name = arena_format(&context->arena, "%.*s/x", (int)(slash - word), word);
        if (image_ref_parse(&context->arena, as_name, &ref, err) < 0) {
            return -1;
        }
        if (strcmp(ref.registry, "docker.io") != 0 || strncmp(word, "docker.io/", 10) == 0) {
            query->host = ref.registry;
            query->term = slash + 1;
        }
    }
    return 0;
}

static int run(struct context *context, struct err *err) {
    const struct search_request *request = context->request;
    AUTO_REGISTRY_SESSION struct registry_session session = {0};
    AUTO_TABLE struct table table = {.columns = columns};
    struct registry_query query = {.limit = request->limit.set ? (size_t)request->limit.value : DEFAULT_LIMIT};
    struct registry_found *found;
    size_t count;
    if (split(context, context->operands[0], &query, err) < 0 ||
        registry_session_open(context, &request->registry, query.host, &session, err) < 0 ||
        registry_search(session.registry, &query, &context->arena, &found, &count, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        table_row(&table);
        table_set(&table, COLUMN_NAME, "%s", found[i].name);
        table_set(&table, COLUMN_DESCRIPTION, "%s", found[i].description);
        table_set(&table, COLUMN_STARS, "%lld", (long long)found[i].stars);
        table_set(&table, COLUMN_OFFICIAL, "%s", found[i].official ? "[OK]" : "");
    }
    return table_print(&table, &request->list, err);
}

static const struct option_row options[] = {
    OPTION_INT("limit", 0, "N", 1, REGISTRY_MAX_FOUND, struct search_request, limit, "Show at most N [default 25]"),
    OPTION_ROWS(list_option_rows, struct search_request, list, struct list_options),
    REGISTRY_OPTIONS(struct search_request, registry),
    {0},
};

const struct command command_search = {
    .name = "search",
    .usage = "[REGISTRY/]TERM",
    .summary = "Search a registry for images",
    .description =
        "Asks docker.io, or the registry before the term: by its search, where it serves one, else through the list of all its "
        "repositories.",
    .examples = "coffer search nginx\ncoffer search --limit 5 registry.example.com/team",
    .group = COMMAND_GROUP_IMAGES,
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .request_size = sizeof(struct search_request),
    .run = run,
};

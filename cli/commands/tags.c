#include "cli/commands/all.h"
#include "cli/context.h"
#include "cli/output.h"
#include "cli/registry_session.h"
#include "images/ref.h"
#include "images/registry.h"
#include "runtime/base/err.h"

#include <stddef.h>
#include <string.h>

struct tags_request {
    struct list_options list;
    struct registry_flags registry;
    struct opt_i64 limit;
};

enum { COLUMN_REPOSITORY, COLUMN_TAG };

static const struct table_column columns[] = {
    [COLUMN_REPOSITORY] = {"Repository", "REPOSITORY"},
    [COLUMN_TAG] = {"Tag", "TAG", TABLE_QUIET},
    {0},
};

static int parse(struct context *context, const char *word, struct image_ref *ret, struct err *err) {
    const char *slash = strrchr(word, '/');
    if (strpbrk(slash ? slash : word, ":@")) {
        return err_set(err, ERR_INPUT, "tags %s: expected a repository without a tag or digest", word);
    }
    return image_ref_parse(&context->arena, word, ret, err);
}

static int run(struct context *context, struct err *err) {
    const struct tags_request *request = context->request;
    AUTO_REGISTRY_SESSION struct registry_session session = {0};
    AUTO_TABLE struct table table = {.columns = columns};
    struct image_ref ref;
    const char **tags;
    size_t count;
    if (parse(context, registry_reference(context->operands[0]), &ref, err) < 0 ||
        registry_session_open(context, &request->registry, ref.registry, &session, err) < 0 ||
        registry_list_tags(session.registry, &ref, &context->arena, &tags, &count, err) < 0) {
        return -1;
    }
    if (request->limit.set && (uint64_t)request->limit.value < count) {
        count = (size_t)request->limit.value;
    }
    for (size_t i = 0; i < count; i++) {
        table_row(&table);
        table_set(&table, COLUMN_REPOSITORY, "%s", image_ref_familiar_name(ref.name));
        table_set(&table, COLUMN_TAG, "%s", tags[i]);
    }
    return table_print(&table, &request->list, err);
}

static const struct option_row options[] = {
    OPTION_INT("limit", 0, "N", 1, INT32_MAX, struct tags_request, limit, "Show the first N only"),
    OPTION_ROWS(list_option_rows, struct tags_request, list, struct list_options),
    REGISTRY_OPTIONS(struct tags_request, registry),
    {0},
};

const struct command command_tags = {
    .name = "tags",
    .usage = "REPOSITORY",
    .summary = "List the tags a registry has of a repository",
    .examples = "coffer tags alpine\ncoffer tags -q registry.example.com/team/app",
    .group = COMMAND_GROUP_IMAGES,
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .request_size = sizeof(struct tags_request),
    .run = run,
};

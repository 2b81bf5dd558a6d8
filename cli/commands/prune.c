#include "cli/ask.h"
#include "cli/commands/all.h"
#include "cli/commands/container_prune.h"
#include "cli/commands/image_events.h"
#include "cli/commands/removal.h"
#include "cli/commands/store.h"
#include "cli/commands/volume.h"
#include "cli/context.h"
#include "cli/output.h"
#include "cli/time_word.h"
#include "images/catalog.h"
#include "images/partial.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/strv.h"

#include <stddef.h>
#include <string.h>
#include <unistd.h>

struct prune_request {
    bool all;
    bool force;
    bool volumes;
    struct strv filters;
};

static int parse_filters(struct context *context, struct catalog_prune *prune, struct err *err) {
    const struct prune_request *request = context->request;
    size_t labels = 0, unlabels = 0;
    prune->all = request->all;
    prune->labels = arena_array(&context->arena, request->filters.count + 1, sizeof(*prune->labels));
    prune->unlabels = arena_array(&context->arena, request->filters.count + 1, sizeof(*prune->unlabels));
    for (size_t i = 0; i < request->filters.count; i++) {
        const char *filter = request->filters.items[i];
        if (strncmp(filter, "until=", 6) == 0) {
            if (time_word_parse(filter + 6, &prune->until_s) < 0) {
                return err_set(err, ERR_INPUT, "--filter %s: expected " TIME_WORD_EXPECTED, filter);
            }
            prune->has_until = true;
        } else if (strncmp(filter, "label=", 6) == 0 && filter[6]) {
            prune->labels[labels++] = filter + 6;
        } else if (strncmp(filter, "label!=", 7) == 0 && filter[7]) {
            prune->unlabels[unlabels++] = filter + 7;
        } else {
            return err_set(err, ERR_INPUT, "--filter %s: expected until=TIME, label=KEY[=VALUE] or label!=KEY[=VALUE]", filter);
        }
    }
    return 0;
}

static void add_total(struct buf *buf, uint64_t bytes) {
    char text[OUTPUT_HUMAN_SIZE];
    if (buf->size > 0) {
        buf_add_format(buf, "Total reclaimed space: %s\n", output_human_size((int64_t)bytes, text));
    }
}

// What was done is printed, whether it came to an end or not.
static int prune_images(struct context *context, const struct catalog_prune *prune, struct buf *buf, uint64_t *bytes,
                        struct err *err) {
    AUTO_STORE struct store *store = NULL;
    AUTO_STRV struct strv untagged = {0}, deleted = {0};
    struct catalog_removal removal = {&untagged, &deleted};
    if (store_of(context, &store, NULL, err) < 0) {
        return -1;
    }
    int result = catalog_prune(store, prune, &removal, err);
    removal_add(buf, &removal);
    image_announce_removal(context, &removal);
    unsigned partials = partial_sweep(store, 0, bytes);
    if (partials > 0) {
        buf_add_format(buf, "Deleted partial downloads: %u\n", partials);
    }
    return result < 0 ? -1 : removal_collect(store, buf, bytes, err);
}

static int end(struct buf *buf, uint64_t bytes, int result, struct err *err) {
    struct err unwritten = {0};
    add_total(buf, bytes);
    if (output_write(buf, &unwritten) < 0 && result == 0) {
        *err = unwritten;
        result = -1;
    }
    return result;
}

static int run_image(struct context *context, struct err *err) {
    AUTO_BUF struct buf buf = {0};
    struct catalog_prune prune = {0};
    uint64_t bytes = 0;
    if (parse_filters(context, &prune, err) < 0) {
        return -1;
    }
    int result = prune_images(context, &prune, &buf, &bytes, err);
    return end(&buf, bytes, result, err);
}

static int confirm(const struct prune_request *request, bool *ret_yes, struct err *err) {
    AUTO_BUF struct buf what = {0};
    buf_add_format(&what, "This removes all ended containers, %s%s, and layers that no image needs, and partial downloads.",
                   request->volumes ? "volumes without a name that no other container has, " : "",
                   request->all ? "all images that no container runs" : "images without a name");
    return ask_confirm(request->force, buf_string(&what), ret_yes, err);
}

static int run_system(struct context *context, struct err *err) {
    AUTO_BUF struct buf buf = {0};
    struct catalog_prune prune = {0};
    uint64_t bytes = 0;
    bool yes;
    const struct prune_request *request = context->request;
    if (parse_filters(context, &prune, err) < 0) {
        return -1;
    }
    if (request->volumes && prune.has_until) {
        return err_set(err, ERR_INPUT, "--volumes and --filter until= exclude each other: of volumes nobody knows when they were used last");
    }
    if (confirm(context->request, &yes, err) < 0) {
        return -1;
    }
    if (!yes) {
        return 0;
    }
    // Containers come first: an ordinary user's process is in another user namespace afterwards.
    int result = containers_prune(context, &request->filters, &buf, &bytes, err);
    if (result == 0 && request->volumes) {
        result = volumes_prune(context, false, &request->filters, &buf, &bytes, err);
    }
    result = result < 0 ? -1 : prune_images(context, &prune, &buf, &bytes, err);
    return end(&buf, bytes, result, err);
}

#define FILTER_HELP "Remove only what matches: until=TIME, label=KEY[=VALUE], label!=KEY[=VALUE]"

static const struct option_row image_options[] = {
    OPTION_FLAG("all", 'a', struct prune_request, all, "Remove images with a name too, if no container runs them"),
    OPTION_LIST("filter", 0, "FILTER", struct prune_request, filters, FILTER_HELP),
    OPTION_FLAG("force", 'f', struct prune_request, force, "Do not ask, as is done in any case", .hidden = true),
    {0},
};

static const struct option_row system_options[] = {
    OPTION_FLAG("all", 'a', struct prune_request, all, "Remove images with a name too, if no container runs them"),
    OPTION_LIST("filter", 0, "FILTER", struct prune_request, filters, FILTER_HELP),
    OPTION_FLAG("volumes", 0, struct prune_request, volumes, "Remove volumes without a name that no container has, too"),
    OPTION_FLAG("force", 'f', struct prune_request, force, "Do not ask"),
    {0},
};

const struct command command_image_prune = {
    .name = "prune",
    .summary = "Remove images without a name, and layers that no image needs",
    .description = "What pulls that were broken off have left to go on with is removed, too.",
    .examples = "coffer image prune --all --filter until=240h",
    .group = COMMAND_GROUP_IMAGES,
    .options = image_options,
    .request_size = sizeof(struct prune_request),
    .run = run_image,
};

const struct command command_system_prune = {
    .name = "prune",
    .summary = "Remove ended containers, images without a name, and layers that no image needs",
    .examples = "coffer system prune --all --volumes --force",
    .group = COMMAND_GROUP_OTHER,
    .options = system_options,
    .request_size = sizeof(struct prune_request),
    .run = run_system,
};

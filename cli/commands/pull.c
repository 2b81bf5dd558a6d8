#include "cli/commands/all.h"
#include "cli/commands/store.h"
#include "cli/context.h"
#include "cli/registry_session.h"
#include "images/ref.h"
#include "images/source.h"
#include "runtime/base/err.h"

#include <stddef.h>
#include <string.h>

enum { FORMAT_TEXT, FORMAT_JSON };

struct pull_request {
    const char *name;
    const char *platform;
    bool quiet;
    int format;
    struct opt_i64 partial_after;
    struct registry_flags registry;
};

static int run(struct context *context, struct err *err) {
    const struct pull_request *request = context->request;
    struct store_load load = {
        .source = context->operands[0],
        .name = request->name,
        .platform = request->platform,
        .quiet = request->quiet && request->format == FORMAT_TEXT,
        .events = request->format == FORMAT_JSON,
        .partial_after = request->partial_after,
    };
    AUTO_REGISTRY_SESSION struct registry_session session = {0};
    struct image_ref ref;
    if (source_is_file(load.source)) {
        return store_load(context, &load, err);
    }
    if (image_ref_parse(&context->arena, registry_reference(load.source), &ref, err) < 0 ||
        registry_session_open(context, &request->registry, ref.registry, &session, err) < 0) {
        return -1;
    }
    load.registry = session.registry;
    load.ref = &ref;
    return store_load(context, &load, err);
}

static const char *const formats[] = {"text", "json", NULL};

static const struct option_row options[] = {
    OPTION_STRING("name", 0, "NAME", struct pull_request, name, "Name the image NAME, whatever the source says"),
    OPTION_STRING("platform", 0, "OS/ARCH[/VARIANT]", struct pull_request, platform,
                  "Take the image for this platform [default: the host's]"),
    OPTION_FLAG("quiet", 'q', struct pull_request, quiet, "Do not show how far it is"),
    OPTION_CHOICE("format", 0, "FORMAT", formats, struct pull_request, format,
                  "Print text, or JSON events, one a line [default text]"),
    OPTION_DURATION("partial-after", 0, "TIME", struct pull_request, partial_after,
                    "Keep what comes once it has waited TIME for the line, and has as long to wait [default 10s]"),
    REGISTRY_OPTIONS(struct pull_request, registry),
    {0},
};

const struct command command_pull = {
    .name = "pull",
    .usage = "SOURCE",
    .summary = "Bring an image into the store",
    .description =
        "SOURCE is an image's name, [HOST[:PORT]/]REPOSITORY[:TAG][@DIGEST], in its registry; docker.io where no host is named, "
        "latest where no tag is. Or a file: oci:DIR[:TAG], oci-archive:FILE[:TAG] or docker-archive:FILE[:NAME].\n\n"
        "Mirrors, other locations, insecure and blocked registries are taken from /etc/containers/registries.conf and its folder "
        "registries.conf.d, or the user's own below ~/.config/containers; COFFER_REGISTRIES_CONF names another file. Its "
        "unqualified-search-registries are not searched, and its aliases not followed: a short name is always docker.io's.\n\n"
        "Layers come side by side and are unpacked as they come; those that the store has are not asked for. Every digest and size "
        "is verified. On failure nothing has changed.\n\n"
        "A pull over a slow line keeps the compressed bytes that come, from the time on that --partial-after says; one that is "
        "broken off, by whatever, goes on there the next time. They are removed when the image is in the store, after a week, and "
        "by \"coffer image prune\".",
    .examples = "coffer pull alpine\ncoffer pull quay.io/prometheus/node-exporter:v1.7.0\ncoffer pull oci:build/image:latest",
    .group = COMMAND_GROUP_IMAGES,
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .request_size = sizeof(struct pull_request),
    .run = run,
};

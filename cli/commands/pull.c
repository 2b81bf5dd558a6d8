#include "cli/commands/all.h"
#include "cli/commands/store.h"
#include "cli/context.h"
#include "images/ref.h"
#include "runtime/base/err.h"

#include <stddef.h>
#include <string.h>

struct pull_request {
    const char *name;
    const char *platform;
    bool quiet;
};

static bool is_local(const char *source) {
    static const char *const prefixes[] = {"oci:", "oci-archive:", "docker-archive:", "/", "./", "../"};
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
        if (strncmp(source, prefixes[i], strlen(prefixes[i])) == 0) {
            return true;
        }
    }
    return false;
}

static int run(struct context *context, struct err *err) {
    const struct pull_request *request = context->request;
    const struct store_load load = {
        .source = context->operands[0],
        .name = request->name,
        .platform = request->platform,
        .quiet = request->quiet,
    };
    struct image_ref ref;
    if (!is_local(load.source)) {
        if (image_ref_parse(&context->arena, load.source, &ref, err) < 0) {
            return -1;
        }
        return err_set(err, ERR_UNSUPPORTED,
                       "pull %s: this version cannot reach registries; it reads oci:DIR, oci-archive:FILE and docker-archive:FILE",
                       load.source);
    }
    return store_load(context, &load, err);
}

static const struct option_row options[] = {
    OPTION_STRING("name", 0, "NAME", struct pull_request, name, "Name the image NAME, whatever the source says"),
    OPTION_STRING("platform", 0, "OS/ARCH[/VARIANT]", struct pull_request, platform,
                  "Take the image for this platform [default: the host's]"),
    OPTION_FLAG("quiet", 'q', struct pull_request, quiet, "Do not show how far it is"),
    {0},
};

const struct command command_pull = {
    .name = "pull",
    .usage = "SOURCE",
    .summary = "Bring an image into the store",
    .description =
        "SOURCE is oci:DIR[:TAG], oci-archive:FILE[:TAG] or docker-archive:FILE[:NAME]. Registries come in a later version.",
    .examples = "coffer pull oci:build/image:latest",
    .group = COMMAND_GROUP_IMAGES,
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .request_size = sizeof(struct pull_request),
    .run = run,
};

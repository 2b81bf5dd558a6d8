#include "cli/commands/all.h"
#include "cli/context.h"
#include "cli/output.h"
#include "runtime/base/buf.h"
#include "runtime/container/features.h"
#include "specs/oci_features.h"

static int run(struct context *context, struct err *err) {
    AUTO_BUF struct buf text = {0};
    struct oci_features features;
    const struct text_pair annotations[] = {{"coffer.version", COFFER_VERSION}};
    container_features(&context->arena, &features);
    features.annotations = annotations;
    features.annotations_count = ARRAY_LEN(annotations);
    oci_features_write(&features, &text);
    return output_write(&text, err);
}

const struct command command_oci_features = {
    .name = "features",
    .summary = "Print what this runtime can do, as JSON",
    .description = "The document is that of the runtime specification, features.md. It says what the program can do, not what this host can.",
    .flags = COMMAND_STATELESS,
    .run = run,
};

#include "cli/commands/all.h"
#include "cli/commands/store.h"
#include "cli/context.h"
#include "runtime/base/err.h"

#include <stddef.h>
#include <unistd.h>

enum { FORMAT_TEXT, FORMAT_JSON };

struct load_request {
    const char *input;
    const char *name;
    const char *platform;
    bool quiet;
    int format;
};

static int run(struct context *context, struct err *err) {
    const struct load_request *request = context->request;
    if (request->input && context->operand_count > 0) {
        return err_set(err, ERR_INPUT, "both --input and %s: which of them?", context->operands[0]);
    }
    const struct store_load load = {
        .source = context->operand_count > 0 ? context->operands[0]
                  : request->input           ? request->input
                                             : "-",
        .name = request->name,
        .platform = request->platform,
        .quiet = request->quiet && request->format == FORMAT_TEXT,
        .events = request->format == FORMAT_JSON,
    };
    if (load.source[0] == '-' && !load.source[1] && isatty(STDIN_FILENO)) {
        return err_set(err, ERR_INPUT, "standard input is a terminal; give an archive with --input, or a pipe");
    }
    return store_load(context, &load, err);
}

static const char *const formats[] = {"text", "json", NULL};

static const struct option_row options[] = {
    OPTION_STRING("input", 'i', "FILE", struct load_request, input, "Read FILE in place of standard input",
                  .complete = COMPLETE_FILE),
    OPTION_STRING("name", 0, "NAME", struct load_request, name, "Name the image NAME, whatever the archive says"),
    OPTION_STRING("platform", 0, "OS/ARCH[/VARIANT]", struct load_request, platform,
                  "Take the image for this platform [default: the host's]"),
    OPTION_FLAG("quiet", 'q', struct load_request, quiet, "Do not show how far it is"),
    OPTION_CHOICE("format", 0, "FORMAT", formats, struct load_request, format,
                  "Print text, or JSON events, one a line [default text]"),
    {0},
};

const struct command command_load = {
    .name = "load",
    .usage = "[SOURCE]",
    .summary = "Load images from an archive or a directory",
    .description =
        "Reads what docker save, podman save, skopeo, buildah, umoci and buildkit write: archives of docker save and OCI image "
        "layouts, as archives or directories, plain or compressed with gzip or zstd. SOURCE is a path, or oci:DIR[:TAG], "
        "oci-archive:FILE[:TAG] or docker-archive:FILE[:NAME] to take one image of several.\n\n"
        "Every digest is verified. On failure nothing has changed.",
    .examples = "coffer load -i busybox.tar\ndocker save alpine | coffer load\ncoffer load oci:build/image:latest",
    .group = COMMAND_GROUP_IMAGES,
    .max_operands = 1,
    .operands = COMPLETE_FILE,
    .options = options,
    .request_size = sizeof(struct load_request),
    .run = run,
};

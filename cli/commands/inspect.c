#include "cli/commands/inspect.h"

#include "cli/commands/all.h"
#include "cli/commands/engine.h"
#include "cli/context.h"
#include "cli/messages.h"
#include "cli/output.h"
#include "cli/template.h"
#include "images/store.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/engine/record.h"
#include "specs/json.h"
#include "specs/json_write.h"

#include <stddef.h>
#include <string.h>

const struct option_row inspect_option_rows[] = {
    OPTION_STRING("format", 'f', "TEMPLATE", struct inspect_options, format,
                  "Show {{.Name}}, {{json .Name}}, {{range ...}} and the like in place of all"),
    {0},
};

int inspect_home(struct inspecting *inspecting, struct err *err) {
    const struct engine engine = engine_of(inspecting->context);
    if (inspecting->has_home) {
        return 0;
    }
    if (home_open(&engine, &inspecting->home, err) < 0) {
        return -1;
    }
    inspecting->has_home = true;
    record_sweep(&inspecting->home);
    return 0;
}

static void inspecting_finish(struct inspecting *inspecting) {
    store_close(inspecting->store);
    home_finish(&inspecting->home);
}

static void drop_json(json_t **value) {
    json_decref(*value);
}

static int add_by_template(const char *template, const struct buf *text, struct buf *buf, struct err *err) {
    AUTO(drop_json) json_t *root = NULL;
    const struct json_document document = {.name = "inspect", .text = text->data, .size = text->size, .max_bytes = SIZE_MAX};
    return json_parse(&document, &root, err) < 0 || template_format(template, root, buf, err) < 0 ? -1 : 0;
}

static int add_one(struct inspecting *inspecting, const char *name, const struct inspect_options *options, inspect_add *add,
                   struct json_writer *whole, struct err *err) {
    AUTO_BUF struct buf text = {0};
    struct json_writer writer = {.buf = &text};
    if (!options->format || strcmp(options->format, "json") == 0) {
        return add(inspecting, name, whole, err);
    }
    return add(inspecting, name, &writer, err) < 0 ? -1 : add_by_template(options->format, &text, whole->buf, err);
}

int inspect_run(struct context *context, const struct inspect_options *options, inspect_add *add, bool sizes, struct err *err) {
    AUTO(inspecting_finish) struct inspecting inspecting = {.context = context, .home = HOME_CLOSED, .sizes = sizes};
    AUTO_BUF struct buf buf = {0};
    struct json_writer writer = {.buf = &buf, .indent = "    "};
    bool by_template = options->format && strcmp(options->format, "json") != 0;
    struct err first = {0};
    int shown = 0;
    if (!by_template) {
        json_write_open(&writer, NULL, '[');
    }
    for (int i = 0; i < context->operand_count; i++) {
        struct err failure = {0};
        if (add_one(&inspecting, context->operands[i], options, add, &writer, &failure) == 0) {
            shown++;
        } else if (first.kind == ERR_NONE) {
            first = failure;
        } else {
            messages_error("coffer", failure.text);
        }
    }
    if (!by_template) {
        json_write_close(&writer, ']');
    }
    if (shown > 0 && output_write_json(&buf, err) < 0) {
        return -1;
    }
    *err = first;
    return first.kind == ERR_NONE ? 0 : -1;
}

// --- inspect, of anything ---

enum kind { KIND_ANY, KIND_CONTAINER, KIND_IMAGE, KIND_NETWORK, KIND_VOLUME };
static const char *const kind_names[] = {"any", "container", "image", "network", "volume", NULL};

struct inspect_request {
    struct inspect_options options;
    int kind; // enum kind
    bool sizes;
};

static int add_any(struct inspecting *inspecting, const char *name, struct json_writer *writer, struct err *err) {
    static inspect_add *const adds[] = {inspect_add_container, inspect_add_image, inspect_add_network, inspect_add_volume};
    for (size_t i = 0; i < ARRAY_LEN(adds); i++) {
        struct err failure = {0};
        if (adds[i](inspecting, name, writer, &failure) == 0) {
            return 0;
        }
        // What cannot be the name of an image may be another's.
        if (failure.kind != ERR_NOT_FOUND && failure.kind != ERR_INPUT) {
            *err = failure;
            return -1;
        }
    }
    return err_set(err, ERR_NOT_FOUND, "nothing is called \"%s\": no container, image, network or volume", name);
}

static int run(struct context *context, struct err *err) {
    static inspect_add *const adds[] = {
        [KIND_ANY] = add_any,
        [KIND_CONTAINER] = inspect_add_container,
        [KIND_IMAGE] = inspect_add_image,
        [KIND_NETWORK] = inspect_add_network,
        [KIND_VOLUME] = inspect_add_volume,
    };
    const struct inspect_request *request = context->request;
    return inspect_run(context, &request->options, adds[request->kind], request->sizes, err);
}

static const struct option_row any_options[] = {
    OPTION_ROWS(inspect_option_rows, struct inspect_request, options, struct inspect_options),
    OPTION_CHOICE("type", 0, "KIND", kind_names, struct inspect_request, kind,
                  "Look only for a container, image, network or volume of the name"),
    OPTION_FLAG("size", 's', struct inspect_request, sizes, "Say how large a container's files are: SizeRw and SizeRootFs"),
    {0},
};

const struct command command_inspect = {
    .name = "inspect",
    .usage = "NAME...",
    .summary = "Show all that is known of containers, images, networks and volumes, as JSON",
    .examples = "coffer inspect web\ncoffer inspect --format '{{.State.Status}}' web\n"
                "coffer inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}' web\n"
                "coffer inspect --type image --format '{{.Config.Cmd}}' alpine",
    .group = COMMAND_GROUP_CONTAINERS,
    .min_operands = 1,
    .max_operands = COMMAND_ANY_COUNT,
    .operands = COMPLETE_CONTAINER,
    .options = any_options,
    .request_size = sizeof(struct inspect_request),
    .run = run,
};

static int run_container(struct context *context, struct err *err) {
    const struct inspect_request *request = context->request;
    return inspect_run(context, &request->options, inspect_add_container, request->sizes, err);
}

static const struct option_row container_options[] = {
    OPTION_ROWS(inspect_option_rows, struct inspect_request, options, struct inspect_options),
    OPTION_FLAG("size", 's', struct inspect_request, sizes, "Say how large its files are: SizeRw and SizeRootFs"),
    {0},
};

const struct command command_container_inspect = {
    .name = "inspect",
    .usage = "CONTAINER...",
    .summary = "Show all that is known of containers, as JSON",
    .examples = "coffer container inspect web",
    .group = COMMAND_GROUP_CONTAINERS,
    .min_operands = 1,
    .max_operands = COMMAND_ANY_COUNT,
    .operands = COMPLETE_CONTAINER,
    .options = container_options,
    .request_size = sizeof(struct inspect_request),
    .run = run_container,
};

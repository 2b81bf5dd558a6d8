#include "cli/commands/all.h"
#include "cli/commands/engine.h"
#include "cli/commands/volume.h"
#include "cli/context.h"
#include "cli/output.h"
#include "cli/template.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/engine/home.h"
#include "specs/json.h"
#include "specs/json_write.h"

#include <stddef.h>
#include <string.h>

struct inspect_request {
    const char *format;
};

// The members that docker has.
static void write_volume(struct json_writer *writer, const struct stored_volume *volume, const char *path) {
    char at[32];
    json_write_open(writer, NULL, '{');
    json_write_string(writer, "CreatedAt", volume_created(volume, at));
    json_write_string(writer, "Driver", "local");
    json_write_pairs(writer, "Labels", volume->labels, volume->labels_count);
    json_write_string(writer, "Mountpoint", path);
    json_write_string(writer, "Name", volume->name);
    json_write_pairs(writer, "Options", volume->options, volume->options_count);
    json_write_string(writer, "Scope", "local");
    json_write_bool(writer, "Anonymous", volume->anonymous);
    json_write_close(writer, '}');
}

static void drop_json(json_t **value) {
    json_decref(*value);
}

static int add_by_template(const char *template, const struct stored_volume *volume, const char *path, struct buf *buf,
                           struct err *err) {
    AUTO_BUF struct buf text = {0};
    AUTO(drop_json) json_t *root = NULL;
    struct json_writer writer = {.buf = &text};
    write_volume(&writer, volume, path);
    const struct json_document document = {.name = "volume", .text = text.data, .size = text.size, .max_bytes = SIZE_MAX};
    return json_parse(&document, &root, err) < 0 || template_format(template, root, buf, err) < 0 ? -1 : 0;
}

static int run(struct context *context, struct err *err) {
    const struct inspect_request *request = context->request;
    const struct engine engine = engine_of(context);
    AUTO_HOME struct home home = HOME_CLOSED;
    AUTO_BUF struct buf buf = {0};
    AUTO_FD int volumes_fd = -1;
    struct json_writer writer = {.buf = &buf, .indent = "    "};
    bool by_template = request->format && strcmp(request->format, "json") != 0;
    if (home_open(&engine, &home, err) < 0 || (volumes_fd = volumes_open(&home, err)) < 0) {
        return -1;
    }
    if (!by_template) {
        json_write_open(&writer, NULL, '[');
    }
    for (int i = 0; i < context->operand_count; i++) {
        struct stored_volume volume;
        if (volume_read(volumes_fd, &context->arena, context->operands[i], &volume, err) < 0) {
            return -1;
        }
        const char *path = volume_path(&home, &context->arena, &volume);
        if (!by_template) {
            write_volume(&writer, &volume, path);
        } else if (add_by_template(request->format, &volume, path, &buf, err) < 0) {
            return -1;
        }
    }
    if (!by_template) {
        json_write_close(&writer, ']');
    }
    return output_write(&buf, err);
}

static const struct option_row options[] = {
    OPTION_STRING("format", 'f', "TEMPLATE", struct inspect_request, format,
                  "Show {{.Name}}, {{json .Labels}} and the like in place of all"),
    {0},
};

const struct command command_volume_inspect = {
    .name = "inspect",
    .usage = "VOLUME...",
    .summary = "Show all that is known of volumes, as JSON",
    .examples = "coffer volume inspect data\ncoffer volume inspect --format '{{.Mountpoint}}' data",
    .group = COMMAND_GROUP_CONTAINERS,
    .min_operands = 1,
    .max_operands = COMMAND_ANY_COUNT,
    .options = options,
    .request_size = sizeof(struct inspect_request),
    .run = run,
};

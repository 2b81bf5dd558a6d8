#include "cli/commands/all.h"
#include "cli/commands/inspect.h"
#include "cli/commands/volume.h"
#include "cli/context.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "specs/json_write.h"

#include <stddef.h>
#include <string.h>

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

int inspect_add_volume(struct inspecting *inspecting, const char *name, struct json_writer *writer, struct err *err) {
    struct arena *arena = &inspecting->context->arena;
    struct stored_volume volume;
    if (inspect_home(inspecting, err) < 0) {
        return -1;
    }
    AUTO_FD int volumes_fd = volumes_open(&inspecting->home, err);
    if (volumes_fd < 0 || volume_read(volumes_fd, arena, name, &volume, err) < 0) {
        return -1;
    }
    write_volume(writer, &volume, volume_path(&inspecting->home, arena, &volume));
    return 0;
}

static int run(struct context *context, struct err *err) {
    return inspect_run(context, context->request, inspect_add_volume, false, err);
}

const struct command command_volume_inspect = {
    .name = "inspect",
    .usage = "VOLUME...",
    .summary = "Show all that is known of volumes, as JSON",
    .examples = "coffer volume inspect data\ncoffer volume inspect --format '{{.Mountpoint}}' data",
    .group = COMMAND_GROUP_CONTAINERS,
    .min_operands = 1,
    .max_operands = COMMAND_ANY_COUNT,
    .options = inspect_option_rows,
    .request_size = sizeof(struct inspect_options),
    .run = run,
};

#include "cli/commands/all.h"
#include "cli/context.h"
#include "cli/messages.h"
#include "cli/output.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/container/container.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>

enum list_format { FORMAT_TABLE, FORMAT_JSON };

struct list_request {
    int format; // enum list_format
    bool quiet;
};

// As runc has it: "#1000" for one without a name.
static const char *owner_name(struct arena *arena, uint32_t uid) {
    const struct passwd *user = getpwuid(uid);
    return user ? arena_copy_string(arena, user->pw_name) : arena_format(arena, "#%u", uid);
}

// One array on one line, null when it is empty: what the JSON encoder of Go makes of runc's list.
static void write_json(struct buf *buf, const struct container_entry *entries, size_t count) {
    for (size_t i = 0; i < count; i++) {
        buf_add_char(buf, i == 0 ? '[' : ',');
        oci_state_write(&entries[i].state, false, buf);
    }
    buf_add_string(buf, count > 0 ? "]\n" : "null\n");
}

enum { COLUMNS = 6, LEAST_WIDTH = 12, GAP = 3 };

static void write_table(struct arena *arena, struct buf *buf, const struct container_entry *entries, size_t count) {
    static const char *const titles[COLUMNS] = {"ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"};
    const char *(*cells)[COLUMNS] = arena_array(arena, count + 1, sizeof(*cells));
    memcpy(cells[0], titles, sizeof(titles));
    for (size_t i = 0; i < count; i++) {
        const struct oci_state *state = &entries[i].state;
        AUTO_BUF struct buf bundle = {0};
        messages_add_visible(&bundle, state->bundle);
        const char *const row[COLUMNS] = {state->id,
                                          arena_format(arena, "%d", state->pid),
                                          oci_status_name(state->status),
                                          arena_copy_string(arena, buf_string(&bundle)),
                                          state->created,
                                          state->owner};
        memcpy(cells[i + 1], row, sizeof(row));
    }
    int widths[COLUMNS];
    for (size_t column = 0; column < COLUMNS; column++) {
        widths[column] = LEAST_WIDTH;
        for (size_t row = 0; row <= count; row++) {
            int width = (int)strlen(cells[row][column]) + GAP;
            widths[column] = width > widths[column] ? width : widths[column];
        }
    }
    for (size_t row = 0; row <= count; row++) {
        for (size_t column = 0; column < COLUMNS; column++) {
            buf_add_format(buf, "%-*s", column + 1 < COLUMNS ? widths[column] : 0, cells[row][column]);
        }
        buf_add_char(buf, '\n');
    }
}

static int run(struct context *context, struct err *err) {
    const struct list_request *request = context->request;
    struct container_entry *entries = NULL;
    size_t count = 0;
    // The default folder comes into being with the first container; one that was named is expected to be there.
    if (container_list(context->oci_dir, &context->arena, &entries, &count, err) < 0 &&
        (err->errnum != ENOENT || context->oci_dir_given)) {
        return -1;
    }
    AUTO_BUF struct buf buf = {0};
    for (size_t i = 0; i < count; i++) {
        entries[i].state.owner = owner_name(&context->arena, entries[i].owner);
        if (request->quiet) {
            buf_add_format(&buf, "%s\n", entries[i].state.id);
        }
    }
    if (!request->quiet && request->format == FORMAT_JSON) {
        write_json(&buf, entries, count);
    } else if (!request->quiet) {
        write_table(&context->arena, &buf, entries, count);
    }
    return output_write(&buf, err);
}

static const char *const formats[] = {"table", "json", NULL};

static const struct option_row options[] = {
    OPTION_CHOICE("format", 'f', "FORMAT", formats, struct list_request, format, "Print a table or json [default table]"),
    OPTION_FLAG("quiet", 'q', struct list_request, quiet, "Print the ids alone"),
    {0},
};

const struct command command_oci_list = {
    .name = "list",
    .aliases = "ls",
    .summary = "List the containers of this run-time folder",
    .description = "The folder is that of --root, which stands before the command.",
    .options = options,
    .request_size = sizeof(struct list_request),
    .run = run,
};

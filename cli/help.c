#include "cli/help.h"

#include "cli/commands.h"
#include "runtime/base/buf.h"

#include <string.h>

enum { TEXT_COLUMN_MAX = 34, LEAST_TEXT_WIDTH = 30 };

// Adds text, broken between words, with `indent` blanks in front of every line but the first, where `at` columns are used already.
static void add_wrapped(struct buf *buf, const char *text, int indent, int at, int width) {
    if (width < indent + LEAST_TEXT_WIDTH) {
        width = indent + LEAST_TEXT_WIDTH;
    }
    while (*text) {
        int length = (int)strcspn(text, " \n");
        if (at > indent && at + 1 + length > width) {
            buf_add_format(buf, "\n%*s", indent, "");
            at = indent;
        } else if (at > indent) {
            buf_add_char(buf, ' ');
            at++;
        }
        buf_add(buf, text, (size_t)length);
        at += length;
        text += length;
        if (strncmp(text, "\n\n", 2) == 0) {
            buf_add_format(buf, "\n\n%*s", indent, "");
            at = indent;
        }
        text += strspn(text, " \n");
    }
    buf_add_char(buf, '\n');
}

// "-m, --memory BYTES"
static void add_written(struct buf *buf, const struct option_row *row) {
    if (row->letter) {
        buf_add_format(buf, "  -%c, --%s", row->letter, row->name);
    } else {
        buf_add_format(buf, "      --%s", row->name);
    }
    if (row->arg) {
        buf_add_format(buf, " %s", row->arg);
    }
}

// Where the texts begin: behind the longest option that is not overlong.
static int text_column(const struct option_row *rows) {
    int column = 0;
    struct option_walk walk = {rows};
    while (option_next(&walk)) {
        int width = 8 + (int)strlen(walk.row->name) + (walk.row->arg ? 1 + (int)strlen(walk.row->arg) : 0) + 2;
        if (!walk.row->hidden && width > column && width <= TEXT_COLUMN_MAX) {
            column = width;
        }
    }
    return column;
}

static void add_options(struct buf *buf, const struct command *command, int width) {
    int column = text_column(command->options);
    const char *heading = NULL;
    struct option_walk walk = {command->options};
    while (option_next(&walk)) {
        if (walk.row->hidden) {
            continue;
        }
        const char *group = walk.group ? walk.group : command->commands ? "Global options" : "Options";
        if (!heading || strcmp(heading, group) != 0) {
            buf_add_format(buf, "\n%s:\n", group);
            heading = group;
        }
        size_t start = buf->size;
        add_written(buf, walk.row);
        int at = (int)(buf->size - start);
        if (at + 2 > column) {
            buf_add_char(buf, '\n');
            at = 0;
        }
        buf_add_format(buf, "%*s", column - at, "");
        add_wrapped(buf, walk.row->help, column, column, width);
    }
}

static void add_commands(struct buf *buf, const struct command *parent, int width) {
    int column = 0;
    for (const struct command *const *command = parent->commands; *command; command++) {
        int length = (int)strlen((*command)->name);
        column = !((*command)->flags & COMMAND_HIDDEN) && length + 4 > column ? length + 4 : column;
    }
    for (enum command_group group = 0; group < COMMAND_GROUP_COUNT; group++) {
        bool heading = false;
        for (const struct command *const *command = parent->commands; *command; command++) {
            if ((*command)->group != group || ((*command)->flags & COMMAND_HIDDEN)) {
                continue;
            }
            if (!heading) {
                buf_add_format(buf, "\n%s:\n", command_group_title(group));
                heading = true;
            }
            buf_add_format(buf, "  %-*s", column - 2, (*command)->name);
            add_wrapped(buf, (*command)->summary, column, column, width);
        }
    }
}

static void add_examples(struct buf *buf, const char *examples) {
    buf_add_string(buf, "\nExamples:\n");
    while (*examples) {
        int length = (int)strcspn(examples, "\n");
        buf_add_format(buf, "  %.*s\n", length, examples);
        examples += length + (examples[length] == '\n');
    }
}

void help_format(const struct command *command, const char *path, int width, struct buf *buf) {
    buf_add_format(buf, "Usage: %s", path);
    if (command->options) {
        buf_add_string(buf, " [OPTIONS]");
    }
    if (command->commands) {
        buf_add_string(buf, " COMMAND");
    } else if (command->usage) {
        buf_add_format(buf, " %s", command->usage);
    }
    buf_add_string(buf, "\n\n");
    add_wrapped(buf, command->summary, 0, 0, width);
    if (command->description) {
        buf_add_char(buf, '\n');
        add_wrapped(buf, command->description, 0, 0, width);
    }
    if (command->aliases) {
        buf_add_format(buf, "\nOther names: %s\n", command->aliases);
    }
    if (command->commands) {
        add_commands(buf, command, width);
    }
    if (command->options) {
        add_options(buf, command, width);
    }
    if (command->examples) {
        add_examples(buf, command->examples);
    }
    if (command->commands) {
        buf_add_format(buf, "\nRun '%s COMMAND --help' for more about a command.\n", path);
    }
}

#include "tests/unit/check.h"

#include "cli/commands.h"
#include "cli/complete.h"
#include "cli/help.h"
#include "cli/manual.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"

#include <ctype.h>
#include <stdlib.h>

// Calls check() for the command and all below it.
static void for_all(const struct command *command, void (*check)(const struct command *command)) {
    check(command);
    for (const struct command *const *below = command->commands; below && *below; below++) {
        for_all(*below, check);
    }
}

static int failed(const struct command *command, const char *what, const char *detail) {
    printf("# %s: %s: %s\n", command->name, what, detail);
    check_state.case_failed = 1;
    return 0;
}

// A sentence of a table: a capital in front (or a name of something), no full stop behind.
static void check_sentence(const struct command *command, const char *text) {
    if (!text || !text[0] || text[strlen(text) - 1] == '.' || text[0] == ' ') {
        failed(command, "is no sentence as tables have them", text ? text : "(null)");
    }
}

static void check_command(const struct command *command) {
    check_sentence(command, command->summary);
    CHECK(isupper((unsigned char)command->summary[0]));
    if (!command->run == !command->commands) {
        failed(command, "expected either run or sub-commands", "");
    }
    if (command->max_operands != COMMAND_ANY_COUNT && command->max_operands < command->min_operands) {
        failed(command, "takes fewer operands at most than at least", "");
    }
    if ((command->max_operands != 0) != (command->usage != NULL) && !command->commands) {
        failed(command, "expected a usage where there are operands, and nowhere else", "");
    }
    for (const struct command *const *one = command->commands; one && *one; one++) {
        for (const struct command *const *other = command->commands; *other != *one; other++) {
            if (strcmp((*one)->name, (*other)->name) == 0) {
                failed(command, "has two commands called", (*one)->name);
            }
        }
        CHECK(command_find(command, (*one)->name) == *one);
    }
}

static void check_options(const struct command *command) {
    struct option_walk walk = {command->options};
    while (option_next(&walk)) {
        const struct option_row *row = walk.row;
        check_sentence(command, row->help);
        bool flag = row->kind == OPTION_KIND_FLAG || row->kind == OPTION_KIND_OPT_FLAG;
        if (flag == (row->arg != NULL)) {
            failed(command, "flags take no value, all else does", row->name);
        }
        if (!command->commands && walk.offset >= command->request_size) {
            failed(command, "option lies outside the request", row->name);
        }
        if (row->kind == OPTION_KIND_CHOICE && !row->choices) {
            failed(command, "choice without choices", row->name);
        }
        struct option_walk other = {command->options};
        while (option_next(&other) && other.row != row) {
            if (strcmp(other.row->name, row->name) == 0 || (row->letter && other.row->letter == row->letter)) {
                failed(command, "has two options called", row->name);
            }
        }
    }
}

CASE(every_command_is_whole) {
    for_all(&command_coffer, check_command);
    CHECK(command_find(&command_coffer, "") == NULL);
    CHECK(command_find(&command_coffer, "oci ") == NULL);
}

CASE(every_option_is_whole) {
    for_all(&command_coffer, check_options);
}

static void check_help(const struct command *command) {
    AUTO_BUF struct buf buf = {0};
    help_format(command, command->name, 80, &buf);
    const char *line = buf_string(&buf);
    while (*line) {
        int length = (int)strcspn(line, "\n");
        // Usage lines and examples are not broken.
        if (length > 80 && strncmp(line, "Usage:", 6) != 0 && strncmp(line, "  coffer", 8) != 0) {
            printf("# %s: help is wider than 80 columns: %.*s\n", command->name, length, line);
            check_state.case_failed = 1;
        }
        line += length + (line[length] == '\n');
    }
}

CASE(help_keeps_its_width) {
    for_all(&command_coffer, check_help);
}

CASE(every_command_has_a_page) {
    AUTO_BUF struct buf names = {0};
    struct err err = {0};
    manual_names(&names);
    char *rest = names.data;
    int pages = 0;
    for (char *name = strsep(&rest, "\n"); name && *name; name = strsep(&rest, "\n")) {
        AUTO_BUF struct buf page = {0};
        CHECK_INT(manual_page(name, &page, &err), 0);
        pages++;
    }
    CHECK(pages > 5);
    AUTO_BUF struct buf page = {0};
    CHECK_INT(manual_page("coffer-nothing", &page, &err), -1);
    CHECK_STR(err.text, "there is no manual page coffer-nothing");
}

CASE(completions_know_every_command) {
    static void (*const make[])(struct buf *) = {complete_bash, complete_zsh, complete_fish};
    for (size_t i = 0; i < ARRAY_LEN(make); i++) {
        AUTO_BUF struct buf buf = {0};
        make[i](&buf);
        for (const struct command *const *command = command_coffer.commands; *command; command++) {
            CHECK(((*command)->flags & COMMAND_HIDDEN) || strstr(buf_string(&buf), (*command)->name));
        }
        CHECK(!strstr(buf_string(&buf), "__man"));
    }
}

int main(void) {
    RUN(every_command_is_whole);
    RUN(every_option_is_whole);
    RUN(help_keeps_its_width);
    RUN(every_command_has_a_page);
    RUN(completions_know_every_command);
    return check_done();
}

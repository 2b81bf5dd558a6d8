#include "cli/call.h"

#include "cli/advice.h"
#include "cli/commands.h"
#include "cli/context.h"
#include "cli/help.h"
#include "cli/messages.h"
#include "cli/output.h"
#include "cli/suggest.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "specs/oci_config.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#ifndef COFFER_COMMIT
#define COFFER_COMMIT "" // the Makefile has it for a build from a checkout
#endif

// A call on its way down the tables. `low_level` is the command where the low level begins, NULL above it.
struct call {
    struct context *context;
    const struct command *low_level;
    bool wrong_usage; // the words are at fault: the error begins with the command's path
};

static int exit_code(const struct call *call, const struct err *err) {
    if (!call->wrong_usage && call->context->command->error_code != 0) {
        return call->context->command->error_code;
    }
    if (call->low_level) {
        return EXIT_CODE_LOW_LEVEL;
    }
    switch (err->kind) {
    case ERR_NOT_EXECUTABLE:
        return EXIT_CODE_NOT_EXECUTABLE;
    case ERR_NO_COMMAND:
        return EXIT_CODE_NO_COMMAND;
    default:
        return EXIT_CODE_ERROR;
    }
}

static int print_help(const struct command *command, const char *path, struct err *err) {
    AUTO_BUF struct buf buf = {0};
    help_format(command, path, output_width(STDOUT_FILENO), &buf);
    return output_write(&buf, err);
}

static int print_version(const struct context *context, struct err *err) {
    AUTO_BUF struct buf buf = {0};
    if (context->command->flags & COMMAND_LOW_LEVEL) {
        // Engines parse this: dockerd takes the one line with "version" in it and the one that begins with "commit:".
        buf_add_format(&buf, "coffer-oci version %s\n", COFFER_VERSION);
        if (COFFER_COMMIT[0]) {
            buf_add_format(&buf, "commit: %s\n", COFFER_COMMIT);
        }
        buf_add_format(&buf, "spec: %s\n", OCI_VERSION);
    } else {
        buf_add_format(&buf, "coffer version %s\n", COFFER_VERSION);
    }
    return output_write(&buf, err);
}

static int unknown_command(const struct command *parent, const char *name, struct err *err) {
    struct suggest suggest = {.given = name};
    for (const struct command *const *command = parent->commands; *command; command++) {
        if (!((*command)->flags & COMMAND_HIDDEN)) {
            suggest_offer(&suggest, (*command)->name);
        }
    }
    if (suggest.best) {
        return err_set(err, ERR_INPUT, "unknown command %s; did you mean %s?", name, suggest.best);
    }
    return err_set(err, ERR_INPUT, "unknown command %s", name);
}

static int check_operands(const struct command *command, int count, struct err *err) {
    int min = command->min_operands, max = command->max_operands;
    if (count >= min && (max == COMMAND_ANY_COUNT || count <= max)) {
        return 0;
    }
    if (max == 0) {
        return err_set(err, ERR_INPUT, "expected no words behind the options, found %d", count);
    }
    const char *limit = max == COMMAND_ANY_COUNT ? "at least " : min == max ? "" : count < min ? "at least " : "at most ";
    int wanted = count < min ? min : max;
    return err_set(err, ERR_INPUT, "expected %s%d %s (%s), found %d", limit, wanted, wanted == 1 ? "word" : "words", command->usage,
                   count);
}

// Reads the options of a command with sub-commands, and goes down to the one that is named. Returns 0 with *words behind its name,
// 1 when all is done already.
static int descend(struct call *call, struct option_words *words, struct err *err) {
    struct context *context = call->context;
    words->options_first = true;
    if (options_parse(context->command->options, context, words, err) < 0) {
        return -1;
    }
    if (context->version) {
        return print_version(context, err) < 0 ? -1 : 1;
    }
    if (words->help || words->count == 0) {
        return print_help(context->command, context->path, err) < 0 ? -1 : 1;
    }
    const struct command *found = command_find(context->command, words->words[0]);
    if (!found) {
        return unknown_command(context->command, words->words[0], err);
    }
    context->command = found;
    context->path = arena_format(&context->arena, "%s %s", context->path, found->name);
    call->low_level = found->flags & COMMAND_LOW_LEVEL ? found : call->low_level;
    words->words++;
    words->count--;
    return 0;
}

static const struct unserved_flag *find_unserved(const struct command *command, const char *word) {
    size_t length = word && strncmp(word, "--", 2) == 0 ? strcspn(word + 2, "=") : 0;
    for (const struct unserved_flag *flag = command->unserved; flag && flag->name && length > 0; flag++) {
        if (strlen(flag->name) == length && strncmp(flag->name, word + 2, length) == 0) {
            return flag;
        }
    }
    return NULL;
}

// What is said of an unknown flag: one of others that we do not serve yet; or a global option that was given behind the command, which
// belongs before it.
static int misplaced_option(const struct call *call, const struct option_words *words, struct err *err) {
    const struct unserved_flag *unserved = find_unserved(call->context->command, words->unknown);
    if (unserved) {
        return err_set(err, ERR_UNSUPPORTED, "--%s is not served: %s", unserved->name, unserved->why);
    }
    const struct command *above = call->low_level ? call->low_level : &command_coffer;
    const struct option_row *row = words->unknown ? option_named(above->options, words->unknown) : NULL;
    if (!row) {
        return -1;
    }
    return err_set(err, ERR_INPUT, "--%s stands before the command: %s --%s%s%s ... %s", row->name,
                   call->low_level ? "coffer-oci" : "coffer", row->name, row->arg ? " " : "", row->arg ? row->arg : "",
                   call->context->command->name);
}

static int run_command(struct call *call, struct option_words *words, void *request, struct err *err) {
    struct context *context = call->context;
    const struct command *command = context->command;
    words->options_first = command->flags & COMMAND_OPTIONS_FIRST;
    if (options_parse(command->options, request, words, err) < 0) {
        return misplaced_option(call, words, err);
    }
    if (words->help) {
        call->wrong_usage = false;
        return print_help(command, context->path, err);
    }
    if (check_operands(command, words->count, err) < 0) {
        return -1;
    }
    call->wrong_usage = false;
    context->request = request;
    context->operands = words->words;
    context->operand_count = words->count;
    if (messages_open(context, err) < 0 || (!(command->flags & COMMAND_STATELESS) && context_find_state(context, err) < 0)) {
        return -1;
    }
    return command->run(context, err);
}

static int find_and_run(struct call *call, struct option_words *words, struct err *err) {
    call->wrong_usage = true;
    while (call->context->command->commands) {
        int done = descend(call, words, err);
        if (done) {
            return done < 0 ? -1 : 0;
        }
    }
    const struct command *command = call->context->command;
    void *request = arena_alloc(&call->context->arena, command->request_size);
    if (command->request_defaults) {
        memcpy(request, command->request_defaults, command->request_size);
    }
    int result = run_command(call, words, request, err);
    options_finish(command->options, request);
    return result;
}

int call_program(int argc, char **argv) {
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    const char *name = argc > 0 ? (slash ? slash + 1 : argv[0]) : "coffer";
    bool as_oci = strcmp(name, "coffer-oci") == 0;
    struct context context = {
        .command = as_oci ? &command_oci : &command_coffer,
        .path = as_oci ? "coffer-oci" : "coffer",
        .log_level = LOG_LEVEL_WARNING,
    };
    struct call call = {.context = &context, .low_level = as_oci ? &command_oci : NULL};
    struct option_words words = {.words = argv + (argc > 0), .count = argc > 0 ? argc - 1 : 0};
    struct err err = {0};
    int result = find_and_run(&call, &words, &err);
    if (result < 0) {
        // Engines look for every error in the log, for those of usage too. A log that cannot be opened is then the lesser error.
        struct err log_err;
        int unopened = call.low_level ? messages_open(&context, &log_err) : 0;
        (void)unopened;
        if (!call.low_level) {
            advice_add(&context, &err);
        }
        messages_error(call.wrong_usage ? context.path : "coffer", err.text);
        result = exit_code(&call, &err);
    }
    arena_finish(&context.arena);
    return result;
}

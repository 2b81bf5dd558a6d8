#include "cli/complete.h"

#include "cli/commands.h"
#include "runtime/base/buf.h"

#include <stdio.h>
#include <string.h>

enum { PATH_SIZE = 128 };

static const char *const programs[] = {"coffer", "coffer-oci"};

// A word for a kind of value, which the scripts know what to do with; the names of a choice stand for themselves.
static void add_value(struct buf *buf, enum complete_kind kind) {
    static const char *const words[] = {
        [COMPLETE_NONE] = "@none",   [COMPLETE_FILE] = "@file",           [COMPLETE_DIRECTORY] = "@directory",
        [COMPLETE_IMAGE] = "@image", [COMPLETE_CONTAINER] = "@container", [COMPLETE_COMMAND] = "@command",
        [COMPLETE_NETWORK] = "@network",
    };
    buf_add_string(buf, words[kind]);
}

static void add_row_value(struct buf *buf, const struct option_row *row) {
    if (row->kind != OPTION_KIND_CHOICE) {
        add_value(buf, (enum complete_kind)row->complete);
        return;
    }
    for (int i = 0; row->choices[i]; i++) {
        buf_add_format(buf, "%s%s", i ? " " : "", row->choices[i]);
    }
}

// Calls add() for the command and all below it, hidden ones left out, with the words that lead to it.
static void for_all(const struct command *command, const char *path, struct buf *buf,
                    void (*add)(struct buf *buf, const struct command *command, const char *path)) {
    add(buf, command, path);
    for (const struct command *const *below = command->commands; below && *below; below++) {
        if (!((*below)->flags & COMMAND_HIDDEN)) {
            char longer[PATH_SIZE];
            snprintf(longer, sizeof(longer), "%s %s", path, (*below)->name);
            for_all(*below, longer, buf, add);
        }
    }
}

static void for_all_programs(struct buf *buf, void (*add)(struct buf *buf, const struct command *command, const char *path)) {
    for_all(&command_coffer, programs[0], buf, add);
    for_all(&command_oci, programs[1], buf, add);
}

// Within single quotes of a shell.
static void add_quoted(struct buf *buf, const char *text) {
    for (; *text; text++) {
        if (*text == '\'') {
            buf_add_string(buf, "'\\''");
        } else {
            buf_add_char(buf, *text);
        }
    }
}

// One branch of the table that bash and zsh read: what can follow a command.
static void add_branch(struct buf *buf, const struct command *command, const char *path) {
    buf_add_format(buf, "    '%s')\n        commands='", path);
    for (const struct command *const *below = command->commands; below && *below; below++) {
        if (!((*below)->flags & COMMAND_HIDDEN)) {
            buf_add_format(buf, "%s ", (*below)->name);
        }
    }
    buf_add_string(buf, "'\n        operands='");
    add_value(buf, command->operands);
    buf_add_format(buf, "' options_first=%d\n        flags='--help ", command->flags & COMMAND_OPTIONS_FIRST ? 1 : 0);
    struct option_walk walk = {command->options};
    while (option_next(&walk)) {
        if (!walk.row->arg && !walk.row->hidden) {
            buf_add_format(buf, "--%s ", walk.row->name);
        }
    }
    buf_add_string(buf, "'\n        valued='");
    walk = (struct option_walk){command->options};
    while (option_next(&walk)) {
        if (walk.row->arg && !walk.row->hidden) {
            buf_add_format(buf, "--%s ", walk.row->name);
            if (walk.row->letter) {
                buf_add_format(buf, "-%c ", walk.row->letter);
            }
        }
    }
    buf_add_string(buf, "' ;;\n");
}

// One line for each option of a command that has a value.
static void add_values(struct buf *buf, const struct command *command, const char *path) {
    struct option_walk walk = {command->options};
    while (option_next(&walk)) {
        if (!walk.row->arg || walk.row->hidden) {
            continue;
        }
        buf_add_format(buf, "    '%s --%s'", path, walk.row->name);
        if (walk.row->letter) {
            buf_add_format(buf, " | '%s -%c'", path, walk.row->letter);
        }
        buf_add_string(buf, ") value='");
        add_row_value(buf, walk.row);
        buf_add_string(buf, "' ;;\n");
    }
}

// The part that bash and zsh share: tables, and the way through the words before the cursor. $1 is how many words stand there, the
// others the words. Sets path, operand (1 when the cursor is behind the first operand), and value (what the option before it
// wants).
static const char walk_script[] = "_coffer_walk() {\n"
                                  "    local count=$1 word skip=''\n"
                                  "    shift\n"
                                  "    path=${1##*/} operand=0 value=''\n"
                                  "    shift\n"
                                  "    _coffer_table \"$path\"\n"
                                  "    while [ \"$count\" -gt 1 ]; do\n"
                                  "        word=$1\n"
                                  "        shift\n"
                                  "        count=$((count - 1))\n"
                                  "        value=''\n"
                                  "        if [ -n \"$skip\" ]; then\n"
                                  "            skip=''\n"
                                  "            continue\n"
                                  "        fi\n"
                                  "        case $word in\n"
                                  "        -*)\n"
                                  "            case \" $valued \" in\n"
                                  "            *\" $word \"*)\n"
                                  "                _coffer_value \"$path $word\"\n"
                                  "                skip=1 ;;\n"
                                  "            esac ;;\n"
                                  "        *)\n"
                                  "            case \" $commands \" in\n"
                                  "            *\" $word \"*)\n"
                                  "                path=\"$path $word\"\n"
                                  "                _coffer_table \"$path\" ;;\n"
                                  "            *) operand=1 ;;\n"
                                  "            esac ;;\n"
                                  "        esac\n"
                                  "    done\n"
                                  "    if [ -z \"$skip\" ]; then\n"
                                  "        value=''\n"
                                  "    fi\n"
                                  "}\n"
                                  "_coffer_names() {\n"
                                  "    case $1 in\n"
                                  "    @image) coffer images --format '{{.Repository}}:{{.Tag}}' 2>/dev/null ;;\n"
                                  "    @container) coffer ps -a --format '{{.Names}}' 2>/dev/null ;;\n"
                                  "    @network) coffer network ls --format '{{.Name}}' 2>/dev/null ;;\n"
                                  "    @command) _coffer_table \"${path% help}\"; echo \"$commands\" ;;\n"
                                  "    @*) ;;\n"
                                  "    *) echo \"$1\" ;;\n"
                                  "    esac\n"
                                  "}\n";

static void add_tables(struct buf *buf) {
    buf_add_string(buf, "_coffer_table() {\n    commands='' operands='' flags='' valued='' options_first=0\n    case $1 in\n");
    for_all_programs(buf, add_branch);
    buf_add_string(buf, "    esac\n}\n_coffer_value() {\n    value=@none\n    case $1 in\n");
    for_all_programs(buf, add_values);
    buf_add_string(buf, "    esac\n}\n");
    buf_add_string(buf, walk_script);
}

void complete_bash(struct buf *buf) {
    buf_add_string(buf, "# Completions of coffer for bash: source <(coffer completion bash)\n");
    add_tables(buf);
    buf_add_string(buf, "_coffer() {\n"
                        "    local path operand value commands operands flags valued options_first wanted\n"
                        "    local current=${COMP_WORDS[COMP_CWORD]}\n"
                        "    _coffer_walk \"$COMP_CWORD\" \"${COMP_WORDS[@]}\"\n"
                        "    COMPREPLY=()\n"
                        "    if [ -n \"$value\" ]; then\n"
                        "        wanted=$value\n"
                        "    elif [ \"$operand\" = 1 ] && [ \"$options_first\" = 1 ]; then\n"
                        "        wanted=@file\n"
                        "    elif [ \"${current:0:1}\" = - ]; then\n"
                        "        wanted=\"$flags $valued\"\n"
                        "    elif [ -n \"$commands\" ]; then\n"
                        "        wanted=$commands\n"
                        "    else\n"
                        "        wanted=$operands\n"
                        "    fi\n"
                        "    case $wanted in\n"
                        "    @file) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- \"$current\") ;;\n"
                        "    @directory) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- \"$current\") ;;\n"
                        "    *) mapfile -t COMPREPLY < <(compgen -W \"$(_coffer_names \"$wanted\")\" -- \"$current\") ;;\n"
                        "    esac\n"
                        "}\n"
                        "complete -F _coffer coffer coffer-oci\n");
}

void complete_zsh(struct buf *buf) {
    buf_add_string(buf, "#compdef coffer coffer-oci\n# Completions of coffer for zsh: source <(coffer completion zsh)\n");
    add_tables(buf);
    buf_add_string(buf, "_coffer() {\n"
                        "    local path operand value commands operands flags valued options_first wanted\n"
                        "    emulate -L sh\n"
                        "    _coffer_walk $((CURRENT - 1)) \"${words[@]}\"\n"
                        "    if [ -n \"$value\" ]; then\n"
                        "        wanted=$value\n"
                        "    elif [ \"$operand\" = 1 ] && [ \"$options_first\" = 1 ]; then\n"
                        "        wanted=@file\n"
                        "    elif [ \"${PREFIX#-}\" != \"$PREFIX\" ]; then\n"
                        "        wanted=\"$flags $valued\"\n"
                        "    elif [ -n \"$commands\" ]; then\n"
                        "        wanted=$commands\n"
                        "    else\n"
                        "        wanted=$operands\n"
                        "    fi\n"
                        "    case $wanted in\n"
                        "    @file) _files ;;\n"
                        "    @directory) _files -/ ;;\n"
                        "    *) compadd -- $(_coffer_names \"$wanted\") ;;\n"
                        "    esac\n"
                        "}\n"
                        "compdef _coffer coffer coffer-oci\n");
}

// fish: one line an option and a sub-command, under the condition that its command has been typed.
static void add_fish_lines(struct buf *buf, const struct command *command, const char *path) {
    const char *words = strchr(path, ' ');
    int program_length = words ? (int)(words - path) : (int)strlen(path);
    for (const struct command *const *below = command->commands; below && *below; below++) {
        if (!((*below)->flags & COMMAND_HIDDEN)) {
            buf_add_format(buf, "complete -c %.*s -f -n '__coffer_at%s' -a %s -d '", program_length, path, words ? words : "",
                           (*below)->name);
            add_quoted(buf, (*below)->summary);
            buf_add_string(buf, "'\n");
        }
    }
    struct option_walk walk = {command->options};
    while (option_next(&walk)) {
        const struct option_row *row = walk.row;
        if (row->hidden) {
            continue;
        }
        buf_add_format(buf, "complete -c %.*s -n '__coffer_at%s' -l %s", program_length, path, words ? words : "", row->name);
        if (row->letter) {
            buf_add_format(buf, " -s %c", row->letter);
        }
        if (row->arg && row->kind == OPTION_KIND_CHOICE) {
            buf_add_string(buf, " -x -a '");
            add_row_value(buf, row);
            buf_add_char(buf, '\'');
        } else if (row->arg) {
            buf_add_string(buf, row->complete == COMPLETE_FILE || row->complete == COMPLETE_DIRECTORY ? " -r" : " -x");
        }
        buf_add_string(buf, " -d '");
        add_quoted(buf, row->help);
        buf_add_string(buf, "'\n");
    }
    const char *listed = command->operands == COMPLETE_IMAGE       ? "images"
                         : command->operands == COMPLETE_CONTAINER ? "containers"
                         : command->operands == COMPLETE_NETWORK   ? "networks"
                                                                   : NULL;
    if (listed) {
        buf_add_format(buf, "complete -c %.*s -f -n '__coffer_at%s' -a '(__coffer_%s)'\n", program_length, path, words ? words : "",
                       listed);
    }
}

void complete_fish(struct buf *buf) {
    buf_add_string(buf, "# Completions of coffer for fish: coffer completion fish | source\n"
                        "function __coffer_at\n"
                        "    set -l words (commandline -opc | string match -v -- '-*')\n"
                        "    test (count $words) -gt (count $argv); or return 1\n"
                        "    test (count $argv) -eq 0; and test (count $words) -gt 1; and return 1\n"
                        "    for i in (seq (count $argv))\n"
                        "        test $words[(math $i + 1)] = $argv[$i]; or return 1\n"
                        "    end\n"
                        "end\n"
                        "function __coffer_images\n"
                        "    coffer images --format '{{.Repository}}:{{.Tag}}' 2>/dev/null\n"
                        "end\n"
                        "function __coffer_containers\n"
                        "    coffer ps -a --format '{{.Names}}' 2>/dev/null\n"
                        "end\n"
                        "function __coffer_networks\n"
                        "    coffer network ls --format '{{.Name}}' 2>/dev/null\n"
                        "end\n");
    for_all_programs(buf, add_fish_lines);
}

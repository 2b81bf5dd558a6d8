#include "cli/manual.h"

#include "cli/commands.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { NAME_SIZE = 128 };

// Of the words below, not of the build: pages of the same sources are the same bytes.
static const char page_date[] = "November 26, 2026";

static const char root_sections[] = ".Sh ENVIRONMENT\n"
                                    ".Bl -tag -width Ds\n"
                                    ".It Ev COFFER_ROOT\n"
                                    "Where run-time state lives, when\n"
                                    ".Fl -root\n"
                                    "is not given.\n"
                                    ".It Ev COFFER_STORE\n"
                                    "Where images, volumes and records live, when\n"
                                    ".Fl -store\n"
                                    "is not given.\n"
                                    ".It Ev COFFER_NETWORK\n"
                                    "The network of containers that are made without\n"
                                    ".Fl -network ,\n"
                                    "in place of\n"
                                    ".Cm bridge .\n"
                                    ".It Ev XDG_RUNTIME_DIR , XDG_DATA_HOME\n"
                                    "The folders below which an ordinary user's state lives, in\n"
                                    ".Pa coffer .\n"
                                    "The former, and\n"
                                    ".Ev DBUS_SESSION_BUS_ADDRESS ,\n"
                                    "also say where the user's own systemd is asked for a place for limits.\n"
                                    ".It Ev COFFER_REGISTRIES_CONF\n"
                                    "The file that says where references lead, in place of\n"
                                    ".Pa registries.conf\n"
                                    "and its folders; else\n"
                                    ".Ev CONTAINERS_REGISTRIES_CONF .\n"
                                    ".It Ev REGISTRY_AUTH_FILE\n"
                                    "The file of logins, in place of those below.\n"
                                    ".It Ev DOCKER_CONFIG\n"
                                    "The folder of docker's\n"
                                    ".Pa config.json .\n"
                                    ".It Ev HTTPS_PROXY , HTTP_PROXY , ALL_PROXY , NO_PROXY\n"
                                    "Proxies on the way to registries, and the hosts that are reached without; in lower case, too.\n"
                                    ".It Ev SSL_CERT_FILE\n"
                                    "A file of the certificates trusted, in place of the host's.\n"
                                    ".It Ev NO_COLOR\n"
                                    "Print nothing in colour.\n"
                                    ".El\n"
                                    ".Sh FILES\n"
                                    ".Bl -tag -width Ds\n"
                                    ".It Pa /run/coffer\n"
                                    "Run-time state: gone after a boot.\n"
                                    ".It Pa /var/lib/coffer\n"
                                    "Images, volumes and records.\n"
                                    ".It Pa ~/.docker/config.json\n"
                                    "Logins, and the credential helpers that keep them.\n"
                                    ".It Pa $XDG_RUNTIME_DIR/containers/auth.json , ~/.config/containers/auth.json\n"
                                    "Logins of podman and skopeo, which are used, too.\n"
                                    ".It Pa /etc/containers/registries.conf , /etc/containers/registries.conf.d/*.conf\n"
                                    "Mirrors, other locations, insecure and blocked registries.\n"
                                    "The same below\n"
                                    ".Pa ~/.config/containers\n"
                                    "comes before.\n"
                                    ".It Pa /etc/containers/certs.d , /etc/docker/certs.d\n"
                                    "Certificates for registries, in folders\n"
                                    ".Pa HOST[:PORT]\n"
                                    "of\n"
                                    ".Pa *.crt ,\n"
                                    ".Pa *.cert\n"
                                    "and\n"
                                    ".Pa *.key ;\n"
                                    "the same below\n"
                                    ".Pa ~/.config/containers\n"
                                    "comes before.\n"
                                    ".El\n";

static const char exit_section[] =
    ".Sh EXIT STATUS\n"
    ".Bl -tag -width Ds\n"
    ".It 125\n"
    "coffer itself failed; one sentence on standard error says why.\n"
    ".It 126\n"
    "The container's command cannot be executed.\n"
    ".It 127\n"
    "The container's command does not exist.\n"
    ".El\n"
    ".Pp\n"
    "Any other status is that of the container's command; 128 and a signal's number when the signal ended it.\n";

static const char low_level_exit_section[] =
    ".Sh EXIT STATUS\n"
    "1 when coffer itself failed, as with runc; any other is that of the container's process.\n";

// A line of text: a backslash is one, and no line is taken for a macro.
static void add_text(struct buf *buf, const char *text, size_t length) {
    if (length > 0 && (text[0] == '.' || text[0] == '\'')) {
        buf_add_string(buf, "\\&");
    }
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\\') {
            buf_add_string(buf, "\\e");
        } else {
            buf_add_char(buf, text[i]);
        }
    }
}

// Sentences, each on a line of its own as mdoc wants them; an empty line parts paragraphs.
static void add_prose(struct buf *buf, const char *text) {
    while (*text) {
        size_t length = 0;
        while (text[length] && text[length] != '\n' && !(text[length] == '.' && text[length + 1] == ' ')) {
            length++;
        }
        length += text[length] == '.';
        add_text(buf, text, length);
        text += length;
        buf_add_string(buf, strncmp(text, "\n\n", 2) == 0 ? "\n.Pp\n" : "\n");
        text += strspn(text, " \n");
    }
}

static void add_options(struct buf *buf, const struct command *command) {
    const char *heading = NULL;
    bool open = false;
    struct option_walk walk = {command->options};
    while (option_next(&walk)) {
        const struct option_row *row = walk.row;
        if (row->hidden) {
            continue;
        }
        if (!open || (walk.group && (!heading || strcmp(heading, walk.group) != 0))) {
            buf_add_string(buf, open ? ".El\n" : ".Sh OPTIONS\n");
            if (walk.group) {
                buf_add_format(buf, ".Ss %s\n", walk.group);
            }
            buf_add_string(buf, ".Bl -tag -width Ds\n");
            heading = walk.group;
            open = true;
        }
        buf_add_string(buf, ".It ");
        if (row->letter) {
            buf_add_format(buf, "Fl %c , ", row->letter);
        }
        buf_add_format(buf, "Fl -%s", row->name);
        if (row->arg) {
            buf_add_string(buf, " Ar \\&");
            for (const char *byte = row->arg; *byte; byte++) {
                buf_add_char(buf, *byte == ' ' ? '~' : *byte);
            }
        }
        buf_add_char(buf, '\n');
        add_prose(buf, row->help);
        if (row->kind == OPTION_KIND_LIST) {
            buf_add_string(buf, "May be given more than once.\n");
        }
    }
    if (open) {
        buf_add_string(buf, ".El\n");
    }
}

static void add_commands(struct buf *buf, const struct command *parent, const char *name) {
    buf_add_string(buf, ".Sh COMMANDS\n");
    for (enum command_group group = 0; group < COMMAND_GROUP_COUNT; group++) {
        bool open = false;
        for (const struct command *const *command = parent->commands; *command; command++) {
            if ((*command)->group != group || ((*command)->flags & COMMAND_HIDDEN)) {
                continue;
            }
            if (!open) {
                buf_add_format(buf, ".Ss %s\n.Bl -tag -width Ds\n", command_group_title(group));
                open = true;
            }
            buf_add_format(buf, ".It Xr %s-%s 1\n", name, (*command)->name);
            add_prose(buf, (*command)->summary);
        }
        if (open) {
            buf_add_string(buf, ".El\n");
        }
    }
}

static void add_examples(struct buf *buf, const char *examples) {
    buf_add_string(buf, ".Sh EXAMPLES\n.Bd -literal\n");
    while (*examples) {
        size_t length = strcspn(examples, "\n");
        add_text(buf, examples, length);
        buf_add_char(buf, '\n');
        examples += length + (examples[length] == '\n');
    }
    buf_add_string(buf, ".Ed\n");
}

// A command and the command line that leads to it: "coffer oci create" is the page coffer-oci-create.
struct page {
    const struct command *command;
    char line[NAME_SIZE];
    char name[NAME_SIZE];
    bool low_level;
};

static void add_page(struct buf *buf, const struct page *page) {
    const struct command *command = page->command;
    buf_add_format(buf, ".Dd %s\n.Dt ", page_date);
    for (const char *byte = page->name; *byte; byte++) {
        buf_add_char(buf, (char)toupper((unsigned char)*byte));
    }
    buf_add_format(buf, " 1\n.Os coffer\n.Sh NAME\n.Nm %s\n.Nd ", page->name);
    buf_add_char(buf, (char)tolower((unsigned char)command->summary[0]));
    add_text(buf, command->summary + 1, strlen(command->summary + 1));
    buf_add_format(buf, "\n.Sh SYNOPSIS\n.Nm \"%s\"\n", page->line);
    if (command->options) {
        buf_add_string(buf, ".Op Ar OPTIONS\n");
    }
    if (command->commands) {
        buf_add_string(buf, ".Ar COMMAND\n");
    } else if (command->usage) {
        buf_add_format(buf, ".Ar \"%s\"\n", command->usage);
    }
    buf_add_string(buf, ".Sh DESCRIPTION\n");
    add_prose(buf, command->description ? command->description : command->summary);
    if (command->aliases) {
        buf_add_format(buf, ".Pp\nOther names: %s\n", command->aliases);
    }
    if (command->commands) {
        add_commands(buf, command, page->name);
    }
    add_options(buf, command);
    if (command == &command_coffer) {
        buf_add_string(buf, root_sections);
    }
    buf_add_string(buf, page->low_level ? low_level_exit_section : exit_section);
    if (command->examples) {
        add_examples(buf, command->examples);
    }
    if (command != &command_coffer) {
        buf_add_string(buf, ".Sh SEE ALSO\n.Xr coffer 1\n");
    }
}

// Goes through all pages: adds their names to `names` if that is not NULL, and the page called `wanted` to `pages`. Whether it was
// found.
static bool visit(const struct page *page, struct buf *names, const char *wanted, struct buf *pages) {
    bool found = wanted && strcmp(page->name, wanted) == 0;
    if (names) {
        buf_add_format(names, "%s\n", page->name);
    }
    if (found) {
        add_page(pages, page);
    }
    for (const struct command *const *command = page->command->commands; command && *command && !found; command++) {
        if ((*command)->flags & COMMAND_HIDDEN) {
            continue;
        }
        struct page below = {.command = *command, .low_level = page->low_level || (*command)->flags & COMMAND_LOW_LEVEL};
        snprintf(below.line, sizeof(below.line), "%.80s %.40s", page->line, (*command)->name);
        snprintf(below.name, sizeof(below.name), "%.80s-%.40s", page->name, (*command)->name);
        found = visit(&below, names, wanted, pages);
    }
    return found;
}

static const struct page root_page = {.command = &command_coffer, .line = "coffer", .name = "coffer"};

void manual_names(struct buf *buf) {
    visit(&root_page, buf, NULL, NULL);
}

int manual_page(const char *name, struct buf *buf, struct err *err) {
    return visit(&root_page, NULL, name, buf) ? 0 : err_set(err, ERR_NOT_FOUND, "there is no manual page %s", name);
}

#include "cli/commands/all.h"
#include "cli/commands/engine.h"
#include "cli/context.h"
#include "cli/output.h"
#include "runtime/base/buf.h"
#include "runtime/base/dir.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/engine/boot.h"
#include "runtime/engine/home.h"
#include "runtime/engine/record.h"
#include "runtime/engine/restart_policy.h"
#include "runtime/engine/view.h"

#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct systemd_request {
    bool user, all, install;
};

struct generation {
    struct context *context;
    const struct systemd_request *request;
    bool user;
    const char *program; // our own file
    int folder_fd;       // where units are installed; -1: they are printed
    const char *folder;
    struct buf said;
};

// --- words of a unit ---

// As systemd.service(5), "Command lines", and systemd.unit(5), "Specifiers", want a word that means itself.
static void add_word(struct buf *buf, const char *word) {
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/_.:=+-@,";
    bool quoted = word[strspn(word, plain)] != '\0';
    buf_add_string(buf, quoted ? "\"" : "");
    for (const char *at = word; *at; at++) {
        if (*at == '%' || *at == '$') {
            buf_add_char(buf, *at);
        } else if (*at == '"' || *at == '\\') {
            buf_add_char(buf, '\\');
        }
        buf_add_char(buf, *at);
    }
    buf_add_string(buf, quoted ? "\"" : "");
}

// A path in a setting that is no command line: only specifiers are special there, beside what separates words.
static void add_path(struct buf *buf, const char *path) {
    for (const char *at = path; *at; at++) {
        buf_add_string(buf, *at == '%' ? "%" : *at == ' ' || *at == '\\' ? "\\" : "");
        buf_add_char(buf, *at);
    }
}

static void add_call(const struct generation *generation, struct buf *unit, const char *setting, const char *command,
                     const char *operand) {
    const struct context *context = generation->context;
    const char *const words[] = {generation->program, "--root", context->root_dir, "--store", context->store_dir, command, operand};
    buf_add_format(unit, "%s=", setting);
    for (size_t i = 0; i < sizeof(words) / sizeof(*words) && words[i]; i++) {
        buf_add_string(unit, i > 0 ? " " : "");
        if (words[i] == command) {
            buf_add_string(unit, command); // and its options
        } else {
            add_word(unit, words[i]);
        }
    }
    buf_add_char(unit, '\n');
}

static void add_store(const struct generation *generation, struct buf *unit) {
    buf_add_string(unit, "RequiresMountsFor=");
    add_path(unit, generation->context->store_dir);
    buf_add_char(unit, '\n');
}

static void add_network(const struct generation *generation, struct buf *unit) {
    buf_add_string(unit, generation->user ? "" : "Wants=network-online.target\nAfter=network-online.target\n");
}

static void add_install(const struct generation *generation, struct buf *unit) {
    buf_add_format(unit, "\n[Install]\nWantedBy=%s\n", generation->user ? "default.target" : "multi-user.target");
}

// --- units ---

// Monitors are in a control group of their own (monitor_group.h): systemd does not see them, so that they are told by a command.
static void write_boot(const struct generation *generation, struct buf *unit) {
    buf_add_string(unit, "[Unit]\nDescription=Containers that run from boot on (coffer)\nDocumentation=man:coffer-boot(1)\n");
    add_network(generation, unit);
    add_store(generation, unit);
    buf_add_string(unit, "\n[Service]\nType=oneshot\nRemainAfterExit=yes\n");
    add_call(generation, unit, "ExecStart", "boot", NULL);
    add_call(generation, unit, "ExecStop", "boot", "--stop");
    buf_add_string(unit, "# Some could not be started: the others go on.\nSuccessExitStatus=1 125\nTimeoutStartSec=infinity\nTimeoutStopSec=120\n");
    add_install(generation, unit);
}

static void add_needs(const struct generation *generation, const struct view *view, struct buf *unit) {
    const char **needs = boot_needs(view, &generation->context->arena);
    for (; *needs; needs++) {
        buf_add_format(unit, "Requires=coffer-%s.service\nAfter=coffer-%s.service\n", *needs, *needs);
    }
}

// The main process is a command that is attached to the container and ends with its exit code: the monitor is in a control group that is
// not the unit's. What a stop has killed is no failure, what else was killed is started again.
static void write_container(const struct generation *generation, const struct view *view, struct buf *unit) {
    enum { KILL_S = 15 };
    struct restart_policy policy;
    struct err damaged;
    bool restarts = restart_policy_parse(view->request.restart, &policy, &damaged) == 0 && policy.kind != RESTART_NO;
    int64_t stop_ms = request_stop_timeout_ms(&view->request);
    buf_add_format(unit, "[Unit]\nDescription=Container %s (coffer)\nDocumentation=man:coffer-start(1)\n", view->record.name);
    add_network(generation, unit);
    add_store(generation, unit);
    add_needs(generation, view, unit);
    buf_add_string(unit, "\n[Service]\nType=exec\nStandardOutput=null\n");
    add_call(generation, unit, "ExecStart", "start --attach --sig-proxy=false", view->record.name);
    add_call(generation, unit, "ExecStop", "stop", view->record.name);
    buf_add_string(unit, "TimeoutStartSec=infinity\n");
    if (stop_ms < 0) {
        buf_add_string(unit, "TimeoutStopSec=infinity\n");
    } else {
        buf_add_format(unit, "TimeoutStopSec=%lld\n", (long long)(stop_ms / 1000 + KILL_S));
    }
    buf_add_string(unit, "SuccessExitStatus=137 143\n");
    buf_add_string(unit, restarts ? "" : "RestartForceExitStatus=137\n");
    buf_add_format(unit, "%sRestart=%s\n", restarts ? "# Its monitor restarts it, by its own policy.\n" : "", restarts ? "no" : "on-failure");
    add_install(generation, unit);
}

// --- where they go ---

static int put(struct generation *generation, const char *name, const struct buf *unit, struct err *err) {
    if (generation->folder_fd < 0) {
        buf_add_format(&generation->said, "%s# %s\n", generation->said.size > 0 ? "\n" : "", name);
        buf_add(&generation->said, unit->data, unit->size);
        return 0;
    }
    if (fd_replace_file(generation->folder_fd, name, unit->data, unit->size, 0644, err) < 0) {
        return err_in(err, "install %s/%s", generation->folder, name);
    }
    buf_add_format(&generation->said, "%s/%s\n", generation->folder, name);
    return 0;
}

static const char *user_folder(struct context *context, struct err *err) {
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    if (config && config[0] == '/') {
        return arena_format(&context->arena, "%s/systemd/user", config);
    }
    if (home && home[0] == '/') {
        return arena_format(&context->arena, "%s/.config/systemd/user", home);
    }
    err_set(err, ERR_INPUT, "--install: HOME is not set; print the units, and write them where systemd looks");
    return NULL;
}

static int open_folder(struct generation *generation, struct err *err) {
    generation->folder = generation->user ? user_folder(generation->context, err) : "/etc/systemd/system";
    if (!generation->folder || dir_make(generation->folder, 0755, 0755, err) < 0) {
        return -1;
    }
    generation->folder_fd = open(generation->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return generation->folder_fd < 0 ? err_sys(err, "open %s", generation->folder) : 0;
}

static int add_container(struct generation *generation, const struct home *home, const char *id, struct err *err) {
    AUTO_BUF struct buf unit = {0};
    struct view view;
    if (view_read(home, &generation->context->arena, id, &view, err) < 0) {
        return -1;
    }
    write_container(generation, &view, &unit);
    return put(generation, arena_format(&generation->context->arena, "coffer-%s.service", view.record.name), &unit, err);
}

static int add_containers(struct generation *generation, struct err *err) {
    struct context *context = generation->context;
    const struct engine engine = engine_of(context);
    AUTO_HOME struct home home = HOME_CLOSED;
    const char **ids;
    if (home_open(&engine, &home, err) < 0) {
        return -1;
    }
    record_sweep(&home);
    for (int i = 0; i < context->operand_count; i++) {
        char id[RECORD_ID_SIZE];
        if (record_find(&home, context->operands[i], id, err) < 0 || add_container(generation, &home, id, err) < 0) {
            return -1;
        }
    }
    if (!generation->request->all) {
        return 0;
    }
    if (record_list(&home, &context->arena, &ids, err) < 0) {
        return -1;
    }
    for (; *ids; ids++) {
        struct err gone;
        if (add_container(generation, &home, *ids, &gone) < 0 && record_exists(&home, *ids)) {
            *err = gone;
            return -1;
        }
    }
    return 0;
}

static int generate(struct generation *generation, struct err *err) {
    struct context *context = generation->context;
    AUTO_BUF struct buf unit = {0};
    char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
    if (length < 0) {
        return err_sys(err, "find our own program");
    }
    path[length] = '\0';
    generation->program = path;
    if (generation->request->install && open_folder(generation, err) < 0) {
        return -1;
    }
    if (generation->request->all || context->operand_count > 0) {
        return add_containers(generation, err);
    }
    write_boot(generation, &unit);
    return put(generation, "coffer-boot.service", &unit, err);
}

static int run(struct context *context, struct err *err) {
    const struct systemd_request *request = context->request;
    struct generation generation = {
        .context = context, .request = request, .user = request->user || context->rootless, .folder_fd = -1};
    if (request->all && context->operand_count > 0) {
        return err_set(err, ERR_INPUT, "--all and names exclude each other");
    }
    int result = generate(&generation, err);
    fd_close(&generation.folder_fd);
    if (result == 0 && request->install) {
        buf_add_format(&generation.said, "Now: systemctl%s daemon-reload && systemctl%s enable NAME\n", generation.user ? " --user" : "",
                       generation.user ? " --user" : "");
    }
    result = result < 0 ? -1 : output_write(&generation.said, err);
    buf_finish(&generation.said);
    return result;
}

static const struct option_row options[] = {
    OPTION_FLAG("all", 'a', struct systemd_request, all, "A unit for each container"),
    OPTION_FLAG("install", 0, struct systemd_request, install,
                "Write them to /etc/systemd/system, or with --user to ~/.config/systemd/user, in place of printing them"),
    OPTION_FLAG("user", 0, struct systemd_request, user, "For the user's own systemd [default but for root]"),
    {0},
};

const struct command command_generate_systemd = {
    .name = "systemd",
    .usage = "[CONTAINER...]",
    .summary = "Print systemd units that start containers",
    .description = "Without CONTAINER: coffer-boot.service, which calls `coffer boot` when the host has come up, and is all that containers "
                   "with --restart always and unless-stopped need. With CONTAINER, or --all: a unit for each, for containers that systemd "
                   "shall look after; these have best no restart policy of their own.\n\n"
                   "An ordinary user's units run while he is logged in, and from boot on after `loginctl enable-linger`.",
    .examples = "sudo coffer generate systemd --install && sudo systemctl daemon-reload\n"
                "sudo systemctl enable coffer-boot\n"
                "coffer generate systemd web",
    .group = COMMAND_GROUP_CONTAINERS,
    .max_operands = COMMAND_ANY_COUNT,
    .operands = COMPLETE_CONTAINER,
    .options = options,
    .request_size = sizeof(struct systemd_request),
    .run = run,
};

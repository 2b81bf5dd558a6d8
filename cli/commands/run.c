#include "cli/commands/all.h"
#include "cli/commands/engine.h"
#include "cli/commands/env.h"
#include "cli/commands/run_rows.h"
#include "cli/commands/store.h"
#include "cli/context.h"
#include "cli/output.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/engine/connection_pasta.h"
#include "runtime/engine/publish.h"
#include "runtime/engine/request.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

struct run_options {
    struct run_request run;
    struct strv env_files, env;
    struct strv label_files, labels;
    const char *health_cmd;
    struct strv attach;
    bool quiet;
};

static int check(const struct run_request *run, struct err *err) {
    if (run->tty && !isatty(STDIN_FILENO) && run->interactive) {
        return err_set(err, ERR_INPUT, "--tty: standard input is not a terminal; leave out --tty to feed it from a pipe");
    }
    for (size_t i = 0; i < run->publish.count; i++) {
        struct publish publish;
        if (publish_parse(run->publish.items[i], &publish, err) < 0) {
            return -1;
        }
    }
    return 0;
}

// What an ordinary user gets without asking has to be possible: not every host has pasta.
static const char *default_network(const struct context *context, const struct run_request *request) {
    const char *wish = getenv("COFFER_NETWORK");
    if (wish && *wish) {
        return wish;
    }
    bool publishes = request->publish.count > 0 || request->publish_all;
    return !context->rootless ? "bridge" : publishes || rootless_is_possible() ? PASTA_NETWORK : "none";
}

static void fill_operands(const struct context *context, struct run_request *request) {
    request->network = request->networks.count > 0 ? request->networks.items[0] : default_network(context, request);
    request->image = context->operands[0];
    request->command = (const char *const *)context->operands + 1;
    request->command_count = (size_t)context->operand_count - 1;
}

static int tell_id(const struct run_request *request, const char *id, struct err *err) {
    AUTO_BUF struct buf line = {0};
    if (!request->detach && !(request->hide_output && request->hide_errors)) {
        return 0; // by the keys: who typed them knows it
    }
    buf_add_format(&line, "%s\n", id);
    return output_write(&line, err);
}

// What is made of the options for the engine, and lives as long.
struct prepared {
    struct run_request request;
    struct strv env, labels, health_test;
    char cwd[PATH_MAX];
};

static void prepared_finish(struct prepared *prepared) {
    strv_finish(&prepared->env);
    strv_finish(&prepared->labels);
    strv_finish(&prepared->health_test);
}

// Docker's: a line for the shell, but for "none".
static void fill_health(const char *command, struct prepared *prepared) {
    if (command && strcmp(command, "none") == 0) {
        prepared->request.no_healthcheck = true;
    } else if (command && *command) {
        strv_add(&prepared->health_test, "CMD-SHELL");
        strv_add(&prepared->health_test, command);
    }
    prepared->request.health_test = prepared->health_test;
}

// Docker's --attach: which of the three streams. None named: both outputs, and input with --interactive.
static int fill_attach(const struct run_options *options, struct run_request *request, struct err *err) {
    static const char *const names[] = {"stdin", "stdout", "stderr"};
    bool named[ARRAY_LEN(names)] = {false};
    if (options->attach.count == 0) {
        return 0;
    }
    if (request->detach) {
        return err_set(err, ERR_INPUT, "--attach and --detach exclude each other: the one stays with the container, the other does not");
    }
    for (size_t i = 0; i < options->attach.count; i++) {
        size_t at = 0;
        while (at < ARRAY_LEN(names) && strcasecmp(options->attach.items[i], names[at]) != 0) {
            at++;
        }
        if (at == ARRAY_LEN(names)) {
            return err_set(err, ERR_INPUT, "--attach: expected stdin, stdout or stderr, found \"%s\"", options->attach.items[i]);
        }
        named[at] = true;
    }
    request->interactive = request->interactive || named[0];
    request->no_input = !named[0];
    request->hide_output = !named[1];
    request->hide_errors = !named[2];
    return 0;
}

static int bring(struct context *context, const struct run_request *request, struct err *err) {
    const struct run_options *options = context->request;
    return store_bring(context, &(struct store_wish){request->image, request->platform, options->quiet}, err);
}

static int prepare(struct context *context, struct prepared *prepared, struct err *err) {
    const struct run_options *options = context->request;
    struct run_request *request = &prepared->request;
    *request = options->run;
    fill_operands(context, request);
    fill_health(options->health_cmd, prepared);
    if (!getcwd(prepared->cwd, sizeof(prepared->cwd))) {
        return err_sys(err, "find the current directory");
    }
    request->cwd = prepared->cwd;
    request->home = getenv("HOME");
    if (fill_attach(options, request, err) < 0 || env_fill(&options->env_files, &options->env, &prepared->env, err) < 0 ||
        labels_fill(&options->label_files, &options->labels, &prepared->labels, err) < 0 || check(request, err) < 0) {
        return -1;
    }
    request->env = prepared->env;
    request->labels = prepared->labels;
    return request->pull == PULL_ALWAYS ? bring(context, request, err) : 0;
}

// Whether the image is fetched for another attempt. Asked only behind a failure: a start pays nothing for it.
static bool can_be_brought(const struct context *context, const struct run_request *request, const struct err *err) {
    return err->kind == ERR_NOT_FOUND && request->pull == PULL_MISSING && !store_has_image(context, request->image, request->platform);
}

// The usual slip: what stands behind the image is the command.
static int explain(const struct run_request *request, struct err *err) {
    const char *first = request->command_count > 0 ? request->command[0] : "";
    if (err->kind == ERR_NO_COMMAND && first[0] == '-' && first[1]) {
        struct err plain = *err;
        err_set(err, ERR_NO_COMMAND, "%s; flags of coffer stand before the image", plain.text);
    }
    return -1;
}

static int run(struct context *context, struct err *err) {
    AUTO(prepared_finish) struct prepared prepared = {0};
    const struct run_request *request = &prepared.request;
    const struct engine engine = engine_of(context);
    struct engine_end end;
    if (prepare(context, &prepared, err) < 0) {
        return -1;
    }
    int result = engine_run(&engine, request, &end, err);
    if (result < 0 && can_be_brought(context, request, err)) {
        *err = (struct err){0};
        result = bring(context, request, err) < 0 ? -1 : engine_run(&engine, request, &end, err);
    }
    if (result < 0) {
        return explain(request, err);
    }
    bool unseen = request->hide_output && request->hide_errors;
    if ((end.goes_on || unseen) && tell_id(request, end.id, err) < 0) {
        return -1;
    }
    return end.goes_on ? 0 : engine_end_status(&end);
}

static int create(struct context *context, struct err *err) {
    AUTO(prepared_finish) struct prepared prepared = {0};
    AUTO_BUF struct buf line = {0};
    char id[ENGINE_ID_SIZE];
    const struct engine engine = engine_of(context);
    if (prepare(context, &prepared, err) < 0) {
        return -1;
    }
    int result = engine_create(&engine, &prepared.request, id, err);
    if (result < 0 && can_be_brought(context, &prepared.request, err)) {
        *err = (struct err){0};
        result = bring(context, &prepared.request, err) < 0 ? -1 : engine_create(&engine, &prepared.request, id, err);
    }
    if (result < 0) {
        return -1;
    }
    buf_add_format(&line, "%s\n", id);
    return output_write(&line, err);
}

static const char *const pull_policies[] = {"missing", "always", "never", NULL};

static const struct option_row options[] = {
    OPTION_FLAG("interactive", 'i', struct run_options, run.interactive, "Keep standard input open"),
    OPTION_FLAG("tty", 't', struct run_options, run.tty, "Give the command a terminal"),
    OPTION_FLAG("detach", 'd', struct run_options, run.detach, "Let it run in the background, and print its id"),
    OPTION_LIST("attach", 'a', "STREAM", struct run_options, attach, "Stay with stdin, stdout or stderr only, and print its id without output"),
    OPTION_STRING("detach-keys", 0, "KEYS", struct run_options, run.detach_keys,
                  "Keys that leave the container running [ctrl-p,ctrl-q]"),
    OPTION_FLAG("rm", 0, struct run_options, run.remove, "Remove the container when it has ended"),
    OPTION_STRING("name", 0, "NAME", struct run_options, run.name, "Name the container [default: one is made up]"),
    OPTION_STRING("restart", 0, "POLICY", struct run_options, run.restart,
                  "Start it again when it ends: no [default], on-failure[:N], always or unless-stopped"),
    OPTION_STRING("stop-signal", 0, "SIGNAL", struct run_options, run.stop_signal,
                  "What \"stop\" sends [default: the image's, or SIGTERM]"),
    OPTION_INT("stop-timeout", 0, "SECONDS", -1, 1 << 30, struct run_options, run.stop_timeout_s,
               "How long \"stop\" waits before it kills; -1: for ever [default 10]"),
    OPTION_STRING("cidfile", 0, "FILE", struct run_options, run.cid_file, "Write its id into FILE, which must not be there",
                  .complete = COMPLETE_FILE),
    OPTION_LIST("label", 'l', "NAME=VALUE", struct run_options, labels, "Keep something for people and tools to find it by"),
    OPTION_LIST("label-file", 0, "FILE", struct run_options, label_files, "Read labels from FILE, one a line",
                .complete = COMPLETE_FILE),
    OPTION_LIST("annotation", 0, "NAME=VALUE", struct run_options, run.annotations, "The same for the runtime and its hooks"),
    OPTION_CHOICE("pull", 0, "POLICY", pull_policies, struct run_options, run.pull,
                  "When to fetch the image: missing, always or never"),
    OPTION_FLAG("quiet", 'q', struct run_options, quiet, "Do not show how far the fetching is"),
    OPTION_STRING("platform", 0, "OS/ARCH[/VARIANT]", struct run_options, run.platform,
                  "Use an image for this platform [default: the host's, or what there is]"),
    OPTION_STRING("log-driver", 0, "DRIVER", struct run_options, run.log_driver,
                  "Keep its output as k8s-file [default], json-file, journald, or none"),
    OPTION_LIST("log-opt", 0, "NAME=VALUE", struct run_options, run.log_opts, "max-size, max-file and others of the driver's options"),
    OPTION_GROUP("Health"),
    OPTION_STRING("health-cmd", 0, "COMMAND", struct run_options, health_cmd,
                  "Run COMMAND by its shell to see whether it is healthy [default: the image's check]"),
    OPTION_STRING("health-port", 0, "PORT[/tcp]", struct run_options, run.health_port,
                  "It is healthy when somebody in it listens on PORT: no command is run"),
    OPTION_DURATION("health-interval", 0, "TIME", struct run_options, run.health_interval_ms, "Time between checks [30s]"),
    OPTION_DURATION("health-timeout", 0, "TIME", struct run_options, run.health_timeout_ms,
                    "Time after which a check is killed, and has failed [30s]"),
    OPTION_INT("health-retries", 0, "NUMBER", 0, INT32_MAX, struct run_options, run.health_retries,
               "How many checks in a row must fail until it is unhealthy [3]"),
    OPTION_DURATION("health-start-period", 0, "TIME", struct run_options, run.health_start_period_ms,
                    "How long failures do not count, unless one has succeeded [0s]"),
    OPTION_DURATION("health-start-interval", 0, "TIME", struct run_options, run.health_start_interval_ms,
                    "Time between checks meanwhile [5s]"),
    OPTION_STRING("health-on-failure", 0, "ACTION", struct run_options, run.health_on_failure,
                  "What becomes of it when it is unhealthy: none [default], kill, restart or stop"),
    OPTION_FLAG("no-healthcheck", 0, struct run_options, run.no_healthcheck, "Leave the image's check out"),
    OPTION_GROUP("Process"),
    OPTION_LIST("env", 'e', "NAME=VALUE", struct run_options, env, "Set a variable; NAME alone takes the caller's value"),
    OPTION_LIST("env-file", 0, "FILE", struct run_options, env_files, "Read variables from FILE, one a line",
                .complete = COMPLETE_FILE),
    OPTION_STRING("workdir", 'w', "DIR", struct run_options, run.workdir, "Start in DIR of the container"),
    OPTION_STRING("user", 'u', "USER[:GROUP]", struct run_options, run.user, "Run as a user of the container, by name or number"),
    OPTION_LIST("group-add", 0, "GROUP", struct run_options, run.group_add, "Add a group of the container, by name or number"),
    OPTION_STRING("entrypoint", 0, "COMMAND", struct run_options, run.entrypoint, "Replace the image's entrypoint; \"\" drops it"),
    OPTION_FLAG("init", 0, struct run_options, run.init, "Run an init that passes signals on and reaps"),
    OPTION_FLAG("sig-proxy", 0, struct run_options, run.pass_signals, "Pass signals to the command [default true]"),
    OPTION_GROUP("Files"),
    OPTION_LIST("volume", 'v', "[SOURCE:]TARGET[:OPTIONS]", struct run_options, run.volumes,
                "Show a path of the host, a volume by its name, or a volume of the container's own; with ro, or U: its owner is the container's user",
                .complete = COMPLETE_FILE),
    OPTION_LIST("volumes-from", 0, "CONTAINER[:ro]", struct run_options, run.volumes_from,
                "Show what another container has of volumes and paths of the host"),
    OPTION_LIST("mount", 0, "type=TYPE,...", struct run_options, run.mounts,
                "The same in docker's long form: bind, volume, tmpfs or image"),
    OPTION_LIST("tmpfs", 0, "TARGET[:OPTIONS]", struct run_options, run.tmpfs, "Mount a file system in memory"),
    OPTION_FLAG("read-only", 0, struct run_options, run.read_only, "Make the root file system read-only"),
    OPTION_BYTES("shm-size", 0, "BYTES", struct run_options, run.shm_size_bytes, "Size of /dev/shm [default 64m]"),
    OPTION_GROUP("Network"),
    OPTION_LIST("network", 0, "NETWORK", struct run_options, run.networks,
                  "bridge [default] or another network's name, none, host or container:NAME to share one; without root pasta, a network "
                  "for it alone, is the default; COFFER_NETWORK sets another"),
    OPTION_LIST("net", 0, "NETWORK", struct run_options, run.networks, "The same, as older scripts say it", .hidden = true),
    OPTION_LIST("publish", 'p', "[[ADDRESS:][PORT]:]PORT[/PROTOCOL]", struct run_options, run.publish,
                "Make a port of the container one of the host's"),
    OPTION_FLAG("publish-all", 'P', struct run_options, run.publish_all, "The same for all ports that it exposes, at free ones"),
    OPTION_LIST("expose", 0, "PORT[-PORT][/PROTOCOL]", struct run_options, run.exposed,
                "Say that it listens on a port, beside those the image names"),
    OPTION_LIST("network-alias", 0, "NAME", struct run_options, run.aliases, "One more name of it on the first network"),
    OPTION_STRING("ip", 0, "ADDRESS", struct run_options, run.ip, "Its IPv4 address on the network [default: a free one]"),
    OPTION_STRING("ip6", 0, "ADDRESS", struct run_options, run.ip6, "Its IPv6 address on the network"),
    OPTION_STRING("mac-address", 0, "ADDRESS", struct run_options, run.mac, "Its hardware address on the network"),
    OPTION_LIST("add-host", 0, "NAME:ADDRESS", struct run_options, run.add_hosts, "Add a line to its /etc/hosts; host-gateway is the host's address"),
    OPTION_LIST("dns", 0, "ADDRESS", struct run_options, run.dns, "Ask this server for names that are none of its networks'"),
    OPTION_LIST("dns-search", 0, "DOMAIN", struct run_options, run.dns_search, "Look for names in DOMAIN too; . for none"),
    OPTION_LIST("dns-option", 0, "OPTION", struct run_options, run.dns_options, "Set an option of resolv.conf(5)"),
    OPTION_STRING("hostname", 'h', "NAME", struct run_options, run.hostname, "Host name in the container [default: its short id]"),
    OPTION_STRING("domainname", 0, "NAME", struct run_options, run.domainname, "NIS domain name in the container"),
    OPTION_ROWS(change_limit_rows, struct run_options, run, struct run_request),
    OPTION_ROWS(run_limit_rows, struct run_options, run, struct run_request),
    OPTION_ROWS(run_security_rows, struct run_options, run, struct run_request),
    {0},
};

static const struct run_options defaults = {
    .run = {.pass_signals = true},
};

const struct command command_run = {
    .name = "run",
    .usage = "IMAGE [COMMAND [ARG...]]",
    .summary = "Run a command in a new container",
    .description =
        "The container gets user ids of its own: its root is nobody on the host. Files of volumes keep the owners they "
        "have outside.\n\nThe exit code is the command's; 125 when coffer fails, 126 when the command cannot be executed, "
        "127 when there is none, 128 and the signal's number when a signal kills it.",
    .examples = "coffer run --rm -it debian bash\n"
                "# half a processor, 256 MiB, nothing to write to but /tmp\n"
                "coffer run --rm --cpus 0.5 --memory 256m --read-only --tmpfs /tmp debian ./build",
    .group = COMMAND_GROUP_COMMON,
    .flags = COMMAND_OPTIONS_FIRST,
    .min_operands = 1,
    .max_operands = COMMAND_ANY_COUNT,
    .operands = COMPLETE_IMAGE,
    .options = options,
    .request_size = sizeof(struct run_options),
    .request_defaults = &defaults,
    .unserved = run_unserved,
    .run = run,
};

const struct command command_create = {
    .name = "create",
    .usage = "IMAGE [COMMAND [ARG...]]",
    .summary = "Make a container without starting it",
    .description = "Prints its id. \"coffer start\" starts it.",
    .group = COMMAND_GROUP_CONTAINERS,
    .flags = COMMAND_OPTIONS_FIRST,
    .min_operands = 1,
    .max_operands = COMMAND_ANY_COUNT,
    .operands = COMPLETE_IMAGE,
    .options = options,
    .request_size = sizeof(struct run_options),
    .request_defaults = &defaults,
    .unserved = run_unserved,
    .run = create,
};

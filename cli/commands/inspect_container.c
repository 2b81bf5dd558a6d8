// A container as docker's API shows it: its members, in its order where people see it.
#include "cli/commands/inspect.h"
#include "cli/commands/inspect_host.h"
#include "cli/context.h"
#include "images/image.h"
#include "images/store.h"
#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/strv.h"
#include "runtime/base/timestamp.h"
#include "runtime/engine/config.h"
#include "runtime/engine/ending.h"
#include "runtime/engine/health_file.h"
#include "runtime/engine/log_chain.h"
#include "runtime/engine/log_options.h"
#include "runtime/engine/view.h"
#include "runtime/kernel/tree.h"
#include "specs/json_write.h"

#include <stdio.h>
#include <string.h>

// What is shown of one container.
struct showing {
    struct inspecting *inspecting;
    struct arena *arena;
    struct view view;
    struct store *store;
    struct image *image;            // NULL: it is gone
    struct image_settings settings; // its, or none
    struct json_writer *writer;
};

static void showing_finish(struct showing *showing) {
    image_close(showing->image);
    store_close(showing->store);
}

static void write_text(struct json_writer *writer, const char *name, const char *text) {
    json_write_string(writer, name, text ? text : "");
}

// --- what runs in it ---

struct words {
    const char *const *items;
    size_t count;
};

// As engine/config.c has it: who names an entrypoint drops the image's command.
static void find_command(const struct showing *showing, struct words *entrypoint, struct words *cmd) {
    const struct run_request *run = &showing->view.request;
    const struct image_settings *image = &showing->settings;
    *entrypoint = (struct words){(const char *const *)image->entrypoint, image->entrypoint_count};
    *cmd = (struct words){(const char *const *)image->cmd, image->cmd_count};
    if (run->entrypoint) {
        *entrypoint = (struct words){&run->entrypoint, *run->entrypoint ? 1 : 0};
        *cmd = (struct words){0};
    }
    if (run->command_count > 0) {
        *cmd = (struct words){run->command, run->command_count};
    }
}

static void write_command(const struct showing *showing) {
    struct words parts[2];
    const char *path = "";
    find_command(showing, &parts[0], &parts[1]);
    size_t count = 0, skip = 0;
    const char **args = arena_array(showing->arena, parts[0].count + parts[1].count + 1, sizeof(*args));
    for (size_t part = 0; part < ARRAY_LEN(parts); part++) {
        for (size_t i = 0; i < parts[part].count; i++) {
            args[count++] = parts[part].items[i];
        }
    }
    if (count > 0) {
        path = args[0];
        skip = 1;
    }
    json_write_string(showing->writer, "Path", path);
    json_write_strings(showing->writer, "Args", args + skip, count - skip);
}

// --- State ---

static void write_time(struct json_writer *writer, const char *name, int64_t time_s) {
    char text[TIMESTAMP_SIZE];
    json_write_string(writer, name, time_s ? timestamp_format(time_s * 1000000000, text) : "0001-01-01T00:00:00Z");
}

static void write_health(const struct showing *showing) {
    struct json_writer *writer = showing->writer;
    struct health_report report = {0};
    struct err none;
    if (health_file_read(&showing->inspecting->home, showing->view.record.id, showing->arena, &report, &none) < 0 ||
        report.status == HEALTH_NONE) {
        return;
    }
    json_write_open(writer, "Health", '{');
    json_write_string(writer, "Status", health_status_name(report.status));
    json_write_i64(writer, "FailingStreak", report.streak);
    json_write_literal(writer, "Log", report.log ? report.log : "[]");
    json_write_close(writer, '}');
}

static void write_state(const struct showing *showing) {
    const struct view *view = &showing->view;
    const struct record *record = &view->record;
    struct json_writer *writer = showing->writer;
    bool runs = view_runs(view);
    char why[ENDING_TEXT_SIZE];
    json_write_open(writer, "State", '{');
    json_write_string(writer, "Status", record_state_name(view->state));
    json_write_bool(writer, "Running", runs || view->state == RECORD_RESTARTING);
    json_write_bool(writer, "Paused", view->state == RECORD_PAUSED);
    json_write_bool(writer, "Restarting", view->state == RECORD_RESTARTING);
    json_write_bool(writer, "OOMKilled", record->out_of_memory);
    json_write_bool(writer, "Dead", false);
    json_write_i64(writer, "Pid", runs ? record->pid : 0);
    json_write_i64(writer, "ExitCode", runs ? 0 : record->exit_code);
    json_write_string(writer, "Error",
                      runs && !view->attended    ? "its monitor was killed: it goes on, and nobody will learn how it ends"
                      : !runs && record->exit_unknown ? "its monitor was killed, so that nobody learned how it ended"
                      : runs                          ? ""
                                                      : ending_explain(record, why));
    write_time(writer, "StartedAt", record->started_s);
    write_time(writer, "FinishedAt", runs ? 0 : record->finished_s);
    json_write_bool(writer, "StoppedByUser", record->stopped);
    write_health(showing);
    json_write_close(writer, '}');
}

// --- Mounts ---

static bool has_option(const struct volume *volume, const char *option) {
    for (size_t i = 0; i < volume->options_count; i++) {
        if (strcmp(volume->options[i], option) == 0) {
            return true;
        }
    }
    return false;
}

static const char *propagation_of(const struct volume *volume) {
    static const char *const words[] = {"rprivate", "private", "rshared", "shared", "rslave", "slave"};
    for (size_t i = 0; volume->kind == VOLUME_BIND && i < ARRAY_LEN(words); i++) {
        if (has_option(volume, words[i])) {
            return words[i];
        }
    }
    return volume->kind == VOLUME_BIND ? "rprivate" : "";
}

static void write_mount(const struct showing *showing, const struct volume *volume) {
    static const char *const kinds[VOLUME_KIND_COUNT] = {
        [VOLUME_BIND] = "bind", [VOLUME_TMPFS] = "tmpfs", [VOLUME_NAMED] = "volume", [VOLUME_IMAGE] = "image"};
    struct json_writer *writer = showing->writer;
    const char *source = volume->source ? volume->source : "";
    bool named = volume->kind == VOLUME_NAMED;
    json_write_open(writer, NULL, '{');
    json_write_string(writer, "Type", kinds[volume->kind]);
    if (named) {
        json_write_string(writer, "Name", source);
        source = arena_format(showing->arena, "%s/volumes/%s/_data", showing->inspecting->home.store, source);
    }
    json_write_string(writer, "Source", source);
    json_write_string(writer, "Destination", volume->target);
    if (named) {
        json_write_string(writer, "Driver", "local");
    }
    json_write_string(writer, "Mode", volume->swaps_owner ? (volume->read_only ? "ro,U" : "U") : volume->read_only ? "ro" : "");
    json_write_bool(writer, "RW", !volume->read_only);
    json_write_string(writer, "Propagation", propagation_of(volume));
    json_write_close(writer, '}');
}

static void write_mounts(const struct showing *showing) {
    json_write_open(showing->writer, "Mounts", '[');
    for (size_t i = 0; i < showing->view.mounts.items_count; i++) {
        write_mount(showing, &showing->view.mounts.items[i]);
    }
    json_write_close(showing->writer, ']');
}

// --- Config ---

static void write_keys(struct json_writer *writer, const char *name, const char *const *keys, size_t count) {
    json_write_open(writer, name, '{');
    for (size_t i = 0; i < count; i++) {
        json_write_literal(writer, keys[i], "{}");
    }
    json_write_close(writer, '}');
}

static void write_env(const struct showing *showing) {
    AUTO_STRV struct strv env = {0};
    const struct run_request *run = &showing->view.request;
    for (size_t i = 0; i < showing->settings.env_count; i++) {
        if (strchr(showing->settings.env[i], '=')) {
            strv_set_env(&env, showing->settings.env[i]);
        }
    }
    for (size_t i = 0; i < run->env.count; i++) {
        if (strchr(run->env.items[i], '=')) {
            strv_set_env(&env, run->env.items[i]);
        }
    }
    json_write_strings(showing->writer, "Env", (const char *const *)env.items, env.count);
}

// The image's, and over them the container's.
static void write_labels(const struct showing *showing) {
    AUTO_STRV struct strv labels = {0};
    const struct run_request *run = &showing->view.request;
    for (size_t i = 0; i < showing->settings.labels_count; i++) {
        strv_add_format(&labels, "%s=%s", showing->settings.labels[i].name, showing->settings.labels[i].value);
    }
    for (size_t i = 0; i < run->labels.count; i++) {
        const char *label = run->labels.items[i];
        strv_set_env(&labels, strchr(label, '=') ? label : arena_format(showing->arena, "%s=", label));
    }
    json_write_open(showing->writer, "Labels", '{');
    for (size_t i = 0; i < labels.count; i++) {
        size_t length = strcspn(labels.items[i], "=");
        json_write_string(showing->writer, arena_format(showing->arena, "%.*s", (int)length, labels.items[i]),
                          labels.items[i] + length + 1);
    }
    json_write_close(showing->writer, '}');
}

static void take_length(const struct opt_i64 *wish_ms, int64_t *length_ns) {
    *length_ns = wish_ms->set && wish_ms->value > 0 ? wish_ms->value * 1000000 : *length_ns;
}

// The image's, with what the flags have changed of it; a port is none of docker's tests.
static void write_healthcheck(const struct showing *showing) {
    static const char *none[] = {"NONE"};
    const struct run_request *run = &showing->view.request;
    const char *port[] = {"PORT", run->health_port};
    struct image_healthcheck check = showing->settings.healthcheck ? *showing->settings.healthcheck : (struct image_healthcheck){0};
    if (run->health_test.count > 0) {
        check.test_count = 0;
        check.test = arena_array(showing->arena, run->health_test.count, sizeof(*check.test));
        while (check.test_count < run->health_test.count) {
            check.test[check.test_count] = run->health_test.items[check.test_count];
            check.test_count++;
        }
    } else if (run->health_port || run->no_healthcheck) {
        check.test = run->health_port ? port : none;
        check.test_count = run->health_port ? ARRAY_LEN(port) : ARRAY_LEN(none);
    }
    take_length(&run->health_interval_ms, &check.interval_ns);
    take_length(&run->health_timeout_ms, &check.timeout_ns);
    take_length(&run->health_start_period_ms, &check.start_period_ns);
    take_length(&run->health_start_interval_ms, &check.start_interval_ns);
    check.retries = run->health_retries.set && run->health_retries.value > 0 ? (int32_t)run->health_retries.value : check.retries;
    if (check.test_count > 0) {
        image_healthcheck_write(&check, showing->writer);
    }
}

static void write_config(const struct showing *showing) {
    const struct run_request *run = &showing->view.request;
    const struct image_settings *image = &showing->settings;
    struct json_writer *writer = showing->writer;
    struct words entrypoint, cmd;
    find_command(showing, &entrypoint, &cmd);
    json_write_open(writer, "Config", '{');
    json_write_string(writer, "Hostname", engine_hostname(run, showing->view.record.id, showing->arena));
    json_write_string(writer, "Domainname", "");
    write_text(writer, "User", run->user ? run->user : image->user);
    json_write_bool(writer, "AttachStdin", run->interactive && !run->detach);
    json_write_bool(writer, "AttachStdout", !run->detach);
    json_write_bool(writer, "AttachStderr", !run->detach);
    write_keys(writer, "ExposedPorts", (const char *const *)image->exposed_ports, image->exposed_ports_count);
    json_write_bool(writer, "Tty", run->tty);
    json_write_bool(writer, "OpenStdin", run->interactive);
    json_write_bool(writer, "StdinOnce", run->interactive && !run->detach);
    write_env(showing);
    json_write_strings(writer, "Cmd", cmd.items, cmd.count);
    json_write_string(writer, "Image", showing->view.record.image);
    write_keys(writer, "Volumes", (const char *const *)image->volumes, image->volumes_count);
    write_text(writer, "WorkingDir", run->workdir ? run->workdir : image->working_dir);
    json_write_strings(writer, "Entrypoint", entrypoint.items, entrypoint.count);
    write_labels(showing);
    write_text(writer, "StopSignal", run->stop_signal ? run->stop_signal : image->stop_signal);
    if (run->stop_timeout_s.set) {
        json_write_i64(writer, "StopTimeout", run->stop_timeout_s.value);
    }
    write_healthcheck(showing);
    json_write_close(writer, '}');
}

// --- NetworkSettings ---

static bool is_same_port(const struct view_port *a, const struct view_port *b) {
    return a->port == b->port && strcmp(a->protocol, b->protocol) == 0;
}

// All host ports of one of the container's, which may have been asked for apart from each other.
static void write_port(const struct showing *showing, size_t first) {
    const struct view *view = &showing->view;
    struct json_writer *writer = showing->writer;
    char key[32];
    for (size_t i = 0; i < first; i++) {
        if (is_same_port(&view->ports[i], &view->ports[first])) {
            return; // written
        }
    }
    snprintf(key, sizeof(key), "%u/%.8s", view->ports[first].port, view->ports[first].protocol);
    json_write_open(writer, key, '[');
    for (size_t i = first; i < view->ports_count; i++) {
        if (is_same_port(&view->ports[i], &view->ports[first])) {
            json_write_open(writer, NULL, '{');
            json_write_string(writer, "HostIp", view->ports[i].host);
            snprintf(key, sizeof(key), "%u", view->ports[i].host_port);
            json_write_string(writer, "HostPort", key);
            json_write_close(writer, '}');
        }
    }
    json_write_close(writer, ']');
}

static void write_ports(const struct showing *showing) {
    const struct view *view = &showing->view;
    struct json_writer *writer = showing->writer;
    char key[32];
    json_write_open(writer, "Ports", '{');
    for (size_t i = 0; i < view->ports_count; i++) {
        write_port(showing, i);
    }
    for (size_t i = 0; i < showing->settings.exposed_ports_count && view_runs(view); i++) {
        bool published = false;
        for (size_t at = 0; at < view->ports_count; at++) {
            snprintf(key, sizeof(key), "%u/%.8s", view->ports[at].port, view->ports[at].protocol);
            published = published || strcmp(key, showing->settings.exposed_ports[i]) == 0;
        }
        if (!published) {
            json_write_literal(writer, showing->settings.exposed_ports[i], "null");
        }
    }
    json_write_close(writer, '}');
}

static void write_network(struct json_writer *writer, const char *name, const struct view_network *network,
                          const struct words *aliases) {
    json_write_open(writer, name, '{');
    json_write_strings(writer, "Aliases", aliases->items, aliases->count);
    json_write_string(writer, "NetworkID", network->id);
    json_write_string(writer, "Gateway", network->gateway);
    json_write_string(writer, "IPAddress", network->address);
    json_write_i64(writer, "IPPrefixLen", network->prefix);
    json_write_string(writer, "IPv6Gateway", network->gateway6);
    json_write_string(writer, "GlobalIPv6Address", network->address6);
    json_write_i64(writer, "GlobalIPv6PrefixLen", network->prefix6);
    json_write_string(writer, "MacAddress", network->mac);
    json_write_close(writer, '}');
}

static void write_networks(const struct showing *showing) {
    static const struct view_network none = {
        .id = "",
        .address = "",
        .gateway = "",
        .address6 = "",
        .gateway6 = "",
        .mac = "",
    };
    const struct view *view = &showing->view;
    struct json_writer *writer = showing->writer;
    const struct view_network *first = view->networks_count > 0 ? &view->networks[0] : &none;
    json_write_open(writer, "NetworkSettings", '{');
    write_ports(showing);
    json_write_string(writer, "IPAddress", first->address);
    json_write_i64(writer, "IPPrefixLen", first->prefix);
    json_write_string(writer, "Gateway", first->gateway);
    json_write_string(writer, "GlobalIPv6Address", first->address6);
    json_write_string(writer, "MacAddress", first->mac);
    json_write_open(writer, "Networks", '{');
    for (size_t i = 0; i < view->networks_count; i++) {
        const struct view_network *network = &view->networks[i];
        const struct words aliases = {(const char *const *)network->aliases, network->aliases_count};
        write_network(writer, network->name, network, &aliases);
    }
    if (view->networks_count == 0) {
        const struct words aliases = {(const char *const *)view->request.aliases.items, view->request.aliases.count};
        write_network(writer, view->request.network ? view->request.network : "none", &none, &aliases);
    }
    json_write_close(writer, '}');
    json_write_close(writer, '}');
}

// --- the whole ---

static void write_sizes(const struct showing *showing) {
    const struct home *home = &showing->inspecting->home;
    const char *upper = arena_format(showing->arena, "%s/upper", showing->view.record.id);
    uint64_t bytes = tree_measure(home->containers_fd, upper);
    json_write_u64(showing->writer, "SizeRw", bytes);
    json_write_u64(showing->writer, "SizeRootFs", bytes + (showing->image ? showing->image->size_bytes : 0));
}

static void write_container(const struct showing *showing) {
    const struct record *record = &showing->view.record;
    const struct home *home = &showing->inspecting->home;
    struct json_writer *writer = showing->writer;
    struct log_options log;
    struct err no_matter;
    json_write_open(writer, NULL, '{');
    json_write_string(writer, "Id", record->id);
    write_time(writer, "Created", record->created_s);
    write_command(showing);
    write_state(showing);
    json_write_string(writer, "Image", record->image_id);
    json_write_string(writer, "ResolvConfPath", arena_format(showing->arena, "%s/%s/resolv.conf", home->live_path, record->id));
    json_write_string(writer, "HostnamePath", arena_format(showing->arena, "%s/%s/hostname", home->live_path, record->id));
    json_write_string(writer, "HostsPath", arena_format(showing->arena, "%s/%s/hosts", home->live_path, record->id));
    bool has_log =
        log_options_parse(showing->arena, showing->view.request.log_driver, &showing->view.request.log_opts, &log, &no_matter) == 0;
    json_write_string(writer, "LogPath",
                      !has_log || log.driver == LOG_DRIVER_JOURNALD || log.driver == LOG_DRIVER_NONE ? ""
                      : log.path                                                                     ? log.path
                                 : arena_format(showing->arena, "%s/containers/%s/" LOG_FILE_NAME, home->store, record->id));
    json_write_string(writer, "Name", arena_format(showing->arena, "/%s", record->name));
    json_write_i64(writer, "RestartCount", record->restarts);
    json_write_string(writer, "Driver", "overlay");
    json_write_string(writer, "Platform", "linux");
    inspect_write_host_config(&showing->view, has_log ? log_driver_name(log.driver) : "", writer);
    if (showing->inspecting->sizes) {
        write_sizes(showing);
    }
    write_mounts(showing);
    write_config(showing);
    write_networks(showing);
    json_write_close(writer, '}');
}

int inspect_add_container(struct inspecting *inspecting, const char *name, struct json_writer *writer, struct err *err) {
    struct context *context = inspecting->context;
    AUTO(showing_finish) struct showing showing = {.inspecting = inspecting, .arena = &context->arena, .writer = writer};
    char id[RECORD_ID_SIZE];
    struct err gone;
    if (inspect_home(inspecting, err) < 0 || record_find(&inspecting->home, name, id, err) < 0 ||
        view_read(&inspecting->home, &context->arena, id, &showing.view, err) < 0) {
        return -1;
    }
    // Without its image, what that said is left out.
    if (store_open(context->store_dir, context->rootless ? STORE_USER_XATTR : 0, &showing.store, &gone) == 0 &&
        image_look(showing.store, showing.view.record.image_id, &showing.image, &gone) == 0) {
        showing.settings = showing.image->config.settings;
    }
    write_container(&showing);
    return 0;
}

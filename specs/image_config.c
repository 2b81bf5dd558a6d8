#include "specs/image_config.h"

#include "runtime/base/quote.h"
#include "specs/json.h"
#include "specs/json_write.h"

#include <string.h>

static const struct json_row healthcheck_rows[] = {
    ROW_STRINGS("Test", struct image_healthcheck, test, 0),
    ROW_I64("Interval", struct image_healthcheck, interval_ns, 0),
    ROW_I64("Timeout", struct image_healthcheck, timeout_ns, 0),
    ROW_I64("StartPeriod", struct image_healthcheck, start_period_ns, 0),
    ROW_I64("StartInterval", struct image_healthcheck, start_interval_ns, 0),
    ROW_I32("Retries", struct image_healthcheck, retries, 0),
};
static const struct json_table healthcheck_table = JSON_TABLE(struct image_healthcheck, healthcheck_rows);

static const struct json_row settings_rows[] = {
    ROW_STRING("User", struct image_settings, user, 0),
    ROW_KEYS("ExposedPorts", struct image_settings, exposed_ports, 0),
    ROW_STRINGS("Env", struct image_settings, env, 0),
    ROW_STRINGS("Entrypoint", struct image_settings, entrypoint, 0),
    ROW_STRINGS("Cmd", struct image_settings, cmd, 0),
    ROW_KEYS("Volumes", struct image_settings, volumes, 0),
    ROW_STRING("WorkingDir", struct image_settings, working_dir, 0),
    ROW_PAIRS("Labels", struct image_settings, labels, 0),
    ROW_STRING("StopSignal", struct image_settings, stop_signal, 0),
    ROW_POINTER("Healthcheck", struct image_settings, healthcheck, struct image_healthcheck, healthcheck_table, 0),
    ROW_STRINGS("Shell", struct image_settings, shell, 0),
    ROW_STRINGS("OnBuild", struct image_settings, on_build, 0),
};
static const struct json_table settings_table = JSON_TABLE(struct image_settings, settings_rows);

static const struct json_row history_rows[] = {
    ROW_STRING("created", struct image_history, created, 0),       ROW_STRING("created_by", struct image_history, created_by, 0),
    ROW_STRING("author", struct image_history, author, 0),         ROW_STRING("comment", struct image_history, comment, 0),
    ROW_BOOL("empty_layer", struct image_history, empty_layer, 0),
};
static const struct json_table history_table = JSON_TABLE(struct image_history, history_rows);

// "layers" is the only kind of root file system there is. Other things that travel as images (charts, modules) have none at all.
static int take_rootfs_type(struct json_reader *reader, json_t *value, void *into) {
    if (json_take_string(reader, value, into) < 0) {
        return -1;
    }
    if (strcmp(json_string_value(value), "layers") != 0) {
        return json_expected_exact(reader, "\"layers\"", value);
    }
    return 0;
}

struct document {
    struct image_config config;
    const char *rootfs_type;
};

static const struct json_row rootfs_rows[] = {
    ROW_CUSTOM("type", struct document, rootfs_type, const char *, take_rootfs_type, JSON_NEEDED),
    {JSON_ROW("diff_ids", struct document, config.diff_ids, const char **, STRINGS, 0),
     JSON_COUNT(struct document, config.diff_ids)},
};
static const struct json_table rootfs_table = JSON_TABLE(struct document, rootfs_rows);

static const struct json_row document_rows[] = {
    ROW_STRING("created", struct document, config.created, 0),
    ROW_STRING("author", struct document, config.author, 0),
    ROW_STRING("architecture", struct document, config.architecture, 0),
    ROW_STRING("variant", struct document, config.variant, 0),
    ROW_STRING("os", struct document, config.os, 0),
    ROW_STRING("os.version", struct document, config.os_version, 0),
    ROW_OBJECT("config", struct document, config.settings, struct image_settings, settings_table, 0),
    ROW_FLAT("rootfs", rootfs_table, JSON_NEEDED),
    ROW_LIST("history", struct document, config.history, struct image_history, history_table, 0),
};
static const struct json_table document_table = JSON_TABLE(struct document, document_rows);

// What starts a process puts these together with the user's, by name.
static int check_env(struct json_reader *reader, const struct image_settings *settings) {
    for (size_t i = 0; i < settings->env_count; i++) {
        const char *equals = strchr(settings->env[i], '=');
        if (!equals || equals == settings->env[i]) {
            char quoted[QUOTE_SIZE];
            json_push_name(reader, "config");
            json_push_name(reader, "Env");
            json_push_index(reader, i);
            return json_fail(reader, "expected NAME=VALUE, found %s", quote_text(settings->env[i], quoted));
        }
    }
    return 0;
}

int image_config_take(struct json_reader *reader, json_t *value, struct image_config *ret) {
    struct document decoded = {0};
    if (json_take_table(reader, &document_table, value, &decoded) < 0 || check_env(reader, &decoded.config.settings) < 0) {
        return -1;
    }
    *ret = decoded.config;
    return 0;
}

static int take_whole(struct json_reader *reader, json_t *value, void *into) {
    return image_config_take(reader, value, into);
}

int image_config_decode(const struct json_document *document, struct arena *arena, struct image_config *ret, struct err *err) {
    struct image_config config = {0};
    if (json_decode_custom(document, take_whole, arena, &config, err) < 0) {
        return -1;
    }
    *ret = config;
    return 0;
}

static void write_text(struct json_writer *writer, const char *name, const char *value) {
    if (value && *value) {
        json_write_string(writer, name, value);
    }
}

static void write_list(struct json_writer *writer, const char *name, const char **items, size_t count) {
    if (count > 0) {
        json_write_strings(writer, name, (const char *const *)items, count);
    }
}

// A set, the way Go writes one: {"80/tcp": {}}.
static void write_keys(struct json_writer *writer, const char *name, const char **items, size_t count) {
    if (count == 0) {
        return;
    }
    json_write_open(writer, name, '{');
    for (size_t i = 0; i < count; i++) {
        json_write_open(writer, items[i], '{');
        json_write_close(writer, '}');
    }
    json_write_close(writer, '}');
}

static void write_number(struct json_writer *writer, const char *name, int64_t value) {
    if (value != 0) {
        json_write_i64(writer, name, value);
    }
}

void image_healthcheck_write(const struct image_healthcheck *check, struct json_writer *writer) {
    json_write_open(writer, "Healthcheck", '{');
    write_list(writer, "Test", check->test, check->test_count);
    write_number(writer, "Interval", check->interval_ns);
    write_number(writer, "Timeout", check->timeout_ns);
    write_number(writer, "StartPeriod", check->start_period_ns);
    write_number(writer, "StartInterval", check->start_interval_ns);
    write_number(writer, "Retries", check->retries);
    json_write_close(writer, '}');
}

void image_settings_write(const struct image_settings *settings, struct json_writer *writer, const char *name) {
    json_write_open(writer, name, '{');
    write_text(writer, "User", settings->user);
    write_keys(writer, "ExposedPorts", settings->exposed_ports, settings->exposed_ports_count);
    write_list(writer, "Env", settings->env, settings->env_count);
    write_list(writer, "Entrypoint", settings->entrypoint, settings->entrypoint_count);
    write_list(writer, "Cmd", settings->cmd, settings->cmd_count);
    if (settings->healthcheck) {
        image_healthcheck_write(settings->healthcheck, writer);
    }
    write_keys(writer, "Volumes", settings->volumes, settings->volumes_count);
    write_text(writer, "WorkingDir", settings->working_dir);
    if (settings->labels_count > 0) {
        json_write_pairs(writer, "Labels", settings->labels, settings->labels_count);
    }
    write_text(writer, "StopSignal", settings->stop_signal);
    write_list(writer, "Shell", settings->shell, settings->shell_count);
    write_list(writer, "OnBuild", settings->on_build, settings->on_build_count);
    json_write_close(writer, '}');
}

static void write_history(struct json_writer *writer, const struct image_config *config) {
    json_write_open(writer, "history", '[');
    for (size_t i = 0; i < config->history_count; i++) {
        const struct image_history *item = &config->history[i];
        json_write_open(writer, NULL, '{');
        write_text(writer, "created", item->created);
        write_text(writer, "created_by", item->created_by);
        write_text(writer, "author", item->author);
        write_text(writer, "comment", item->comment);
        if (item->empty_layer) {
            json_write_bool(writer, "empty_layer", true);
        }
        json_write_close(writer, '}');
    }
    json_write_close(writer, ']');
}

void image_config_write(const struct image_config *config, struct json_writer *writer, const char *name) {
    json_write_open(writer, name, '{');
    write_text(writer, "created", config->created);
    write_text(writer, "author", config->author);
    write_text(writer, "architecture", config->architecture);
    write_text(writer, "variant", config->variant);
    write_text(writer, "os", config->os);
    write_text(writer, "os.version", config->os_version);
    image_settings_write(&config->settings, writer, "config");
    json_write_open(writer, "rootfs", '{');
    json_write_string(writer, "type", "layers");
    json_write_strings(writer, "diff_ids", (const char *const *)config->diff_ids, config->diff_ids_count);
    json_write_close(writer, '}');
    if (config->history_count > 0) {
        write_history(writer, config);
    }
    json_write_close(writer, '}');
}

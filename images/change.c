#include "images/change.h"

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/quantity.h"
#include "runtime/base/quote.h"
#include "specs/image_config.h"
#include "specs/json.h"

#include <string.h>
#include <strings.h>

struct change {
    struct arena *arena;
    struct image_settings *settings;
    const char *rest; // behind the instruction's name
    struct err *err;
};

static void add_item(struct arena *arena, const char ***list, size_t *count, const char *item) {
    const char **larger = arena_array(arena, *count + 2, sizeof(*larger));
    if (*count > 0) {
        memcpy(larger, *list, *count * sizeof(*larger));
    }
    larger[(*count)++] = item;
    *list = larger;
}

// NAME=VALUE takes the place of the one with the same name.
static void set_variable(struct arena *arena, const char ***list, size_t *count, const char *item) {
    size_t name = strcspn(item, "=") + 1;
    for (size_t i = 0; i < *count; i++) {
        if (strncmp((*list)[i], item, name) == 0) {
            (*list)[i] = item;
            return;
        }
    }
    add_item(arena, list, count, item);
}

struct words {
    const char **items;
    size_t items_count;
};

static int take_words(struct json_reader *reader, json_t *value, void *into) {
    struct words *words = into;
    return json_take_strings(reader, value, &words->items, &words->items_count);
}

// ["a", "b"], or a line for the shell.
static int parse_command(struct change *change, const char ***ret, size_t *ret_count) {
    struct words words = {0};
    if (change->rest[0] != '[') {
        add_item(change->arena, &words.items, &words.items_count, "/bin/sh");
        add_item(change->arena, &words.items, &words.items_count, "-c");
        add_item(change->arena, &words.items, &words.items_count, change->rest);
    } else {
        const struct json_document document = {.name = change->rest, .text = change->rest, .size = strlen(change->rest)};
        if (json_decode_custom(&document, take_words, change->arena, &words, change->err) < 0) {
            return -1;
        }
    }
    *ret = words.items;
    *ret_count = words.items_count;
    return 0;
}

static int change_cmd(struct change *change) {
    return parse_command(change, &change->settings->cmd, &change->settings->cmd_count);
}

static int change_entrypoint(struct change *change) {
    return parse_command(change, &change->settings->entrypoint, &change->settings->entrypoint_count);
}

// One word, of which double quotes and backslashes are taken away; *text is moved behind it. NULL at the end.
static char *next_word(struct arena *arena, const char **text) {
    const char *at = *text + strspn(*text, " \t");
    char *word = arena_alloc(arena, strlen(at) + 1), *to = word;
    char quote = '\0';
    if (!*at) {
        return NULL;
    }
    for (; *at && (quote || (*at != ' ' && *at != '\t')); at++) {
        if (*at == '\\' && at[1] && quote != '\'') {
            *to++ = *++at;
        } else if (quote ? *at == quote : *at == '"' || *at == '\'') {
            quote = quote ? '\0' : *at;
        } else {
            *to++ = *at;
        }
    }
    *to = '\0';
    *text = at;
    return word;
}

static int expected_pair(const struct change *change, const char *word) {
    char quoted[QUOTE_SIZE];
    return err_set(change->err, ERR_INPUT, "expected NAME=VALUE, found %s", quote_text(word, quoted));
}

// ENV A=b C=d, and the old ENV A the rest.
static int change_env(struct change *change) {
    struct image_settings *settings = change->settings;
    size_t name = strcspn(change->rest, " \t=");
    if (name > 0 && change->rest[name] && change->rest[name] != '=') {
        const char *value = change->rest + name + strspn(change->rest + name, " \t");
        set_variable(change->arena, &settings->env, &settings->env_count,
                     arena_format(change->arena, "%.*s=%s", (int)name, change->rest, value));
        return 0;
    }
    const char *rest = change->rest;
    for (char *word; (word = next_word(change->arena, &rest));) {
        if (!strchr(word, '=') || *word == '=') {
            return expected_pair(change, word);
        }
        set_variable(change->arena, &settings->env, &settings->env_count, word);
    }
    return 0;
}

static int change_label(struct change *change) {
    struct image_settings *settings = change->settings;
    const char *rest = change->rest;
    for (char *word; (word = next_word(change->arena, &rest));) {
        char *equals = strchr(word, '=');
        if (!equals || equals == word) {
            return expected_pair(change, word);
        }
        *equals = '\0';
        struct text_pair *larger = arena_array(change->arena, settings->labels_count + 1, sizeof(*larger));
        size_t count = 0;
        for (size_t i = 0; i < settings->labels_count; i++) {
            if (strcmp(settings->labels[i].name, word) != 0) {
                larger[count++] = settings->labels[i];
            }
        }
        larger[count++] = (struct text_pair){word, equals + 1};
        settings->labels = larger;
        settings->labels_count = count;
    }
    return 0;
}

static int change_expose(struct change *change) {
    const char *rest = change->rest;
    for (char *word; (word = next_word(change->arena, &rest));) {
        const char *port = strchr(word, '/') ? word : arena_format(change->arena, "%s/tcp", word);
        add_item(change->arena, &change->settings->exposed_ports, &change->settings->exposed_ports_count, port);
    }
    return 0;
}

static int change_volume(struct change *change) {
    struct image_settings *settings = change->settings;
    if (change->rest[0] == '[') {
        return parse_command(change, &settings->volumes, &settings->volumes_count);
    }
    const char *rest = change->rest;
    for (char *word; (word = next_word(change->arena, &rest));) {
        add_item(change->arena, &settings->volumes, &settings->volumes_count, word);
    }
    return 0;
}

static int change_user(struct change *change) {
    change->settings->user = change->rest;
    return 0;
}

static int change_stop_signal(struct change *change) {
    change->settings->stop_signal = change->rest;
    return 0;
}

static int change_workdir(struct change *change) {
    const char *before = change->settings->working_dir;
    bool relative = change->rest[0] != '/';
    change->settings->working_dir =
        relative ? arena_format(change->arena, "%s/%s", before && strcmp(before, "/") != 0 ? before : "", change->rest)
                 : change->rest;
    return 0;
}

// One of --interval=30s and the like in front of a health check. False: it is none.
static bool take_health_option(const char *word, struct image_healthcheck *check, bool *ret_wrong) {
    const struct {
        const char *name;
        int64_t *member_ns;
    } lengths[] = {{"--interval=", &check->interval_ns},
                   {"--timeout=", &check->timeout_ns},
                   {"--start-period=", &check->start_period_ns},
                   {"--start-interval=", &check->start_interval_ns}};
    static const char retries[] = "--retries=";
    int64_t value;
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        size_t length = strlen(lengths[i].name);
        if (strncmp(word, lengths[i].name, length) == 0) {
            *ret_wrong = quantity_duration_ms(word + length, &value) < 0;
            *lengths[i].member_ns = *ret_wrong ? 0 : value * 1000000;
            return true;
        }
    }
    if (strncmp(word, retries, strlen(retries)) == 0) {
        *ret_wrong = quantity_int(word + strlen(retries), &value) < 0 || value < 0 || value > INT32_MAX;
        check->retries = *ret_wrong ? 0 : (int32_t)value;
        return true;
    }
    return false;
}

// HEALTHCHECK NONE, or HEALTHCHECK [OPTION...] CMD and a list or a line for the shell.
static int change_healthcheck(struct change *change) {
    struct image_healthcheck *check = arena_alloc(change->arena, sizeof(*check));
    struct change command = *change;
    char quoted[QUOTE_SIZE];
    bool wrong = false;
    char *word = next_word(change->arena, &command.rest);
    while (!wrong && word && take_health_option(word, check, &wrong)) {
        word = wrong ? word : next_word(change->arena, &command.rest);
    }
    bool none = word && strcasecmp(word, "NONE") == 0;
    command.rest += strspn(command.rest, " \t");
    if (wrong || !word || (none ? *command.rest != '\0' : strcasecmp(word, "CMD") != 0 || !*command.rest)) {
        return err_set(change->err, ERR_INPUT, "expected NONE, or --interval=TIME and others and CMD, found %s",
                       quote_text(word ? word : "", quoted));
    }
    if (none) {
        add_item(change->arena, &check->test, &check->test_count, "NONE");
    } else if (command.rest[0] != '[') {
        add_item(change->arena, &check->test, &check->test_count, "CMD-SHELL");
        add_item(change->arena, &check->test, &check->test_count, command.rest);
    } else {
        const char **words;
        size_t count;
        if (parse_command(&command, &words, &count) < 0) {
            return -1;
        }
        add_item(change->arena, &check->test, &check->test_count, "CMD");
        for (size_t i = 0; i < count; i++) {
            add_item(change->arena, &check->test, &check->test_count, words[i]);
        }
    }
    change->settings->healthcheck = check;
    return 0;
}

static const struct {
    const char *name;
    int (*apply)(struct change *change);
} instructions[] = {
    {"CMD", change_cmd},       {"ENTRYPOINT", change_entrypoint}, {"ENV", change_env},
    {"EXPOSE", change_expose}, {"LABEL", change_label},           {"STOPSIGNAL", change_stop_signal},
    {"USER", change_user},     {"VOLUME", change_volume},         {"WORKDIR", change_workdir},
    {"HEALTHCHECK", change_healthcheck},
};

int image_change(struct arena *arena, struct image_settings *settings, const char *instruction, struct err *err) {
    char quoted[QUOTE_SIZE];
    const char *start = instruction + strspn(instruction, " \t");
    size_t length = strcspn(start, " \t");
    const char *rest = start + length + strspn(start + length, " \t");
    struct change change = {.arena = arena, .settings = settings, .rest = arena_copy_string(arena, rest), .err = err};
    for (size_t i = 0; i < ARRAY_LEN(instructions); i++) {
        if (strlen(instructions[i].name) != length || strncasecmp(instructions[i].name, start, length) != 0) {
            continue;
        }
        if (!*rest) {
            return err_set(err, ERR_INPUT, "change %s: expected something behind %s", quote_text(instruction, quoted),
                           instructions[i].name);
        }
        return instructions[i].apply(&change) < 0 ? err_in(err, "change %s", quote_text(instruction, quoted)) : 0;
    }
    return err_set(err, ERR_INPUT,
                   "change %s: expected one of CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, STOPSIGNAL, USER, VOLUME, WORKDIR",
                   quote_text(instruction, quoted));
}

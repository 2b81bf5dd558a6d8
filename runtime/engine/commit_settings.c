#include "runtime/engine/commit_settings.h"

#include "runtime/base/arena.h"
#include "runtime/base/strv.h"
#include "runtime/engine/request.h"

#include <string.h>

static void set_env(const struct run_request *run, struct arena *arena, struct image_settings *settings) {
    AUTO_STRV struct strv env = {0};
    for (size_t i = 0; i < settings->env_count; i++) {
        strv_add(&env, settings->env[i]);
    }
    for (size_t i = 0; i < run->env.count; i++) {
        if (strchr(run->env.items[i], '=')) {
            strv_set_env(&env, run->env.items[i]);
        }
    }
    settings->env = arena_array(arena, env.count + 1, sizeof(*settings->env));
    settings->env_count = env.count;
    for (size_t i = 0; i < env.count; i++) {
        settings->env[i] = arena_copy_string(arena, env.items[i]);
    }
}

static void set_label(struct arena *arena, const char *word, struct image_settings *settings) {
    char *name = arena_copy_string(arena, word), *value = strchr(name, '=');
    if (value) {
        *value++ = '\0';
    }
    size_t at = 0;
    while (at < settings->labels_count && strcmp(settings->labels[at].name, name) != 0) {
        at++;
    }
    settings->labels[at] = (struct text_pair){name, value ? value : ""};
    settings->labels_count = at == settings->labels_count ? at + 1 : settings->labels_count;
}

static void set_labels(const struct run_request *run, struct arena *arena, struct image_settings *settings) {
    struct text_pair *labels = arena_array(arena, settings->labels_count + run->labels.count + 1, sizeof(*labels));
    if (settings->labels_count > 0) {
        memcpy(labels, settings->labels, settings->labels_count * sizeof(*labels));
    }
    settings->labels = labels;
    for (size_t i = 0; i < run->labels.count; i++) {
        set_label(arena, run->labels.items[i], settings);
    }
}

// As a run has it: another entry point takes the image's command away.
static void set_command(const struct run_request *run, struct arena *arena, struct image_settings *settings) {
    if (run->entrypoint) {
        settings->entrypoint = arena_array(arena, 2, sizeof(*settings->entrypoint));
        settings->entrypoint[0] = run->entrypoint;
        settings->entrypoint_count = *run->entrypoint ? 1 : 0;
        settings->cmd_count = 0;
    }
    if (run->command_count > 0) {
        settings->cmd = arena_array(arena, run->command_count + 1, sizeof(*settings->cmd));
        memcpy(settings->cmd, run->command, run->command_count * sizeof(*settings->cmd));
        settings->cmd_count = run->command_count;
    }
}

struct image_settings commit_settings(const struct image_settings *image, const struct run_request *run, struct arena *arena) {
    struct image_settings settings = *image;
    settings.user = run->user ? run->user : settings.user;
    settings.working_dir = run->workdir ? run->workdir : settings.working_dir;
    settings.stop_signal = run->stop_signal ? run->stop_signal : settings.stop_signal;
    set_env(run, arena, &settings);
    set_labels(run, arena, &settings);
    set_command(run, arena, &settings);
    return settings;
}

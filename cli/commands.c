#include "cli/commands.h"

#include "cli/commands/all.h"
#include "cli/context.h"

#include <stddef.h>
#include <string.h>

// In the order help shows them, group by group; a line each, so that two changes do not meet in one.
// clang-format off
static const struct command *const commands[] = {
    &command_run,
    &command_ps,
    &command_rm,
    &command_logs,
    &command_create,
    &command_start,
    &command_stop,
    &command_restart,
    &command_kill,
    &command_wait,
    &command_exec,
    &command_attach,
    &command_pause,
    &command_unpause,
    &command_rename,
    &command_update,
    &command_inspect,
    &command_port,
    &command_top,
    &command_stats,
    &command_events,
    &command_container,
    &command_healthcheck,
    &command_cp,
    &command_diff,
    &command_commit,
    &command_export,
    &command_network,
    &command_volume,
    &command_boot,
    &command_generate,
    &command_images,
    &command_pull,
    &command_login,
    &command_logout,
    &command_push,
    &command_copy,
    &command_load,
    &command_save,
    &command_import,
    &command_history,
    &command_tag,
    &command_tags,
    &command_search,
    &command_referrers,
    &command_rmi,
    &command_mount,
    &command_unmount,
    &command_image,
    &command_manifest,
    &command_system,
    &command_system_info,
    &command_unshare,
    &command_version,
    &command_completion,
    &command_help,
    &command_manual,
    &command_oci,
    NULL,
};

static const struct command *const image_commands[] = {
    &command_image_ls,
    &command_image_inspect,
    &command_history,
    &command_load,
    &command_save,
    &command_import,
    &command_pull,
    &command_push,
    &command_copy,
    &command_tag,
    &command_mount,
    &command_unmount,
    &command_image_prune,
    &command_image_rm,
    NULL,
};

static const struct command *const container_commands[] = {
    &command_run,
    &command_ps,
    &command_rm,
    &command_logs,
    &command_create,
    &command_start,
    &command_stop,
    &command_restart,
    &command_kill,
    &command_wait,
    &command_exec,
    &command_attach,
    &command_pause,
    &command_unpause,
    &command_rename,
    &command_cp,
    &command_diff,
    &command_commit,
    &command_export,
    &command_container_inspect,
    &command_port,
    &command_top,
    &command_stats,
    &command_container_prune,
    NULL,
};

static const struct command *const manifest_commands[] = {
    &command_manifest_create,
    &command_manifest_add,
    &command_manifest_annotate,
    &command_manifest_inspect,
    &command_manifest_ls,
    &command_manifest_push,
    &command_manifest_exists,
    &command_manifest_remove,
    &command_manifest_rm,
    NULL,
};
// clang-format on

static const struct command *const network_commands[] = {
    &command_network_create,
    &command_network_ls,
    &command_network_inspect,
    &command_network_connect,
    &command_network_disconnect,
    &command_network_reload,
    &command_network_rm,
    &command_network_prune,
    NULL,
};

static const struct command *const volume_commands[] = {
    &command_volume_create,
    &command_volume_ls,
    &command_volume_inspect,
    &command_volume_rm,
    &command_volume_prune,
    NULL,
};

static const struct command *const healthcheck_commands[] = {&command_healthcheck_run, NULL};

static const struct command *const generate_commands[] = {&command_generate_systemd, NULL};

static const struct command *const system_commands[] = {&command_system_info,  &command_system_check,  &command_system_df,
                                                       &command_system_prune, &command_system_repair, NULL};

static const struct command *const oci_commands[] = {
    &command_oci_create,  &command_oci_start,  &command_oci_run,      &command_oci_list,   &command_oci_state,
    &command_oci_ps,      &command_oci_kill,   &command_oci_pause,    &command_oci_resume, &command_oci_update,
    &command_oci_events,  &command_oci_delete, &command_oci_exec,     &command_oci_mounts, &command_oci_checkpoint,
    &command_oci_restore, &command_oci_spec,   &command_oci_features, &command_help,       NULL,
};

static const char *const log_levels[] = {"error", "warning", "info", "debug", NULL};
// And the other names that callers of runc use (messages.c).
static const char *const oci_log_levels[] = {"error", "warning", "info", "debug", "trace", "warn", "fatal", "panic", NULL};
static const char *const log_formats[] = {"text", "json", NULL};
static const char *const rootless_wishes[] = {"auto", "true", "false", NULL};

static const struct option_row global_options[] = {
    OPTION_STRING("root", 0, "DIR", struct context, root_dir, "Keep run-time state in DIR [default /run/coffer, or COFFER_ROOT]",
                  .complete = COMPLETE_DIRECTORY),
    OPTION_STRING("store", 0, "DIR", struct context, store_dir,
                  "Keep images, volumes and records in DIR [default /var/lib/coffer, or COFFER_STORE]",
                  .complete = COMPLETE_DIRECTORY),
    OPTION_CHOICE("log-level", 'l', "LEVEL", log_levels, struct context, log_level,
                  "Say what is an error, warning, info or debug, and all before it [default warning]"),
    OPTION_FLAG("debug", 'D', struct context, debug, "The same as --log-level debug"),
    OPTION_FLAG("version", 'v', struct context, version, "Print the version"),
    {0},
};

static const struct option_row oci_options[] = {
    OPTION_STRING("root", 0, "DIR", struct context, oci_dir, "Keep run-time state in DIR [default /run/coffer/oci]",
                  .complete = COMPLETE_DIRECTORY),
    OPTION_STRING("log", 0, "FILE", struct context, log_path,
                  "Write messages to FILE, errors there too; journald:NAME and syslog:NAME for the host's log under that name",
                  .complete = COMPLETE_FILE),
    OPTION_CHOICE("log-format", 0, "FORMAT", log_formats, struct context, log_format,
                  "Write messages as text or json [default text]"),
    OPTION_CHOICE("log-level", 0, "LEVEL", oci_log_levels, struct context, log_level,
                  "Say what is an error, warning, info or debug, and all before it [default warning]"),
    OPTION_FLAG("debug", 0, struct context, debug, "The same as --log-level debug"),
    OPTION_FLAG("systemd-cgroup", 0, struct context, systemd_cgroup,
                "Let systemd make the container's control group: linux.cgroupsPath is slice:prefix:name then"),
    OPTION_STRING("cgroup-manager", 0, "NAME", struct context, cgroup_manager,
                  "Who makes control groups: cgroupfs, systemd (as --systemd-cgroup) or disabled [default cgroupfs]"),
    OPTION_CHOICE("rootless", 0, "WISH", rootless_wishes, struct context, rootless_wish,
                  "Whether to do without a control group where none may be made and no limits are asked for: auto, true or false "
                  "[default auto: unless called by root]"),
    OPTION_FLAG("version", 'v', struct context, version, "Print the version"),
    OPTION_FLAG("version-of-build", 'V', struct context, version, "The same as --version", .hidden = true), // crun's letter
    {0},
};

const struct command command_coffer = {
    .name = "coffer",
    .summary = "Run containers without a daemon",
    .options = global_options,
    .commands = commands,
};

static const struct option_row no_options[] = {
    {0},
};

const struct command command_image = {
    .name = "image",
    .summary = "All commands on images, by docker's longer names",
    .group = COMMAND_GROUP_IMAGES,
    .options = no_options,
    .commands = image_commands,
};

const struct command command_container = {
    .name = "container",
    .summary = "All commands on containers, by docker's longer names",
    .group = COMMAND_GROUP_CONTAINERS,
    .options = no_options,
    .commands = container_commands,
};

const struct command command_manifest = {
    .name = "manifest",
    .summary = "Make lists of images, one for each platform, and push them",
    .description =
        "A list (an OCI index, docker's manifest list) is one name for images of several platforms. It is made in the store, of "
        "images "
        "of the store and of registries, and is there for all when it is pushed.",
    .group = COMMAND_GROUP_IMAGES,
    .options = no_options,
    .commands = manifest_commands,
};

const struct command command_network = {
    .name = "network",
    .summary = "Make, list and remove networks, and put containers on them",
    .group = COMMAND_GROUP_CONTAINERS,
    .options = no_options,
    .commands = network_commands,
};

const struct command command_volume = {
    .name = "volume",
    .summary = "Make, list and remove volumes: files that outlive containers",
    .group = COMMAND_GROUP_CONTAINERS,
    .options = no_options,
    .commands = volume_commands,
};

const struct command command_generate = {
    .name = "generate",
    .summary = "Write what other programs need to start containers",
    .group = COMMAND_GROUP_CONTAINERS,
    .options = no_options,
    .commands = generate_commands,
};

const struct command command_healthcheck = {
    .name = "healthcheck",
    .summary = "Check the health of containers",
    .group = COMMAND_GROUP_CONTAINERS,
    .options = no_options,
    .commands = healthcheck_commands,
};

const struct command command_system = {
    .name = "system",
    .summary = "Look at what is kept on the disk, check it, and free what is not needed",
    .group = COMMAND_GROUP_OTHER,
    .options = no_options,
    .commands = system_commands,
};

const struct command command_oci = {
    .name = "oci",
    .summary = "Run OCI bundles: the low level, with the command line of runc",
    .description = "An OCI runtime for other tools: coffer-oci is the same program and begins here.",
    .group = COMMAND_GROUP_OTHER,
    .flags = COMMAND_LOW_LEVEL,
    .options = oci_options,
    .commands = oci_commands,
};

const char *command_group_title(enum command_group group) {
    static const char *const titles[COMMAND_GROUP_COUNT] = {
        [COMMAND_GROUP_COMMON] = "Common commands",
        [COMMAND_GROUP_CONTAINERS] = "Containers",
        [COMMAND_GROUP_IMAGES] = "Images",
        [COMMAND_GROUP_OTHER] = "Other commands",
    };
    return titles[group];
}

static bool has_word(const char *words, const char *word) {
    size_t length = strlen(word);
    for (; words && *words; words += strcspn(words, " "), words += *words == ' ') {
        if (strncmp(words, word, length) == 0 && (words[length] == ' ' || words[length] == '\0')) {
            return true;
        }
    }
    return false;
}

const struct command *command_find(const struct command *parent, const char *name) {
    if (!name[0] || strchr(name, ' ')) {
        return NULL;
    }
    for (const struct command *const *command = parent->commands; command && *command; command++) {
        if (strcmp((*command)->name, name) == 0 || has_word((*command)->aliases, name)) {
            return *command;
        }
    }
    return NULL;
}

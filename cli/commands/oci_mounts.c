#include "cli/commands/all.h"
#include "cli/commands/oci_bundle.h"
#include "cli/context.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/container/container.h"
#include "specs/json.h"
#include "specs/oci_config.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

typedef int change_fn(const char *root, const char *id, const struct oci_mount_list *mounts, const char *document, struct err *err);

static int change(struct context *context, change_fn *how, struct err *err) {
    AUTO_FREE char *text = NULL;
    size_t size;
    const char *path = context->operands[1];
    bool is_stdin = strcmp(path, "-") == 0;
    if (oci_read_document(path, &text, &size, err) < 0) {
        return err_in(err, "mounts");
    }
    const char *name = is_stdin ? "standard input" : path;
    const struct json_document document = {.name = name, .text = text, .size = size};
    struct oci_mount_list mounts;
    if (oci_mounts_decode(&document, &context->arena, &mounts, err) < 0) {
        return -1;
    }
    return how(context->oci_dir, context->operands[0], &mounts, name, err);
}

static int add(struct context *context, struct err *err) {
    return change(context, container_add_mounts, err);
}

static int remove_mounts(struct context *context, struct err *err) {
    return change(context, container_remove_mounts, err);
}

static const struct command command_add = {
    .name = "add",
    .usage = "ID FILE",
    .summary = "Mount more in a container that is there",
    .description = "FILE, - for standard input, is JSON: an array of mounts as config.json has them, or an object that has it as \"mounts\". They "
                   "are made in their order, as they would have been when the container was created: sources are the host's, destinations the "
                   "container's, made where they are missing. When one cannot be made, those before it are taken away again; directories "
                   "made for them stay.\n\nThe container may be created, running or paused. What it hides (linux.maskedPaths, readonlyPaths) "
                   "stays hidden. No remount, tmpcopyup and copy-symlink, and none of proc, cgroup and cgroup2: these belong to its making.",
    .examples = "# mounts.json: [{\"destination\": \"/data\", \"source\": \"/srv\",\n"
                "#               \"options\": [\"rbind\", \"ro\"]}]\ncoffer-oci mounts add web mounts.json",
    .min_operands = 2,
    .max_operands = 2,
    .operands = COMPLETE_CONTAINER,
    .run = add,
};

static const struct command command_remove = {
    .name = "remove",
    .usage = "ID FILE",
    .summary = "Unmount what is mounted in a container",
    .description = "FILE is as for `mounts add`; only the destinations count. They are unmounted from the last to the first, with what is mounted on "
                   "them, also while files on them are open; those that are, stay so. Nothing is unmounted when one of them is no mount, or "
                   "hides what the container must not see.",
    .examples = "echo '[{\"destination\": \"/data\"}]' | coffer-oci mounts remove web -",
    .min_operands = 2,
    .max_operands = 2,
    .operands = COMPLETE_CONTAINER,
    .run = remove_mounts,
};

static const struct command *const commands[] = {&command_add, &command_remove, NULL};

static const struct option_row options[] = {
    {0},
};

const struct command command_oci_mounts = {
    .name = "mounts",
    .summary = "Change what is mounted in a container that is there",
    .options = options,
    .commands = commands,
};

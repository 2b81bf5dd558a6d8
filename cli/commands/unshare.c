#include "cli/commands/all.h"
#include "cli/context.h"
#include "images/mounts.h"
#include "images/store.h"
#include "runtime/base/err.h"
#include "runtime/kernel/sys.h"
#include "runtime/kernel/userns.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Where state lives is said to commands inside: to them the user is root.
static int set_environment(const struct context *context, struct err *err) {
    return setenv("COFFER_ROOT", context->root_dir, 1) < 0 || setenv("COFFER_STORE", context->store_dir, 1) < 0
               ? err_sys(err, "set the environment")
               : 0;
}

static int execute(char **words, struct err *err) {
    execvp(words[0], words);
    int reason = errno;
    err_num(err, reason, "execute %s", words[0]);
    err->kind = reason == ENOENT ? ERR_NO_COMMAND : ERR_NOT_EXECUTABLE;
    return -1;
}

static int run(struct context *context, struct err *err) {
    const char *shell = getenv("SHELL");
    char *shell_words[] = {arena_copy_string(&context->arena, shell && *shell ? shell : "/bin/sh"), NULL};
    bool single_id;
    if (!context->rootless && userns_is_initial()) {
        return err_set(err, ERR_STATE,
                       "root needs no user namespace to reach his images; call the command without \"coffer unshare\"");
    }
    if (context->rootless && store_enter_user_namespace(&single_id, err) < 0) {
        return -1;
    }
    // What is mounted inside stays inside; what is mounted outside is seen.
    struct mount_attr slave = {.propagation = MS_SLAVE};
    if (unshare(CLONE_NEWNS) < 0 || sys_mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &slave) < 0) {
        return err_sys(err, "make a mount namespace");
    }
    if (mounts_hold(context->mounts_dir, err) < 0 || set_environment(context, err) < 0) {
        return -1;
    }
    return execute(context->operand_count > 0 ? context->operands : shell_words, err);
}

static const struct option_row options[] = {
    {0},
};

const struct command command_unshare = {
    .name = "unshare",
    .usage = "[COMMAND [ARG...]]",
    .summary = "Run a command, or a shell, as root of an ordinary user's own user namespace",
    .description =
        "There the files of the user's images and containers belong to their owners, and \"coffer image mount\" can mount. "
        "What is mounted inside is seen inside alone, and goes with the last process there.",
    .examples = "coffer unshare\ncoffer unshare sh -c 'ls \"$(coffer image mount alpine)\"'",
    .group = COMMAND_GROUP_OTHER,
    .flags = COMMAND_OPTIONS_FIRST,
    .max_operands = COMMAND_ANY_COUNT,
    .operands = COMPLETE_COMMAND,
    .options = options,
    .run = run,
};

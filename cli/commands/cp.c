#include "cli/commands/all.h"
#include "cli/commands/engine.h"
#include "cli/context.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/engine/copy.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct cp_request {
    bool archive, follow, quiet;
};

static int check_terminals(const struct context *context, struct err *err) {
    if (strcmp(context->operands[0], "-") == 0 && isatty(STDIN_FILENO)) {
        return err_set(err, ERR_INPUT, "standard input is a terminal; give a tar archive there, or the path of a file");
    }
    return strcmp(context->operands[1], "-") == 0 && isatty(STDOUT_FILENO)
               ? err_set(err, ERR_INPUT, "standard output is a terminal; a tar archive goes there, into a file or a pipe")
               : 0;
}

static int run(struct context *context, struct err *err) {
    const struct cp_request *request = context->request;
    const struct engine engine = engine_of(context);
    struct copy_result result;
    AUTO_FREE char *cwd = getcwd(NULL, 0);
    if (!cwd) {
        return err_sys(err, "find the working directory");
    }
    const struct copy_request copy = {
        .from = context->operands[0],
        .to = context->operands[1],
        .cwd = cwd,
        .archive = request->archive,
        .follow = request->follow,
    };
    if (check_terminals(context, err) < 0 || engine_copy(&engine, &copy, &result, err) < 0) {
        return -1;
    }
    if (result.left_out > 0 && !request->quiet) {
        log_warn("%llu socket%s and devices were left out", (unsigned long long)result.left_out, result.left_out == 1 ? "" : "s");
    }
    return 0;
}

static const struct option_row options[] = {
    OPTION_FLAG("archive", 'a', struct cp_request, archive,
                "Keep owners, and with them set-user-id bits, capabilities and access control lists"),
    OPTION_FLAG("follow-link", 'L', struct cp_request, follow, "Copy what SOURCE leads to, where it is a symbolic link"),
    OPTION_FLAG("quiet", 'q', struct cp_request, quiet, "Do not say what was left out"),
    {0},
};

const struct command command_cp = {
    .name = "cp",
    .usage = "SOURCE DESTINATION",
    .summary = "Copy files from a container, into one, or from one to another",
    .description =
        "One of both, or both, are CONTAINER:PATH, with PATH from the container's root. The container may run or not; its volumes and "
        "binds are there, as it sees them. \"-\" is a tar archive: on standard output, or on standard input, where it may be "
        "compressed.\n\n"
        "A file goes to the file DESTINATION, or into it if it is a directory. A directory goes into DESTINATION if that is one, and "
        "becomes DESTINATION if nothing is there; of \"SOURCE/.\" only what is in it. Directories above DESTINATION are not made.\n\n"
        "What is copied belongs to who calls, in a container to its root; with --archive, and in a tar archive, it belongs to whom it "
        "belonged to, by number. Sockets and devices are left out, and file systems of the kernel such as /proc within SOURCE.",
    .examples = "coffer cp web:/etc/nginx/nginx.conf .\ncoffer cp ./site/. web:/srv\ncoffer cp web:/var/log - | tar -tv",
    .group = COMMAND_GROUP_CONTAINERS,
    .min_operands = 2,
    .max_operands = 2,
    .operands = COMPLETE_FILE,
    .options = options,
    .request_size = sizeof(struct cp_request),
    .run = run,
};

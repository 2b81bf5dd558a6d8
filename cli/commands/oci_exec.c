#include "cli/commands/all.h"
#include "cli/commands/oci_bundle.h"
#include "cli/context.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/container/exec.h"
#include "specs/json.h"
#include "specs/oci_config.h"

#include <fcntl.h>

struct exec_request {
    const char *process;
    const char *cwd;
    const char *user;
    const char *apparmor;
    const char *process_label;
    const char *console_socket;
    const char *pidfd_socket;
    const char *pid_file;
    struct strv env;
    struct strv additional_gids;
    struct strv caps;
    struct strv cgroups;
    struct opt_bool no_new_privs;
    struct opt_i64 preserve_fds;
    bool tty;
    bool detach;
    bool ignore_paused;
    bool no_subreaper;
};

// What a whole process says itself. --tty is let pass: engines give it beside a document that says the same.
static int check_alone(const struct exec_request *request, const struct context *context, struct err *err) {
    const struct {
        bool given;
        const char *name;
    } others[] = {
        {request->cwd != NULL, "--cwd"},
        {request->user != NULL, "--user"},
        {request->apparmor != NULL, "--apparmor"},
        {request->process_label != NULL, "--process-label"},
        {request->env.count > 0, "--env"},
        {request->additional_gids.count > 0, "--additional-gids"},
        {request->caps.count > 0, "--cap"},
        {request->no_new_privs.set, "--no-new-privs"},
        {context->operand_count > 1, "a command"},
    };
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        if (others[i].given) {
            return err_set(err, ERR_INPUT, "--process gives the whole process, so %s cannot stand beside it", others[i].name);
        }
    }
    return 0;
}

static int read_process(const char *path, struct arena *arena, const struct oci_process **ret, struct err *err) {
    AUTO_FREE char *text = NULL;
    size_t size;
    if (fd_read_file(AT_FDCWD, path, JSON_MAX_BYTES, &text, &size, err) < 0) {
        return err_in(err, "--process");
    }
    const struct json_document document = {.name = path, .text = arena_copy(arena, text, size), .size = size};
    struct oci_process *process;
    if (oci_process_decode(&document, arena, &process, err) < 0) {
        return -1;
    }
    *ret = process;
    return 0;
}

static int run(struct context *context, struct err *err) {
    const struct exec_request *request = context->request;
    const struct oci_process *process = NULL;
    if (request->process) {
        if (check_alone(request, context, err) < 0 || read_process(request->process, &context->arena, &process, err) < 0) {
            return -1;
        }
    } else if (context->operand_count < 2) {
        return err_set(err, ERR_INPUT, "expected a command behind the container's id, or --process");
    }
    const struct oci_kept kept = oci_kept_fds(request->preserve_fds);
    const struct exec_options options = {
        .root = context->oci_dir,
        .id = context->operands[0],
        .process = process,
        .args = (const char *const *)context->operands + 1,
        .arg_count = (size_t)context->operand_count - 1,
        .cwd = request->cwd,
        .env = &request->env,
        .user = request->user,
        .additional_gids = &request->additional_gids,
        .caps = &request->caps,
        .apparmor_profile = request->apparmor,
        .selinux_label = request->process_label,
        .no_new_privileges = request->no_new_privs,
        .terminal = request->tty,
        .cgroups = &request->cgroups,
        .kept_fds = kept.count,
        .listen_fds = kept.listen,
        .listen_names = kept.names,
        .ignore_paused = request->ignore_paused,
        .detach = request->detach,
        .pid_file = request->pid_file,
        .console_socket = request->console_socket,
        .pidfd_socket = request->pidfd_socket,
    };
    int status;
    return container_exec(&options, &status, err) < 0 ? err_in(err, "exec in container \"%s\"", options.id) : status;
}

static const struct option_row options[] = {
    OPTION_GROUP("The process"),
    OPTION_STRING("process", 'p', "FILE", struct exec_request, process, "Take the whole process from a JSON document, as process of config.json",
                  .complete = COMPLETE_FILE),
    OPTION_STRING("cwd", 0, "DIR", struct exec_request, cwd, "Working directory [default: the container's]"),
    OPTION_LIST("env", 'e', "NAME=VALUE", struct exec_request, env, "Set an environment variable"),
    OPTION_STRING("user", 'u', "UID[:GID]", struct exec_request, user, "Run as this user [default: the container's]"),
    OPTION_LIST("additional-gids", 'g', "GID", struct exec_request, additional_gids, "Add a group"),
    OPTION_FLAG("tty", 't', struct exec_request, tty, "Give it a terminal"),
    OPTION_GROUP("What it may do"),
    OPTION_LIST("cap", 'c', "CAP", struct exec_request, caps, "Add a capability to the bounding, effective and permitted sets"),
    OPTION_OPT_FLAG("no-new-privs", 0, struct exec_request, no_new_privs, "Let it gain no privileges by set-uid programs and the like"),
    OPTION_STRING("apparmor", 0, "PROFILE", struct exec_request, apparmor, "AppArmor profile"),
    OPTION_STRING("process-label", 0, "LABEL", struct exec_request, process_label, "SELinux label"),
    OPTION_LIST("cgroup", 0, "PATH", struct exec_request, cgroups,
                "Run in this group below the container's; on cgroup version 1 also CONTROLLER[,CONTROLLER]:PATH"),
    OPTION_GROUP("The call"),
    OPTION_FLAG("detach", 'd', struct exec_request, detach, "Return as soon as the process runs"),
    OPTION_FLAG("ignore-paused", 0, struct exec_request, ignore_paused, "In a paused container wait until it is resumed, rather than fail"),
    OPTION_STRING("pid-file", 0, "FILE", struct exec_request, pid_file, "Write the process id to FILE", .complete = COMPLETE_FILE),
    OPTION_STRING("console-socket", 0, "SOCKET", struct exec_request, console_socket,
                  "Send the terminal's other end to this unix socket", .complete = COMPLETE_FILE),
    OPTION_STRING("pidfd-socket", 0, "SOCKET", struct exec_request, pidfd_socket, "Send a pidfd of the process to this unix socket",
                  .complete = COMPLETE_FILE),
    OPTION_INT("preserve-fds", 0, "N", 0, OCI_KEPT_MAX, struct exec_request, preserve_fds,
               "Let the process have N descriptors more, from 3 on, behind those of LISTEN_FDS"),
    OPTION_FLAG("no-subreaper", 0, struct exec_request, no_subreaper, "For older callers: says nothing", .hidden = true),
    {0},
};

const struct command command_oci_exec = {
    .name = "exec",
    .usage = "ID COMMAND [ARG...]",
    .summary = "Run another command in a container",
    .description = "The command has the user, environment, capabilities, limits and system call filter of the container's own process, as "
                   "config.json had them when the container was created, and what the options change of that. The container may be created, "
                   "or running.\n\nThe exit code is the command's, or 255 when it could not be run. The command is the container's, not "
                   "this call's: should this program be killed, the command goes on until it ends, or the container does.",
    .examples = "coffer-oci exec web ps\ncoffer-oci exec -t -u 1000 -e TERM=xterm web sh\ncoffer-oci exec --process process.json --detach --pid-file pid web",
    .flags = COMMAND_OPTIONS_FIRST,
    .min_operands = 1,
    .max_operands = COMMAND_ANY_COUNT,
    .operands = COMPLETE_CONTAINER,
    .options = options,
    .request_size = sizeof(struct exec_request),
    .error_code = 255,
    .run = run,
};

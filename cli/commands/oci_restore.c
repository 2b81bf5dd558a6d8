#include "cli/commands/all.h"
#include "cli/commands/oci_bundle.h"
#include "cli/commands/oci_criu.h"
#include "cli/context.h"
#include "runtime/base/err.h"
#include "runtime/container/checkpoint.h"
#include "runtime/container/container.h"

struct restore_request {
    struct oci_criu_options criu;
    const char *bundle;
    const char *console_socket;
    const char *pid_file;
    bool detach;
    bool no_subreaper;
    bool no_pivot;
    bool tcp_close;
    const char *lsm_profile;
    const char *lsm_mount_context;
};

static int run(struct context *context, struct err *err) {
    const struct restore_request *request = context->request;
    const struct oci_make_options make = {
        .bundle = request->bundle,
        .console_socket = request->console_socket,
        .pid_file = request->pid_file,
        .no_pivot = request->no_pivot,
    };
    struct checkpoint_options checkpoint;
    struct container_options options;
    int status;
    container_sweep(context->oci_dir);
    if (oci_criu_read(context, &request->criu, &checkpoint, err) < 0 || oci_bundle_read(context, &make, &options, err) < 0) {
        return -1;
    }
    checkpoint.detach = request->detach;
    checkpoint.tcp_close = request->tcp_close;
    checkpoint.lsm_profile = request->lsm_profile;
    checkpoint.lsm_mount_context = request->lsm_mount_context;
    return container_restore(&options, &checkpoint, &status, err) < 0 ? err_in(err, "restore container \"%s\"", options.id) : status;
}

static const struct option_row options[] = {
    OPTION_STRING("bundle", 'b', "DIR", struct restore_request, bundle, "The bundle's folder [default: the current one]",
                  .complete = COMPLETE_DIRECTORY),
    OPTION_FLAG("detach", 'd', struct restore_request, detach, "Return as soon as the container runs"),
    OPTION_STRING("console-socket", 0, "SOCKET", struct restore_request, console_socket,
                  "Send the terminal's other end to this unix socket", .complete = COMPLETE_FILE),
    OPTION_STRING("pid-file", 0, "FILE", struct restore_request, pid_file, "Write the process id to FILE", .complete = COMPLETE_FILE),
    OPTION_ROWS(oci_criu_rows, struct restore_request, criu, struct oci_criu_options),
    OPTION_FLAG("tcp-close", 0, struct restore_request, tcp_close, "Bring TCP connections back closed"),
    OPTION_STRING("lsm-profile", 0, "TYPE:NAME", struct restore_request, lsm_profile,
                  "Confine the processes by this profile, in place of the one they had: apparmor:NAME or selinux:LABEL"),
    OPTION_STRING("lsm-mount-context", 0, "LABEL", struct restore_request, lsm_mount_context,
                  "Give file systems this label, in place of the one they had"),
    OPTION_FLAG("no-pivot", 0, struct restore_request, no_pivot, "For older callers: criu sees to the root itself", .hidden = true),
    OPTION_FLAG("no-subreaper", 0, struct restore_request, no_subreaper, "For older callers: says nothing", .hidden = true),
    {0},
};

const struct command command_oci_restore = {
    .name = "restore",
    .usage = "ID",
    .summary = "Make a container of a bundle and a checkpoint, running as it was",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .request_size = sizeof(struct restore_request),
    .run = run,
};

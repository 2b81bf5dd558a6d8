#include "cli/commands/all.h"
#include "cli/commands/oci_criu.h"
#include "cli/context.h"
#include "runtime/base/err.h"
#include "runtime/container/checkpoint.h"
#include "runtime/container/container.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

struct checkpoint_request {
    struct oci_criu_options criu;
    const char *parent_path;
    bool leave_running;
    bool pre_dump;
    bool tcp_skip_in_flight;
    bool link_remap;
    struct opt_i64 status_fd;
    const char *page_server;
};

// ADDRESS:PORT; an IPv6 address has colons of its own.
static int read_page_server(struct context *context, const char *text, struct checkpoint_options *options, struct err *err) {
    const char *colon = text ? strrchr(text, ':') : NULL;
    char *end = NULL;
    long port = colon ? strtol(colon + 1, &end, 10) : 0;
    if (text && (!colon || colon == text || *end != '\0' || port < 1 || port > UINT16_MAX)) {
        return err_set(err, ERR_INPUT, "--page-server: expected ADDRESS:PORT, found \"%.64s\"", text);
    }
    if (text) {
        options->page_server = arena_copy(&context->arena, text, (size_t)(colon - text));
        options->page_server_port = (uint16_t)port;
    }
    return 0;
}

static int run(struct context *context, struct err *err) {
    const struct checkpoint_request *request = context->request;
    struct checkpoint_options options;
    if (oci_criu_read(context, &request->criu, &options, err) < 0 || read_page_server(context, request->page_server, &options, err) < 0) {
        return -1;
    }
    options.parent_path = request->parent_path;
    options.leave_running = request->leave_running;
    options.pre_dump = request->pre_dump;
    options.tcp_skip_in_flight = request->tcp_skip_in_flight;
    options.link_remap = request->link_remap;
    options.status_fd = request->status_fd.set ? (int)request->status_fd.value : -1;
    container_sweep(context->oci_dir);
    return container_checkpoint(context->oci_dir, context->operands[0], &options, err);
}

static const struct option_row options[] = {
    OPTION_FLAG("leave-running", 0, struct checkpoint_request, leave_running, "Let the container go on afterwards"),
    OPTION_FLAG("pre-dump", 0, struct checkpoint_request, pre_dump, "Write its memory only, and let it go on"),
    OPTION_STRING("parent-path", 0, "DIR", struct checkpoint_request, parent_path,
                  "The folder of an earlier --pre-dump, relative to the checkpoint's: only what has changed since is written"),
    OPTION_ROWS(oci_criu_rows, struct checkpoint_request, criu, struct oci_criu_options),
    OPTION_FLAG("tcp-skip-in-flight", 0, struct checkpoint_request, tcp_skip_in_flight, "Leave out TCP connections that are just being made"),
    OPTION_FLAG("link-remap", 0, struct checkpoint_request, link_remap, "Give open files that were removed a name for the time being"),
    OPTION_STRING("page-server", 0, "ADDRESS:PORT", struct checkpoint_request, page_server,
                  "Send memory to this page server, or with --lazy-pages be one"),
    OPTION_INT("status-fd", 0, "FD", 3, INT_MAX, struct checkpoint_request, status_fd,
               "Write a zero byte to FD when lazy pages can be fetched"),
    {0},
};

const struct command command_oci_checkpoint = {
    .name = "checkpoint",
    .usage = "ID",
    .summary = "Write a running container to files with criu, and remove it",
    .min_operands = 1,
    .max_operands = 1,
    .operands = COMPLETE_CONTAINER,
    .options = options,
    .request_size = sizeof(struct checkpoint_request),
    .run = run,
};

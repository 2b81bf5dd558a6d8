#include "cli/commands/oci_bundle.h"

#include "cli/context.h"
#include "cli/user_bus.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/container/cgroup_manager.h"
#include "runtime/container/container.h"
#include "specs/json.h"
#include "specs/oci_config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct option_row oci_make_rows[] = {
    OPTION_STRING("bundle", 'b', "DIR", struct oci_make_options, bundle, "The bundle's folder [default: the current one]",
                  .complete = COMPLETE_DIRECTORY),
    OPTION_STRING("config", 'f', "FILE", struct oci_make_options, config,
                  "The configuration, from the working directory on [default: config.json of the bundle]", .complete = COMPLETE_FILE),
    OPTION_STRING("console-socket", 0, "SOCKET", struct oci_make_options, console_socket,
                  "Send the terminal's other end to this unix socket", .complete = COMPLETE_FILE),
    OPTION_STRING("pid-file", 0, "FILE", struct oci_make_options, pid_file, "Write the process id to FILE", .complete = COMPLETE_FILE),
    OPTION_STRING("pidfd-socket", 0, "SOCKET", struct oci_make_options, pidfd_socket,
                  "Send a pidfd of the container's process to this unix socket", .complete = COMPLETE_FILE),
    OPTION_INT("preserve-fds", 0, "N", 0, OCI_KEPT_MAX, struct oci_make_options, preserve_fds,
               "Let the command have N descriptors more, from 3 on, behind those of LISTEN_FDS"),
    OPTION_FLAG("no-subreaper", 0, struct oci_make_options, no_subreaper, "For older callers: says nothing", .hidden = true),
    OPTION_FLAG("no-pivot", 0, struct oci_make_options, no_pivot, "Move the root file system over / in place of pivot_root, for a host on a ramdisk"),
    OPTION_FLAG("no-new-keyring", 0, struct oci_make_options, no_new_keyring,
                "Keep the caller's session keyring, and so its keys, in place of a new one"),
    {0},
};

// A count that systemd or an engine has set for this very process (sd_listen_fds(3)): what another one has inherited is not its.
static int listen_fds(void) {
    const char *pid = getenv("LISTEN_PID"), *text = getenv("LISTEN_FDS");
    if (!pid || !text || strtol(pid, NULL, 10) != getpid()) {
        return 0;
    }
    long count = strtol(text, NULL, 10);
    return count > 0 && count <= OCI_KEPT_MAX ? (int)count : 0;
}

struct oci_kept oci_kept_fds(struct opt_i64 preserve_fds) {
    struct oci_kept kept = {.listen = listen_fds()};
    kept.names = kept.listen > 0 ? getenv("LISTEN_FDNAMES") : NULL;
    kept.count = kept.listen + (int)(preserve_fds.set ? preserve_fds.value : 0);
    return kept;
}

const char *oci_notify_socket(void) {
    const char *path = getenv("NOTIFY_SOCKET");
    return path && *path ? path : NULL;
}

int oci_read_document(const char *path, char **ret_text, size_t *ret_size, struct err *err) {
    return strcmp(path, "-") == 0 ? fd_read_rest(STDIN_FILENO, JSON_MAX_BYTES, "standard input", ret_text, ret_size, err)
                                  : fd_read_file(AT_FDCWD, path, JSON_MAX_BYTES, ret_text, ret_size, err);
}

int oci_bundle_read(struct context *context, const struct oci_make_options *make, struct container_options *ret_options,
                    struct err *err) {
    char bundle[PATH_MAX];
    const struct oci_kept kept = oci_kept_fds(make->preserve_fds);
    // Engines pass these by habit: what is not served must not pass for it.
    const struct cgroup_manager *manager =
        cgroup_manager_named(context->systemd_cgroup ? "systemd" : context->cgroup_manager, err);
    const char *bus = NULL;
    if (!manager || (manager == &cgroup_manager_systemd && user_bus_find(context, &bus, err) < 0)) {
        return err_in(err, context->systemd_cgroup ? "--systemd-cgroup" : "--cgroup-manager");
    }
    if (!realpath(make->bundle ? make->bundle : ".", bundle)) {
        return err_sys(err, "bundle %s", make->bundle ? make->bundle : ".");
    }
    const char *path = make->config ? make->config : arena_format(&context->arena, "%s/config.json", bundle);
    const char *snapshot;
    // A pipe is as good where somebody names it; what merely lies in a bundle must not hold an engine up.
    ssize_t size = fd_read_file_into(&context->arena, path, make->config ? 0 : O_NONBLOCK, JSON_MAX_BYTES, &snapshot, err);
    if (size < 0) {
        if (err->errnum == ENOENT && !make->config) {
            return err_set(err, ERR_NOT_FOUND, "%s does not exist; coffer-oci spec writes one to start from", path);
        }
        return -1;
    }
    const struct json_document document = {.name = "config.json", .text = snapshot, .size = (size_t)size};
    struct oci_config *config;
    if (oci_config_decode(&document, &context->arena, &config, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < config->warnings_count; i++) {
        log_warn("%s", config->warnings[i]);
    }
    *ret_options = (struct container_options){
        .root = context->oci_dir,
        .id = context->operands[0],
        .bundle = arena_copy_string(&context->arena, bundle),
        .config = config,
        .config_text = snapshot,
        .config_size = (size_t)size,
        .rootless = {.set = context->rootless_wish != ROOTLESS_AUTO, .value = context->rootless_wish == ROOTLESS_TRUE},
        .no_pivot = make->no_pivot,
        .no_new_keyring = make->no_new_keyring,
        .cgroup_manager = manager,
        .user_bus = bus,
        .pid_file = make->pid_file,
        .console_socket = make->console_socket,
        .pidfd_socket = make->pidfd_socket,
        .notify_socket = oci_notify_socket(),
        .kept_fds = kept.count,
        .listen_fds = kept.listen,
        .listen_names = kept.names,
        .make_cwd = true,
        .pipes = {-1, -1, -1},
        .interactive = true,
        .pass_signals = true,
    };
    return 0;
}

#include "cli/commands/oci_criu.h"

#include "cli/context.h"
#include "runtime/base/err.h"
#include "runtime/container/checkpoint.h"

#include <stdlib.h>
#include <string.h>

static const char *const cgroups_names[] = {"soft", "full", "strict", "ignore", NULL};
static const char *const lock_names[] = {"default", "iptables", "nftables", "skip", NULL};

const struct option_row oci_criu_rows[] = {
    OPTION_STRING("image-path", 0, "DIR", struct oci_criu_options, image_path, "The checkpoint's folder [default: checkpoint]",
                  .complete = COMPLETE_DIRECTORY),
    OPTION_STRING("work-path", 0, "DIR", struct oci_criu_options, work_path, "The folder for criu's log [default: the checkpoint's]",
                  .complete = COMPLETE_DIRECTORY),
    OPTION_FLAG("tcp-established", 0, struct oci_criu_options, tcp_established, "Take open TCP connections along"),
    OPTION_FLAG("ext-unix-sk", 0, struct oci_criu_options, ext_unix_sk, "Take unix sockets along whose other end is outside"),
    OPTION_FLAG("shell-job", 0, struct oci_criu_options, shell_job, "Take a terminal along that was the caller's"),
    OPTION_FLAG("lazy-pages", 0, struct oci_criu_options, lazy_pages, "Let memory be fetched when it is touched (criu lazy-pages)"),
    OPTION_FLAG("file-locks", 0, struct oci_criu_options, file_locks, "Take file locks along"),
    OPTION_CHOICE("manage-cgroups-mode", 0, "MODE", cgroups_names, struct oci_criu_options, cgroups,
                  "What of control groups below the container's: soft, full, strict or ignore [default soft]"),
    OPTION_LIST("empty-ns", 0, "network", struct oci_criu_options, empty_ns,
                "Take the network namespace along without its devices and settings"),
    OPTION_FLAG("auto-dedup", 0, struct oci_criu_options, auto_dedup, "Drop memory from earlier folders that is in a later one"),
    OPTION_CHOICE("network-lock", 0, "METHOD", lock_names, struct oci_criu_options, network_lock,
                  "Hold connections still by iptables or nftables, or skip that [default: criu's]"),
    {0},
};

int oci_criu_read(struct context *context, const struct oci_criu_options *criu, struct checkpoint_options *ret, struct err *err) {
    static const enum checkpoint_cgroups cgroups[] = {CHECKPOINT_CGROUPS_SOFT, CHECKPOINT_CGROUPS_FULL, CHECKPOINT_CGROUPS_STRICT,
                                                      CHECKPOINT_CGROUPS_IGNORE};
    const char *path = getenv("PATH");
    for (size_t i = 0; i < criu->empty_ns.count; i++) {
        if (strcmp(criu->empty_ns.items[i], "network") != 0) {
            return err_set(err, ERR_INPUT, "--empty-ns: expected network, found \"%.64s\"", criu->empty_ns.items[i]);
        }
    }
    *ret = (struct checkpoint_options){
        .search_path = arena_copy_string(&context->arena, path && *path ? path : "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        .image_path = criu->image_path ? criu->image_path : "checkpoint",
        .work_path = criu->work_path,
        .tcp_established = criu->tcp_established,
        .ext_unix_sk = criu->ext_unix_sk,
        .shell_job = criu->shell_job,
        .file_locks = criu->file_locks,
        .auto_dedup = criu->auto_dedup,
        .lazy_pages = criu->lazy_pages,
        .empty_network = criu->empty_ns.count > 0,
        .cgroups = cgroups[criu->cgroups],
        .network_lock = (enum checkpoint_lock)criu->network_lock,
        .status_fd = -1,
    };
    return 0;
}

// checkpoint, restore: a running container written to files by criu(8), and made anew of them.
//
// What belongs to the host is not written but named: bind mounts by their places in the configuration, network and pid namespaces that
// the container joined, pipes at its first process's standard descriptors. A restore binds these names to what its own caller has.
#ifndef COFFER_CONTAINER_CHECKPOINT_H
#define COFFER_CONTAINER_CHECKPOINT_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stdint.h>

struct container_options;
struct err;

// What becomes of control groups below the container's own; numbers as criu has them.
enum checkpoint_cgroups { CHECKPOINT_CGROUPS_IGNORE = 0, CHECKPOINT_CGROUPS_SOFT = 3, CHECKPOINT_CGROUPS_FULL, CHECKPOINT_CGROUPS_STRICT };

// How the network is held still while connections are written; numbers as criu has them, 0: its default.
enum checkpoint_lock { CHECKPOINT_LOCK_DEFAULT, CHECKPOINT_LOCK_IPTABLES, CHECKPOINT_LOCK_NFTABLES, CHECKPOINT_LOCK_SKIP };

struct checkpoint_options {
    const char *search_path; // where criu is looked for, as PATH is written
    const char *image_path;  // the folder of the files
    const char *work_path;   // for criu's log and what else it keeps; NULL: image_path
    bool tcp_established;
    bool ext_unix_sk;
    bool shell_job;
    bool file_locks;
    bool auto_dedup;
    bool lazy_pages;
    bool empty_network; // the network namespace comes without its devices and settings
    enum checkpoint_cgroups cgroups;
    enum checkpoint_lock network_lock;

    // checkpoint
    const char *parent_path; // an earlier pre-dump, relative to image_path
    const char *page_server; // its address, NULL for none
    uint16_t page_server_port;
    int status_fd; // gets a zero byte when lazy pages can be fetched; -1 for none
    bool leave_running;
    bool pre_dump; // only memory, and what has changed of it since parent_path
    bool tcp_skip_in_flight;
    bool link_remap;

    // restore
    bool detach;
    bool tcp_close;
    const char *lsm_profile; // TYPE:NAME
    const char *lsm_mount_context;
};

// The container is removed afterwards, as by `delete`, unless it is left running. Nothing is changed when it fails.
int container_checkpoint(const char *root, const char *id, const struct checkpoint_options *checkpoint, struct err *err) MUST_CHECK;

// Makes a container of a bundle and a checkpoint. *ret_status as container_run().
int container_restore(const struct container_options *options, const struct checkpoint_options *checkpoint, int *ret_status,
                      struct err *err) MUST_CHECK;

#endif

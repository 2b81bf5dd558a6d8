// run_request: what a user wants of a new container, with docker's meanings, as plain values. Filled by the CLI (later by compose).
//
// Strings are borrowed. Nothing here has been looked up or checked against an image yet.
#ifndef COFFER_ENGINE_REQUEST_H
#define COFFER_ENGINE_REQUEST_H

#include "runtime/base/strv.h"
#include "specs/values.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pull_policy { PULL_MISSING, PULL_ALWAYS, PULL_NEVER };

struct run_request {
    const char *image;
    const char *const *command; // behind the image; NULL-terminated
    size_t command_count;

    const char *name;
    const char *hostname, *domainname;
    const char *user;
    const char *workdir;
    const char *entrypoint; // "": none; NULL: the image's
    struct strv env;        // NAME=VALUE, or NAME: the caller's value, which the CLI has filled in
    struct strv labels;      // NAME=VALUE
    struct strv annotations; // NAME=VALUE
    struct strv group_add;   // by name or number
    bool interactive, tty, remove, init;
    bool detach;
    const char *cid_file;    // where its id is written, NULL: nowhere
    const char *cwd;         // what relative sources of volumes begin at
    const char *home;        // the user's, for ~; NULL: not known
    const char *detach_keys; // as docker writes them; NULL: ctrl-p,ctrl-q
    const char *stop_signal; // by name or number; NULL: the image's
    struct opt_i64 stop_timeout_s;
    const char *log_driver; // NULL: the default
    struct strv log_opts;   // NAME=VALUE
    const char *restart;    // no, on-failure[:N], always, unless-stopped; NULL: no
    struct strv health_test; // as an image has it: "CMD" and words, or "CMD-SHELL" and a line; empty: the image's
    const char *health_port; // PORT[/tcp]: checked in its place
    struct opt_i64 health_interval_ms, health_timeout_ms, health_start_period_ms, health_start_interval_ms, health_retries;
    const char *health_on_failure; // none, kill, restart, stop; NULL: none
    bool no_healthcheck;
    int pull;            // enum pull_policy
    const char *platform; // OS/ARCHITECTURE[/VARIANT] of the image; NULL: any
    bool hide_output, hide_errors, no_input; // of who starts it, by --attach

    const char *network;  // "none", "host", "container:NAME", or the first of its networks
    struct strv networks; // all of them, as attachment.h reads them; none: `network` alone
    const char *ip, *ip6, *mac; // the addresses to have on the first of them; NULL: any
    struct strv aliases;        // names it has there, beside its own
    struct strv publish;  // -p, see publish.h
    struct strv exposed;  // PORT[-PORT][/PROTOCOL]
    bool publish_all;     // those too, at any port of the host
    const char *pid, *ipc, *uts, *cgroupns; // "host", "private", or NULL: private
    struct strv add_hosts;       // NAME:ADDRESS
    struct strv dns, dns_search, dns_options;
    const char *userns;  // "host", "auto" or NULL: the default
    struct strv volumes; // [source:]target[:options]
    struct strv mounts;  // type=...,source=...,target=...
    struct strv tmpfs;   // target[:options]
    struct strv volumes_from; // container[:ro]
    bool read_only;
    struct opt_i64 shm_size_bytes;

    struct opt_i64 memory_bytes;
    struct opt_i64 memory_swap_bytes;
    struct opt_i64 nano_cpus;
    struct opt_i64 cpu_shares;
    const char *cpuset_cpus, *cpuset_mems;
    struct opt_i64 pids_limit;
    struct opt_i64 memory_reservation_bytes;
    struct opt_i64 memory_swappiness; // percent; -1: as it is
    struct opt_i64 cpu_period, cpu_quota; // microseconds
    struct opt_i64 cpu_rt_period, cpu_rt_runtime;
    struct opt_i64 blkio_weight;
    struct strv blkio_weight_devices; // DEVICE:WEIGHT
    struct strv device_read_bps, device_write_bps;   // DEVICE:BYTES
    struct strv device_read_iops, device_write_iops; // DEVICE:NUMBER
    struct opt_i64 oom_score_adj;
    const char *cgroup_parent;
    struct strv ulimits; // NAME=SOFT[:HARD]
    struct strv sysctls; // NAME=VALUE
    struct strv devices; // HOST[:CONTAINER][:rwm], or VENDOR/CLASS=NAME (cdi.h)
    const char *gpus;    // all, a number, or docker's longer form
    struct strv device_rules; // "c 1:* rwm"
    bool oom_kill_disable;

    struct strv cap_add, cap_drop;
    struct strv security; // no-new-privileges, seccomp=FILE|unconfined, ...
    bool privileged;
    bool pass_signals;
};

// How long it may take to end when it is stopped, in milliseconds; below 0: for ever. Docker's default is 10 s.
static inline int64_t request_stop_timeout_ms(const struct run_request *request) {
    int64_t seconds = request->stop_timeout_s.set ? request->stop_timeout_s.value : 10;
    return seconds < 0 ? -1 : seconds * 1000;
}

#endif

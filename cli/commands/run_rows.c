// The rows of run's and create's flags that set limits and rights, and why docker's other flags are not served.
#include "cli/commands/run_rows.h"

#include "runtime/engine/request.h"

const struct option_row change_limit_rows[] = {
    OPTION_GROUP("Limits"),
    OPTION_BYTES("memory", 'm', "BYTES", struct run_request, memory_bytes, "Most memory, such as 512m"),
    OPTION_BYTES("memory-swap", 0, "BYTES", struct run_request, memory_swap_bytes, "Most memory and swap together; -1: no limit on swap [default twice --memory]",
                 .min = -1),
    OPTION_CPUS("cpus", 0, "NUMBER", struct run_request, nano_cpus, "Most processors, such as 1.5"),
    OPTION_INT("cpu-shares", 'c', "NUMBER", 2, 262144, struct run_request, cpu_shares,
               "Share of the processors against others [1024]"),
    OPTION_STRING("cpuset-cpus", 0, "LIST", struct run_request, cpuset_cpus, "Processors to run on, such as 0-2,7"),
    OPTION_INT("pids-limit", 0, "NUMBER", -1, INT32_MAX, struct run_request, pids_limit,
               "Most processes; -1: no limit [default 4096; none without root]"),
    OPTION_BYTES("memory-reservation", 0, "BYTES", struct run_request, memory_reservation_bytes,
                 "Memory that is left to it where memory is short"),
    OPTION_INT("cpu-period", 0, "MICROSECONDS", 1000, 1000000, struct run_request, cpu_period,
               "Period of the processors' quota [100000]"),
    OPTION_INT("cpu-quota", 0, "MICROSECONDS", -1, INT64_MAX, struct run_request, cpu_quota,
               "Time on processors in each period; -1: no limit"),
    OPTION_INT("cpu-rt-period", 0, "MICROSECONDS", 1, 1000000000, struct run_request, cpu_rt_period,
               "Period of real-time processes, where the kernel shares them out"),
    OPTION_INT("cpu-rt-runtime", 0, "MICROSECONDS", -1, 1000000000, struct run_request, cpu_rt_runtime,
               "Time of real-time processes in each period"),
    OPTION_STRING("cpuset-mems", 0, "LIST", struct run_request, cpuset_mems, "Memory nodes to use, such as 0-1"),
    OPTION_INT("blkio-weight", 0, "NUMBER", 0, 1000, struct run_request, blkio_weight, "Share of the disks against others, 10 to 1000"),
    {0},
};

const struct option_row run_limit_rows[] = {
    OPTION_INT("memory-swappiness", 0, "PERCENT", -1, 100, struct run_request, memory_swappiness,
               "How readily it is swapped out; -1: as the host is"),
    OPTION_LIST("blkio-weight-device", 0, "DISK:NUMBER", struct run_request, blkio_weight_devices, "The same of one disk"),
    OPTION_LIST("device-read-bps", 0, "DISK:BYTES", struct run_request, device_read_bps, "Read at most so much a second, /dev/sda:10m"),
    OPTION_LIST("device-write-bps", 0, "DISK:BYTES", struct run_request, device_write_bps, "Write at most so much a second"),
    OPTION_LIST("device-read-iops", 0, "DISK:NUMBER", struct run_request, device_read_iops, "Read at most so often a second"),
    OPTION_LIST("device-write-iops", 0, "DISK:NUMBER", struct run_request, device_write_iops, "Write at most so often a second"),
    OPTION_STRING("cgroup-parent", 0, "PATH", struct run_request, cgroup_parent, "Control group that its own lies in"),
    OPTION_INT("oom-score-adj", 0, "NUMBER", -1000, 1000, struct run_request, oom_score_adj,
               "How readily it is killed where the host has no memory left"),
    OPTION_FLAG("oom-kill-disable", 0, struct run_request, oom_kill_disable,
                "Let it stand still where it has used up --memory, and kill nothing; cgroup version 1 only"),
    OPTION_LIST("ulimit", 0, "NAME=SOFT[:HARD]", struct run_request, ulimits, "Limit each of its processes, as nofile=1024"),
    OPTION_LIST("sysctl", 0, "NAME=VALUE", struct run_request, sysctls, "Set something of its kernel namespaces"),
    OPTION_LIST("device", 0, "HOST[:CONTAINER][:rwm]", struct run_request, devices,
                "Let it use a device of the host, all in a folder, or VENDOR/CLASS=NAME of a CDI file", .complete = COMPLETE_FILE),
    OPTION_STRING("gpus", 0, "WHICH", struct run_request, gpus, "Let it use GPUs that a CDI file describes: all, or how many"),
    OPTION_LIST("device-cgroup-rule", 0, "RULE", struct run_request, device_rules,
                "Let it use what comes to be there, such as \"c 81:* rwm\""),
    {0},
};

const struct option_row run_security_rows[] = {
    OPTION_GROUP("Security"),
    OPTION_STRING("pid", 0, "MODE", struct run_request, pid, "container:NAME or host: see its processes [default private]"),
    OPTION_STRING("ipc", 0, "MODE", struct run_request, ipc, "container:NAME or host: share its System V IPC and /dev/shm; shareable: let others; none: no /dev/shm [default private]"),
    OPTION_STRING("uts", 0, "MODE", struct run_request, uts, "host: share the host name [default private]"),
    OPTION_STRING("cgroupns", 0, "MODE", struct run_request, cgroupns, "host: see the host's control groups [default private]"),
    OPTION_LIST("cap-add", 0, "CAPABILITY", struct run_request, cap_add, "Give a capability, or ALL"),
    OPTION_LIST("cap-drop", 0, "CAPABILITY", struct run_request, cap_drop, "Take a capability, or ALL"),
    OPTION_LIST("security-opt", 0, "OPTION", struct run_request, security,
                "no-new-privileges, seccomp=FILE, apparmor=PROFILE, mask=PATHS, unmask=PATHS, systempaths=unconfined"),
    OPTION_STRING("userns", 0, "MODE", struct run_request, userns,
                  "auto: user ids of the container's own [default]; container:NAME: those of another; host: those of the host"),
    OPTION_FLAG("privileged", 0, struct run_request, privileged,
                "Give all capabilities and hide nothing: no protection is left"),
    {0},
};

static const char windows[] = "it is for Windows";

// docker's, in its order.
const struct unserved_flag run_unserved[] = {
    {"cpu-count", windows},
    {"cpu-percent", windows},
    {"disable-content-trust", "images are checked by their digests always"},
    {"io-maxbandwidth", windows},
    {"io-maxiops", windows},
    {"isolation", "this version has no micro-VMs; a container has namespaces, a seccomp filter and user ids of its own"},
    {"kernel-memory", "kernels have given it up; --memory counts it"},
    {"link", "a network with names does more: coffer network create, and --network for both"},
    {"link-local-ip", "a network gives addresses"},
    {"runtime", "there is one"},
    {"storage-opt", "the writable layer has the size of the store's disk"},
    {"use-api-socket", "there is no daemon, and so no socket of one"},
    {"volume-driver", "volumes are folders of the store"},
    {0},
};

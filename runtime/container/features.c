#include "runtime/container/features.h"

#include "runtime/base/arena.h"
#include "runtime/container/mount_options.h"
#include "runtime/kernel/seccomp.h"
#include "specs/oci_features.h"

#include <linux/seccomp.h>
#include <sched.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

static const char *const changing_annotations[] = {
    "org.systemd.property.", // systemd_annotations.c
    "run.coffer.landlock.",  // plan_landlock.c
};

// Each claim is held against the runtime by tests/cli/oci_features.bats: whoever makes one of these true sees it tried.
static const struct oci_features served = {
    .namespaces = CLONE_NEWCGROUP | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWTIME |
                  CLONE_NEWUSER | CLONE_NEWUTS,
    .cgroup_v1 = true,
    .cgroup_v2 = true,
    .cgroup_systemd = true,
    .cgroup_systemd_user = true,
    .cgroup_rdma = true,
    .seccomp = true,
    .apparmor = true,
    .selinux = true,
    .memory_policy = true,
    .intel_rdt = true,
    .intel_rdt_schemata = true,
    .intel_rdt_monitoring = true,
    .idmap = true,
    .net_devices = true,
    .unsafe_annotations = changing_annotations,
    .unsafe_annotations_count = ARRAY_LEN(changing_annotations),
};

void container_features(struct arena *arena, struct oci_features *ret) {
    static const uint32_t seccomp_flags[] = {SECCOMP_FILTER_FLAG_TSYNC, SECCOMP_FILTER_FLAG_LOG, SECCOMP_FILTER_FLAG_SPEC_ALLOW,
                                             SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV};
    *ret = served;
    for (size_t i = 0; i < ARRAY_LEN(seccomp_flags); i++) {
        ret->seccomp_supported_flags |= seccomp_knows_flag(seccomp_flags[i]) ? seccomp_flags[i] : 0;
    }
    ret->mount_options = mount_options_names(arena, &ret->mount_options_count);
}

#include "runtime/container/net_devices.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/container/plan.h"
#include "runtime/kernel/netdev.h"
#include "specs/oci_config.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>

int net_devices_plan(const struct oci_config *config, struct container_plan *plan, struct err *err) {
    size_t count = config->os.net_devices_count;
    if (count == 0) {
        return 0;
    }
    if (!plan->opens_trees) {
        return err_set(err, ERR_UNSUPPORTED, "config.json: linux.netDevices: only root can give away the host's network devices");
    }
    plan->net_devices = arena_array(&plan->arena, count, sizeof(*plan->net_devices));
    plan->net_device_count = count;
    for (size_t i = 0; i < count; i++) {
        plan->net_devices[i] = (struct netdev){config->os.net_devices[i].name, config->os.net_devices[i].new_name};
    }
    return 0;
}

// The one that init joins is open already; the one that it was cloned into is init's own.
static int open_namespace(const struct container_plan *plan, pid_t init, struct err *err) {
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/ns/net", init);
    for (size_t i = 0; i < plan->init.join_count; i++) {
        if (plan->init.joins[i].type == CLONE_NEWNET) {
            int fd = fcntl(plan->fds[plan->init.joins[i].fd], F_DUPFD_CLOEXEC, 0);
            return fd < 0 ? err_sys(err, "keep the container's network namespace") : fd;
        }
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? err_sys(err, "open the container's network namespace") : fd;
}

int net_devices_move(const struct container_plan *plan, pid_t init, int network, struct netdev_move *ret, struct err *err) {
    AUTO_FD int namespace_fd = network >= 0 ? fcntl(network, F_DUPFD_CLOEXEC, 0) : open_namespace(plan, init, err);
    return namespace_fd < 0 ? -1 : netdev_move(plan->net_devices, plan->net_device_count, namespace_fd, ret, err);
}

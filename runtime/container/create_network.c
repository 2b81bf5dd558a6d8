// What of the making of a container is about its network namespace. Part of create.h.
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/container/cgroup_manager.h"
#include "runtime/container/create.h"
#include "runtime/container/dialogue.h"
#include "runtime/container/net_devices.h"
#include "runtime/container/options.h"
#include "runtime/container/plan.h"
#include "runtime/kernel/elsewhere.h"
#include "runtime/kernel/netns.h"
#include "specs/oci_config.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>

// Whether nothing is left to do for us but to wait and to remove: no hook to run, no service to talk to, no device to move.
static bool needs_host_network(const struct creation *creation, const struct container_options *options) {
    for (size_t i = 0; i < OCI_HOOK_KIND_COUNT; i++) {
        if (options->config->hooks[i].items_count > 0) {
            return true;
        }
    }
    // Sockets may have abstract names, which are of a network namespace.
    const struct oci_seccomp *seccomp = options->config->os.seccomp;
    bool sockets = options->notify_socket || options->console_socket || options->pidfd_socket || (seccomp && seccomp->listener_path);
    return sockets || options->attach_network || creation->plan.net_device_count > 0 || creation->plan.cgroup_manager->needs_process || !options->last_act;
}

static int make_network_there(void *context, struct err *err) {
    int *ret = context;
    *ret = netns_create(true, err);
    return *ret < 0 ? -1 : 0;
}

// It belongs to the user namespace that the container joins.
static int make_joined_network(struct creation *creation, struct err *err) {
    AUTO_FD int user = container_plan_open_namespace(creation->plan.join_user, CLONE_NEWUSER, err);
    return user < 0 ? -1 : elsewhere_do(user, -1, make_network_there, &creation->network, err);
}

// Made by us, beside init, which mounts meanwhile: they are the two longest parts of a start.
static int make_late_network(struct creation *creation, const struct container_options *options, struct err *err) {
    if (creation->plan.join_user) {
        if (make_joined_network(creation, err) < 0) {
            return -1;
        }
    } else {
        creation->network = netns_create(!needs_host_network(creation, options), err);
    }
    if (creation->network < 0) {
        return -1;
    }
    if (channel_send(creation->launched.channel, CHANNEL_NETWORK, NULL, 0, &creation->network, 1, err) < 0) {
        dialogue_last_words(creation->launched.channel, err);
        return -1;
    }
    return 0;
}

static int attach_network(struct creation *creation, const struct container_options *options, struct err *err) {
    if (!options->attach_network) {
        return 0;
    }
    if (creation->network >= 0) {
        return options->attach_network(options->attach_context, creation->launched.pid, creation->network, err);
    }
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)creation->launched.pid);
    AUTO_FD int fd = openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? err_sys(err, "open the container's network namespace")
                  : options->attach_network(options->attach_context, creation->launched.pid, fd, err);
}

int creation_make_network(struct creation *creation, const struct container_options *options, struct err *err) {
    if (creation->plan.init.late_network && make_late_network(creation, options, err) < 0) {
        return -1;
    }
    if (creation->plan.net_device_count > 0 &&
        net_devices_move(&creation->plan, creation->launched.pid, creation->network, &creation->net_devices, err) < 0) {
        return -1;
    }
    return attach_network(creation, options, err);
}

// update: other limits for a container that is there.
#include "runtime/base/err.h"
#include "runtime/container/cgroup_manager.h"
#include "runtime/container/container.h"
#include "runtime/container/limits.h"
#include "runtime/container/opened.h"
#include "runtime/kernel/cgroup_limits.h"
#include "specs/oci_config.h"

int container_update(const char *root, const char *id, const struct oci_resources *resources, struct err *err) {
    AUTO_OPENED struct opened opened = OPENED_NONE;
    if (opened_find(&opened, root, id, err) < 0 || opened_take_cgroup(&opened, err) < 0) {
        return -1;
    }
    if (opened.status == OCI_STATUS_STOPPED) {
        return opened_not_running(&opened, "update", err);
    }
    struct cgroup_limits limits;
    limits_take(resources, &opened.arena, &limits);
    // As with runc: 0 is left from a field that nobody filled.
    limits.pids.set = resources->pids_limit.set && resources->pids_limit.value != 0;
    if (resources->devices_count > 0) {
        limits_add_devices(resources, &opened.arena, &limits);
    }
    const struct cgroup_manager *manager = cgroup_manager_named(opened.record.cgroup_manager, err);
    if (!manager || opened_need_cgroup(&opened, "to limit it by", err) < 0 ||
        manager->update(opened.record.cgroup_path, &opened.cgroup, &limits, err) < 0) {
        return err_in(err, "update container \"%s\"", id);
    }
    return 0;
}

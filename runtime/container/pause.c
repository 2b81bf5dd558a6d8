// pause, resume: the freezer of the container's cgroup.
//
// A created container can be paused as well. Its init then takes no connection, so `start` must not wait for one: while it is paused
// it does not look created (state_dir_hide_created).
#include "runtime/base/err.h"
#include "runtime/container/container.h"
#include "runtime/container/opened.h"

enum { FREEZE_TIMEOUT_MS = 10000 };

int container_pause(const char *root, const char *id, struct err *err) {
    AUTO_OPENED struct opened opened = OPENED_NONE;
    if (opened_find(&opened, root, id, err) < 0 || opened_take_cgroup(&opened, err) < 0) {
        return -1;
    }
    if (opened.status != OCI_STATUS_RUNNING && opened.status != OCI_STATUS_CREATED) {
        return err_set(err, ERR_STATE, "pause container \"%s\": container not running or created: it is %s", id,
                       oci_status_name(opened.status));
    }
    if (opened_need_cgroup(&opened, "to be paused by", err) < 0) {
        return -1;
    }
    bool created = opened.status == OCI_STATUS_CREATED;
    if (created && state_dir_hide_created(&opened.dir, true, err) < 0) {
        return -1;
    }
    if (cgroup_freeze(&opened.cgroup, FREEZE_TIMEOUT_MS, err) < 0) {
        struct err other;
        if (created && state_dir_hide_created(&opened.dir, false, &other) < 0) {
            return err_in(err, "%s", other.text);
        }
        return err_in(err, "pause container \"%s\"", id);
    }
    return 0;
}

int container_resume(const char *root, const char *id, struct err *err) {
    AUTO_OPENED struct opened opened = OPENED_NONE;
    if (opened_find(&opened, root, id, err) < 0 || opened_take_cgroup(&opened, err) < 0) {
        return -1;
    }
    // A `pause` that was killed half way may have hidden it only.
    if (state_dir_hide_created(&opened.dir, false, err) < 0) {
        return -1;
    }
    if (opened.status != OCI_STATUS_PAUSED) {
        return err_set(err, ERR_STATE, "resume container \"%s\": container not paused: it is %s", id,
                       oci_status_name(opened.status));
    }
    return cgroup_thaw(&opened.cgroup, err) < 0 ? err_in(err, "resume container \"%s\"", id) : 0;
}

#include "runtime/container/opened.h"

#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/container/removal.h"

void opened_finish(struct opened *opened) {
    cgroup_finish(&opened->cgroup);
    cgroup_host_finish(&opened->host);
    state_dir_finish(&opened->dir);
    arena_finish(&opened->arena);
}

int opened_take_cgroup(struct opened *opened, struct err *err) {
    if (opened->record.cgroup && removal_open_cgroup(&opened->record, &opened->host, &opened->cgroup, err) < 0) {
        return err_in(err, "container \"%s\"", opened->dir.id);
    }
    if (opened->status != OCI_STATUS_STOPPED && opened->cgroup.count > 0 && cgroup_is_frozen(&opened->cgroup)) {
        opened->status = OCI_STATUS_PAUSED;
    }
    return 0;
}

int opened_find(struct opened *opened, const char *root, const char *id, struct err *err) {
    if (state_dir_open(root, id, &opened->dir, err) < 0 || state_dir_read(&opened->dir, &opened->arena, &opened->record, err) < 0) {
        return -1;
    }
    opened->status = state_dir_status(&opened->dir, &opened->record);
    return 0;
}

int opened_need_cgroup(const struct opened *opened, const char *what, struct err *err) {
    if (opened->cgroup.count > 0) {
        return 0;
    }
    return err_set(err, ERR_UNSUPPORTED, "container \"%s\" has no cgroup %s", opened->dir.id, what);
}

int opened_not_running(const struct opened *opened, const char *verb, struct err *err) {
    return err_set(err, ERR_STATE, "%s container \"%s\": container not running: it is %s", verb, opened->dir.id,
                   oci_status_name(opened->status));
}

enum oci_status opened_status(const struct state_dir *dir, const struct container_record *record) {
    struct err err;
    AUTO_CGROUP_HOST struct cgroup_host host = {.fd = -1};
    AUTO_CGROUP struct cgroup cgroup = {0};
    enum oci_status status = state_dir_status(dir, record);
    if (status == OCI_STATUS_STOPPED || !record->cgroup) {
        return status;
    }
    if (removal_open_cgroup(record, &host, &cgroup, &err) < 0) {
        log_debug("%s", err.text);
        return status;
    }
    return cgroup.count > 0 && cgroup_is_frozen(&cgroup) ? OCI_STATUS_PAUSED : status;
}

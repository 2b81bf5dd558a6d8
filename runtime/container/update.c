// update: other limits for a container that is there.
#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/container/cgroup_manager.h"
#include "runtime/container/container.h"
#include "runtime/container/limits.h"
#include "runtime/container/opened.h"
#include "runtime/kernel/cgroup_limits.h"
#include "specs/oci_config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void free_pids(pid_t **pids) {
    free(*pids);
}

// Children that are born meanwhile are where their parents were: it is looked again until there are none.
static int move_processes(const struct cgroup *from, const struct cgroup *to, struct err *err) {
    enum { ROUNDS = 100 };
    size_t before = 0, count = 0;
    for (int round = 0; round < ROUNDS; round++) {
        AUTO(free_pids) pid_t *pids = NULL;
        if (cgroup_pids(from, &pids, &count, err) < 0) {
            return -1;
        }
        for (size_t i = 0; i < count; i++) {
            if (cgroup_add(to, pids[i], err) < 0 && err->errnum != ESRCH) {
                return -1;
            }
        }
        if (round > 0 && count == before) {
            return 0;
        }
        before = count;
    }
    return err_set(err, ERR_STATE, "its processes come and go too fast to be put under the limit");
}

// Lines as cgroup_record() writes them: whoever removes the container finds the group there, should we be killed before it is whole.
static void add_intent(const struct opened *opened, uint32_t controllers, struct buf *record) {
    int levels = 0;
    for (const char *at = opened->record.cgroup_path; (at = strchr(at, '/')); at++) {
        levels++;
    }
    for (size_t i = 0; i < opened->host.count; i++) {
        const struct cgroup_hierarchy *hierarchy = &opened->host.hierarchies[i];
        if (hierarchy->controllers & controllers) {
            buf_add_format(record, "%s%d %s%s", record->size > 0 ? "\n" : "", levels, hierarchy->name, opened->record.cgroup_path);
        }
    }
}

static int write_groups(struct opened *opened, const struct buf *text, struct err *err) {
    opened->record.cgroup = arena_copy_string(&opened->arena, buf_string(text));
    return state_dir_complete(&opened->dir, &opened->record, err);
}

static uint32_t controllers_of(const struct cgroup *cgroup) {
    uint32_t controllers = 0;
    for (size_t i = 0; i < cgroup->count; i++) {
        controllers |= cgroup->dirs[i].hierarchy->controllers;
    }
    return controllers;
}

// A container that nobody but us looks after is in those hierarchies of version 1 alone that its limits needed. For others it gets into
// theirs, too.
static int join_missing(struct opened *opened, const struct cgroup_limits *limits, struct err *err) {
    AUTO_BUF struct buf text = {0}, added = {0};
    AUTO_CGROUP struct cgroup more = {0};
    const char *path = opened->record.cgroup_path;
    uint32_t missing = cgroup_limits_controllers(limits) & cgroup_host_controllers(&opened->host) & ~controllers_of(&opened->cgroup) &
                       ~CGROUP_MASK(CGROUP_DEVICES);
    bool by_systemd = opened->record.cgroup_manager && strcmp(opened->record.cgroup_manager, cgroup_manager_systemd.name) == 0;
    if (opened->host.version != CGROUP_V1 || opened->cgroup.count == 0 || !missing || by_systemd || !path || *path != '/') {
        return 0;
    }
    buf_add_string(&text, opened->record.cgroup);
    while (text.size > 0 && text.data[text.size - 1] == '\n') {
        text.size--;
    }
    size_t whole = text.size;
    add_intent(opened, missing, &text);
    if (write_groups(opened, &text, err) < 0 || cgroup_create(&opened->host, path, missing, &more, err) < 0 ||
        move_processes(&opened->cgroup, &more, err) < 0) {
        return -1;
    }
    text.size = whole;
    cgroup_record(&more, &added);
    buf_add_format(&text, "\n%s", buf_string(&added));
    if (write_groups(opened, &text, err) < 0) {
        return -1;
    }
    cgroup_finish(&opened->cgroup);
    cgroup_finish(&more);
    cgroup_host_finish(&opened->host);
    return opened_take_cgroup(opened, err);
}

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
    if (!manager || opened_need_cgroup(&opened, "to limit it by", err) < 0 || join_missing(&opened, &limits, err) < 0 ||
        manager->update(opened.record.cgroup_path, &opened.cgroup, &limits, err) < 0) {
        return err_in(err, "update container \"%s\"", id);
    }
    return 0;
}

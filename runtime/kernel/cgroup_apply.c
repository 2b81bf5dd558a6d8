// Limits on their way into a group: a plan carried out, and put back where a change was refused half way.
#include "runtime/kernel/cgroup_plan.h"

#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/kernel/cgroup_file.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

// One pass over a plan on one group.
struct run {
    const struct cgroup *cgroup;
    const struct cgroup_plan *plan;
    uint32_t controllers; // of the whole plan, for cgroup_enable()
    bool unified;         // the files are version 2's
    bool enabled;         // what could be done so that version 2 files appear is done
    struct cgroup_plan *before; // what stood there is noted here before it is written over; NULL: nobody will want it back
};

static int missing(const struct run *run, const struct cgroup_write *item, struct err *err) {
    const char *name = cgroup_controller_name(item->controller);
    if (cgroup_dir_fd(run->cgroup, item->controller) < 0 && !run->unified) {
        bool mounted = (cgroup_host_controllers(run->cgroup->host) & CGROUP_MASK(item->controller)) != 0;
        return err_set(err, ERR_UNSUPPORTED,
                       mounted ? "cgroup controller %s, needed for %s, is mounted but cgroup %s was made without it"
                               : "cgroup controller %s, needed for %s, is not mounted below /sys/fs/cgroup (cgroup %s)",
                       name, item->file, run->cgroup->path);
    }
    return err_set(err, ERR_UNSUPPORTED, "cgroup %s has no file %s: the kernel is too old or built without it", run->cgroup->path,
                   item->file);
}

static void note(const struct run *run, int dir_fd, const struct cgroup_write *item) {
    char text[CGROUP_TEXT_SIZE];
    // A file of several lines has one for each device, and no line for those without a limit: there is nothing to write back.
    if (run->before && dir_fd >= 0 && cgroup_read_text(dir_fd, item->file, text) == 0 && *text && !strchr(text, '\n')) {
        cgroup_plan_add(run->before, item->controller, 0, item->file, "%s", text);
    }
}

static int set_item(struct run *run, size_t at, size_t *ret_next, struct err *err) {
    const struct cgroup_write *item = &run->plan->items[at];
    int dir_fd = run->unified ? cgroup_v2_fd(run->cgroup) : cgroup_dir_fd(run->cgroup, item->controller);
    note(run, dir_fd, item);
    int result = dir_fd < 0 ? -1 : cgroup_write_text(dir_fd, item->file, item->text);
    if (result < 0 && dir_fd >= 0 && errno == ENOENT && run->unified && !run->enabled) {
        const struct cgroup_dir *dir = NULL;
        for (size_t i = 0; i < run->cgroup->count; i++) {
            dir = run->cgroup->dirs[i].fd == dir_fd ? &run->cgroup->dirs[i] : dir;
        }
        if (dir && cgroup_enable(dir, run->cgroup->host->fd, run->controllers, err) < 0) {
            return -1;
        }
        run->enabled = true;
        result = cgroup_write_text(dir_fd, item->file, item->text);
    }
    *ret_next = at + 1 + (item->flags & CGROUP_WRITE_OR_NEXT ? 1 : 0);
    if (result == 0) {
        return 0;
    }
    if (dir_fd < 0 || errno == ENOENT) {
        if (dir_fd >= 0 && (item->flags & (CGROUP_WRITE_OR_NEXT | CGROUP_WRITE_OPTIONAL)) != 0) {
            *ret_next = at + 1;
            return 0;
        }
        return missing(run, item, err);
    }
    if (errno == EINVAL && (item->flags & CGROUP_WRITE_AFTER_NEXT) != 0) {
        size_t next;
        if (set_item(run, at + 1, &next, err) < 0) {
            return -1;
        }
        *ret_next = next;
        if (cgroup_write_text(dir_fd, item->file, item->text) == 0) {
            return 0;
        }
    }
    int refused = errno;
    if (refused == EBUSY && strcmp(item->file, "memory.limit_in_bytes") == 0) {
        return err_set(err, ERR_STATE, "memory limit of %s bytes is below the %" PRIu64 " bytes in use", item->text,
                       cgroup_read_number(dir_fd, "memory.usage_in_bytes"));
    }
    return err_num(err, refused, "set %s of cgroup %s to \"%s\"", item->file, run->cgroup->path, item->text);
}

static int run_plan(const struct cgroup *cgroup, const struct cgroup_plan *plan, bool unified, struct cgroup_plan *before,
                    struct err *err) {
    struct run run = {.cgroup = cgroup, .plan = plan, .unified = unified, .before = before};
    for (size_t i = 0; i < plan->count; i++) {
        run.controllers |= CGROUP_MASK(plan->items[i].controller);
    }
    for (size_t i = 0; i < plan->count;) {
        if (set_item(&run, i, &i, err) < 0) {
            return -1;
        }
    }
    return 0;
}

// Twice, as the kernel checks some against others in whatever order they come.
static void put_back(const struct cgroup *cgroup, const struct cgroup_plan *before, bool unified) {
    for (size_t i = 2 * before->count; i > 0; i--) {
        const struct cgroup_write *item = &before->items[(i - 1) % before->count];
        int dir_fd = unified ? cgroup_v2_fd(cgroup) : cgroup_dir_fd(cgroup, item->controller);
        if (cgroup_write_text(dir_fd, item->file, item->text) < 0) {
            log_debug("put %s of cgroup %s back to \"%s\": errno %d", item->file, cgroup->path, item->text, errno);
        }
    }
}

static int set_devices(struct cgroup *cgroup, const struct cgroup_limits *limits, struct err *err) {
    enum cgroup_controller where =
        cgroup->host->version == CGROUP_V1 && cgroup_dir_fd(cgroup, CGROUP_DEVICES) >= 0 ? CGROUP_DEVICES : CGROUP_UNIFIED;
    int dir_fd = cgroup_dir_fd(cgroup, where);
    for (size_t i = 0; i < cgroup->count; i++) {
        struct cgroup_dir *dir = &cgroup->dirs[i];
        if (dir->fd != dir_fd) {
            continue;
        }
        bool fresh = dir->fresh;
        dir->fresh = false;
        int result = where == CGROUP_DEVICES ? cgroup_set_devices_v1(dir->fd, limits->devices, limits->device_count, err)
                                             : cgroup_set_devices_v2(dir->fd, fresh, limits->devices, limits->device_count, err);
        return result < 0 ? err_in(err, "limit the devices of cgroup %s", cgroup->path) : 0;
    }
    return err_set(err, ERR_UNSUPPORTED, "device rules need cgroup version 2 or the controller devices, and cgroup %s has neither",
                   cgroup->path);
}

// A limit below what is in use makes the kernel kill on version 2; version 1 refuses it.
static int check_memory_in_use(const struct cgroup *cgroup, const struct cgroup_limits *limits, struct err *err) {
    if (!limits->memory_check_before_update || !limits->memory_bytes.set || limits->memory_bytes.value < 0 ||
        cgroup->host->version != CGROUP_V2) {
        return 0;
    }
    uint64_t used = cgroup_read_number(cgroup_v2_fd(cgroup), "memory.current");
    if (used != CGROUP_UNKNOWN && used > (uint64_t)limits->memory_bytes.value) {
        return err_set(err, ERR_STATE, "memory limit of %" PRId64 " bytes is below the %" PRIu64 " bytes in use",
                       limits->memory_bytes.value, used);
    }
    return 0;
}

static int change(struct cgroup *cgroup, const struct cgroup_limits *limits, struct cgroup_plan before[2], struct err *err) {
    if (cgroup->count == 0) {
        return err_set(err, ERR_STATE, "the cgroup to limit is in no hierarchy");
    }
    if (cgroup_check_limits(limits, err) < 0 || check_memory_in_use(cgroup, limits, err) < 0) {
        return -1;
    }
    // On a hybrid host a controller that no version 1 hierarchy has may be in the unified one.
    uint32_t v1 = 0;
    for (size_t i = 0; i < cgroup->host->count; i++) {
        v1 |= cgroup->host->hierarchies[i].controllers & ~CGROUP_MASK(CGROUP_UNIFIED);
    }
    uint32_t v2 = CGROUP_ALL;
    if (cgroup->host->version == CGROUP_V1) {
        v2 = cgroup_v2_fd(cgroup) >= 0 ? cgroup_limits_controllers(limits) & ~v1 & ~CGROUP_MASK(CGROUP_DEVICES) : 0;
        v2 = v2 ? v2 & cgroup_host_controllers(cgroup->host) : 0;
    }
    AUTO_CGROUP_PLAN struct cgroup_plan plan_v1 = {0};
    AUTO_CGROUP_PLAN struct cgroup_plan plan_v2 = {0};
    if ((cgroup->host->version == CGROUP_V1 && cgroup_plan_v1(limits, ~v2, &plan_v1, err) < 0) ||
        (v2 != 0 && cgroup_plan_v2(limits, v2, &plan_v2, err) < 0)) {
        return -1;
    }
    if (run_plan(cgroup, &plan_v1, false, before ? &before[0] : NULL, err) < 0 ||
        run_plan(cgroup, &plan_v2, true, before ? &before[1] : NULL, err) < 0) {
        return -1;
    }
    return limits->device_count > 0 ? set_devices(cgroup, limits, err) : 0;
}

int cgroup_apply(struct cgroup *cgroup, const struct cgroup_limits *limits, struct err *err) {
    return change(cgroup, limits, NULL, err);
}

int cgroup_change(struct cgroup *cgroup, const struct cgroup_limits *limits, struct err *err) {
    struct cgroup_plan before[2] = {0};
    int result = change(cgroup, limits, before, err);
    for (int i = 1; i >= 0; i--) {
        if (result < 0) {
            put_back(cgroup, &before[i], i == 1);
        }
        cgroup_plan_finish(&before[i]);
    }
    return result;
}

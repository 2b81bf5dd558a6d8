#include "runtime/container/plan.h"

#include "runtime/base/fd.h"
#include "runtime/container/cgroup_manager.h"
#include "runtime/container/limits.h"
#include "runtime/container/options.h"
#include "runtime/kernel/cgroup.h"
#include "specs/oci_config.h"

int container_plan_limits(const struct container_options *options, struct container_plan *plan, struct err *err) {
    const struct oci_config *config = options->config;
    const struct oci_resources *from = &config->os.resources;
    struct cgroup_limits *limits = &plan->limits;
    limits_take(from, &plan->arena, limits);
    // Device rules cannot be set by an ordinary user, who cannot make device nodes either.
    if (plan->privileged) {
        limits_add_devices(from, &plan->arena, limits);
    }
    bool may_do_without = options->rootless.set ? options->rootless.value : !plan->privileged;
    plan->cgroup_manager = options->cgroup_manager ? options->cgroup_manager : &cgroup_manager_fs;
    // Who asks for a service's group wants that one.
    plan->cgroup_required = !may_do_without || plan->cgroup_manager->needs_process || cgroup_limits_asked(limits);
    bool named = config->os.cgroups_path && *config->os.cgroups_path;
    if (options->cgroup_folder && !named && container_plan_cgroup_host(plan, err) < 0) {
        return -1;
    }
    plan->cgroup_folder = !named && plan->cgroup_host.version == CGROUP_V2 ? options->cgroup_folder : NULL;
    const struct cgroup_wish wish = {
        .id = options->id,
        .folder = plan->cgroup_folder,
        .path = config->os.cgroups_path,
        .user_bus = options->user_bus,
        .privileged = plan->privileged,
        .limits = limits,
        .annotations = config->annotations,
        .annotations_count = config->annotations_count,
    };
    return plan->cgroup_manager->plan(&wish, &plan->arena, &plan->cgroup_path, err);
}

int container_plan_join_cgroup(struct container_plan *plan, const struct cgroup *cgroup, struct err *err) {
    int fds[CGROUP_MAX_HIERARCHIES];
    int count = cgroup_join_fds(cgroup, fds, ARRAY_LEN(fds), err);
    if (count < 0) {
        return -1;
    }
    int32_t *places = arena_array(&plan->arena, (size_t)count, sizeof(*places));
    int result = 0;
    for (int i = 0; i < count; i++) {
        if (result < 0) {
            fd_close(&fds[i]);
        } else {
            result = container_plan_add_fd(plan, fds[i], &places[i], err);
        }
    }
    plan->init.cgroup_fds_bytes = places;
    plan->init.cgroup_fds_size = (size_t)count * sizeof(*places);
    return result;
}

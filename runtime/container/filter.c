#include "runtime/base/err.h"
#include "runtime/container/container.h"
#include "runtime/container/plan.h"
#include "runtime/container/seccomp_filter.h"
#include "specs/oci_config.h"

int container_plan_filter(const struct container_options *options, struct container_plan *plan, struct err *err) {
    const struct oci_seccomp *seccomp = options->config->os.seccomp;
    struct plan_process *process = &plan->init.process;
    if (!seccomp) {
        return 0;
    }
    process->seccomp_flags = seccomp->flags;
    return seccomp_filter_get(seccomp, options->seccomp_cache_fd, &plan->arena, &process->seccomp, &process->seccomp_size, err);
}

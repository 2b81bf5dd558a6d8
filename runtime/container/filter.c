#include "runtime/base/err.h"
#include "runtime/container/container.h"
#include "runtime/container/plan.h"
#include "specs/oci_config.h"

int container_plan_filter(const struct container_options *options, struct container_plan *plan, struct err *err) {
    const struct oci_seccomp *seccomp = options->config->os.seccomp;
    (void)plan;
    return seccomp ? err_set(err, ERR_UNSUPPORTED, "config.json: linux.seccomp is not supported by this version") : 0;
}

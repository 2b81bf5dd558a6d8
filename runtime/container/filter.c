#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/container/listener.h"
#include "runtime/container/options.h"
#include "runtime/container/plan.h"
#include "runtime/container/seccomp_filter.h"
#include "specs/oci_config.h"

int container_plan_filter(const struct container_options *options, struct container_plan *plan, struct err *err) {
    const struct oci_seccomp *seccomp = options->config->os.seccomp;
    struct plan_process *process = &plan->init.process;
    if (!seccomp) {
        return 0;
    }
    process->seccomp_listener = listener_is_needed(seccomp);
    // Init has one thread, so there is nothing to synchronise; and who waits for no answer cannot be killed while waiting.
    process->seccomp_flags = seccomp->flags & ~(uint32_t)SECCOMP_FILTER_FLAG_TSYNC;
    if (!process->seccomp_listener) {
        process->seccomp_flags &= ~(uint32_t)SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    }
    if (seccomp_filter_make(seccomp, &plan->arena, &process->seccomp, &process->seccomp_size, err) < 0) {
        return -1;
    }
    log_debug("linux.seccomp: %zu rules made a filter of %zu bytes%s", seccomp->syscalls_count, process->seccomp_size,
              process->seccomp_listener ? ", for a listener" : "");
    return 0;
}

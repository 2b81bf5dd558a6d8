#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/container/listener.h"
#include "runtime/container/options.h"
#include "runtime/container/plan.h"
#include "runtime/container/seccomp_filter.h"
#include "specs/oci_config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// Whoever can write to the directory decides what the kernel lets containers do, so it must be ours alone. -1: no cache.
static int open_cache(const char *path) {
    int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    AUTO_FD int fd = openat(AT_FDCWD, path, flags);
    if (fd < 0 && errno == ENOENT && mkdir(path, 0700) == 0) {
        fd = openat(AT_FDCWD, path, flags);
    }
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0) {
        log_debug("no cache of system call filters in %s: %s", path, strerror(errno));
        return -1;
    }
    if (status.st_uid != geteuid() || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        log_warn("no cache of system call filters in %s: others can write to it", path);
        return -1;
    }
    return fd_take(&fd);
}

int container_plan_filter(const struct container_options *options, struct container_plan *plan, struct err *err) {
    const struct oci_seccomp *seccomp = options->config->os.seccomp;
    struct plan_process *process = &plan->init.process;
    if (!seccomp) {
        return 0;
    }
    AUTO_FD int cache_fd = options->seccomp_cache ? open_cache(options->seccomp_cache) : -1;
    process->seccomp_listener = listener_is_needed(seccomp);
    // Init has one thread, so there is nothing to synchronise; and who waits for no answer cannot be killed while waiting.
    process->seccomp_flags = seccomp->flags & ~(uint32_t)SECCOMP_FILTER_FLAG_TSYNC;
    if (!process->seccomp_listener) {
        process->seccomp_flags &= ~(uint32_t)SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    }
    return seccomp_filter_get(seccomp, cache_fd, &plan->arena, &process->seccomp, &process->seccomp_size, err);
}

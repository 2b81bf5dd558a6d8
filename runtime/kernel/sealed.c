#include "runtime/kernel/sealed.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/kernel/process.h"
#include "runtime/kernel/sys.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#ifndef CLONE_CLEAR_SIGHAND
#define CLONE_CLEAR_SIGHAND 0x100000000ULL
#endif

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

int sealed_program(const char *name, const void *image, size_t size, struct err *err) {
    // MFD_EXEC is known from 6.3 on, where a sysctl may forbid executing memfds that do not ask for it.
    AUTO_FD int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
    if (fd < 0 && errno == EINVAL) {
        fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    }
    if (fd < 0 || fd_write_all(fd, image, size) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0) {
        return err_sys(err, "make a sealed copy of %s", name);
    }
    return fd_take(&fd);
}

// In the child. The descriptors get their numbers in two steps, as one may stand where another is to go.
static _Noreturn void become(int program, char *name, const struct sealed_ends *ends) {
    enum { ASIDE = 64 };
    static const char *const none[] = {NULL};
    char *const args[] = {name, NULL};
    int aside[SEALED_MAX_FDS], image = fcntl(program, F_DUPFD_CLOEXEC, ASIDE);
    for (size_t i = 0; i < ends->count; i++) {
        aside[i] = fcntl(ends->fds[i], F_DUPFD_CLOEXEC, ASIDE);
    }
    for (size_t i = 0; i < ends->count; i++) {
        if (dup2(aside[i], SEALED_FIRST_FD + (int)i) < 0) {
            _exit(SEALED_NOT_STARTED);
        }
    }
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0) {
        sys_execveat(image, "", args, (char *const *)(uintptr_t)(ends->environment ? ends->environment : none), AT_EMPTY_PATH);
    }
    _exit(SEALED_NOT_STARTED);
}

pid_t sealed_start(const char *name, const void *image, size_t size, const struct sealed_ends *ends, int *ret_pidfd,
                   struct err *err) {
    assert(ends->count <= SEALED_MAX_FDS);
    AUTO_FD int program = sealed_program(name, image, size, err);
    if (program < 0) {
        return -1;
    }
    pid_t pid = process_clone(CLONE_CLEAR_SIGHAND, -1, ret_pidfd);
    if (pid == 0) {
        become(program, (char *)(uintptr_t)name, ends);
    }
    return pid < 0 ? err_sys(err, "start %s", name) : pid;
}

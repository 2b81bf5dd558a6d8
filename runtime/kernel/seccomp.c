#include "runtime/kernel/seccomp.h"

#include "runtime/base/err.h"
#include "runtime/kernel/sys.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>

int seccomp_load_program(const void *program, size_t size_bytes, uint32_t flags, struct err *err) {
    size_t count = size_bytes / sizeof(struct sock_filter);
    if (count == 0 || size_bytes % sizeof(struct sock_filter) != 0 || count > BPF_MAXINSNS) {
        return err_set(err, ERR_INPUT, "the system call filter has %zu bytes: expected 1 to %d instructions of 8", size_bytes,
                       BPF_MAXINSNS);
    }
    struct sock_fprog filter = {.len = (unsigned short)count};
    memcpy(&filter.filter, &program, sizeof(program)); // the kernel only reads it
    int result = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter);
    if (result < 0 && errno == EINVAL && flags != 0) {
        return err_sys(err, "load the system call filter (does this kernel know its flags, %#x?)", flags);
    }
    if (result < 0 && errno == EBUSY) {
        return err_sys(err, "load the system call filter: another filter of this process has a listener already");
    }
    if (result < 0) {
        return err_sys(err, "load the system call filter");
    }
    if (result > 0 && (flags & SECCOMP_FILTER_FLAG_NEW_LISTENER) == 0) {
        return err_set(err, ERR_STATE, "load the system call filter: thread %d has another one",
                       result); // SECCOMP_FILTER_FLAG_TSYNC
    }
    return result;
}

// Flags are looked at before the filter, and there is none at NULL: EFAULT says that the flag was taken.
bool seccomp_knows_flag(uint32_t flag) {
    // Some flags are for listeners only (Linux 5.19, WAIT_KILLABLE_RECV).
    uint32_t with = flag == SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0;
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flag | with, NULL) < 0 && errno == EFAULT;
}

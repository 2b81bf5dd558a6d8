#include "runtime/kernel/netns.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>

static const char own_path[] = "/proc/self/ns/net";

int netns_create(bool stay, struct err *err) {
    AUTO_FD int before = stay ? -1 : openat(AT_FDCWD, own_path, O_RDONLY | O_CLOEXEC);
    if ((!stay && before < 0) || unshare(CLONE_NEWNET) < 0) {
        return err_sys(err, "create a network namespace");
    }
    AUTO_FD int made = openat(AT_FDCWD, own_path, O_RDONLY | O_CLOEXEC);
    int reason = errno;
    if (!stay && setns(before, CLONE_NEWNET) < 0) {
        return err_sys(err, "return to the network namespace from before");
    }
    return made < 0 ? err_num(err, reason, "open the new network namespace") : fd_take(&made);
}

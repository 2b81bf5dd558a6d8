// A user or pid namespace to join must be entered by the parent of init. So the init program runs twice: as the process between, which
// joins and clones, and as the clone, a child of the runtime (CLONE_PARENT), which becomes init.
//
// Theory of operation. From the clone on, the processes that are in the pid namespace already see the new one, with /proc/PID/exe. It
// must never be the runtime's own program there, not even for a moment: whoever has CAP_SYS_PTRACE could open it and write to it once
// it is idle (CVE-2019-5736). And it must not be dumpable, or they could take the descriptors that lead to the host (CVE-2016-9962).
// Both hold, because the process between runs the sealed copy and has given up being dumpable before it joins anything.
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/container/init/init.h"
#include "runtime/kernel/process.h"
#include "runtime/kernel/sys.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>

static int become_init(const struct init *init, uint64_t namespaces, bool in_user, bool die_with_parent, struct err *err) {
    if (die_with_parent) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    }
    char mapped;
    if ((namespaces & CLONE_NEWUSER) && fd_read_full(init->channel, &mapped, 1) != 1) {
        _exit(125); // the runtime went away or failed to write the maps
    }
    if (in_user && (syscall(SYS_setresgid, 0, 0, 0) < 0 || syscall(SYS_setresuid, 0, 0, 0) < 0)) {
        return err_sys(err, "become root of the user namespace (is id 0 mapped?)");
    }
    return 0;
}

int init_join(const struct init *init, char *const words[INIT_JOIN_WORDS], struct err *err) {
    AUTO_FD int report = (int)strtol(words[0], NULL, 10);
    AUTO_FD int user = (int)strtol(words[1], NULL, 10);
    AUTO_FD int pid = (int)strtol(words[2], NULL, 10);
    AUTO_FD int cgroup = (int)strtol(words[3], NULL, 10);
    uint64_t namespaces = strtoull(words[4], NULL, 10);
    bool die_with_parent = words[5][0] == '1';
    int32_t answer[2] = {-1, 0};
    if ((user < 0 || setns(user, CLONE_NEWUSER) == 0) && (pid < 0 || setns(pid, CLONE_NEWPID) == 0)) {
        answer[0] = process_clone(namespaces | CLONE_PARENT, cgroup, NULL);
        if (answer[0] == 0) {
            return become_init(init, namespaces, user >= 0 || (namespaces & CLONE_NEWUSER), die_with_parent, err);
        }
    }
    answer[1] = errno;
    _exit(fd_write_all(report, answer, sizeof(answer)) < 0 ? 1 : 0);
}

// A user or pid namespace to join must be entered by the parent of init, and so is a whole container by `exec`. So the init program runs twice: as the process between, which
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

struct join {
    int user, pid, process;   // descriptors, -1 for none
    uint64_t created, joined; // CLONE_NEW*
    bool die_with_parent;
};

static bool enters_user_namespace(const struct join *join) {
    return join->user >= 0 || ((join->created | join->joined) & CLONE_NEWUSER) != 0;
}

static int become_init(const struct init *init, const struct join *join, bool in_user, struct err *err) {
    if (join->die_with_parent) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    }
    char mapped;
    if ((join->created & CLONE_NEWUSER) && fd_read_full(init->channel, &mapped, 1) != 1) {
        _exit(125); // the runtime went away or failed to write the maps
    }
    if (!in_user) {
        return 0;
    }
    if (syscall(SYS_setresgid, 0, 0, 0) < 0 || syscall(SYS_setresuid, 0, 0, 0) < 0) {
        return err_sys(err, "become root of the user namespace (is id 0 mapped?)");
    }
    // Where fs.suid_dumpable is 1 the change of ids has undone it.
    prctl(PR_SET_DUMPABLE, 0);
    return 0;
}

// The kernel takes the user namespace first, and asks for the others whether the caller may join them from where he was (setns(2),
// Linux 5.8).
static bool join_all(const struct join *join) {
    return (join->user < 0 || setns(join->user, CLONE_NEWUSER) == 0) && (join->pid < 0 || setns(join->pid, CLONE_NEWPID) == 0) &&
           (join->process < 0 || join->joined == 0 || setns(join->process, (int)join->joined) == 0);
}

int init_join(const struct init *init, char *const words[INIT_JOIN_WORDS], struct err *err) {
    AUTO_FD int report = (int)strtol(words[0], NULL, 10);
    struct join join = {
        .user = (int)strtol(words[1], NULL, 10),
        .pid = (int)strtol(words[2], NULL, 10),
        .process = (int)strtol(words[3], NULL, 10),
        .created = strtoull(words[4], NULL, 10),
        .joined = strtoull(words[5], NULL, 10),
        .die_with_parent = words[6][0] == '1',
    };
    int32_t answer[2] = {INIT_JOIN_REFUSED, 0};
    if (join_all(&join)) {
        bool in_user = enters_user_namespace(&join);
        if (in_user) {
            prctl(PR_SET_DUMPABLE, 0); // joining has changed the credentials, see above
        }
        // What the clone does not need it does not get: it is in the pid namespace from its first moment on.
        fd_close(&join.user);
        fd_close(&join.pid);
        fd_close(&join.process);
        answer[0] = process_clone(join.created | CLONE_PARENT, -1, NULL);
        if (answer[0] == 0) {
            return become_init(init, &join, in_user, err);
        }
        answer[0] = answer[0] < 0 ? INIT_JOIN_NO_CLONE : answer[0];
    }
    answer[1] = errno;
    _exit(fd_write_all(report, answer, sizeof(answer)) < 0 ? 1 : 0);
}

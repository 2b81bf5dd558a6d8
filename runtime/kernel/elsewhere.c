#include "runtime/kernel/elsewhere.h"

#include "runtime/base/err.h"

#include <errno.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

enum { STACK_SIZE = 512 << 10 }; // touched only where it is used

struct errand {
    int user_fd, net_fd, dumpable;
    int (*work)(void *context, struct err *err);
    void *context;
    struct err *err;
    int result;
};

// Who gets new capabilities is hidden from others of his own user (proc_pid(5)), and with him all that have his memory: us.
static int go(void *argument) {
    struct errand *errand = argument;
    if (setns(errand->user_fd, CLONE_NEWUSER) < 0 || (errand->net_fd >= 0 && setns(errand->net_fd, CLONE_NEWNET) < 0)) {
        errand->result = err_sys(errand->err, "enter the user namespace and its network namespace");
        return 1;
    }
    (void)prctl(PR_SET_DUMPABLE, errand->dumpable, 0, 0, 0);
    errand->result = errand->work(errand->context, errand->err);
    return 0;
}

int elsewhere_do(int user_fd, int net_fd, int (*work)(void *context, struct err *err), void *context, struct err *err) {
    struct errand errand = {user_fd, net_fd, prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), work, context, err, -1};
    void *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED) {
        return err_sys(err, "get memory");
    }
    err_set(err, ERR_SYSTEM, "a process of ours was killed"); // until it says more
    // No signal tells of its end: it is no affair of whoever waits for other children.
    pid_t child = clone(go, (char *)stack + STACK_SIZE, CLONE_VM | CLONE_VFORK | CLONE_FILES, &errand);
    if (child < 0) {
        errand.result = err_sys(err, "start a process");
    }
    while (child > 0 && waitpid(child, NULL, __WALL) < 0 && errno == EINTR) {
    }
    munmap(stack, STACK_SIZE);
    return errand.result;
}

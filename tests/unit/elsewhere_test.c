// Work in other namespaces, with our memory and descriptors. As root, in user namespaces of its own.
#include "runtime/kernel/elsewhere.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/kernel/namespace.h"
#include "runtime/kernel/netns.h"
#include "runtime/kernel/userns.h"
#include "tests/unit/check.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

struct findings {
    uint64_t user, net;
    pid_t pid;
    int fd;
};

static int look(void *context, struct err *err) {
    struct findings *findings = context;
    findings->pid = getpid();
    findings->fd = netns_create(true, err);
    return findings->fd < 0 || namespace_own(CLONE_NEWUSER, &findings->user, err) < 0 ||
                   namespace_own(CLONE_NEWNET, &findings->net, err) < 0
               ? -1
               : 0;
}

static int refuse(void *context, struct err *err) {
    return err_set(err, ERR_STATE, "no %s", (const char *)context);
}

static int die(void *context, struct err *err) {
    (void)context;
    (void)err;
    _exit(0);
}

CASE(work_is_done_there_and_what_it_finds_and_opens_is_here) {
    struct id_range ranges[] = {{.inside = 0, .outside = 0, .count = 1}};
    const struct idmap map = {ranges, 1};
    struct findings findings = {.fd = -1}, again = {.fd = -1};
    uint64_t user, net, user_after, net_after;
    struct err err = {0};
    char what[] = "way";
    if (geteuid() != 0) {
        SKIP("needs root");
    }
    AUTO_FD int userns = userns_create(&map, &map, &err);
    CHECK(userns >= 0);
    CHECK(namespace_own(CLONE_NEWUSER, &user, &err) == 0 && namespace_own(CLONE_NEWNET, &net, &err) == 0);
    int dumpable = prctl(PR_GET_DUMPABLE);

    CHECK(elsewhere_do(userns, -1, look, &findings, &err) == 0);
    AUTO_FD int made = findings.fd;
    CHECK(findings.pid != getpid() && findings.user != user && findings.net != net);
    CHECK_INT(fcntl(made, F_GETFD), FD_CLOEXEC);

    // We are where we were, and as visible.
    CHECK(namespace_own(CLONE_NEWUSER, &user_after, &err) == 0 && user_after == user);
    CHECK(namespace_own(CLONE_NEWNET, &net_after, &err) == 0 && net_after == net);
    CHECK_INT(prctl(PR_GET_DUMPABLE), dumpable);

    CHECK(elsewhere_do(userns, made, look, &again, &err) == 0 && again.user == findings.user);
    fd_close(&again.fd);
    CHECK(elsewhere_do(made, -1, look, &again, &err) < 0);
    CHECK_STR(err.text, "enter the user namespace and its network namespace: Invalid argument");
    CHECK(elsewhere_do(userns, made, refuse, what, &err) < 0);
    CHECK_STR(err.text, "no way");
    CHECK(elsewhere_do(userns, made, die, NULL, &err) < 0);
    CHECK_STR(err.text, "a process of ours was killed");
}

int main(void) {
    RUN(work_is_done_there_and_what_it_finds_and_opens_is_here);
    return check_done();
}

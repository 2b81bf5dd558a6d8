// The responder: a program of its own, which answers for the names of one network (runtime/net/dns.h). It is started with
// descriptors of fixed numbers (runtime/net/dns_order.h) and nothing else.
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/kernel/process.h"
#include "runtime/net/responder/responder.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <unistd.h>

static int read_order(struct err *err) {
    int fd = RESPONDER_ORDER;
    if (fd_read_full(fd, &responder.order, sizeof(responder.order)) != (ssize_t)sizeof(responder.order) ||
        responder.order.subnet_count > DNS_MAX_FAMILIES) {
        return err_set(err, ERR_INPUT, "the responder's order makes no sense");
    }
    fd_close(&fd);
    return 0;
}

// While there is a /proc to see. Always of one length: it is written over what was there before.
static int note_number(struct err *err) {
    char text[64];
    int size = snprintf(text, sizeof(text), "%-20ld %-20llu\n", (long)getpid(), (unsigned long long)process_start_time(getpid()));
    return pwrite(RESPONDER_LOCK, text, (size_t)size, 0) != size ? err_sys(err, "write to dns.lock") : 0;
}

static int watch_endpoints(struct err *err) {
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", RESPONDER_ENDPOINTS);
    responder.watch_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (responder.watch_fd < 0 ||
        inotify_add_watch(responder.watch_fd, path, IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF | IN_ONLYDIR) < 0) {
        return err_sys(err, "watch the folder of endpoints");
    }
    return 0;
}

static int run(void) {
    struct err err = {0};
    int status = RESPONDER_STATUS;
    (void)prctl(PR_SET_NAME, "coffer-dns", 0, 0, 0);
    if (read_order(&err) < 0 || note_number(&err) < 0 || watch_endpoints(&err) < 0 || responder_jail_enter(&err) < 0) {
        return fd_write_all(status, &err, sizeof(err)) < 0 ? 2 : 1;
    }
    if (!responder_has_work()) {
        err_set(&err, ERR_STATE, "there is no container to answer for");
        return fd_write_all(status, &err, sizeof(err)) < 0 ? 2 : 1;
    }
    int told = fd_write_all(status, "", 1);
    fd_close(&status);
    if (told < 0) {
        return 2;
    }
    responder_serve();
    return 0;
}

// A child of whoever starts us ends at once, so that nobody has to wait for ours: we are in a session of our own, too, where no
// terminal's signals reach us. That is done here, since this program is small, and its memory copied sooner than the starter's.
// Nothing is left to be done at the end, nor could it be.
int main(void) {
    pid_t pid = setsid() < 0 ? -1 : process_clone(0, -1, NULL);
    _exit(pid == 0 ? run() : pid < 0);
}

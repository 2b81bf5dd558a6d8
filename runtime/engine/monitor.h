// monitor: the process that looks after one container for as long as it lives: it starts it, carries its output to the log and to
// whoever is attached, restarts it where that was asked for, and writes down how it ended.
//
// Theory of operation. There is no daemon: the command that starts a container clones itself, and the clone stays as its monitor,
// in a session of its own and with nothing of the command's terminal. It holds the container's lock (record.h), so that everybody
// can tell that it lives; it alone writes the record while it does. Commands talk to it by its socket (control.h). Should it be
// killed, the lock is free and the container goes on: its standard output and error are named pipes (live.h) that it can read from
// itself, so that no write of it fails for want of a reader. The next command sees that, and makes another monitor, which adopts the
// container: it reads on where the first one stopped. What the first one alone had is lost: a terminal's other end, the way to the
// container's input, and where the kernel does not tell strangers, its exit code.
//
// Whether it is healthy is found out by processes beside it, one a check (health_probe.h).
//
// One loop around poll(2), no thread, nothing that waits. What an attached command does not take is kept up to a bound; then the
// container waits for it (the `run` that started it) or it is dropped (`attach`).
#ifndef COFFER_ENGINE_MONITOR_H
#define COFFER_ENGINE_MONITOR_H

#include "runtime/base/attr.h"
#include "runtime/engine/record.h"
#include "runtime/engine/restart_policy.h"

#include <stdbool.h>

struct err;
struct exec_child;
struct health_check;
struct home;
struct log_options;
struct supervised;
struct supervised_end;

enum { MONITOR_WATCHED = 3 };

// What a monitor does with its container, as who knows how containers are made has it.
struct monitor_container {
    // Makes it and lets it run, with these descriptors as its 0, 1 and 2, which are taken. Called again for each restart.
    int (*start)(void *context, int stdio[3], struct supervised **ret, struct err *err);
    // The one that runs already and that another monitor has started.
    int (*adopt)(void *context, struct supervised **ret, struct err *err);
    // Before it is told to anybody that the container has ended: for good, or it will be started again; or that it never ran.
    void (*ended)(void *context, bool for_good, bool has_run);
    // One more command in it, with these descriptors, which are taken: a child of the calling process, which ends with it.
    int (*exec)(void *context, const char *const *command, int stdio[3], struct exec_child *ret, struct err *err);
    // CONTROL_CONNECT, CONTROL_DISCONNECT: puts it on a network, or takes it off one, as network_change.h has the words, and writes
    // that down. CONTROL_RELOAD. runs: it does not just wait to be restarted.
    int (*change_networks)(void *context, uint32_t kind, const char *text, bool runs, struct err *err);
    // Descriptors that get readable when something it needs is lost, -1 for none; then that is mended, or it is told in its log why it
    // cannot be.
    void (*watched)(void *context, int ret_fds[MONITOR_WATCHED]);
    int (*mend)(void *context, struct err *err);
    // Changes its limits and its restart policy, as limit_change.h has the words; writes that down.
    int (*change_limits)(void *context, const char *text, bool runs, struct restart_policy *ret_policy, struct err *err);
    void *context;
};

// What a monitor finds that takes another one's place.
enum monitor_adopts {
    MONITOR_STARTS,        // nothing: it starts the container
    MONITOR_ADOPTS,        // a container that runs
    MONITOR_ADOPTS_ENDED,  // one that has ended, and is to be started again
};

struct monitor_request {
    const struct home *home;
    struct record_dir *dir; // with the lock
    struct record *record;  // kept up to date
    struct monitor_container container;
    const struct log_options *log;
    bool tty, interactive;
    enum monitor_adopts adopts;
    unsigned starter_attached; // enum control_attach: who has started it
    const struct health_check *health;
    int stop_signal;
    int64_t stop_timeout_ms; // below 0: for ever
    struct restart_policy restart;
};

// Becomes the monitor: the calling process is a clone made for it, and has no threads. starter: a control socket to the command
// that waits for CONTROL_STARTED or CONTROL_FAILED. Returns when the container has ended for good and all is written down; the
// process is to end then.
void monitor_run(const struct monitor_request *request, int starter);

#endif

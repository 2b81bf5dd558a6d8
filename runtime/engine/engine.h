// engine: containers of images. What the CLI, and later compose, call.
#ifndef COFFER_ENGINE_ENGINE_H
#define COFFER_ENGINE_ENGINE_H

#include "runtime/base/attr.h"
#include "runtime/engine/ending.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct attachment;
struct err;
struct run_request;
struct strv;

struct engine {
    const char *store;    // absolute paths
    const char *root;     // run-time state of the engine itself
    const char *oci_root; // of the low level
    const char *user_bus; // of an ordinary user's own systemd (systemd_connect()); NULL: not known
};

enum { ENGINE_ID_SIZE = 65 };

struct engine_end {
    char id[ENGINE_ID_SIZE];
    bool goes_on; // detached: from the beginning, or by keys
    int status;   // otherwise: its exit code, or 128 + signal
    bool is_restarted; // it has ended so, and will be started again
    char why[ENDING_TEXT_SIZE]; // the kernel has killed it; "": there is nothing to explain (ending.h)
};

// A new container, up to where it could be started.
int engine_create(const struct engine *engine, const struct run_request *request, char ret_id[ENGINE_ID_SIZE],
                  struct err *err) MUST_CHECK;

// A new container that runs: in the foreground, until it has ended, or, as the request says, detached.
int engine_run(const struct engine *engine, const struct run_request *request, struct engine_end *ret, struct err *err) MUST_CHECK;

// How a command is attached to a container.
struct engine_attach {
    bool output; // start: whether at all
    bool input;
    bool hide_output, hide_errors; // of what it writes, one stream is not shown
    bool pass_signals;
    const char *detach_keys; // as docker writes them; NULL: ctrl-p,ctrl-q
};

// Starts one that does not run. One that runs already is fine, unless it is to be attached.
int engine_start(const struct engine *engine, const char *name, const struct engine_attach *attach, struct engine_end *ret,
                 struct err *err) MUST_CHECK;

int engine_attach(const struct engine *engine, const char *name, const struct engine_attach *attach, struct engine_end *ret,
                  struct err *err) MUST_CHECK;

// How a container is stopped: by a signal, and SIGKILL when it has not ended in time.
struct engine_stop {
    int signal; // 0: its own
    bool has_timeout;
    int64_t timeout_s; // below 0: never; not said: its own, which is 10 unless told
};

// One that does not run is fine. Returns when it has ended.
int engine_stop(const struct engine *engine, const char *name, const struct engine_stop *stop, struct err *err) MUST_CHECK;

// The same in two steps, for who stops many: the first one tells it to end, the second one waits until it has, and frees what the first one
// returned (NULL: the error). The name is kept until then.
struct engine_stopping;
struct engine_stopping *engine_stop_begin(const struct engine *engine, const char *name, const struct engine_stop *stop,
                                          struct err *err) MUST_CHECK;
int engine_stop_finish(struct engine_stopping *give_stopping, struct err *err) MUST_CHECK;

// Tells those who watch events that something has been done to a container ("restart").
void engine_announce(const struct engine *engine, const char *name, const char *action);

// Holds all its processes where they stand, or lets them go on.
int engine_pause(const struct engine *engine, const char *name, bool paused, struct err *err) MUST_CHECK;

// One more command in a container that runs.
struct engine_exec {
    const char *const *command; // NULL-terminated
    size_t command_count;
    bool interactive, tty, detach, privileged;
    const char *user;    // as run has it; NULL: the container's own
    const char *workdir;
    const struct strv *env; // NAME=VALUE
};

// *ret_status: its exit code, or 128 + signal; detached: 0.
int engine_exec(const struct engine *engine, const char *name, const struct engine_exec *exec, int *ret_status,
                struct err *err) MUST_CHECK;

// ERR_STATE: it does not run.
int engine_kill(const struct engine *engine, const char *name, int signal, struct err *err) MUST_CHECK;

// Waits until it does not run, and gives its exit code.
int engine_wait(const struct engine *engine, const char *name, struct engine_end *ret, struct err *err) MUST_CHECK;

// Waits until its health check succeeds; one that has ended, or has no check, is an error.
int engine_wait_healthy(const struct engine *engine, const char *name, struct err *err) MUST_CHECK;

// Checks its health now, which counts as any other check. *ret_healthy: whether this one has succeeded.
int engine_check_health(const struct engine *engine, const char *name, bool *ret_healthy, struct err *err) MUST_CHECK;

// Changes the limits, and the restart policy, that `changes` has, now and for its next starts.
int engine_update(const struct engine *engine, const char *name, const struct run_request *changes, struct err *err) MUST_CHECK;

// The processes of one that runs, in our own pid namespace. *ret_pids is malloc'd.
int engine_processes(const struct engine *engine, const char *name, pid_t **ret_pids, size_t *ret_count, struct err *err) MUST_CHECK;

int engine_rename(const struct engine *engine, const char *name, const char *new_name, struct err *err) MUST_CHECK;

// Puts it on one more network, or takes it off one: at once where it runs, and for each start from now on. force: that it is not on
// the network is fine.
int engine_network_connect(const struct engine *engine, const char *name, const struct attachment *attachment,
                           struct err *err) MUST_CHECK;
int engine_network_disconnect(const struct engine *engine, const char *name, const char *network, bool force,
                              struct err *err) MUST_CHECK;

// What others have taken of its networks' parts in the kernel comes back. It runs.
int engine_network_reload(const struct engine *engine, const char *name, struct err *err) MUST_CHECK;

// Removes a container by name or id, with the volumes of its own when told; with force one that runs is killed first.
int engine_remove(const struct engine *engine, const char *name, bool force, bool volumes, struct err *err) MUST_CHECK;

#endif

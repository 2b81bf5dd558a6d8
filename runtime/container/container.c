#include "runtime/container/container.h"

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/container/create.h"
#include "runtime/container/document.h"
#include "runtime/container/foreground.h"
#include "runtime/container/listener.h"
#include "runtime/container/notify.h"
#include "runtime/container/oom.h"
#include "runtime/container/opened.h"
#include "runtime/container/removal.h"
#include "runtime/container/snapshot.h"
#include "runtime/container/state_dir.h"
#include "runtime/kernel/process.h"
#include "runtime/kernel/sys.h"
#include "specs/oci_config.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

static int check_console_socket(const struct container_options *options, struct err *err) {
    const struct oci_process *process = options->config->process;
    bool terminal = process && process->terminal;
    return options->console_socket && !terminal
               ? err_set(err, ERR_INPUT, "--console-socket: process.terminal is false, so there is no terminal to send")
               : 0;
}

int container_create(const struct container_options *options, struct err *err) {
    AUTO_CREATION struct creation creation = CREATION_NONE;
    const struct oci_process *process = options->config->process;
    if (process && process->terminal && !options->console_socket) {
        return err_set(err, ERR_INPUT, "create: process.terminal is true, so --console-socket is needed");
    }
    if (check_console_socket(options, err) < 0) {
        return -1;
    }
    return creation_begin(&creation, options, true, false, err);
}

// --- start ---

static int run_snapshot_hooks(struct state_dir *dir, const struct container_record *record, const struct oci_config *config,
                              enum oci_hook_kind kind, enum oci_status status, struct err *err) {
    AUTO_BUF struct buf state = {0};
    if (config->hooks[kind].items_count == 0) {
        return 0;
    }
    container_document(dir, record, config, status, &state);
    return snapshot_run_hooks(config, kind, buf_string(&state), err);
}

static int serve_listener(struct state_dir *dir, const struct container_record *record, const struct oci_config *config, int peer,
                          const struct channel_message *message, struct err *err) {
    AUTO_BUF struct buf state = {0};
    AUTO_FD int pidfd = removal_open_process(record, err);
    if (pidfd < 0) {
        return -1;
    }
    container_document(dir, record, config, OCI_STATUS_CREATED, &state);
    const struct listener listener = {
        .seccomp = config ? config->os.seccomp : NULL,
        .channel = peer,
        .pidfd = pidfd,
        .pid = (pid_t)record->pid,
        .state = buf_string(&state),
    };
    return listener_pass_on(&listener, message, err);
}

// Tells init to go on, and waits until it has become the command or says why not.
static int release_init(struct state_dir *dir, const struct container_record *record, const struct oci_config *config,
                        struct err *err) {
    AUTO_FD int peer = state_dir_connect(dir, err);
    if (peer < 0 || channel_send(peer, CHANNEL_GO, NULL, 0, NULL, 0, err) < 0) {
        return -1;
    }
    for (;;) {
        struct channel_message message;
        if (channel_receive(peer, &message, err) < 0) {
            return -1;
        }
        if (message.type == CHANNEL_END) {
            // The kernel closes the channel first and the lock right after; a command that comes between would find it "created".
            state_dir_wait_started(dir);
            return 0;
        }
        if (message.type == CHANNEL_WARNING) {
            log_warn("%s", message.body);
        }
        bool failed = message.type == CHANNEL_LISTENER && serve_listener(dir, record, config, peer, &message, err) < 0;
        if (message.type == CHANNEL_ERROR && message.size == sizeof(*err)) {
            failed = true;
            memcpy(err, message.body, sizeof(*err));
            err->text[sizeof(err->text) - 1] = '\0';
        }
        channel_message_finish(&message);
        if (failed) {
            return -1;
        }
    }
}

// A limit that was too small to start in is worth a look at who was killed; without one nobody looks.
static int check_started(const struct container_record *record, const struct oci_config *config, struct err *err) {
    int64_t limit = config ? config->os.resources.memory.limit.value : 0;
    return limit > 0 && !record->reaper ? oom_check_started(record, limit, err) : 0;
}

int container_start(const char *root, const char *id, const char *notify_socket, struct err *err) {
    AUTO_NOTIFY struct notify notify = NOTIFY_NONE;
    AUTO_STATE_DIR struct state_dir dir = {.root_fd = -1, .fd = -1};
    AUTO_ARENA struct arena arena = {0};
    struct container_record record;
    struct oci_config *config = NULL;
    if (state_dir_open(root, id, &dir, err) < 0 || state_dir_lock(&dir, true, err) < 0 ||
        state_dir_read(&dir, &arena, &record, err) < 0) {
        return -1;
    }
    enum oci_status status = state_dir_status(&dir, &record);
    if (status != OCI_STATUS_CREATED) {
        status = opened_status(&dir, &record);
        return err_set(err, ERR_STATE, "start container \"%s\": it is %s; only a created one can be started", id,
                       oci_status_name(status));
    }
    if (snapshot_read(&dir, &arena, &config, err) < 0 || notify_open(&dir, notify_socket, &notify, err) < 0 ||
        release_init(&dir, &record, config, err) < 0 || check_started(&record, config, err) < 0) {
        return err_in(err, "start container \"%s\"", id);
    }
    log_debug("process %lld of container \"%s\" runs its command", (long long)record.pid, id);
    if (config && run_snapshot_hooks(&dir, &record, config, OCI_HOOK_POSTSTART, OCI_STATUS_RUNNING, err) < 0) {
        // The specification since 1.3: a poststart hook that fails stops the container.
        struct err other;
        if (removal_finish(&dir, &record, &other) < 0 ||
            run_snapshot_hooks(&dir, &record, config, OCI_HOOK_POSTSTOP, OCI_STATUS_STOPPED, &other) < 0) {
            log_warn("%s", other.text);
        }
        return err_in(err, "start container \"%s\"", id);
    }
    if (notify.socket >= 0) {
        struct err ended;
        AUTO_FD int pidfd = removal_open_process(&record, &ended);
        state_dir_finish(&dir); // others may kill and delete it meanwhile
        if (pidfd >= 0) {
            notify_wait(&notify, (pid_t)record.pid, pidfd);
        }
    }
    return 0;
}

// --- run ---

static int run_attached(const struct container_options *options, int *ret_status, struct err *err) {
    AUTO_CREATION struct creation creation = CREATION_NONE;
    if (check_console_socket(options, err) < 0 || creation_begin(&creation, options, false, true, err) < 0) {
        return -1;
    }
    if (creation_run_hooks(&creation, options, OCI_HOOK_POSTSTART, err) < 0) {
        creation_remove(&creation, options);
        return -1;
    }
    int result = creation_attend(&creation, options, ret_status, err);
    if (options->last_act && result == 0) {
        creation = (struct creation)CREATION_NONE;
    }
    return result;
}

// A container that did not come to run is of no use to who asked for a running one.
static int start_or_remove(const struct container_options *options, struct err *err) {
    if (container_start(options->root, options->id, options->notify_socket, err) == 0) {
        return 0;
    }
    struct err unremoved;
    if (container_delete(options->root, options->id, true, &unremoved) < 0) {
        log_warn("%s", unremoved.text);
    }
    return -1;
}

int container_run(const struct container_options *options, bool detached, int *ret_status, struct err *err) {
    if (detached) {
        *ret_status = 0;
        return container_create(options, err) < 0 ? -1 : start_or_remove(options, err);
    }
    sigset_t before;
    if (foreground_block(&before, err) < 0) {
        return -1;
    }
    int result = run_attached(options, ret_status, err);
    if (!options->last_act) {
        foreground_unblock(&before);
    }
    return result;
}

// --- delete ---

// A `run` in the foreground holds the lock and cleans up itself once its container is dead.
static int kill_attached(struct state_dir *dir, const struct container_record *record, struct err *err) {
    if (record->pid == 0) {
        return err_set(err, ERR_STATE, "container \"%s\" is just being made; try again", dir->id);
    }
    AUTO_FD int pidfd = removal_open_process(record, err);
    if (pidfd >= 0) {
        sys_pidfd_send_signal(pidfd, SIGKILL);
    }
    // The freezer of version 1 holds even those that are to die.
    AUTO_CGROUP_HOST struct cgroup_host host = {.fd = -1};
    AUTO_CGROUP struct cgroup cgroup = {0};
    if (record->cgroup && (removal_open_cgroup(record, &host, &cgroup, err) < 0 || cgroup_thaw(&cgroup, err) < 0)) {
        return -1;
    }
    if (state_dir_lock(dir, true, err) < 0) {
        return err->kind == ERR_NOT_FOUND ? 0 : -1;
    }
    return removal_finish(dir, record, err);
}

int container_delete(const char *root, const char *id, bool force, struct err *err) {
    AUTO_STATE_DIR struct state_dir dir = {.root_fd = -1, .fd = -1};
    if (state_dir_open(root, id, &dir, err) < 0) {
        return force && err->kind == ERR_NOT_FOUND ? 0 : -1;
    }
    if (state_dir_lock(&dir, false, err) < 0) {
        AUTO_ARENA struct arena arena = {0};
        struct container_record record;
        if (err->kind != ERR_STATE || !force || state_dir_read(&dir, &arena, &record, err) < 0) {
            return err_in(err, "delete");
        }
        return kill_attached(&dir, &record, err);
    }
    return removal_delete(&dir, force, err);
}

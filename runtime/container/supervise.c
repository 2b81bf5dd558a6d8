#include "runtime/container/supervise.h"

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/base/timestamp.h"
#include "runtime/container/container.h"
#include "runtime/container/create.h"
#include "runtime/container/options.h"
#include "runtime/container/removal.h"
#include "runtime/container/state_dir.h"
#include "runtime/kernel/cgroup.h"
#include "runtime/kernel/process.h"
#include "runtime/kernel/process_end.h"
#include "runtime/kernel/seccomp_log.h"
#include "specs/oci_config.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

// What is kept of the making: little, as this is there for as long as the container.
struct supervised {
    char *root, *id;
    bool has_memory_limit;
    int64_t made_s; // since 1970
    struct launched launched;
    int console;
    bool is_adopted; // no child of ours
    struct process_end end; // then
};

static int make(struct creation *creation, const struct container_options *options, struct err *err) {
    if (creation_begin(creation, options, false, false, err) < 0) {
        return -1;
    }
    if (creation_run_hooks(creation, options, OCI_HOOK_POSTSTART, err) < 0) {
        creation_remove(creation, options);
        return -1;
    }
    return 0;
}

// The lock of its folder goes with the rest: from here on it is anybody's, by its id.
int container_supervise(const struct container_options *options, struct supervised **ret, struct err *err) {
    AUTO_CREATION struct creation creation = CREATION_NONE;
    int64_t made_s = time(NULL); // before its command runs, which may end at once
    if (make(&creation, options, err) < 0) {
        return -1;
    }
    struct supervised *supervised = mem_alloc(sizeof(*supervised));
    *supervised = (struct supervised){
        .root = mem_format("%s", options->root),
        .id = mem_format("%s", options->id),
        .has_memory_limit = creation.plan.limits.memory_bytes.set,
        .made_s = made_s,
        .launched = creation.launched,
        .console = fd_take(&creation.console),
        .end = {.events_fd = -1},
    };
    creation.launched = (struct launched){.pid = -1, .pidfd = -1, .channel = -1};
    *ret = supervised;
    return 0;
}

// 0, as long ago as can be, where it is not said.
static int64_t created_s(const struct container_record *record) {
    int64_t time_ns;
    return record->created && timestamp_parse(record->created, strlen(record->created), &time_ns) > 0 ? time_ns / 1000000000 : 0;
}

int container_adopt(const char *root, const char *id, struct supervised **ret, struct err *err) {
    AUTO_ARENA struct arena arena = {0};
    AUTO_STATE_DIR struct state_dir dir = {.root_fd = -1, .fd = -1};
    struct container_record record;
    if (state_dir_open(root, id, &dir, err) < 0 || state_dir_read(&dir, &arena, &record, err) < 0) {
        return -1;
    }
    AUTO_FD int pidfd = removal_open_process(&record, err);
    if (pidfd < 0) {
        return -1;
    }
    struct supervised *supervised = mem_alloc(sizeof(*supervised));
    *supervised = (struct supervised){
        .root = mem_format("%s", root),
        .id = mem_format("%s", id),
        .has_memory_limit = true, // or not: it is asked
        .made_s = created_s(&record),
        .launched = {.pid = (pid_t)record.pid, .pidfd = fd_take(&pidfd), .channel = -1},
        .console = -1,
        .is_adopted = true,
    };
    process_end_watch(&supervised->end, supervised->launched.pid, supervised->launched.pidfd);
    *ret = supervised;
    return 0;
}

pid_t supervised_pid(const struct supervised *supervised) {
    return supervised->launched.pid;
}

int supervised_pidfd(const struct supervised *supervised) {
    return supervised->launched.pidfd;
}

int supervised_console(const struct supervised *supervised) {
    return supervised->console;
}

// Its cgroup, where it has one, is still there. Without a limit of its own, only what kills without a word is worth the look; and it
// may have got one since its start.
static void explain_memory(const struct supervised *supervised, struct supervised_end *end) {
    AUTO_ARENA struct arena arena = {0};
    AUTO_STATE_DIR struct state_dir dir = {.root_fd = -1, .fd = -1};
    AUTO_CGROUP_HOST struct cgroup_host host = {.fd = -1};
    AUTO_CGROUP struct cgroup cgroup = {0};
    struct container_record record;
    struct cgroup_stats stats = {.oom_kills = CGROUP_UNKNOWN};
    struct err gone;
    bool was_killed = end->is_unknown || end->status == 128 + SIGKILL;
    if ((supervised->has_memory_limit || was_killed) && state_dir_open(supervised->root, supervised->id, &dir, &gone) == 0 &&
        state_dir_read(&dir, &arena, &record, &gone) == 0 && record.cgroup &&
        removal_open_cgroup(&record, &host, &cgroup, &gone) == 0 && cgroup.count > 0) {
        cgroup_read_stats(&cgroup, &stats);
    }
    end->out_of_memory = stats.oom_kills != CGROUP_UNKNOWN && stats.oom_kills > 0;
    if (end->out_of_memory && stats.memory_limit_hits != CGROUP_UNKNOWN && stats.memory_limit_hits > 0 &&
        stats.memory_limit_bytes < INT64_MAX) {
        end->memory_limit_bytes = (int64_t)stats.memory_limit_bytes;
    }
}

static void explain_filter(const struct supervised *supervised, pid_t pid, struct supervised_end *end) {
    struct seccomp_kill found;
    if (end->signal == SIGSYS && seccomp_log_find(pid, supervised->made_s, &found)) {
        end->system_call = found.number;
        memcpy(end->system_call_name, found.name, sizeof(end->system_call_name));
    }
}

// A child's end is told by its reaping, another's by the kernel where it does so.
static void wait_for_end(const struct supervised *supervised, struct supervised_end *ret) {
    int status;
    siginfo_t end = {0};
    if (!supervised->is_adopted) {
        process_reap(supervised->launched.pidfd, &end);
        ret->signal = end.si_code == CLD_EXITED ? 0 : end.si_status;
        ret->status = ret->signal ? 128 + ret->signal : end.si_status;
    } else if (process_end_status(&supervised->end, supervised->launched.pidfd, &status)) {
        ret->signal = WIFEXITED(status) ? 0 : WTERMSIG(status);
        ret->status = ret->signal ? 128 + ret->signal : WEXITSTATUS(status);
    } else {
        ret->is_unknown = true;
    }
}

int supervised_collect(struct supervised *supervised, struct supervised_end *ret, struct err *err) {
    pid_t pid = supervised->launched.pid;
    *ret = (struct supervised_end){.system_call = -1};
    wait_for_end(supervised, ret);
    supervised->launched.pid = -1;
    explain_memory(supervised, ret);
    explain_filter(supervised, pid, ret);
    // By its id: somebody may have been quicker.
    return container_delete(supervised->root, supervised->id, true, err);
}

void supervised_destroy(struct supervised *supervised) {
    if (supervised) {
        fd_close(&supervised->console);
        process_end_finish(&supervised->end);
        launched_finish(&supervised->launched);
        free(supervised->root);
        free(supervised->id);
        free(supervised);
    }
}

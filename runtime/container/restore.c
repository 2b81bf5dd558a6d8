// restore: a container made by criu of a checkpoint, in place of init of a configuration.
//
// The record, the cgroup and its limits are made as `create` makes them (create.h). criu itself is the first process in the cgroup, and
// the container's process is its sibling: our child. As long as the record says that the container is not whole, the next command
// removes what there is of it, should we be killed: criu as well, which is in the cgroup.
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/container/cgroup_manager.h"
#include "runtime/container/checkpoint.h"
#include "runtime/container/checkpoint_image.h"
#include "runtime/container/container.h"
#include "runtime/container/create.h"
#include "runtime/container/foreground.h"
#include "runtime/container/handover.h"
#include "runtime/container/intel_rdt.h"
#include "runtime/container/notify.h"
#include "runtime/kernel/cgroup.h"
#include "runtime/kernel/criu.h"
#include "runtime/kernel/process.h"
#include "runtime/kernel/sys.h"
#include "specs/oci_config.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <stdbool.h>
#include <unistd.h>
#include <sys/wait.h>
#include <fcntl.h>

enum { JOINED_MAX = 2 };

struct restore {
    const struct container_options *options;
    const struct checkpoint_options *checkpoint;
    struct creation *creation;
    struct checkpoint_image image;
    struct buf request;
    char *program;
    char *rootfs;
    const char *descriptors[CHECKPOINT_DESCRIPTORS];
    int joined[JOINED_MAX]; // namespaces that criu is given open
};

static void restore_finish(struct restore *restore) {
    for (size_t i = 0; i < JOINED_MAX; i++) {
        fd_close(&restore->joined[i]);
    }
    buf_finish(&restore->request);
    checkpoint_image_finish(&restore->image);
    free(restore->program);
    free(restore->rootfs);
}

// --- the request ---

// criu takes network and pid namespaces as open files by the names that the checkpoint has for them, others by their paths.
static int join_namespaces(struct restore *restore, struct err *err) {
    const struct oci_config *config = restore->options->config;
    size_t count = 0;
    for (size_t i = 0; i < config->os.namespaces_count; i++) {
        const struct oci_namespace *joined = &config->os.namespaces[i];
        bool opened = joined->type == CLONE_NEWNET || joined->type == CLONE_NEWPID;
        if (!joined->path) {
            continue;
        }
        if (joined->type == CLONE_NEWNS || joined->type == CLONE_NEWCGROUP) {
            return err_set(err, ERR_UNSUPPORTED, "config.json: linux.namespaces[%zu]: criu cannot restore into a %s namespace that is there",
                           i, oci_namespace_name(joined->type));
        }
        if (!opened) {
            criu_put_pair(&restore->request, CRIU_JOIN_NS, oci_namespace_name(joined->type), joined->path);
            continue;
        }
        restore->joined[count] = container_plan_open_namespace(joined->path, joined->type, err);
        if (restore->joined[count] < 0) {
            return -1;
        }
        criu_put_named_number(&restore->request, CRIU_INHERIT_FD,
                              joined->type == CLONE_NEWNET ? CHECKPOINT_NETWORK_KEY : CHECKPOINT_PID_KEY,
                              (uint64_t)restore->joined[count]);
        count++;
    }
    return 0;
}

static void put_cgroup(struct restore *restore) {
    const struct creation *creation = restore->creation;
    for (size_t i = 0; i < creation->cgroup.count; i++) {
        const struct cgroup_dir *dir = &creation->cgroup.dirs[i];
        const char *path = dir->path;
        const char *controllers = NULL;
        size_t length = strlen(dir->hierarchy->name);
        if (length > 0 && strncmp(path, dir->hierarchy->name, length) == 0) {
            controllers = dir->hierarchy->name;
            path += length + (path[length] == '/');
        }
        AUTO_BUF struct buf inner = {0};
        if (controllers) {
            criu_put_string(&inner, 1, controllers);
        }
        AUTO_FREE char *absolute = mem_format("/%s", path);
        criu_put_string(&inner, 2, absolute);
        criu_put_message(&restore->request, CRIU_CGROUP_ROOT, &inner);
    }
}

static int make_request(struct restore *restore, struct err *err) {
    const struct checkpoint_options *checkpoint = restore->checkpoint;
    const struct container_options *options = restore->options;
    struct buf *request = &restore->request;
    checkpoint_image_options(&restore->image, checkpoint, options->config, request);
    criu_put_string(request, CRIU_ROOT, restore->rootfs);
    criu_put_flag(request, CRIU_EVASIVE_DEVICES, true);
    criu_put_flag(request, CRIU_RESTORE_SIBLING, true);
    criu_put_flag(request, CRIU_TCP_CLOSE, checkpoint->tcp_close);
    if (checkpoint->lsm_profile) {
        criu_put_string(request, CRIU_LSM_PROFILE, checkpoint->lsm_profile);
    }
    if (checkpoint->lsm_mount_context) {
        criu_put_string(request, CRIU_LSM_MOUNT_CONTEXT, checkpoint->lsm_mount_context);
    }
    for (int fd = 0; fd < CHECKPOINT_DESCRIPTORS; fd++) {
        if (restore->descriptors[fd][0] != '\0') {
            criu_put_named_number(request, CRIU_INHERIT_FD, restore->descriptors[fd], (uint64_t)fd);
        }
    }
    if (checkpoint->cgroups != CHECKPOINT_CGROUPS_IGNORE) {
        put_cgroup(restore);
    }
    AUTO_FREE char *notify = mem_format("%s/%s/" NOTIFY_FOLDER, options->root, options->id);
    return checkpoint_mounts_bind(options->config, options->bundle, notify, request, err);
}

// --- the talk ---

// From here on it is the container's process that the record tells of, and not criu any more, which is about to end.
static int take_process(struct creation *creation, pid_t pid, struct err *err) {
    fd_close(&creation->launched.pidfd);
    creation->launched.pid = pid;
    creation->launched.pidfd = sys_pidfd_open(pid, 0);
    creation->record.pid = pid;
    if (creation->launched.pidfd < 0) {
        return err_sys(err, "open a descriptor of the restored process");
    }
    return creation_complete(creation, err);
}

static int take_terminal(struct restore *restore, int fd, struct err *err) {
    if (fd < 0) {
        return err_set(err, ERR_CORRUPT, "criu sent no terminal");
    }
    if (restore->options->console_socket) {
        return handover_send("--console-socket", restore->options->console_socket, "/dev/pts/0", fd, err);
    }
    if (restore->creation->console >= 0) {
        return 0; // more than one: the first is the container's
    }
    restore->creation->console = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    return restore->creation->console < 0 ? err_sys(err, "keep the terminal") : 0;
}

// criu does not bring back that the root file system was read-only. Done before it lets the processes go on.
static int seal_root(pid_t pid, struct err *err) {
    AUTO_FD int container = sys_pidfd_open(pid, 0);
    AUTO_FD int child_fd = -1;
    pid_t child = container < 0 ? -1 : process_clone(0, -1, &child_fd);
    if (child < 0) {
        return err_sys(err, "reach the restored root file system");
    }
    if (child == 0) {
        struct mount_attr readonly = {.attr_set = MOUNT_ATTR_RDONLY};
        bool sealed = setns(container, CLONE_NEWNS) == 0 && sys_mount_setattr(AT_FDCWD, "/", 0, &readonly) == 0;
        _exit(sealed ? 0 : errno);
    }
    siginfo_t end;
    process_reap(child_fd, &end);
    return end.si_code == CLD_EXITED && end.si_status == 0 ? 0 : err_num(err, end.si_status, "make the restored root file system read-only");
}

static int notified(void *context, const struct criu_reply *reply, int fd, struct err *err) {
    struct restore *restore = context;
    log_debug("criu: %s", reply->script);
    if (strcmp(reply->script, "orphan-pts-master") == 0) {
        return take_terminal(restore, fd, err);
    }
    if (strcmp(reply->script, "post-restore") == 0 && restore->creation->plan.init.root_readonly) {
        return seal_root(reply->pid, err);
    }
    if (strcmp(reply->script, "setup-namespaces") == 0) {
        struct container_record *record = &restore->creation->record;
        int64_t criu = record->pid;
        record->pid = reply->pid;
        restore->creation->released = true;
        int result = creation_run_early_hooks(restore->creation, restore->options, err);
        record->pid = criu;
        return result;
    }
    return 0;
}

static int ask(struct restore *restore, const struct criu *criu, struct criu_reply *reply, struct err *err) {
    const struct criu_talk talk = {.type = CRIU_RESTORE, .options = &restore->request, .notify = notified, .context = restore};
    if (criu_ask(criu, &talk, reply, err) < 0) {
        return -1;
    }
    if (!reply->success || reply->pid <= 0) {
        return checkpoint_image_failed(reply, err);
    }
    return 0;
}

// --- all together ---

static int start_criu(struct restore *restore, struct criu *criu, struct err *err) {
    struct creation *creation = restore->creation;
    const int kept[] = {restore->joined[0], restore->joined[1], creation->dir.fd};
    const struct criu_launch launch = {
        .program = restore->program,
        .search_path = restore->checkpoint->search_path,
        .cgroup_fd = creation->cgroup.count > 0 ? cgroup_birth_fd(&creation->cgroup) : -1,
        .kept_fds = kept,
        .kept_count = ARRAY_LEN(kept),
    };
    // criu mounts in the folders that it is given: they are opened where it is.
    AUTO_CRIU_YARD struct criu_yard yard = CRIU_YARD_NONE;
    checkpoint_image_finish(&restore->image);
    if (criu_yard_enter(restore->rootfs, &yard, err) < 0 ||
        checkpoint_image_open(restore->checkpoint, false, "restore.log", &restore->image, err) < 0 || criu_start(&launch, criu, err) < 0 ||
        criu_yard_leave(&yard, err) < 0) {
        return -1;
    }
    creation->launched.pid = criu->pid;
    creation->record.pid = criu->pid;
    return 0;
}

static int join_cgroup(const struct creation *creation, struct err *err) {
    bool born_there = creation->plan.cgroup_host.version == CGROUP_V2 && !creation->plan.cgroup_manager->needs_process;
    return creation->cgroup.count == 0 || (born_there && cgroup_birth_fd(&creation->cgroup) >= 0) ? 0 : cgroup_add(&creation->cgroup, creation->launched.pid, err);
}

static int run_criu(struct restore *restore, struct err *err) {
    struct creation *creation = restore->creation;
    AUTO_CRIU struct criu criu = CRIU_NONE;
    struct criu_reply reply;
    if (start_criu(restore, &criu, err) < 0) {
        return -1;
    }
    int result = creation_place(creation, restore->options, true, err) < 0 || join_cgroup(creation, err) < 0 ||
                         creation_enter_class(creation, restore->options, err) < 0 || creation_complete(creation, err) < 0 ||
                         creation_set_limits(creation, false, err) < 0 || make_request(restore, err) < 0
                     ? -1
                     : 0;
    if (result == 0 && (result = ask(restore, &criu, &reply, err)) < 0) {
        checkpoint_image_explain(&restore->image, restore->checkpoint, err);
    }
    if (result < 0) {
        creation->launched.pid = -1; // of what criu has restored so far, the cgroup tells
        return -1;
    }
    return take_process(creation, reply.pid, err);
}

static int check_terminal(const struct restore *restore, struct err *err) {
    const struct oci_process *process = restore->options->config->process;
    bool terminal = process && process->terminal;
    if (terminal && restore->checkpoint->detach && !restore->options->console_socket) {
        return err_set(err, ERR_INPUT, "process.terminal is true, so --detach needs --console-socket");
    }
    return restore->options->console_socket && !terminal
               ? err_set(err, ERR_INPUT, "--console-socket: process.terminal is false, so there is no terminal to send")
               : 0;
}

// What is refused or missing is told before anything is made.
static int make_ready(struct restore *restore, struct err *err) {
    const struct container_options *options = restore->options;
    struct creation *creation = restore->creation;
    if (check_terminal(restore, err) < 0 || container_plan_build(options, &creation->plan, err) < 0) {
        return -1;
    }
    if (criu_find(restore->checkpoint->search_path, &restore->program, err) < 0 ||
        checkpoint_image_open(restore->checkpoint, false, "restore.log", &restore->image, err) < 0) {
        return -1;
    }
    if (checkpoint_descriptors_read(&restore->image, &creation->arena, restore->descriptors, err) < 0) {
        return err_in(err, "%s", restore->checkpoint->image_path);
    }
    if (restore->checkpoint->detach && checkpoint_attached_read(&restore->image)) {
        return err_set(err, ERR_UNSUPPORTED, "%s is of a container that `run` had in the foreground, whose process ends with its parent: "
                       "restore it without --detach", restore->checkpoint->image_path);
    }
    restore->rootfs = realpath(creation->plan.init.root_path, NULL);
    if (!restore->rootfs) {
        return err_sys(err, "find the root file system %s", creation->plan.init.root_path);
    }
    // criu inherits the open ones, so they are there before it is.
    return join_namespaces(restore, err) < 0 ? -1 : checkpoint_mounts_prepare(options->config, options->bundle, restore->rootfs, err);
}

static int make(struct restore *restore, struct err *err) {
    const struct container_options *options = restore->options;
    struct creation *creation = restore->creation;
    if (make_ready(restore, err) < 0 || state_dir_create(options->root, options->id, &creation->dir, err) < 0) {
        return -1;
    }
    creation->dir_made = true;
    AUTO_FD int created = state_dir_lock_created(&creation->dir, err); // as long as it is ours, the container is being made
    if (created < 0) {
        return -1;
    }
    if ((options->config->os.intel_rdt && rdt_open(&creation->rdt, err) < 0) || notify_make_folder(&creation->dir, err) < 0 || creation_note(creation, options, err) < 0 ||
        creation_place(creation, options, false, err) < 0 || run_criu(restore, err) < 0) {
        return -1;
    }
    bool attached = !restore->checkpoint->detach;
    if ((attached ? state_dir_mark_whole(&creation->dir, err) : creation_detach(creation, err)) < 0 ||
        (options->pid_file && handover_pid_file(options->pid_file, creation->launched.pid, err) < 0)) {
        return -1;
    }
    creation->done = true;
    return 0;
}

static int restore_here(struct restore *restore, int *ret_status, struct err *err) {
    struct creation *creation = restore->creation;
    if (make(restore, err) < 0) {
        struct err unkilled;
        // A criu that was killed leaves what it had made so far.
        if (creation->cgroup.count > 0 && cgroup_kill(&creation->cgroup, &unkilled) < 0) {
            log_warn("%s", unkilled.text);
        }
        creation_undo(creation);
        struct err hook_err;
        if (creation->released && creation_run_hooks(creation, restore->options, OCI_HOOK_POSTSTOP, &hook_err) < 0) {
            log_warn("%s", hook_err.text);
        }
        return -1;
    }
    *ret_status = 0;
    return restore->checkpoint->detach ? 0 : creation_attend(creation, restore->options, ret_status, err);
}

int container_restore(const struct container_options *options, const struct checkpoint_options *checkpoint, int *ret_status,
                      struct err *err) {
    AUTO_CREATION struct creation creation = CREATION_NONE;
    AUTO(restore_finish) struct restore restore = {
        .options = options,
        .checkpoint = checkpoint,
        .creation = &creation,
        .image = CHECKPOINT_IMAGE_NONE,
        .joined = {-1, -1},
    };
    sigset_t before;
    if (checkpoint->detach) {
        return restore_here(&restore, ret_status, err);
    }
    if (foreground_block(&before, err) < 0) {
        return -1;
    }
    int result = restore_here(&restore, ret_status, err);
    foreground_unblock(&before);
    return result;
}

// checkpoint: what criu is asked to write, and what becomes of the container afterwards.
//
// Should we be killed, criu, which asks us before it does what cannot be undone, undoes what it did by itself. It holds the lock on the
// container as we do, so no other command comes between; the next one after it (container_sweep) sees to it that nothing stays frozen.
#include "runtime/container/checkpoint.h"

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/container/checkpoint_image.h"
#include "runtime/container/container.h"
#include "runtime/container/document.h"
#include "runtime/container/opened.h"
#include "runtime/container/removal.h"
#include "runtime/container/snapshot.h"
#include "runtime/kernel/criu.h"
#include "specs/oci_config.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct dump {
    const struct checkpoint_options *checkpoint;
    struct opened opened;
    struct oci_config *config; // NULL: made without a document
    bool owned;                // we hold the lock; else a `run` in the foreground does, which cleans up after its container
    struct checkpoint_image image;
    struct buf options;
};

static void dump_finish(struct dump *dump) {
    buf_finish(&dump->options);
    checkpoint_image_finish(&dump->image);
    opened_finish(&dump->opened);
}

static pid_t process_of(const struct dump *dump) {
    return (pid_t)dump->opened.record.pid;
}

static int find_container(struct dump *dump, const char *root, const char *id, struct err *err) {
    struct opened *opened = &dump->opened;
    if (opened_find(opened, root, id, err) < 0) {
        return -1;
    }
    if (state_dir_lock(&opened->dir, false, err) == 0) {
        dump->owned = true;
    } else if (err->kind != ERR_STATE || !opened->record.attached) {
        return -1;
    }
    if (opened_take_cgroup(opened, err) < 0) {
        return -1;
    }
    if (opened->status != OCI_STATUS_RUNNING && opened->status != OCI_STATUS_PAUSED) {
        return opened_not_running(opened, "checkpoint", err);
    }
    return snapshot_read(&opened->dir, &opened->arena, &dump->config, err);
}

// --- what is the host's ---

static ino_t namespace_number(pid_t pid, const char *name) {
    char path[48];
    struct stat status;
    snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, name);
    return stat(path, &status) == 0 ? status.st_ino : 0;
}

// Joined ones stay where they are: the restored container joins what its configuration names then.
static void name_namespaces(struct dump *dump) {
    static const struct {
        uint32_t type;
        const char *name, *key;
    } kinds[] = {{CLONE_NEWNET, "net", CHECKPOINT_NETWORK_KEY}, {CLONE_NEWPID, "pid", CHECKPOINT_PID_KEY}};
    for (size_t i = 0; dump->config && i < ARRAY_LEN(kinds); i++) {
        const struct oci_namespace *joined = oci_config_namespace(dump->config, kinds[i].type);
        if (joined && joined->path) {
            char text[96];
            unsigned long number = (unsigned long)namespace_number(process_of(dump), kinds[i].name);
            snprintf(text, sizeof(text), "%s[%lu]:%s", kinds[i].name, number, kinds[i].key);
            criu_put_string(&dump->options, CRIU_EXTERNAL, text);
        }
    }
}

// --- the request ---

static void name_freezer(struct dump *dump) {
    const struct cgroup *cgroup = &dump->opened.cgroup;
    for (size_t i = 0; i < cgroup->count; i++) {
        uint32_t controllers = cgroup->dirs[i].hierarchy->controllers;
        if (dump->opened.host.version == CGROUP_V2 || (controllers & CGROUP_MASK(CGROUP_FREEZER))) {
            criu_put_string(&dump->options, CRIU_FREEZE_CGROUP,
                            arena_format(&dump->opened.arena, "/sys/fs/cgroup/%s", cgroup->dirs[i].path));
        }
    }
}

static int check_parent(const struct dump *dump, struct err *err) {
    const char *parent = dump->checkpoint->parent_path;
    if (!parent) {
        return 0;
    }
    if (parent[0] == '/') {
        return err_set(err, ERR_INPUT, "--parent-path %s: expected a path relative to the image folder", parent);
    }
    struct stat status;
    if (fstatat(dump->image.images, parent, &status, 0) < 0) {
        return err_sys(err, "--parent-path %s, in %s", parent, dump->checkpoint->image_path);
    }
    return S_ISDIR(status.st_mode) ? 0 : err_set(err, ERR_INPUT, "--parent-path %s: expected a folder", parent);
}

static int make_options(struct dump *dump, struct err *err) {
    const struct checkpoint_options *checkpoint = dump->checkpoint;
    struct buf *options = &dump->options;
    checkpoint_image_options(&dump->image, checkpoint, dump->config, options);
    criu_put_number(options, CRIU_PID, (uint64_t)process_of(dump));
    criu_put_string(options, CRIU_ROOT, dump->opened.record.rootfs);
    criu_put_flag(options, CRIU_LEAVE_RUNNING, checkpoint->leave_running);
    criu_put_flag(options, CRIU_TCP_SKIP_IN_FLIGHT, checkpoint->tcp_skip_in_flight);
    criu_put_flag(options, CRIU_LINK_REMAP, checkpoint->link_remap);
    criu_put_flag(options, CRIU_TRACK_MEM, checkpoint->pre_dump || checkpoint->parent_path);
    if (checkpoint->parent_path) {
        criu_put_string(options, CRIU_PARENT_IMAGE, checkpoint->parent_path);
    }
    if (checkpoint->page_server) {
        criu_put_named_number(options, CRIU_PAGE_SERVER, checkpoint->page_server, checkpoint->page_server_port);
    }
    name_freezer(dump);
    name_namespaces(dump);
    if (checkpoint->pre_dump) {
        return 0;
    }
    const char *names[CHECKPOINT_DESCRIPTORS];
    if ((dump->config && checkpoint_mounts_name(process_of(dump), dump->config, options, err) < 0) ||
        checkpoint_descriptors_name(process_of(dump), &dump->opened.arena, options, names, err) < 0) {
        return -1;
    }
    return checkpoint_attached_write(&dump->image, dump->opened.record.attached, err) < 0 ||
                   checkpoint_descriptors_write(&dump->image, names, err) < 0
               ? -1
               : 0;
}

// --- the talk ---

static int notified(void *context, const struct criu_reply *reply, int fd, struct err *err) {
    const struct dump *dump = context;
    (void)fd;
    log_debug("criu: %s", reply->script);
    if (strcmp(reply->script, "status-ready") == 0 && dump->checkpoint->status_fd >= 0 && write(dump->checkpoint->status_fd, "", 1) != 1) {
        return err_sys(err, "--status-fd %d: tell that lazy pages are ready", dump->checkpoint->status_fd);
    }
    return 0;
}

static int ask(struct dump *dump, const char *program, struct err *err) {
    AUTO_CRIU struct criu criu = CRIU_NONE;
    const int kept[] = {dump->owned ? dump->opened.dir.fd : -1};
    const struct criu_launch launch = {
        .program = program,
        .search_path = dump->checkpoint->search_path,
        .cgroup_fd = -1,
        .quiet = true,
        .kept_fds = kept,
        .kept_count = ARRAY_LEN(kept),
    };
    const struct criu_talk talk = {
        .type = dump->checkpoint->pre_dump ? CRIU_PRE_DUMP : CRIU_DUMP,
        .options = &dump->options,
        .notify = notified,
        .context = dump,
    };
    struct criu_reply reply;
    if (criu_start(&launch, &criu, err) < 0 || criu_ask(&criu, &talk, &reply, err) < 0) {
        return -1;
    }
    if (!reply.success) {
        return checkpoint_image_failed(&reply, err);
    }
    bool good;
    criu_end(&criu, &good);
    // After a pre-dump it waits for more, and takes the end of the talk for a failure.
    return good || dump->checkpoint->pre_dump ? 0 : err_set(err, ERR_SYSTEM, "criu failed after its answer");
}

static void thaw(const struct dump *dump) {
    struct err err;
    const struct cgroup *cgroup = &dump->opened.cgroup;
    if (dump->opened.status == OCI_STATUS_RUNNING && cgroup->count > 0 && cgroup_is_frozen(cgroup) && cgroup_thaw(cgroup, &err) < 0) {
        log_warn("%s", err.text);
    }
}

static int run_criu(struct dump *dump, const char *program, struct err *err) {
    struct state_dir *dir = &dump->opened.dir;
    bool marked = dump->owned && dump->opened.status == OCI_STATUS_RUNNING;
    if (marked && (pending_add(dir->root_fd, dir->id, dir->pending, err) < 0 || state_dir_mark_frozen(dir, true, err) < 0)) {
        return -1;
    }
    int result = ask(dump, program, err);
    thaw(dump);
    struct err unmarked;
    if (marked && state_dir_mark_frozen(dir, false, &unmarked) < 0) {
        log_warn("%s", unmarked.text);
    }
    state_dir_settle(dir);
    return result < 0 ? checkpoint_image_explain(&dump->image, dump->checkpoint, err) : 0;
}

// All its processes are in files now: what is left is removed as by `delete`.
static int remove_container(struct dump *dump, struct err *err) {
    struct opened *opened = &dump->opened;
    AUTO_BUF struct buf state = {0};
    container_document(&opened->dir, &opened->record, dump->config, OCI_STATUS_STOPPED, &state);
    if (removal_finish(&opened->dir, &opened->record, err) < 0) {
        return -1;
    }
    struct err hook_err;
    if (dump->config && snapshot_run_hooks(dump->config, OCI_HOOK_POSTSTOP, buf_string(&state), &hook_err) < 0) {
        log_warn("%s", hook_err.text);
    }
    return 0;
}

static int check_status_fd(const struct checkpoint_options *checkpoint, struct err *err) {
    if (checkpoint->status_fd < 0) {
        return 0;
    }
    int flags = fcntl(checkpoint->status_fd, F_GETFL);
    if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY) {
        return err_set(err, ERR_INPUT, "--status-fd %d: expected a descriptor that can be written to", checkpoint->status_fd);
    }
    return 0;
}

int container_checkpoint(const char *root, const char *id, const struct checkpoint_options *checkpoint, struct err *err) {
    AUTO(dump_finish) struct dump dump = {.checkpoint = checkpoint, .opened = OPENED_NONE, .image = CHECKPOINT_IMAGE_NONE};
    AUTO_FREE char *program = NULL;
    if (find_container(&dump, root, id, err) < 0) {
        return -1;
    }
    if (check_status_fd(checkpoint, err) < 0 || criu_find(checkpoint->search_path, &program, err) < 0 ||
        checkpoint_image_open(checkpoint, true, "dump.log", &dump.image, err) < 0 || check_parent(&dump, err) < 0 ||
        make_options(&dump, err) < 0 || run_criu(&dump, program, err) < 0) {
        return err_in(err, "checkpoint container \"%s\"", id);
    }
    if (checkpoint->leave_running || checkpoint->pre_dump || !dump.owned) {
        return 0;
    }
    return remove_container(&dump, err) < 0 ? err_in(err, "checkpoint container \"%s\"", id) : 0;
}

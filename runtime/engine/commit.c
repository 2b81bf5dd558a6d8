#include "runtime/engine/commit.h"

#include "images/change.h"
#include "images/image.h"
#include "images/import.h"
#include "images/store.h"
#include "images/tree_pack.h"
#include "images/unpack_jail.h"
#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/base/strv.h"
#include "runtime/engine/aside.h"
#include "runtime/engine/changes.h"
#include "runtime/engine/commit_settings.h"
#include "runtime/engine/engine.h"
#include "runtime/engine/event_log.h"
#include "runtime/engine/files.h"
#include "runtime/engine/hold.h"
#include "runtime/engine/idrange.h"
#include "runtime/engine/target.h"
#include "runtime/kernel/overlay.h"
#include "runtime/kernel/userns.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

struct committing {
    const struct engine *engine;
    const struct commit_request *request;
    struct arena arena;
    struct target target;
    struct hold hold;      // of one that runs
    struct record_dir dir; // the lock of one that does not
    struct store *store;
    struct image *image; // the container's own
    const char **left_out; // of its writable layer, for tree_pack()
    struct import_options import;
    int pipe[2];
};

static void committing_finish(struct committing *committing) {
    hold_finish(&committing->hold);
    record_dir_finish(&committing->dir);
    image_close(committing->image);
    store_close(committing->store);
    target_finish(&committing->target);
    arena_finish(&committing->arena);
}

// --- its writable layer as a tar ---

// With the owners that the container sees: its range of ids is mapped back.
static int open_upper(const struct committing *committing, struct err *err) {
    const struct record *record = &committing->target.record;
    const struct id_range back = {.inside = record->first_id, .outside = 0, .count = IDRANGE_SIZE};
    const struct idmap map = {&back, 1};
    AUTO_FREE char *path = mem_format("%s/containers/%s/upper", committing->engine->store, record->id);
    AUTO_FD int own = record->has_range ? userns_create(&map, &map, err) : -1;
    if (own < 0 && record->has_range) {
        return -1;
    }
    AUTO_FD int tree = own >= 0 ? idmapped_tree(AT_FDCWD, path, own, false, err) : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fd = tree < 0 ? -1 : openat(tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 ? fd : own >= 0 && tree < 0 ? -1 : err_sys(err, "open the container's writable layer");
}

static int pack(void *context, struct aside_report *report) {
    const struct committing *committing = context;
    const bool rootless = committing->target.home.rootless;
    struct err *err = &report->err;
    struct tree_pack_result result;
    AUTO_FD int folder = record_open_folder(&committing->target.home, committing->target.id, err);
    AUTO_FD int upper = folder < 0 ? -1 : open_upper(committing, err);
    if (upper < 0) {
        (void)!(folder >= 0 && record_check_kept(&folder, err)); // then that is why
        return -1;
    }
    const int kept[] = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO, upper, folder, committing->pipe[1]};
    const struct tree_pack_options options = {
        .signs = rootless ? TREE_SIGNS_USER : TREE_SIGNS_TRUSTED,
        .record_fd = -1,
        .output_fd = committing->pipe[1],
        .live = true,
        .left_out = committing->left_out,
        .check = record_check_kept,
        .check_context = &folder,
    };
    if (unpack_jail_enter(kept, ARRAY_LEN(kept), upper, rootless ? UNPACK_JAIL_READS : UNPACK_JAIL_READS_TRUSTED, err) < 0 ||
        tree_pack(upper, &options, &result, err) < 0) {
        return -1;
    }
    report->left_out = result.left_out;
    return 0;
}

// The packer's error counts, unless it is that nobody reads. What it has left out at its end nobody sees in the tar.
static int confirm(void *packer, struct err *err) {
    struct aside *aside = packer;
    if (aside->pid > 0 && aside_wait(aside) < 0 && aside->report->err.errnum != EPIPE) {
        *err = aside->report->err;
        return -1;
    }
    return 0;
}

static int import(struct committing *committing, struct aside_report *report) {
    AUTO_ASIDE struct aside packer = {0};
    AUTO_STORE struct store *store = NULL;
    struct err *err = &report->err;
    const char *id;
    unsigned flags = committing->target.home.rootless ? STORE_USER_XATTR : 0;
    if (store_open(committing->engine->store, flags, &store, err) < 0) {
        return -1;
    }
    if (pipe2(committing->pipe, O_CLOEXEC) < 0) {
        return err_sys(err, "make a pipe");
    }
    const struct aside_request start = {.work = pack, .context = committing, .close_fd = committing->pipe[0]};
    if (aside_start(&packer, &start, err) < 0) {
        return -1;
    }
    close(committing->pipe[1]);
    committing->import.input_fd = committing->pipe[0];
    committing->import.confirm = confirm;
    committing->import.confirm_context = &packer;
    int failed = import_image(store, &committing->import, &committing->arena, &id, err);
    close(committing->pipe[0]);
    if (confirm(&packer, err) < 0) {
        return -1;
    }
    report->left_out = packer.report->left_out;
    snprintf(report->answer, sizeof(report->answer), "%s", failed < 0 ? "" : id);
    return failed;
}

static int work(void *context, struct aside_report *report) {
    struct committing *committing = context;
    return aside_enter_own(&committing->target.home, &report->err) < 0 ? -1 : import(committing, report);
}

// --- in the caller ---

// Places that were made to mount on, and nothing else, are not its doing.
static int find_left_out(struct committing *committing, struct err *err) {
    const struct changes_request request = {
        .home = &committing->target.home,
        .record = &committing->target.record,
        .image = committing->image,
    };
    struct change *changes;
    size_t count, used = 0;
    if (changes_find(&request, &committing->arena, &changes, &count, err) < 0) {
        return -1;
    }
    committing->left_out = arena_array(&committing->arena, count + 1, sizeof(*committing->left_out));
    for (size_t i = 0; i < count; i++) {
        if (changes[i].kind == CHANGE_HIDDEN) {
            committing->left_out[used++] = changes[i].path + 1;
        }
    }
    return 0;
}

// 1: it has started or ended meanwhile.
static int keep_once(struct committing *committing, struct err *err) {
    const struct target *target = &committing->target;
    if (!target_runs(target)) {
        return target_lock_stopped(target, &committing->dir, err);
    }
    if (!committing->request->pause) {
        return 0;
    }
    int result = hold_start(&committing->hold, target, err);
    if (result != 0) {
        hold_finish(&committing->hold);
    }
    return result;
}

// Opens the container and keeps it as it is: one that runs is held, unless that is not wished for, another one cannot start or be removed.
static int keep(struct committing *committing, struct err *err) {
    enum { ATTEMPTS = 8 };
    const char *name = committing->request->container;
    for (int i = 0; i < ATTEMPTS; i++) {
        target_finish(&committing->target);
        committing->target = (struct target)TARGET_NONE;
        if (target_open(&committing->target, committing->engine, name, err) < 0) {
            return -1;
        }
        if (committing->request->pause && target_state(&committing->target) == RECORD_RESTARTING) {
            return target_not_running(&committing->target, "commit", name, err);
        }
        int result = keep_once(committing, err);
        if (result <= 0) {
            return result < 0 ? err_in(err, "commit %s", name) : 0;
        }
    }
    return err_set(err, ERR_STATE, "commit %s: other commands start, stop or use it all the time; try again", name);
}

static int prepare(struct committing *committing, struct err *err) {
    const struct commit_request *request = committing->request;
    const struct target *target = &committing->target;
    committing->import = (struct import_options){
        .source = target->record.name,
        .base = committing->image->id,
        .name = request->name,
        .message = request->message,
        .author = request->author,
        .created_by = target->record.command,
        .settings = commit_settings(&committing->image->config.settings, &target->request, &committing->arena),
        .devices = target->home.rootless ? UNPACK_DEVICES_SKIP : UNPACK_DEVICES_MAKE,
        .single_id = target->home.rootless && target->home.own.single_id,
    };
    for (size_t i = 0; i < request->changes->count; i++) {
        if (image_change(&committing->arena, &committing->import.settings, request->changes->items[i], err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int commit(struct committing *committing, struct arena *arena, const char **ret_id, uint64_t *ret_left_out, struct err *err) {
    AUTO_ASIDE struct aside aside = {0};
    const struct aside_request start = {.work = work, .context = committing, .close_fd = -1};
    if (find_left_out(committing, err) < 0 || aside_start(&aside, &start, err) < 0) {
        return -1;
    }
    if (aside_wait(&aside) < 0) {
        *err = aside.report->err;
        return -1;
    }
    *ret_id = arena_copy_string(arena, aside.report->answer);
    *ret_left_out = aside.report->left_out;
    return 0;
}

int engine_commit(const struct engine *engine, const struct commit_request *request, struct arena *arena, const char **ret_id,
                  uint64_t *ret_left_out, struct err *err) {
    AUTO(committing_finish) struct committing committing = {
        .engine = engine, .request = request, .target = TARGET_NONE, .hold = HOLD_NONE, .dir = {.fd = -1}};
    if (keep(&committing, err) < 0) {
        return -1;
    }
    const struct target *target = &committing.target;
    if (store_open(engine->store, target->home.rootless ? STORE_USER_XATTR : 0, &committing.store, err) < 0 ||
        image_open(committing.store, target->record.image_id, &committing.image, err) < 0 || prepare(&committing, err) < 0 ||
        commit(&committing, arena, ret_id, ret_left_out, err) < 0) {
        return err_in(err, "commit %s", request->container);
    }
    const struct event_log_container what = {&target->record, &target->request.labels, "imageID", *ret_id};
    events_add_container(&target->home, &what, "commit");
    return 0;
}

// --- export ---

struct exporting {
    struct files files;
    int output;
};

static int export_files(void *context, struct aside_report *report) {
    const struct exporting *exporting = context;
    struct err *err = &report->err;
    struct tree_pack_result result;
    AUTO_FD int folder = record_open_folder(&exporting->files.target.home, exporting->files.target.id, err);
    AUTO_FD int root = folder < 0 ? -1 : files_enter(&exporting->files, FILES_LAYERS, err);
    if (root < 0) {
        return -1;
    }
    aside_stay_bound();
    const int kept[] = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO, root, folder, exporting->output};
    const struct tree_pack_options options = {.record_fd = -1,
                                              .output_fd = exporting->output,
                                              .live = true,
                                              .name = "",
                                              .check = record_check_kept,
                                              .check_context = &folder};
    if (unpack_jail_enter(kept, ARRAY_LEN(kept), root, UNPACK_JAIL_READS, err) < 0 || tree_pack(root, &options, &result, err) < 0) {
        return -1;
    }
    report->left_out = result.left_out;
    return 0;
}

static void exporting_finish(struct exporting *exporting) {
    files_finish(&exporting->files);
}

int engine_export(const struct engine *engine, const char *name, int output_fd, uint64_t *ret_left_out, struct err *err) {
    AUTO(exporting_finish) struct exporting exporting = {.files = FILES_NONE, .output = output_fd};
    AUTO_ASIDE struct aside aside = {0};
    const struct aside_request start = {.work = export_files, .context = &exporting, .keeps_output = true, .close_fd = -1};
    if (files_open(&exporting.files, engine, name, err) < 0 || aside_start(&aside, &start, err) < 0) {
        return -1;
    }
    if (aside_wait(&aside) < 0) {
        *err = aside.report->err;
        return err_in(err, "export %s", name);
    }
    *ret_left_out = aside.report->left_out;
    return 0;
}

#include "images/image.h"
#include "images/store.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/container/container.h"
#include "runtime/engine/config.h"
#include "runtime/engine/engine.h"
#include "runtime/engine/etc.h"
#include "runtime/engine/home.h"
#include "runtime/engine/idrange.h"
#include "runtime/engine/live.h"
#include "runtime/engine/record.h"
#include "runtime/engine/request.h"
#include "runtime/engine/stdio.h"
#include "runtime/engine/volume.h"
#include "specs/oci_config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

// One run, from the image to the exit code.
struct run {
    const struct engine *engine;
    const struct run_request *request;
    struct arena arena;
    struct home home;
    struct store *store;
    struct image *image;
    struct record_dir dir;
    struct record record;
    bool user_namespace;
    struct id_range range;
    struct config_request config_request;
};

static void run_finish(struct run *run) {
    image_close(run->image);
    store_close(run->store);
    record_dir_finish(&run->dir);
    home_finish(&run->home);
    arena_finish(&run->arena);
}

static int open_image(struct run *run, struct err *err) {
    unsigned flags = STORE_CREATE | (run->home.rootless ? STORE_USER_XATTR : 0);
    return store_open(run->engine->store, flags, &run->store, err) < 0 ||
                   image_open(run->store, run->request->image, &run->image, err) < 0
               ? -1
               : 0;
}

static const char *shown_command(struct run *run) {
    const struct image_settings *image = &run->image->config.settings;
    AUTO_BUF struct buf text = {0};
    for (size_t i = 0; i < image->entrypoint_count && !run->request->entrypoint; i++) {
        buf_add_format(&text, "%s%s", text.size ? " " : "", image->entrypoint[i]);
    }
    if (run->request->entrypoint) {
        buf_add_string(&text, run->request->entrypoint);
    }
    bool own = run->request->command_count > 0;
    size_t count = own ? run->request->command_count : image->cmd_count;
    for (size_t i = 0; i < count; i++) {
        buf_add_format(&text, "%s%s", text.size ? " " : "", own ? run->request->command[i] : image->cmd[i]);
    }
    return arena_copy_string(&run->arena, buf_string(&text));
}

// The record is written when all it names has been taken, and before anything runs.
static int make_record(struct run *run, struct err *err) {
    const char *name;
    if (record_create(&run->home, &run->arena, run->request->name, &run->dir, &name, err) < 0) {
        return -1;
    }
    struct record *record = &run->record;
    *record = (struct record){
        .name = name,
        .image = run->request->image,
        .image_id = run->image->id,
        .command = shown_command(run),
        .created_s = time(NULL),
        .remove = run->request->remove,
    };
    snprintf(record->id, sizeof(record->id), "%s", run->dir.id);
    record->started_s = record->created_s;
    bool host_ids = run->request->userns && strcmp(run->request->userns, "host") == 0;
    if (run->request->userns && !host_ids && strcmp(run->request->userns, "auto") != 0) {
        return err_set(err, ERR_INPUT, "--userns: expected host or auto, found \"%s\"", run->request->userns);
    }
    run->user_namespace = run->home.rootless || !(host_ids || run->request->privileged);
    if (run->user_namespace && !run->home.rootless) {
        if (idrange_take(run->home.store_fd, run->dir.id, &record->first_id, err) < 0) {
            return -1;
        }
        record->has_range = true;
        run->range = (struct id_range){.inside = 0, .outside = record->first_id, .count = IDRANGE_SIZE};
    }
    return record_write(&run->dir, record, err);
}

static struct idmap uid_map(const struct run *run) {
    return run->home.rootless ? run->home.own.uids : (struct idmap){&run->range, run->user_namespace ? 1 : 0};
}

static struct idmap gid_map(const struct run *run) {
    return run->home.rootless ? run->home.own.gids : (struct idmap){&run->range, run->user_namespace ? 1 : 0};
}

// Its root has the attributes of the image's root directory, shifted into the container's range.
static int give_upper(const struct run *run, struct err *err) {
    struct stat status = {.st_mode = 0755};
    if (run->image->lower_count > 0 && fstatat(run->store->layers_fd, run->image->lower[0], &status, AT_SYMLINK_NOFOLLOW) < 0) {
        return err_sys(err, "look at the image's topmost layer");
    }
    uint32_t base = run->record.has_range ? run->record.first_id : 0;
    if (!run->home.rootless && (base || status.st_uid || status.st_gid) &&
        fchownat(run->dir.fd, "upper", base + status.st_uid, base + status.st_gid, AT_SYMLINK_NOFOLLOW) < 0) {
        if (errno == EINVAL && base) {
            return err_set(err, ERR_UNSUPPORTED,
                           "user id %u does not exist in this user namespace, so the container can have no range of its own; run it "
                           "outside of \"coffer unshare\", or use --userns host",
                           base);
        }
        return err_sys(err, "make the writable layer");
    }
    return fchmodat(run->dir.fd, "upper", status.st_mode & 07777, 0) < 0 ? err_sys(err, "make the writable layer") : 0;
}

static int make_upper(struct run *run, struct err *err) {
    static const char *const folders[] = {"upper", "work"};
    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        if (mkdirat(run->dir.fd, folders[i], 0755) < 0) {
            return err_sys(err, "make the writable layer");
        }
    }
    return give_upper(run, err);
}

static int make_config(struct run *run, struct oci_config **ret, struct err *err) {
    char cwd[PATH_MAX];
    if (!getcwd(cwd, sizeof(cwd))) {
        return err_sys(err, "find the current directory");
    }
    run->config_request = (struct config_request){
        .run = run->request,
        .image = &run->image->config.settings,
        .id = run->dir.id,
        .cwd = arena_copy_string(&run->arena, cwd),
        .etc = arena_format(&run->arena, "%s/%s", run->home.live_path, run->dir.id),
        .user_namespace = run->user_namespace,
        .uids = uid_map(run),
        .gids = gid_map(run),
        .rootless = run->home.rootless,
        .single_id = run->home.rootless && run->home.own.single_id,
    };
    return engine_config(&run->config_request, &run->arena, ret, err);
}

// What -v names and is not there is made, as docker does.
static int make_sources(struct run *run, struct err *err) {
    const struct strv *volumes = &run->request->volumes;
    for (size_t i = 0; i < volumes->count; i++) {
        struct volume volume;
        struct stat status;
        if (volume_parse_short(&run->arena, volumes->items[i], run->config_request.cwd, &volume, err) < 0) {
            return -1;
        }
        if (stat(volume.source, &status) < 0 && errno == ENOENT && mkdir(volume.source, 0755) < 0) {
            return err_sys(err, "make the missing source %s", volume.source);
        }
    }
    return 0;
}

static int run_container(struct run *run, const char *folder, const struct oci_config *config, int *ret_status, struct err *err) {
    AUTO(stdio_finish) struct stdio stdio = {.theirs = {-1, -1, -1}, .ours = {-1, -1, -1}};
    if (!run->request->tty && stdio_open(&stdio, run->request->interactive, err) < 0) {
        return -1;
    }
    const struct image_settings *image = &run->image->config.settings;
    const struct container_layers layers = {
        .base = arena_format(&run->arena, "%s/layers", run->engine->store),
        .lower = run->image->lower,
        .lower_count = run->image->lower_count,
        .upper = arena_format(&run->arena, "%s/upper", folder),
        .work = arena_format(&run->arena, "%s/work", folder),
        .directory = run->config_request.etc,
        .is_volatile = run->request->remove,
    };
    const struct container_options options = {
        .root = run->engine->oci_root,
        .id = run->dir.id,
        .bundle = folder,
        .config = config,
        .layers = &layers,
        .user = run->request->user ? run->request->user : image->user && *image->user ? image->user : "0",
        .make_cwd = true,
        .reaper = run->request->init,
        .few_hierarchies = true,
        .give_stdio = run->request->tty ? NULL : stdio.theirs,
        .pipes = {stdio.ours[0], stdio.ours[1], stdio.ours[2]},
        .interactive = run->request->interactive,
        .pass_signals = run->request->pass_signals,
    };
    int result = container_run(&options, false, ret_status, err);
    if (options.pipes[0] >= 0) {
        stdio.ours[0] = -1; // taken, and closed at the end of our input
    }
    return result;
}

// Sweeps that looked before the container's lock was taken may remove the run-time folder, each of them once.
static int write_etc(const struct run *run, const struct etc_request *etc, struct err *err) {
    enum { ATTEMPTS = 16 };
    int result = etc_write(run->home.live_fd, run->dir.id, etc, err);
    for (int i = 1; i < ATTEMPTS && result < 0 && err->errnum == ENOENT; i++) {
        result = live_make(&run->home, run->dir.id, err) < 0 ? -1 : etc_write(run->home.live_fd, run->dir.id, etc, err);
    }
    return result;
}

static int start(struct run *run, int *ret_status, struct err *err) {
    const char *folder = arena_format(&run->arena, "%s/containers/%s", run->engine->store, run->dir.id);
    uint32_t base = run->record.first_id;
    const struct etc_request etc = {
        .hostname = engine_hostname(run->request, run->dir.id, &run->arena),
        .host_network = strcmp(run->request->network, "host") == 0,
        .give = run->record.has_range,
        .owner = base,
        .group = base,
    };
    struct oci_config *config;
    if (make_config(run, &config, err) < 0 || make_sources(run, err) < 0 || make_upper(run, err) < 0 ||
        write_etc(run, &etc, err) < 0) {
        return -1;
    }
    return run_container(run, folder, config, ret_status, err);
}

// What is left when it has ended: nothing (--rm, or it never ran), or the record with the exit code.
static void end(struct run *run, bool ran, int status) {
    struct err err;
    if (run->dir.fd < 0) {
        return;
    }
    if (run->request->remove || !ran) {
        if (record_remove(&run->home, &run->dir, &err) < 0) {
            log_warn("%s", err.text);
        }
        return;
    }
    run->record.exit_code = status;
    run->record.finished_s = time(NULL);
    if (record_write(&run->dir, &run->record, &err) < 0) {
        log_warn("%s", err.text);
    }
    record_settle(&run->home, &run->dir);
}

int engine_run(const struct engine *engine, const struct run_request *request, int *ret_status, struct err *err) {
    AUTO(run_finish) struct run run = {
        .engine = engine,
        .request = request,
        .dir = {.fd = -1},
        .home = {.store_fd = -1, .containers_fd = -1, .names_fd = -1, .live_fd = -1},
    };
    if (home_open(engine, &run.home, err) < 0) {
        return -1;
    }
    record_sweep(&run.home);
    int status = 0;
    int result = open_image(&run, err);
    if (result == 0 && (make_record(&run, err) < 0 || start(&run, &status, err) < 0)) {
        result = err_in(err, "run %s", request->image);
    }
    end(&run, result == 0, status);
    if (result == 0) {
        *ret_status = status;
    }
    return result;
}

// Kills what runs and takes the lock when its `run` has let go of it; ERR_NOT_FOUND when that has removed the container itself (--rm).
// A `run` that has not got to its container yet cannot be killed through it: each change below the run-time root is a reason to look
// again.
static int kill_running(const struct home *home, const char *id, struct record_dir *ret_dir, struct err *err) {
    enum { LOOK_AGAIN_MS = 50, ATTEMPTS = 400 };
    AUTO_FD int changes = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (changes < 0) {
        return err_sys(err, "watch the run-time directory");
    }
    inotify_add_watch(changes, home->oci_root, IN_CREATE | IN_DELETE); // where that fails, the time alone says when
    for (int i = 0; i < ATTEMPTS; i++) {
        char events[4096];
        struct pollfd wait = {.fd = changes, .events = POLLIN};
        if (container_delete(home->oci_root, id, true, err) < 0 && err->kind != ERR_STATE && err->kind != ERR_NOT_FOUND) {
            return -1;
        }
        if (record_lock(home, id, ret_dir, err) == 0) {
            return 0;
        }
        if (err->kind != ERR_STATE) {
            return err->errnum == ENOENT ? err_set(err, ERR_NOT_FOUND, "container %.12s is gone", id) : -1;
        }
        if (poll(&wait, 1, LOOK_AGAIN_MS) > 0 && read(changes, events, sizeof(events)) < 0 && errno != EAGAIN) {
            return err_sys(err, "watch the run-time directory");
        }
    }
    return err_set(err, ERR_STATE, "its coffer run does not end; end that process");
}

int engine_remove(const struct engine *engine, const char *name, bool force, struct err *err) {
    AUTO_HOME struct home home;
    AUTO_RECORD_DIR struct record_dir dir = {.fd = -1};
    char id[RECORD_ID_SIZE];
    if (home_open(engine, &home, err) < 0) {
        return -1;
    }
    record_sweep(&home);
    if (record_find(&home, name, id, err) < 0) {
        return -1;
    }
    if (record_lock(&home, id, &dir, err) < 0) {
        if (err->kind != ERR_STATE || !force) {
            return err->kind == ERR_STATE ? err_in(err, "remove %s (--force kills it first)", name) : -1;
        }
        if (kill_running(&home, id, &dir, err) < 0) {
            return err->kind == ERR_NOT_FOUND ? 0 : err_in(err, "remove %s", name);
        }
    }
    return record_remove(&home, &dir, err);
}

#include "runtime/engine/start.h"

#include "images/image.h"
#include "images/store.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/timestamp.h"
#include "runtime/container/supervise.h"
#include "runtime/engine/connection_sweep.h"
#include "runtime/engine/control.h"
#include "runtime/engine/engine.h"
#include "runtime/engine/etc.h"
#include "runtime/engine/health_file.h"
#include "runtime/engine/idrange.h"
#include "runtime/engine/limit_change.h"
#include "runtime/engine/live.h"
#include "runtime/engine/monitor_group.h"
#include "runtime/engine/request_json.h"
#include "runtime/engine/restart_policy.h"
#include "runtime/engine/volume_store.h"
#include "runtime/engine/volume_use.h"
#include "runtime/kernel/names.h"
#include "specs/oci_config.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

// What a running container does without: its image but for the lock, and its configuration.
static void release(struct start *start) {
    if (start->image && start->image_lock < 0) {
        start->image_lock = fd_take(&start->image->lock_fd);
    }
    image_close(start->image);
    start->image = NULL;
    store_close(start->store);
    start->store = NULL;
    joined_finish(&start->joined);
    image_mounts_close_trees(&start->image_mounts);
    arena_finish(&start->turn_arena);
}

void start_finish(struct start *start) {
    image_close(start->image);
    fd_close(&start->image_lock);
    joined_finish(&start->joined);
    image_mounts_finish(&start->image_mounts);
    store_close(start->store);
    event_log_finish(&start->events);
    record_dir_finish(&start->dir);
    home_finish(&start->home);
    arena_finish(&start->turn_arena);
    arena_finish(&start->arena);
}

int start_open_image(struct start *start, const char *name, struct err *err) {
    unsigned flags = STORE_CREATE | (start->home.rootless ? STORE_USER_XATTR : 0);
    if (store_open(start->engine->store, flags, &start->store, err) < 0) {
        return -1;
    }
    // While it runs its monitor has the lock.
    return start->runs ? image_look(start->store, name, &start->image, err) : image_open(start->store, name, &start->image, err);
}

int start_read_log_options(struct start *start, struct err *err) {
    return log_options_parse(&start->arena, start->request->log_driver, &start->request->log_opts, &start->log_options, err);
}

int start_read_health_check(struct start *start, struct err *err) {
    static const struct image_settings none = {0};
    return health_check_make(start->request, start->image ? &start->image->config.settings : &none, &start->arena, &start->health, err);
}

void start_set_ids(struct start *start) {
    const char *userns = start->request->userns;
    start->user_namespace = start->home.rootless || !((userns && strcmp(userns, "host") == 0) || start->request->privileged);
    start->range = (struct id_range){.inside = 0, .outside = start->record.first_id, .count = IDRANGE_SIZE};
}

// Tells what has become of the container, and one thing more where `name` is not NULL.
void start_announce(struct start *start, const char *action, const char *name, const char *value) {
    const struct event_log_container what = {&start->record, &start->request->labels, name, value};
    event_log_add_container(&start->events, &start->home, &what, action);
}

static void announce_end(struct start *start) {
    char code[16];
    snprintf(code, sizeof(code), "%d", start->record.exit_code);
    const char *told = start->record.exit_unknown ? "unknown" : code;
    if (start->record.out_of_memory) {
        start_announce(start, "oom", NULL, NULL);
    }
    start_announce(start, "die", "exitCode", told);
}

int start_fill_volumes(const struct start *start, struct err *err) {
    const struct volume_filling filling = {
        .home = &start->home,
        .image = start->image,
        .first = !start->record.started,
        .passing = start->record.remove,
    };
    return volume_use_fill(&filling, &start->mounts, err);
}

// Of a container that is there: what was removed behind its back is made anew.
static int take_volumes(struct start *start, struct err *err) {
    static const struct run_request no_more = {0};
    static const struct image_settings nothing = {0};
    if (mount_list_read(start->record.mounts, &start->arena, &start->mounts, err) < 0) {
        return err_in(err, "container %.12s", start->dir.id);
    }
    if (!mount_list_has_volumes(&start->mounts, &no_more, &nothing)) {
        return 0;
    }
    AUTO_FD int volumes_fd = volumes_open(&start->home, err);
    if (volumes_fd < 0 || volumes_lock(&start->home, volumes_fd, err) < 0 ||
        volume_use_take(&start->home, volumes_fd, start->record.remove, &start->arena, &start->mounts, err) < 0) {
        return -1;
    }
    fd_close(&volumes_fd);
    return start_fill_volumes(start, err);
}

static struct idmap uid_map(const struct start *start) {
    return start->home.rootless ? start->home.own.uids : (struct idmap){&start->range, start->user_namespace ? 1 : 0};
}

static struct idmap gid_map(const struct start *start) {
    return start->home.rootless ? start->home.own.gids : (struct idmap){&start->range, start->user_namespace ? 1 : 0};
}

// Overlay's own folder, which an ended container does without.
static int make_work(const struct start *start, struct err *err) {
    return mkdirat(start->dir.fd, "work", 0755) < 0 && errno != EEXIST ? err_sys(err, "make the writable layer") : 0;
}

int start_make_config(struct start *start, struct oci_config **ret, struct err *err) {
    start->config_request = (struct config_request){
        .run = start->request,
        .image = &start->image->config.settings,
        .id = start->dir.id,
        .mounts = &start->mounts,
        .etc = arena_format(&start->turn_arena, "%s/%s", start->home.live_path, start->dir.id),
        .user_namespace = start->user_namespace,
        .uids = uid_map(start),
        .gids = gid_map(start),
        .user = start->record.user,
        .rows = start->rows,
        .columns = start->columns,
        .rootless = start->home.rootless,
        .single_id = start->home.rootless && start->home.own.single_id,
        .runs = start->runs,
        .joined = &start->joined,
    };
    return engine_config(&start->config_request, &start->turn_arena, ret, err);
}

// Sweeps that looked before the container's lock was taken may remove the run-time folder, each of them once.
static int write_etc(const struct start *start, const struct etc_request *etc, struct err *err) {
    enum { ATTEMPTS = 16 };
    int result = etc_write(start->home.live_fd, start->dir.id, etc, err);
    for (int i = 1; i < ATTEMPTS && result < 0 && err->errnum == ENOENT; i++) {
        result = live_make(&start->home, start->dir.id, err) < 0 ? -1 : etc_write(start->home.live_fd, start->dir.id, etc, err);
    }
    return result;
}

static int write_files(struct start *start, struct err *err) {
    AUTO_BUF struct buf resolv = {0};
    struct etc_request etc;
    start_describe_etc(start, &resolv, &etc);
    return volume_use_sources(&start->mounts, err) < 0 || make_work(start, err) < 0 || write_etc(start, &etc, err) < 0 ? -1 : 0;
}

// What is mounted without a path of the host: images, and another container's /dev/shm behind them.
static int open_images(struct start *start, struct err *err) {
    const struct image_mounts_request request = {
        .home = &start->home,
        .store = start->store,
        .mounts = &start->mounts,
        .ids = start->user_namespace ? uid_map(start) : (struct idmap){0},
        .place = start->config_request.etc,
    };
    if (image_mounts_open(&request, &start->turn_arena, &start->image_mounts, err) < 0) {
        return -1;
    }
    start->image_mounts.trees[start->image_mounts.count] = (struct container_tree){.destination = "/dev/shm", .fd = start->joined.shm};
    return 0;
}

static int make_container(struct start *start, int stdio[3], struct supervised **ret, struct err *err) {
    if (!start->image && start_open_image(start, start->record.image_id, err) < 0) {
        return -1;
    }
    const char *folder = arena_format(&start->turn_arena, "%s/containers/%s", start->engine->store, start->dir.id);
    struct oci_config *config;
    if (start_take_networks(start, err) < 0 || joined_open(&start->home, start->request, &start->joined, err) < 0 ||
        start_nest_users(start, err) < 0 || start_make_config(start, &config, err) < 0 || write_files(start, err) < 0) {
        return -1;
    }
    start->layers = (struct container_layers){
        .base = arena_format(&start->turn_arena, "%s/layers", start->engine->store),
        .lower = start->image->lower,
        .lower_count = start->image->lower_count,
        .upper = arena_format(&start->turn_arena, "%s/upper", folder),
        .work = arena_format(&start->turn_arena, "%s/work", folder),
        .directory = start->config_request.etc,
        .is_volatile = start->request->remove,
    };
    if (open_images(start, err) < 0) {
        return -1;
    }
    start->options = (struct container_options){
        .root = start->engine->oci_root,
        .id = start->dir.id,
        .bundle = folder,
        .config = config,
        .layers = &start->layers,
        .trees = start->image_mounts.trees,
        .tree_count = start->image_mounts.count + (start->joined.shm >= 0 ? 1 : 0),
        .user = start->record.user,
        .group_names = &start->request->group_add,
        .make_cwd = true,
        .reaper = start->request->init,
        .attach_network = start->connections.has_namespace ? connections_attach : NULL,
        .attach_context = &start->connections,
        .few_hierarchies = true,
        .cgroup_folder = MONITOR_GROUP_CONTAINERS,
        .give_stdio = start->request->tty ? NULL : stdio,
    };
    if (container_supervise(&start->options, ret, err) < 0) {
        return -1;
    }
    connections_bind(&start->connections);
    start_note_networks(start);
    return 0;
}

void start_watched(void *context, int ret_fds[MONITOR_WATCHED]) {
    const struct start *start = context;
    static_assert(MONITOR_WATCHED == (int)CONNECTIONS_WATCHED, "all of them");
    connections_watched(&start->connections, ret_fds);
}

int start_mend(void *context, struct err *err) {
    struct start *start = context;
    bool lost = start->connections.lost;
    int result = connections_mend(&start->connections, err);
    if (start->connections.lost && !lost) {
        start_write_down_loss(start);
    }
    return result;
}

int start_container(void *context, int stdio[3], struct supervised **ret, struct err *err) {
    struct start *start = context;
    int result = make_container(start, stdio, ret, err);
    if (result == 0) {
        start_announce(start, "start", NULL, NULL);
    }
    release(start);
    return result;
}

int start_adopted(void *context, struct supervised **ret, struct err *err) {
    struct start *start = context;
    int result = container_adopt(start->home.oci_root, start->dir.id, ret, err);
    start_find_commons(start);
    release(start);
    return result;
}

void start_remove_all(struct start *start, bool volumes) {
    struct err err;
    if (record_remove(&start->home, &start->dir, volumes, &err) < 0) {
        log_warn("%s", err.text);
    }
}

// What is left when it has ended: nothing (--rm, or it never ran), or the record with the exit code.
void start_ended(void *context, bool for_good, bool has_run) {
    struct start *start = context;
    struct err err;
    bool is_told = start->adopts == MONITOR_ADOPTS_ENDED; // by who found it
    if (start->adopts != MONITOR_STARTS && !has_run) {
        return; // it goes on without us
    }
    if (start->adopts != MONITOR_STARTS) {
        connection_sweep(&start->home, start->dir.id);
        start->adopts = MONITOR_STARTS;
    }
    start->record.networks = start->networks;
    connections_release(&start->connections);
    if (for_good) {
        image_close(start->image);
        start->image = NULL;
        image_mounts_finish(&start->image_mounts);
        fd_close(&start->image_lock); // before anybody hears of the end
    }
    if (has_run && !is_told) {
        announce_end(start);
    }
    if (has_run ? for_good && start->record.remove : start->is_new) {
        start_remove_all(start, !has_run);
        return;
    }
    if ((has_run && record_write(&start->dir, &start->record, &err) < 0) ||
        (for_good && start->health.kind != HEALTH_CHECK_NONE && health_file_keep(&start->home, start->dir.id, &err) < 0)) {
        log_warn("%s", err.text);
    }
    if (for_good) {
        record_settle(&start->home, &start->dir);
    } else {
        live_empty(&start->home, start->dir.id);
    }
}

void start_take_stop_signal(struct start *start) {
    const char *image = start->image ? start->image->config.settings.stop_signal : NULL;
    const char *name = start->request->stop_signal ? start->request->stop_signal : image && *image ? image : "SIGTERM";
    int signal = name_signal(name);
    start->stop_signal = signal > 0 ? signal : SIGTERM;
}

int start_begin(struct start *start, const struct engine *engine, struct err *err) {
    start->engine = engine;
    if (home_open(engine, &start->home, err) < 0) {
        return -1;
    }
    record_sweep(&start->home);
    return 0;
}

static int read_record(struct start *start, const char *id, struct err *err) {
    return record_read(&start->home, &start->arena, id, &start->record, err) < 0 ||
                   request_read_json(start->record.request, &start->arena, &start->stored, err) < 0 ||
                   start_open_image(start, start->record.image_id, err) < 0
               ? -1
               : 0;
}

// What it has of them while it runs stays in the record.
static int adopt_networks(struct start *start, struct err *err) {
    const char *as_is = start->record.networks;
    int result = start_read_networks(start, err);
    start->record.networks = as_is;
    return result;
}

int start_open(struct start *start, const struct engine *engine, const char *id, struct err *err) {
    start->request = &start->stored;
    if (start_begin(start, engine, err) < 0 || control_lock(&start->home, id, &start->dir, err) < 0) {
        return -1;
    }
    if (record_runs_alone(&start->home, id)) {
        return err_set(err, ERR_STATE, "container %.12s runs, and its monitor was killed; stop it first", id);
    }
    if (read_record(start, id, err) < 0 || start_read_log_options(start, err) < 0 || start_read_health_check(start, err) < 0 ||
        start_read_networks(start, err) < 0) {
        return -1;
    }
    start_set_ids(start);
    start_take_stop_signal(start);
    return take_volumes(start, err) < 0 ? -1 : live_make(&start->home, id, err);
}

int start_adopt(struct start *start, const struct engine *engine, struct record_dir *give_dir, enum monitor_adopts adopts,
                struct err *err) {
    struct err no_image;
    start->request = &start->stored;
    start->engine = engine;
    start->adopts = adopts;
    start->dir = *give_dir;
    give_dir->fd = -1;
    if (home_open(engine, &start->home, err) < 0 || record_read(&start->home, &start->arena, start->dir.id, &start->record, err) < 0 ||
        request_read_json(start->record.request, &start->arena, &start->stored, err) < 0 || start_read_log_options(start, err) < 0 ||
        mount_list_read(start->record.mounts, &start->arena, &start->mounts, err) < 0) {
        return -1;
    }
    if (start_open_image(start, start->record.image_id, &no_image) < 0) {
        log_info("container %.12s: %s", start->dir.id, no_image.text);
    }
    start_set_ids(start);
    start_take_stop_signal(start);
    return start_read_health_check(start, err) < 0 ? -1 : adopt_networks(start, err);
}

int start_describe(struct start *start, const struct engine *engine, const char *id, struct oci_config **ret, struct err *err) {
    start->request = &start->stored;
    start->runs = true;
    start->engine = engine;
    snprintf(start->dir.id, sizeof(start->dir.id), "%s", id);
    if (home_open(engine, &start->home, err) < 0 || read_record(start, id, err) < 0 ||
        mount_list_read(start->record.mounts, &start->arena, &start->mounts, err) < 0) {
        return -1;
    }
    start_set_ids(start);
    return start_make_config(start, ret, err);
}

int start_change_limits(void *context, const char *text, bool runs, struct restart_policy *ret_policy, struct err *err) {
    struct start *start = context;
    const struct limit_change change = {
        .home = &start->home, .record = &start->record, .request = start->request, .text = text, .runs = runs};
    const struct run_request *changed;
    if (limit_change(&change, &start->arena, &changed, err) < 0) {
        return -1;
    }
    start->request = changed;
    *ret_policy = start_restart_policy(start);
    return record_write(&start->dir, &start->record, err);
}

struct restart_policy start_restart_policy(const struct start *start) {
    struct restart_policy policy;
    struct err checked;
    (void)!restart_policy_parse(start->request->restart, &policy, &checked);
    return policy;
}

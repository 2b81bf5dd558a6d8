// start: a container on its way from what was wished for to what runs: its record, its writable layer, its configuration. Private
// to the engine.
#ifndef COFFER_ENGINE_START_H
#define COFFER_ENGINE_START_H

#include "runtime/base/arena.h"
#include "runtime/base/attr.h"
#include "runtime/container/options.h"
#include "runtime/engine/config.h"
#include "runtime/engine/attachment.h"
#include "runtime/engine/connections.h"
#include "runtime/engine/event_log.h"
#include "runtime/engine/health.h"
#include "runtime/engine/etc.h"
#include "runtime/engine/home.h"
#include "runtime/engine/image_mounts.h"
#include "runtime/engine/joined.h"
#include "runtime/engine/log_options.h"
#include "runtime/engine/monitor.h"
#include "runtime/engine/mount_list.h"
#include "runtime/engine/record.h"
#include "runtime/engine/request.h"
#include "runtime/engine/restart_policy.h"

struct buf;
struct engine;
struct err;
struct exec_child;
struct image;
struct oci_config;
struct store;
struct supervised;

struct start {
    const struct engine *engine;
    const struct run_request *request;
    struct run_request stored; // what `request` is, where it was read or completed
    struct arena arena;
    struct home home;
    struct store *store;
    struct image *image; // NULL while the container runs: it is opened again for a restart
    int image_lock;      // shared: it cannot be removed
    struct record_dir dir;
    struct record record;
    struct log_options log_options;
    struct mount_list mounts;
    struct health_check health;
    enum monitor_adopts adopts; // if it was another monitor's, what it has of networks is nobody's yet
    bool is_new; // what does not come to run is removed
    bool runs; // only described
    bool user_namespace;
    struct id_range range;
    struct attachment_list attachments;
    const char *networks; // the same as the record has it while the container does not run
    struct connections connections;
    struct event_log events;
    struct joined joined;
    int stop_signal;
    unsigned rows, columns; // of the terminal that it is shown on; 0: none
    // Of the start at hand, one of several where it is restarted.
    struct arena turn_arena;
    struct config_request config_request;
    struct container_layers layers;
    struct image_mounts image_mounts;
    struct container_options options;
};

#define START_NONE                                                                                                                 \
    {                                                                                                                              \
        .events = {.fd = -1, .trims = true}, .image_lock = -1, .dir = {.fd = -1}, .home = HOME_CLOSED,                             \
        .connections = CONNECTIONS_NONE, .joined = JOINED_NONE                                                                     \
    }

void start_finish(struct start *start);
#define AUTO_START AUTO(start_finish)

// verb: for messages, in front of what goes wrong once there is an image.
// A new container: the image is opened, a record made and locked, the writable layer prepared. On an error nothing is left.
int start_new(struct start *start, const struct engine *engine, const struct run_request *request, const char *verb,
              struct err *err) MUST_CHECK;

// Whether a new one could be started, as far as that can be told now; else nothing is left.
int start_check(struct start *start, const char *verb, struct err *err) MUST_CHECK;

// One that is there, by its id; it does not run, and its lock is taken.
int start_open(struct start *start, const struct engine *engine, const char *id, struct err *err) MUST_CHECK;

// One that runs without a monitor, or has ended without one, whose lock is taken over, on an error too. It may go without its image, which can be gone by now.
int start_adopt(struct start *start, const struct engine *engine, struct record_dir *give_dir, enum monitor_adopts adopts,
                struct err *err) MUST_CHECK;

// The configuration of one that runs, as its start had it; it lives in `start`.
int start_describe(struct start *start, const struct engine *engine, const char *id, struct oci_config **ret, struct err *err) MUST_CHECK;

// As monitor_container has them; context: a struct start.
int start_container(void *context, int stdio[3], struct supervised **ret, struct err *err) MUST_CHECK;
int start_adopted(void *context, struct supervised **ret, struct err *err) MUST_CHECK;
void start_watched(void *context, int ret_fds[MONITOR_WATCHED]);
int start_mend(void *context, struct err *err) MUST_CHECK;
void start_ended(void *context, bool for_good, bool has_run);
int start_exec(void *context, const char *const *command, int stdio[3], struct exec_child *ret, struct err *err) MUST_CHECK;

int start_change_limits(void *context, const char *text, bool runs, struct restart_policy *ret_policy, struct err *err) MUST_CHECK;
int start_change_networks(void *context, uint32_t kind, const char *text, bool runs, struct err *err) MUST_CHECK;

// --- start.c, of its parts alone ---

int start_begin(struct start *start, const struct engine *engine, struct err *err) MUST_CHECK;
int start_open_image(struct start *start, const char *name, struct err *err) MUST_CHECK;
int start_read_log_options(struct start *start, struct err *err) MUST_CHECK;
int start_read_health_check(struct start *start, struct err *err) MUST_CHECK;
void start_take_stop_signal(struct start *start);

// Whose user ids it has, by the request and, once it has a range, by the record.
void start_set_ids(struct start *start);
int start_fill_volumes(const struct start *start, struct err *err) MUST_CHECK;
int start_make_config(struct start *start, struct oci_config **ret, struct err *err) MUST_CHECK;
void start_remove_all(struct start *start, bool volumes);

// Tells what has become of the container, and one thing more where `name` is not NULL.
void start_announce(struct start *start, const char *action, const char *name, const char *value);

// --- start_networks.c, of start.c alone ---

int start_read_networks(struct start *start, struct err *err) MUST_CHECK;
int start_take_networks(struct start *start, struct err *err) MUST_CHECK;
// A user namespace within that of the user's networks, where it is on any.
int start_nest_users(struct start *start, struct err *err) MUST_CHECK;
// Keeps the user's networks where the adopted container is on one.
void start_find_commons(struct start *start);
// All that it had there is gone, while it runs on.
void start_write_down_loss(struct start *start);
// For the record, which is written when it runs; it lives as long as the connections.
void start_note_networks(struct start *start);
// What its files in /etc say of its networks.
void start_describe_etc(struct start *start, struct buf *resolv, struct etc_request *ret);

struct restart_policy start_restart_policy(const struct start *start);

#endif

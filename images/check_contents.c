// What layers hold, held against the records of their tars: by workers that see nothing but one layer (images/verify_worker.h).
#include "images/check_state.h"
#include "images/layer.h"
#include "images/layer_worker.h"
#include "images/store.h"
#include "images/tar_record.h"
#include "images/unpack.h"
#include "images/verify_worker.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/quote.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

// One layer that is being read.
struct reading {
    struct check_layer *layer; // NULL: this place is free
    struct layer opened;       // with the lock that keeps it
    int fs_fd, record_fd;
    struct verify_worker *worker;
};

static void reading_finish(struct reading *reading) {
    verify_worker_destroy(reading->worker);
    layer_finish(&reading->opened);
    fd_close(&reading->fs_fd);
    fd_close(&reading->record_fd);
    *reading = (struct reading){.opened.fd = -1, .fs_fd = -1, .record_fd = -1};
}

struct pool {
    struct check *check;
    struct reading readings[LAYER_WORKERS_MAX];
    unsigned limit, running;
    size_t next; // of the layers
};

static void pool_finish(struct pool *pool) {
    for (unsigned i = 0; i < pool->limit; i++) {
        reading_finish(&pool->readings[i]);
    }
}

static void tell(const struct check *check, const struct reading *reading, bool ended) {
    const struct check_progress progress = {
        .layer = reading->layer->key,
        .done = ended ? reading->opened.tar_bytes : verify_worker_progress(reading->worker),
        .total = reading->opened.tar_bytes,
        .ended = ended,
    };
    if (check->options->progress) {
        check->options->progress(check->options->progress_context, &progress);
    }
}

// 1: it is being read; 0: there is nothing to hold it against, or it has gone.
static int start(struct check *check, struct check_layer *layer, struct reading *reading, struct err *err) {
    struct err wrong = {0};
    if (layer_open(check->store, layer->key, &reading->opened, &wrong) < 0) {
        return 0; // collected meanwhile
    }
    if (reading->opened.tar_bytes == 0) {
        check->unread++;
        return 0;
    }
    reading->layer = layer;
    reading->fs_fd = openat(reading->opened.fd, "fs", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    reading->record_fd = openat(reading->opened.fd, TAR_RECORD_NAME, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    struct stat status;
    if (reading->fs_fd < 0) {
        check_damaged_layer(check, layer, "its directory fs cannot be opened");
        return 0;
    }
    if (reading->record_fd < 0 || fstat(reading->record_fd, &status) < 0 || !S_ISREG(status.st_mode)) {
        check_damaged_layer(check, layer, TAR_RECORD_NAME " is missing");
        return 0;
    }
    const struct verify_request request = {
        .record_fd = reading->record_fd,
        .dir_fd = reading->fs_fd,
        .single_id = check->options->single_id,
        .no_devices = check->options->no_devices,
    };
    reading->worker = verify_worker_create(&request, err);
    return reading->worker ? 1 : -1;
}

static int start_more(struct pool *pool, struct err *err) {
    struct check *check = pool->check;
    for (unsigned i = 0; i < pool->limit; i++) {
        struct reading *reading = &pool->readings[i];
        while (!reading->layer && pool->next < check->layers_count) {
            struct check_layer *layer = &check->layers[pool->next++];
            int started = layer->damaged ? 0 : start(check, layer, reading, err);
            if (started < 0) {
                return err_in(err, "layer %s", layer->key);
            }
            if (started == 0) {
                reading_finish(reading);
            }
            pool->running += (unsigned)started;
        }
    }
    return 0;
}

// What it met in the layer is damage; that it was killed, or the machine had no memory for it, is not.
static bool is_damage(const struct err *err) {
    return err->kind == ERR_CORRUPT || err->kind == ERR_INPUT || (err->kind == ERR_SYSTEM && err->errnum == EIO);
}

static void PRINTF_LIKE(3, 4) found(struct check *check, struct check_layer *layer, const char *format, ...) {
    char problem[ERR_TEXT_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(problem, sizeof(problem), format, args);
    va_end(args);
    check_damaged_layer(check, layer, problem);
}

// Paths are shown as they are where they are plain, and quoted otherwise.
static const char *show_path(const char *path, char quoted[QUOTE_SIZE]) {
    quote_text(path, quoted);
    size_t length = strlen(quoted);
    if (length == strlen(path) + 2 && !strpbrk(path, " :,;()")) {
        return path;
    }
    return quoted;
}

static void tell_differences(struct check *check, const struct reading *reading, const struct verify_result *result) {
    char text[DIGEST_TEXT_SIZE], quoted[QUOTE_SIZE];
    for (size_t i = 0; i < result->differences_count; i++) {
        const struct verify_difference *difference = &result->differences[i];
        found(check, reading->layer, "%s: %s", show_path(difference->path, quoted), difference->problem);
    }
    if (result->more > 0) {
        found(check, reading->layer, "differs in %llu things more", (unsigned long long)result->more);
    }
    for (size_t i = 0; i < result->opaque_count; i++) {
        if (!unpack_is_opaque(reading->fs_fd, result->opaque_dirs[i], check->store->user_xattr)) {
            found(check, reading->layer, "%s: is not marked as opaque", show_path(result->opaque_dirs[i], quoted));
        }
    }
    if (result->is_read && !digest_equal(&result->diff_id, &reading->opened.diff_id)) {
        found(check, reading->layer, "what its files hold has changed: it makes %s", digest_format(&result->diff_id, text));
    }
}

static void take_result(struct pool *pool, struct reading *reading) {
    struct check *check = pool->check;
    AUTO(verify_result_finish) struct verify_result result = {0};
    struct err err = {0};
    if (verify_worker_result(reading->worker, &result, &err) < 0) {
        if (is_damage(&err)) {
            check_damaged_layer(check, reading->layer, err.text);
        } else { // others can still be read
            log_warn("layer %.12s: could not be checked: %s", reading->layer->key, err.text);
            check->failed++;
        }
        tell(check, reading, true);
        return;
    }
    check->bytes += result.tar_size;
    tell_differences(check, reading, &result);
    tell(check, reading, true);
}

static int wait_for_workers(const struct pool *pool, struct err *err) {
    struct pollfd polls[LAYER_WORKERS_MAX];
    nfds_t count = 0;
    for (unsigned i = 0; i < pool->limit; i++) {
        if (pool->readings[i].worker) {
            polls[count++] = (struct pollfd){.fd = verify_worker_fd(pool->readings[i].worker), .events = POLLIN};
        }
    }
    return poll(polls, count, -1) < 0 && errno != EINTR ? err_sys(err, "wait for the unpackers") : 0;
}

static void step(struct pool *pool) {
    for (unsigned i = 0; i < pool->limit; i++) {
        struct reading *reading = &pool->readings[i];
        if (!reading->worker) {
            continue;
        }
        if (verify_worker_step(reading->worker)) {
            take_result(pool, reading);
            reading_finish(reading);
            pool->running--;
        } else {
            tell(pool->check, reading, false);
        }
    }
}

int check_contents(struct check *check, struct err *err) {
    AUTO(pool_finish) struct pool pool = {.check = check, .limit = layer_workers_for(check->options->workers)};
    for (unsigned i = 0; i < pool.limit; i++) {
        pool.readings[i] = (struct reading){.opened.fd = -1, .fs_fd = -1, .record_fd = -1};
    }
    for (;;) {
        if (start_more(&pool, err) < 0) {
            return -1;
        }
        if (pool.running == 0) {
            return 0;
        }
        if (wait_for_workers(&pool, err) < 0) {
            return -1;
        }
        step(&pool);
    }
}

#include "images/load_layers.h"

#include "images/layer.h"
#include "images/layer_locks.h"
#include "images/layer_worker.h"
#include "images/load_partials.h"
#include "images/staging.h"
#include "images/store.h"
#include "images/unpack_worker.h"
#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/base/quote.h"
#include "runtime/base/strv.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DOWNLOADS = 4, PIPE_BYTES = 1 << 20 };

void load_layers_finish(struct load_layers *layers) {
    for (size_t i = 0; i < layers->count; i++) {
        struct load_layer_job *job = layers->jobs[i];
        registry_download_end(job->download);
        fd_close(&job->pipe);
        fd_close(&job->keep_fd);
        partial_finish(&job->partial);
        unpack_worker_destroy(job->worker);
        unpack_result_finish(&job->result);
        layer_finish(&job->publish.layer);
        fd_close(&job->fs_fd);
        fd_close(&job->record_fd);
        free(job);
    }
    free(layers->jobs);
    free(layers->states);
    fd_close(&layers->locks_fd);
}

static struct load_layer_job *find_job(const struct load_layers *layers, const struct digest *chain_id) {
    for (size_t i = 0; i < layers->count; i++) {
        if (digest_equal(&layers->jobs[i]->chain_id, chain_id)) {
            return layers->jobs[i];
        }
    }
    return NULL;
}

const struct publish_layer *load_layers_get(const struct load_layers *layers, const struct digest *chain_id) {
    const struct load_layer_job *job = find_job(layers, chain_id);
    assert(job);
    return &job->publish;
}

static void tell(const struct load_layers *layers) {
    if (layers->options->progress) {
        layers->options->progress(layers->options->progress_context, layers->states, layers->count);
    }
}

// layer-N/fs in the staging directory.
static int make_directory(struct load_layers *layers, struct load_layer_job *job, struct err *err) {
    job->publish.staged = arena_format(layers->arena, "layer-%zu", layers->directories++);
    AUTO_FD int fd = staging_make_dir(layers->staging, job->publish.staged, err);
    if (fd < 0) {
        return -1;
    }
    if (mkdirat(fd, "fs", 0755) == 0) {
        job->fs_fd = openat(fd, "fs", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    }
    // Whatever the umask is.
    if (job->fs_fd < 0 || fchmod(job->fs_fd, 0755) < 0) {
        return err_sys(err, "make directory %s/fs in the store", job->publish.staged);
    }
    job->record_fd = layer_make_record(fd, err);
    return job->record_fd < 0 ? -1 : 0;
}

static int use_present(struct load_layer_job *job, struct err *err) {
    const struct layer *layer = &job->publish.layer;
    job->settled = true;
    job->fs_fd = openat(layer->fd, "fs", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return job->fs_fd < 0 ? err_sys(err, "open layer %s of the store", layer->key) : 0;
}

// What the store has under either of its names is damaged: it is not even looked at.
static bool is_repaired(const struct load_layers *layers, const struct load_layer_job *job) {
    const struct load_repair *repair = layers->options->repair;
    return repair && (strv_has(repair->layers, job->source->diff_id.hex) || strv_has(repair->layers, job->chain_id.hex));
}

static int plan_job(struct load_layers *layers, struct load_layer_job *job, struct err *err) {
    struct layer *layer = &job->publish.layer;
    job->replaces = is_repaired(layers, job);
    int found = job->replaces ? 0 : layer_find(layers->store, &job->source->diff_id, &job->chain_id, layer, err);
    if (found < 0) {
        return -1;
    }
    if (found == 0) {
        layer->diff_id = job->source->diff_id;
        layer->fd = -1;
        return make_directory(layers, job, err);
    }
    return use_present(job, err);
}

static int add_job(struct load_layers *layers, const struct source_layer *source, const struct digest *chain_id, struct err *err) {
    if (layers->count == layers->room) {
        layers->room = layers->room ? 2 * layers->room : 16;
        layers->jobs = mem_resize(layers->jobs, layers->room, sizeof(struct load_layer_job *));
        layers->states = mem_resize(layers->states, layers->room, sizeof(*layers->states));
    }
    struct load_layer_job *job = mem_alloc(sizeof(*job));
    *job = (struct load_layer_job){
        .source = source, .chain_id = *chain_id, .fs_fd = -1, .record_fd = -1, .pipe = -1, .keep_fd = -1, .publish.layer.fd = -1};
    layers->jobs[layers->count] = job;
    int result = plan_job(layers, job, err);
    layers->states[layers->count++] = (struct load_layer){
        .name = source->name,
        .size = source->blob.size,
        .done = job->settled ? source->blob.size : 0,
        .state = job->settled ? LOAD_PRESENT : LOAD_WAITING,
    };
    return result;
}

int load_layers_add(struct load_layers *layers, const struct source_image *image, struct err *err) {
    const struct digest *below = NULL;
    struct digest chain;
    for (size_t i = 0; i < image->layers_count; i++) {
        layer_chain_id(below, &image->layers[i].diff_id, &chain);
        below = &chain;
        if (!find_job(layers, &chain) && add_job(layers, &image->layers[i], &chain, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int name_layer(const struct load_layer_job *job, struct err *err) {
    char quoted[QUOTE_SIZE];
    if (job->source->url && err->kind == ERR_NOT_FOUND) {
        source_say_elsewhere(job->source->url, err);
    }
    return err_in(err, "layer %s",
                  digest_parse(job->source->name, &(struct digest){0}, &(struct err){0}) == 0
                      ? job->source->name
                      : quote_text(job->source->name, quoted));
}

// A pipe between the download and the worker. Returns the worker's end.
static int start_download(struct load_layers *layers, struct load_layer_job *job, struct err *err) {
    const struct source_layer *source = job->source;
    int pipes[2];
    if (pipe2(pipes, O_CLOEXEC) < 0) {
        return err_sys(err, "make a pipe");
    }
    AUTO_FD int to_read = pipes[0];
    job->pipe = pipes[1];
    (void)fcntl(job->pipe, F_SETPIPE_SZ, PIPE_BYTES); // more than a user's share is not needed
    struct registry_blob blob = {.digest = &source->digest, .size = source->blob.size, .out_fd = job->pipe};
    load_partials_use(layers, job, &blob);
    if (registry_download_start(layers->options->registry, layers->options->ref, &blob, &job->download, err) < 0) {
        return -1;
    }
    return fd_take(&to_read);
}

static int start(struct load_layers *layers, struct load_layer_job *job, struct err *err) {
    AUTO_FD int pipe_end = -1;
    if (job->source->blob.fd < 0 && (pipe_end = start_download(layers, job, err)) < 0) {
        return name_layer(job, err);
    }
    const struct unpack_request request = {
        .input_fd = pipe_end >= 0 ? pipe_end : job->source->blob.fd,
        .is_pipe = pipe_end >= 0,
        .offset = job->source->blob.offset,
        .length = job->source->blob.size,
        .algorithm = job->source->digest.algorithm,
        .dir_fd = job->fs_fd,
        .has_record = true,
        .record_fd = job->record_fd,
        .options =
            {
                .compression = job->source->compression,
                .devices = layers->options->devices,
                .single_id = layers->options->single_id,
            },
    };
    job->worker = unpack_worker_create(&request, err);
    return job->worker ? 0 : name_layer(job, err);
}

// The digest of what was read first: of something else than what was asked for, nothing else counts.
static int verify(const struct load_layer_job *job, struct err *err) {
    const struct source_layer *source = job->source;
    char found[DIGEST_TEXT_SIZE], wanted[DIGEST_TEXT_SIZE];
    if (source->digest.algorithm != DIGEST_NONE && !digest_equal(&job->result.digest, &source->digest)) {
        return err_set(err, ERR_CORRUPT, "its digest is %s", digest_format(&job->result.digest, found));
    }
    if (source->diff_id.algorithm == DIGEST_SHA256 && !digest_equal(&job->result.diff_id, &source->diff_id)) {
        return err_set(err, ERR_CORRUPT, "its diff id is %s, but the image's configuration says %s",
                       digest_format(&job->result.diff_id, found), digest_format(&source->diff_id, wanted));
    }
    if (source->diff_id.algorithm != DIGEST_SHA256) {
        return err_set(err, ERR_UNSUPPORTED, "its diff id %s is not of sha256", digest_format(&source->diff_id, wanted));
    }
    return 0;
}

// What was kept may be wrong, by a power cut or by a fetcher that was taken over, or the registry does not know how to go on there:
// once, the layer comes as if nothing were kept. `is_wrong`: the bytes themselves.
static int get_anew(struct load_layers *layers, size_t index, bool is_wrong, struct err *err) {
    struct load_layer_job *job = layers->jobs[index];
    struct load_layer *state = &layers->states[index];
    log_warn("layer %.19s: cannot be resumed, and is brought anew: %s", job->source->name, err->text);
    registry_download_end(job->download);
    job->download = NULL;
    fd_close(&job->pipe);
    fd_close(&job->keep_fd);
    unpack_result_finish(&job->result);
    fd_close(&job->fs_fd);
    fd_close(&job->record_fd);
    if (is_wrong) {
        partial_remove(&job->partial);
    }
    job->keeps = job->resumes = false;
    job->is_again = true;
    state->state = LOAD_WAITING;
    state->done = state->resumed_at = state->resumed = 0;
    return make_directory(layers, job, err);
}

// What the machine lacks says nothing of the bytes.
static bool is_lack(const struct err *err) {
    static const int lacks[] = {ENOSPC, EDQUOT, ENOMEM, EMFILE, ENFILE, EIO, EROFS};
    for (size_t i = 0; i < ARRAY_LEN(lacks); i++) {
        if (err->kind == ERR_SYSTEM && err->errnum == lacks[i]) {
            return true;
        }
    }
    return false;
}

// A layer that was not what it should be. Bytes that were wrong are not kept; an unpacker that was killed may have been in the
// way of somebody.
static int take_failure(struct load_layers *layers, size_t index, struct err *err) {
    struct load_layer_job *job = layers->jobs[index];
    bool is_wrong = err->kind != ERR_STATE;
    if (is_lack(err)) {
        return name_layer(job, err);
    }
    if (job->resumes) {
        return get_anew(layers, index, is_wrong, err);
    }
    if (is_wrong) {
        partial_remove(&job->partial);
    }
    return name_layer(job, err);
}

static int take_result(struct load_layers *layers, size_t index, struct err *err) {
    struct load_layer_job *job = layers->jobs[index];
    int result = unpack_worker_result(job->worker, &job->result, err);
    unpack_worker_destroy(job->worker);
    job->worker = NULL;
    fd_close(&job->record_fd);
    if (result < 0 || verify(job, err) < 0) {
        return take_failure(layers, index, err);
    }
    layers->states[index].done = layers->states[index].size;
    layers->states[index].state = LOAD_DONE;
    if (job->result.skipped_devices > 0) {
        log_info("layer %s: %llu device nodes left out", job->source->name, (unsigned long long)job->result.skipped_devices);
    }
    return 0;
}

// The largest one that waits; SIZE_MAX: none does.
static size_t next_waiting(const struct load_layers *layers) {
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < layers->count; i++) {
        if (layers->states[i].state == LOAD_WAITING && (best == SIZE_MAX || layers->states[i].size > layers->states[best].size)) {
            best = i;
        }
    }
    return best;
}

// A download waits for the other side more than for the processor.
static unsigned worker_limit(const struct load_layers *layers) {
    unsigned wished = layers->options->workers, count = layer_workers_for(wished);
    return layers->options->registry && wished == 0 && count < DOWNLOADS ? DOWNLOADS : count;
}

static int start_more(struct load_layers *layers, unsigned *running, unsigned limit, struct err *err) {
    for (size_t next; *running < limit && (next = next_waiting(layers)) != SIZE_MAX; (*running)++) {
        if (start(layers, layers->jobs[next], err) < 0) {
            return -1;
        }
        layers->states[next].state = LOAD_RUNNING;
    }
    return 0;
}

// Waits until a worker has something to say.
static int wait_for_workers(const struct load_layers *layers, struct err *err) {
    struct pollfd polls[2 * LAYER_WORKERS_MAX + 1];
    struct registry *registry = layers->options->registry;
    nfds_t count = 0;
    if (registry) {
        polls[count++] = (struct pollfd){.fd = registry_fd(registry), .events = POLLIN};
    }
    for (size_t i = 0; i < layers->count; i++) {
        if (layers->jobs[i]->worker) {
            polls[count++] = (struct pollfd){.fd = unpack_worker_fd(layers->jobs[i]->worker), .events = POLLIN};
        }
        if (layers->jobs[i]->worker && layers->jobs[i]->download) {
            polls[count++] = (struct pollfd){.fd = registry_download_wait_fd(layers->jobs[i]->download), .events = POLLOUT};
        }
    }
    int timeout_ms = registry ? registry_timeout_ms(registry) : -1;
    if (registry && !layers->pace.is_slow && (timeout_ms < 0 || timeout_ms > LOAD_PACE_EVERY_MS)) {
        timeout_ms = LOAD_PACE_EVERY_MS;
    }
    if (poll(polls, count, timeout_ms) < 0 && errno != EINTR) {
        return err_sys(err, "wait for the unpackers");
    }
    return 0;
}

// What the download says of its end counts before what the worker says: to that one a line that was cut is a blob that ends early.
// But a download whose reader is gone says only that: then the worker knows why. Either closes the pipe.
// 1: it failed, and may not without what was kept.
static int step_download(struct load_layer_job *job, struct err *err) {
    if (job->download) {
        registry_download_step(job->download);
    }
    if (!job->download || !registry_download_ended(job->download)) {
        return 0;
    }
    int result = registry_download_result(job->download, err);
    if (result < 0 && err->errnum != EPIPE && registry_download_blames_kept(job->download)) {
        return 1;
    }
    registry_download_end(job->download);
    job->download = NULL;
    fd_close(&job->pipe);
    return result < 0 && err->errnum == EPIPE ? 0 : result;
}

static int step(struct load_layers *layers, unsigned *running, struct err *err) {
    if (layers->options->registry && registry_step(layers->options->registry, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < layers->count; i++) {
        struct load_layer_job *job = layers->jobs[i];
        if (!job->worker) {
            continue;
        }
        uint64_t plain;
        int failed = step_download(job, err);
        if (failed < 0) {
            return name_layer(job, err);
        }
        if (failed > 0) {
            (*running)--;
            unpack_worker_destroy(job->worker);
            job->worker = NULL;
            if (get_anew(layers, i, false, err) < 0) {
                return -1;
            }
            continue;
        }
        if (unpack_worker_step(job->worker)) {
            (*running)--;
            if (take_result(layers, i, err) < 0) {
                return -1;
            }
        } else {
            unpack_worker_progress(job->worker, &layers->states[i].done, &plain);
        }
    }
    return 0;
}

static void tell_waiting(const struct digest *diff_id) {
    log_info("waiting for the lock of layer sha256:%.12s", diff_id->hex);
    log_warn("another process is bringing the same layers into the store; waiting for it");
}

// What another process has brought while its lock was waited for is there now.
static int look_again(struct load_layers *layers, struct err *err) {
    for (size_t i = 0; i < layers->count; i++) {
        struct load_layer_job *job = layers->jobs[i];
        struct layer layer;
        if (layers->states[i].state != LOAD_WAITING || job->replaces) {
            continue;
        }
        int found = layer_find(layers->store, &job->source->diff_id, &job->chain_id, &layer, err);
        if (found < 0) {
            return -1;
        }
        if (found > 0) {
            fd_close(&job->fs_fd);
            fd_close(&job->record_fd);
            job->publish = (struct publish_layer){.layer = layer}; // the empty directory goes with the rest of staging
            if (use_present(job, err) < 0) {
                return -1;
            }
            layers->states[i].done = layers->states[i].size;
            layers->states[i].state = LOAD_PRESENT;
        }
    }
    return 0;
}

static int lock_layers(struct load_layers *layers, struct err *err) {
    AUTO_FREE const struct digest **diff_ids = mem_array(layers->count + 1, sizeof(*diff_ids));
    size_t count = 0;
    for (size_t i = 0; i < layers->count; i++) {
        if (layers->states[i].state == LOAD_WAITING) {
            diff_ids[count++] = &layers->jobs[i]->source->diff_id;
        }
    }
    if (count == 0) {
        return 0;
    }
    layers->locks_fd = layer_locks_take(layers->store, diff_ids, count, tell_waiting, err);
    return layers->locks_fd < 0 ? -1 : look_again(layers, err);
}

int load_layers_unpack(struct load_layers *layers, struct err *err) {
    unsigned running = 0, limit = worker_limit(layers);
    if (lock_layers(layers, err) < 0) {
        return -1;
    }
    load_partials_find(layers);
    tell(layers);
    for (;;) {
        if (load_partials_watch(layers, err) < 0 || start_more(layers, &running, limit, err) < 0) {
            return -1;
        }
        if (running == 0) {
            return 0;
        }
        if (wait_for_workers(layers, err) < 0 || step(layers, &running, err) < 0) {
            return -1;
        }
        tell(layers);
    }
}

static bool has_opaque_root(const struct unpack_result *result) {
    for (size_t i = 0; i < result->opaque_count; i++) {
        if (strcmp(result->opaque_dirs[i], ".") == 0) {
            return true;
        }
    }
    return false;
}

// Whether the layer comes out differently on other layers: the root alone does not count.
static bool needs_lower(const struct unpack_result *result) {
    return result->link_count > 0 || result->implied_count > 1 ||
           (result->implied_count == 1 && strcmp(result->implied_dirs[0], ".") != 0);
}

static int settle(struct load_layers *layers, struct load_layer_job *job, const int *lower_fds, size_t lower_count,
                  struct err *err) {
    const struct unpack_stack stack = {
        .lower_fds = lower_fds,
        .lower_count = lower_count,
        .userxattr = layers->store->user_xattr,
        .single_id = layers->options->single_id,
    };
    struct layer *layer = &job->publish.layer;
    if (unpack_settle(job->fs_fd, &job->result, &stack, err) < 0) {
        return name_layer(job, err);
    }
    layer->size_bytes = job->result.file_bytes;
    layer->tar_bytes = job->result.tar_size;
    layer->needs_lower = needs_lower(&job->result);
    layer->opaque = has_opaque_root(&job->result);
    memcpy(layer->key, layer->needs_lower ? job->chain_id.hex : layer->diff_id.hex, sizeof(layer->key));
    job->settled = true;
    AUTO_FD int fd = openat(layers->staging->fd, job->publish.staged, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? err_sys(err, "open %s in the store", job->publish.staged) : layer_describe(layer, fd, err);
}

int load_layers_settle(struct load_layers *layers, const struct source_image *image, struct err *err) {
    // Filled from its end: the next one below comes first.
    AUTO_FREE int *lower_fds = mem_array(image->layers_count + 1, sizeof(*lower_fds));
    int *top = lower_fds + image->layers_count;
    const struct digest *below = NULL;
    struct digest chain;
    for (size_t i = 0; i < image->layers_count; i++) {
        layer_chain_id(below, &image->layers[i].diff_id, &chain);
        below = &chain;
        struct load_layer_job *job = find_job(layers, &chain);
        assert(job);
        size_t lower_count = (size_t)(lower_fds + image->layers_count - top);
        if (!job->settled && settle(layers, job, top, lower_count, err) < 0) {
            return -1;
        }
        *--top = job->fs_fd;
        if (job->publish.layer.opaque) {
            top = lower_fds + image->layers_count; // nothing below it is seen
            *--top = job->fs_fd;
        }
    }
    return 0;
}

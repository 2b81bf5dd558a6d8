#include "images/load_partials.h"

#include "images/partial_note.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LEAST_BYTES = 64 << 10 }; // a smaller layer is got again as quickly

static bool is_download(const struct load_layer_job *job) {
    return job->source->blob.fd < 0;
}

void load_partials_find(struct load_layers *layers) {
    for (size_t i = 0; i < layers->count; i++) {
        struct load_layer_job *job = layers->jobs[i];
        if (layers->states[i].state != LOAD_WAITING || !is_download(job) ||
            !partial_find(layers->store, &job->source->digest, job->source->blob.size, &job->partial)) {
            continue;
        }
        layers->states[i].resumed_at = job->partial.to;
        layers->states[i].resumed = job->partial.to - job->partial.from;
        log_info("layer %s: bytes %llu to %llu are there from a pull that was broken off", job->source->name,
                 (unsigned long long)job->partial.from, (unsigned long long)job->partial.to);
    }
}

// What cannot be kept is not: the pull goes on without.
static void stop_keeping(struct load_layer_job *job, const char *why) {
    log_info("layer %s: what comes of it is not kept: %s", job->source->name, why);
    fd_close(&job->keep_fd);
    job->keeps = false;
    partial_remove(&job->partial);
}

static bool open_writer(struct load_layer_job *job) {
    fd_close(&job->keep_fd);
    job->keep_fd = partial_writer(&job->partial);
    job->keeps = job->keep_fd >= 0;
    if (!job->keeps) {
        stop_keeping(job, strerror(errno));
    }
    return job->keeps;
}

// A file that is new.
static bool begin_keeping(struct load_layers *layers, struct load_layer_job *job) {
    return !job->partial.store && job->source->blob.size >= LEAST_BYTES &&
           partial_create(layers->store, &job->source->digest, &job->partial) && open_writer(job);
}

void load_partials_use(struct load_layers *layers, struct load_layer_job *job, struct registry_blob *blob) {
    const struct partial *partial = &job->partial;
    if (partial->store && !job->is_again) {
        blob->kept = (struct registry_kept){
            .has = true, .fd = partial->fd, .offset = PARTIAL_NOTE_SIZE, .from = partial->from, .to = partial->to};
        (void)fcntl(blob->out_fd, F_SETFL, fcntl(blob->out_fd, F_GETFL) | O_NONBLOCK);
        job->resumes = true;
        if (partial->to < blob->size) {
            job->keep_fd = partial_writer(partial);
            job->keeps = job->keep_fd >= 0;
        }
    } else if (layers->pace.is_slow) {
        begin_keeping(layers, job);
    }
    blob->keeps = job->keeps;
    blob->keep_fd = job->keep_fd;
}

// --- how fast it goes ---

static bool pipe_is_full(const struct load_layer_job *job) {
    int held = 0, room = job->pipe < 0 ? -1 : fcntl(job->pipe, F_GETPIPE_SZ);
    return room > 0 && ioctl(job->pipe, FIONREAD, &held) == 0 && held > room / 2;
}

// Bytes that have come of all layers, and those that are still to come. True: somebody else than the line is waited for.
static bool measure(const struct load_layers *layers, uint64_t *ret_done, uint64_t *ret_left) {
    bool is_full = false;
    *ret_done = *ret_left = 0;
    for (size_t i = 0; i < layers->count; i++) {
        const struct load_layer_job *job = layers->jobs[i];
        const struct load_layer *state = &layers->states[i];
        uint64_t done = state->state == LOAD_WAITING ? 0 : state->size;
        if (!is_download(job) || state->state == LOAD_PRESENT) {
            continue;
        }
        if (job->download) {
            done = registry_download_bytes(job->download);
            done = done < state->done ? state->done : done; // the fetcher tells of each megabyte only
            is_full = is_full || pipe_is_full(job);
        }
        *ret_done += done;
        *ret_left += done < state->size ? state->size - done : 0;
    }
    return is_full;
}

static bool has_become_slow(struct load_layers *layers) {
    struct load_pace *pace = &layers->pace;
    const int64_t now_ms = clock_now_ms(), after_ms = layers->options->partial_after_ms;
    uint64_t done, left;
    bool is_full = measure(layers, &done, &left);
    if (!pace->begun || (is_full && after_ms > 0)) {
        *pace = (struct load_pace){.begun = true, .since_ms = now_ms, .bytes_then = done};
    }
    const int64_t waited_ms = now_ms - pace->since_ms;
    const uint64_t came = done > pace->bytes_then ? done - pace->bytes_then : 0;
    if (waited_ms < after_ms || left == 0) {
        return false;
    }
    double left_ms = came > 0 ? (double)left * (double)waited_ms / (double)came : 1e18;
    return left_ms >= (double)after_ms;
}

// What it is given to write is a file on the disk of somebody who may have asked for a small layer.
static int check_file(struct load_layer_job *job, struct err *err) {
    struct stat status;
    int reason = registry_download_keep_errnum(job->download);
    if (reason) {
        stop_keeping(job, strerror(reason));
        return 0;
    }
    if (fstat(job->keep_fd, &status) == 0 && (uint64_t)status.st_size > PARTIAL_NOTE_SIZE + job->source->blob.size) {
        partial_remove(&job->partial);
        return err_set(err, ERR_CORRUPT, "layer %s: the fetcher writes down more than its %llu bytes", job->source->name,
                       (unsigned long long)job->source->blob.size);
    }
    return 0;
}

int load_partials_watch(struct load_layers *layers, struct err *err) {
    if (!layers->options->registry) {
        return 0;
    }
    if (!layers->pace.is_slow && has_become_slow(layers)) {
        layers->pace.is_slow = true;
        log_info("the line is slow: what comes is kept, for a pull that goes on should this one be broken off");
        for (size_t i = 0; i < layers->count; i++) {
            struct load_layer_job *job = layers->jobs[i];
            if (job->download && begin_keeping(layers, job)) {
                registry_download_keep(job->download, job->keep_fd);
            }
        }
    }
    for (size_t i = 0; i < layers->count; i++) {
        struct load_layer_job *job = layers->jobs[i];
        if (job->download && job->keeps && check_file(job, err) < 0) {
            return -1;
        }
    }
    return 0;
}

void load_partials_remove(struct load_layers *layers) {
    for (size_t i = 0; i < layers->count; i++) {
        partial_remove(&layers->jobs[i]->partial);
    }
}

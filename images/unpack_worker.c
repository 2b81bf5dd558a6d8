#include "images/unpack_worker.h"

#include "images/layer_worker.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"

#include <stdlib.h>

struct unpack_worker {
    struct layer_worker process;
};

struct unpack_worker *unpack_worker_create(const struct unpack_request *request, struct err *err) {
    struct unpack_order order = {
        .job = JOB_UNPACK,
        .is_pipe = request->is_pipe,
        .offset = request->offset,
        .length = request->length,
        .algorithm = request->algorithm,
        .compression = request->options.compression,
        .devices = request->options.devices,
        .single_id = request->options.single_id,
        .max_bytes = request->options.max_bytes,
        .max_entries = request->options.max_entries,
    };
    const struct layer_worker_ends ends = {
        .input_fd = request->input_fd, .dir_fd = request->dir_fd, .output_fd = request->has_record ? request->record_fd : -1};
    struct unpack_worker *worker = mem_alloc(sizeof(*worker));
    if (layer_worker_start(&worker->process, &ends, &order, err) < 0) {
        free(worker);
        return NULL;
    }
    return worker;
}

int unpack_worker_fd(const struct unpack_worker *worker) {
    return worker->process.pipe;
}

void unpack_worker_progress(const struct unpack_worker *worker, uint64_t *ret_in_bytes, uint64_t *ret_out_bytes) {
    *ret_in_bytes = worker->process.progress.in_bytes;
    *ret_out_bytes = worker->process.progress.out_bytes;
}

bool unpack_worker_step(struct unpack_worker *worker) {
    return layer_worker_step(&worker->process);
}

static bool lists_are_whole(const struct unpack_result *result) {
    bool whole = true;
    for (size_t i = 0; i < result->implied_count; i++) {
        whole = whole && result->implied_dirs[i];
    }
    for (size_t i = 0; i < result->opaque_count; i++) {
        whole = whole && result->opaque_dirs[i];
    }
    for (size_t i = 0; i < result->link_count; i++) {
        whole = whole && result->links[i].name && result->links[i].target;
    }
    return whole;
}

static int decode_result(const struct layer_worker *worker, struct unpack_result *ret_result, struct err *err) {
    struct unpack_report report = {0};
    AUTO_ARENA struct arena arena = {0};
    if (wire_decode(&unpack_report_record, worker->last_body, worker->last.size, &arena, &report, err) < 0) {
        return err_in(err, "the unpacker's result");
    }
    struct unpack_result *result = &report.result;
    if (!report.diff_id || !lists_are_whole(result)) {
        return err_set(err, ERR_STATE, "the unpacker's result is not whole");
    }
    if (digest_parse(report.diff_id, &result->diff_id, err) < 0 ||
        (report.digest && digest_parse(report.digest, &result->digest, err) < 0)) {
        return err_in(err, "the unpacker's result");
    }
    *ret_result = *result;
    ret_result->arena = arena;
    arena = (struct arena){0};
    return 0;
}

int unpack_worker_result(struct unpack_worker *worker, struct unpack_result *ret_result, struct err *err) {
    return layer_worker_wait(&worker->process, err) < 0 ? -1 : decode_result(&worker->process, ret_result, err);
}

void unpack_worker_destroy(struct unpack_worker *worker) {
    if (worker) {
        layer_worker_finish(&worker->process);
        free(worker);
    }
}

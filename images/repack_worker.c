#include "images/repack_worker.h"

#include "images/layer_worker.h"
#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"

#include <stdlib.h>

struct repack_worker {
    struct layer_worker process;
};

struct repack_worker *repack_worker_create(const struct repack_request *request, struct err *err) {
    struct unpack_order order = {.job = JOB_REPACK, .output_compression = request->compression};
    const struct layer_worker_ends ends = {
        .input_fd = request->record_fd, .dir_fd = request->dir_fd, .output_fd = request->output_fd};
    struct repack_worker *worker = mem_alloc(sizeof(*worker));
    if (layer_worker_start(&worker->process, &ends, &order, err) < 0) {
        free(worker);
        return NULL;
    }
    return worker;
}

int repack_worker_fd(const struct repack_worker *worker) {
    return worker->process.pipe;
}

bool repack_worker_step(struct repack_worker *worker) {
    return layer_worker_step(&worker->process);
}

uint64_t repack_worker_progress(const struct repack_worker *worker) {
    return worker->process.progress.out_bytes;
}

static int decode_result(const struct layer_worker *worker, struct repack_result *ret, struct err *err) {
    struct repack_report report = {0};
    AUTO_ARENA struct arena arena = {0};
    struct repack_result result = {0};
    if (wire_decode(&repack_report_record, worker->last_body, worker->last.size, &arena, &report, err) < 0) {
        return err_in(err, "the unpacker's result");
    }
    if (!report.digest || !report.diff_id) {
        return err_set(err, ERR_STATE, "the unpacker's result is not whole");
    }
    if (digest_parse(report.digest, &result.digest, err) < 0 || digest_parse(report.diff_id, &result.diff_id, err) < 0) {
        return err_in(err, "the unpacker's result");
    }
    result.size = report.size;
    result.tar_size = report.tar_size;
    *ret = result;
    return 0;
}

int repack_worker_result(struct repack_worker *worker, struct repack_result *ret, struct err *err) {
    return layer_worker_wait(&worker->process, err) < 0 ? -1 : decode_result(&worker->process, ret, err);
}

void repack_worker_destroy(struct repack_worker *worker) {
    if (worker) {
        layer_worker_finish(&worker->process);
        free(worker);
    }
}

void repack_worker_cleanup(struct repack_worker **worker) {
    repack_worker_destroy(*worker);
}

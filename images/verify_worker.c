#include "images/verify_worker.h"

#include "images/layer_worker.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"

#include <stdlib.h>

struct verify_worker {
    struct layer_worker process;
};

struct verify_worker *verify_worker_create(const struct verify_request *request, struct err *err) {
    struct unpack_order order = {
        .job = JOB_VERIFY,
        .single_id = request->single_id,
        .devices = request->no_devices ? UNPACK_DEVICES_REFUSE : UNPACK_DEVICES_MAKE,
    };
    const struct layer_worker_ends ends = {.input_fd = request->record_fd, .dir_fd = request->dir_fd, .output_fd = -1};
    struct verify_worker *worker = mem_alloc(sizeof(*worker));
    if (layer_worker_start(&worker->process, &ends, &order, err) < 0) {
        free(worker);
        return NULL;
    }
    return worker;
}

int verify_worker_fd(const struct verify_worker *worker) {
    return worker->process.pipe;
}

bool verify_worker_step(struct verify_worker *worker) {
    return layer_worker_step(&worker->process);
}

uint64_t verify_worker_progress(const struct verify_worker *worker) {
    return worker->process.progress.out_bytes;
}

static bool lists_are_whole(const struct verify_result *result) {
    bool whole = result->differences_count <= VERIFY_MAX_DIFFERENCES;
    for (size_t i = 0; i < result->differences_count && whole; i++) {
        whole = result->differences[i].path && result->differences[i].problem;
    }
    for (size_t i = 0; i < result->opaque_count; i++) {
        whole = whole && result->opaque_dirs[i];
    }
    return whole;
}

static int decode_result(const struct layer_worker *worker, struct verify_result *ret, struct err *err) {
    struct verify_report report = {0};
    AUTO_ARENA struct arena arena = {0};
    if (wire_decode(&verify_report_record, worker->last_body, worker->last.size, &arena, &report, err) < 0) {
        return err_in(err, "the unpacker's result");
    }
    if (!lists_are_whole(&report.result) || report.result.is_read != (report.diff_id != NULL)) {
        return err_set(err, ERR_STATE, "the unpacker's result is not whole");
    }
    if (report.diff_id && digest_parse(report.diff_id, &report.result.diff_id, err) < 0) {
        return err_in(err, "the unpacker's result");
    }
    *ret = report.result;
    ret->arena = arena;
    arena = (struct arena){0};
    return 0;
}

int verify_worker_result(struct verify_worker *worker, struct verify_result *ret, struct err *err) {
    return layer_worker_wait(&worker->process, err) < 0 ? -1 : decode_result(&worker->process, ret, err);
}

void verify_worker_destroy(struct verify_worker *worker) {
    if (worker) {
        layer_worker_finish(&worker->process);
        free(worker);
    }
}

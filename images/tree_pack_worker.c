#include "images/tree_pack_worker.h"

#include "images/layer_worker.h"
#include "runtime/base/arena.h"
#include "runtime/base/err.h"

static int decode_result(const struct layer_worker *worker, struct tree_pack_result *ret, struct err *err) {
    struct tree_pack_report report = {0};
    AUTO_ARENA struct arena arena = {0};
    if (wire_decode(&tree_pack_report_record, worker->last_body, worker->last.size, &arena, &report, err) < 0) {
        return err_in(err, "the unpacker's result");
    }
    if (!report.diff_id) {
        return err_set(err, ERR_STATE, "the unpacker's result is not whole");
    }
    if (digest_parse(report.diff_id, &report.result.diff_id, err) < 0) {
        return err_in(err, "the unpacker's result");
    }
    *ret = report.result;
    return 0;
}

int tree_pack_in_worker(const struct tree_pack_request *request, struct tree_pack_result *ret, struct err *err) {
    struct unpack_order order = {.job = JOB_PACK, .signs = request->signs, .writes_record = request->writes_record};
    const struct layer_worker_ends ends = {.input_fd = request->dir_fd, .dir_fd = request->dir_fd, .output_fd = request->output_fd};
    struct layer_worker worker;
    if (layer_worker_start(&worker, &ends, &order, err) < 0) {
        return -1;
    }
    int failed = layer_worker_wait(&worker, err) < 0 ? -1 : decode_result(&worker, ret, err);
    layer_worker_finish(&worker);
    return failed;
}

#include "images/layer_tar.h"

#include "images/store.h"
#include "images/tar_record.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"

#include <errno.h>
#include <fcntl.h>

static int open_parts(struct layer_tar *tar, struct err *err) {
    tar->fs_fd = openat(tar->layer.fd, "fs", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (tar->fs_fd < 0) {
        return err_sys(err, "open fs");
    }
    tar->record_fd = tar->layer.tar_bytes > 0 ? openat(tar->layer.fd, TAR_RECORD_NAME, O_RDONLY | O_NOFOLLOW | O_CLOEXEC) : -1;
    if (tar->record_fd < 0 && (tar->layer.tar_bytes == 0 || errno == ENOENT)) {
        return err_set(err, ERR_UNSUPPORTED,
                       "it has no record of its tar; remove the images that have it (coffer rmi), and pull or load them again");
    }
    return tar->record_fd < 0 ? err_sys(err, "open %s", TAR_RECORD_NAME) : 0;
}

int layer_tar_open(const struct store *store, const char *key, struct layer_tar *ret, struct err *err) {
    AUTO_LAYER_TAR struct layer_tar tar = {.layer.fd = -1, .record_fd = -1, .fs_fd = -1};
    if (layer_open(store, key, &tar.layer, err) < 0) {
        return -1;
    }
    if (open_parts(&tar, err) < 0) {
        char diff_id[DIGEST_TEXT_SIZE];
        return err_in(err, "layer %s of the store", digest_format(&tar.layer.diff_id, diff_id));
    }
    *ret = tar;
    tar = (struct layer_tar){.layer.fd = -1, .record_fd = -1, .fs_fd = -1};
    return 0;
}

void layer_tar_finish(struct layer_tar *tar) {
    layer_finish(&tar->layer);
    fd_close(&tar->record_fd);
    fd_close(&tar->fs_fd);
}

struct repack_worker *layer_tar_start(const struct layer_tar *tar, int output_fd, enum compression compression, struct err *err) {
    const struct repack_request request = {
        .record_fd = tar->record_fd, .dir_fd = tar->fs_fd, .output_fd = output_fd, .compression = compression};
    return repack_worker_create(&request, err);
}

int layer_tar_result(const struct layer_tar *tar, struct repack_worker *worker, struct repack_result *ret, struct err *err) {
    struct repack_result result;
    char diff_id[DIGEST_TEXT_SIZE], found[DIGEST_TEXT_SIZE];
    digest_format(&tar->layer.diff_id, diff_id);
    if (repack_worker_result(worker, &result, err) < 0) {
        return err_in(err, "layer %s of the store", diff_id);
    }
    if (!digest_equal(&result.diff_id, &tar->layer.diff_id)) {
        return err_set(err, ERR_CORRUPT,
                       "layer %s of the store: its files were changed, they make %s; coffer system check --repair", diff_id,
                       digest_format(&result.diff_id, found));
    }
    *ret = result;
    return 0;
}

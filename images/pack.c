#include "images/pack.h"

#include "images/layer_tar.h"
#include "images/new_file.h"
#include "images/registry.h"
#include "images/source.h"
#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "specs/image_manifest_write.h"

#include <errno.h>
#include <errno.h>
#include <poll.h>
#include <string.h>

static const char *const oci_types[COMPRESSION_COUNT] = {
    [COMPRESSION_NONE] = "application/vnd.oci.image.layer.v1.tar",
    [COMPRESSION_GZIP] = "application/vnd.oci.image.layer.v1.tar+gzip",
    [COMPRESSION_ZSTD] = "application/vnd.oci.image.layer.v1.tar+zstd",
};
static const char *const docker_types[COMPRESSION_COUNT] = {
    [COMPRESSION_NONE] = "application/vnd.docker.image.rootfs.diff.tar",
    [COMPRESSION_GZIP] = "application/vnd.docker.image.rootfs.diff.tar.gzip",
};

const char *pack_media_type(const char *manifest_type, enum compression compression) {
    return (manifest_type && strcmp(manifest_type, IMAGE_DOCKER_MANIFEST) == 0 ? docker_types : oci_types)[compression];
}

static int hear_out(const struct pack_request *request, const struct layer_tar *tar, struct repack_worker *worker,
                    struct err *err) {
    while (!repack_worker_step(worker)) {
        struct pollfd poll_fd = {.fd = repack_worker_fd(worker), .events = POLLIN};
        if (request->beside) {
            if (registry_wait_beside(request->beside, NULL, poll_fd.fd, -1, err) < 0) {
                return -1;
            }
        } else if (poll(&poll_fd, 1, -1) < 0 && errno != EINTR) {
            return err_sys(err, "wait for the unpacker");
        }
        if (request->progress) {
            request->progress(request->progress_context, repack_worker_progress(worker), tar->layer.tar_bytes);
        }
    }
    return 0;
}

int pack_layer(const struct pack_request *request, struct arena *arena, struct image_descriptor *ret, struct source_blob *ret_blob,
               struct err *err) {
    AUTO_LAYER_TAR struct layer_tar tar = {.layer.fd = -1, .record_fd = -1, .fs_fd = -1};
    struct repack_result result;
    char text[DIGEST_TEXT_SIZE];
    if (layer_tar_open(request->store, request->key, &tar, err) < 0) {
        return -1;
    }
    AUTO_FD int spool = new_file_nameless(request->spool_fd, err);
    if (spool < 0) {
        return -1;
    }
    AUTO_REPACK_WORKER struct repack_worker *worker = layer_tar_start(&tar, spool, request->compression, err);
    if (!worker || hear_out(request, &tar, worker, err) < 0 || layer_tar_result(&tar, worker, &result, err) < 0) {
        return -1;
    }
    *ret = (struct image_descriptor){
        .media_type = pack_media_type(request->manifest_type, request->compression),
        .digest = arena_copy_string(arena, digest_format(&result.digest, text)),
        .size = (int64_t)result.size,
    };
    *ret_blob = (struct source_blob){.fd = fd_take(&spool), .size = result.size};
    return 0;
}

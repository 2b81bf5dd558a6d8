#include "images/tar_record.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

// Headers come block by block, and one call of libzstd costs more than a block is worth.
enum { IN_BYTES = 128 << 10, OUT_BYTES = 128 << 10, LEVEL = 1 };

void tar_record_init(struct tar_record *record, int fd) {
    *record = (struct tar_record){.fd = fd};
    if (fd < 0) {
        return;
    }
    record->stream = ZSTD_createCStream();
    if (!record->stream) {
        record->failed_errno = ENOMEM;
        return;
    }
    ZSTD_CCtx_setParameter(record->stream, ZSTD_c_compressionLevel, LEVEL);
    ZSTD_CCtx_setParameter(record->stream, ZSTD_c_checksumFlag, 1);
    record->in = mem_resize(NULL, IN_BYTES, 1);
    record->out = mem_resize(NULL, OUT_BYTES, 1);
}

void tar_record_finish(struct tar_record *record) {
    ZSTD_freeCStream(record->stream);
    free(record->in);
    free(record->out);
    *record = (struct tar_record){.fd = -1};
}

// Returns false when something failed, which stays so.
static bool compress(struct tar_record *record, const void *data, size_t size, ZSTD_EndDirective end) {
    ZSTD_inBuffer in = {.src = data, .size = size};
    size_t left = 1;
    while (record->failed_errno == 0 && (in.pos < in.size || (end == ZSTD_e_end && left > 0))) {
        ZSTD_outBuffer out = {.dst = record->out, .size = OUT_BYTES};
        left = ZSTD_compressStream2(record->stream, &out, &in, end);
        if (ZSTD_isError(left)) {
            record->failed_errno = ENOMEM; // the one thing that can be wrong with a stream of ours
        } else if (fd_write_all(record->fd, record->out, out.pos) < 0) {
            record->failed_errno = errno;
        }
    }
    return record->failed_errno == 0;
}

void tar_record_add(void *context, const void *data, size_t size) {
    struct tar_record *record = context;
    if (record->fd < 0 || record->failed_errno != 0) {
        return;
    }
    if (record->in_size + size > IN_BYTES) {
        compress(record, record->in, record->in_size, ZSTD_e_continue);
        record->in_size = 0;
    }
    if (size > IN_BYTES) {
        compress(record, data, size, ZSTD_e_continue);
        return;
    }
    memcpy(record->in + record->in_size, data, size);
    record->in_size += size;
}

int tar_record_end(struct tar_record *record, struct err *err) {
    if (record->fd >= 0 && !compress(record, record->in, record->in_size, ZSTD_e_end)) {
        errno = record->failed_errno;
        return err_sys(err, "write the record of the layer's tar");
    }
    return 0;
}

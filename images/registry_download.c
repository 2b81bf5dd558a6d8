// Blobs into descriptors: exchanges that go on where they were cut off.
#include "images/registry_state.h"

#include "runtime/base/mem.h"

#include <stdlib.h>

struct registry_download {
    struct exchange exchange;
};

int registry_download_start(struct registry *registry, const struct image_ref *ref, const struct digest *digest, uint64_t size,
                            int out_fd, struct registry_download **ret, struct err *err) {
    struct registry_download *download = mem_alloc(sizeof(*download));
    struct exchange *exchange = &download->exchange;
    char text[DIGEST_TEXT_SIZE];
    digest_format(digest, text);
    const struct exchange_request request = {
        .method = "GET",
        .path = arena_format(&exchange->arena, "/blobs/%s", text),
        .actions = "pull",
        .what = arena_format(&exchange->arena, "%s: blob %s", ref->name, text),
        .body_fd = -1,
        .out_fd = out_fd,
        .size = size,
        .max_bytes = size > 0 ? size : 1,
        .mirrors = true,
    };
    exchange_start(exchange, registry, ref, &request);
    if (exchange->phase == EXCHANGE_FAILED) {
        *err = exchange->err;
        registry_download_end(download);
        return -1;
    }
    *ret = download;
    return 0;
}

void registry_download_end(struct registry_download *download) {
    if (download) {
        exchange_finish(&download->exchange);
        free(download);
    }
}

bool registry_download_ended(const struct registry_download *download) {
    return exchange_ended(&download->exchange);
}

// A request under way again begins with what is there already.
uint64_t registry_download_bytes(const struct registry_download *download) {
    const struct exchange *exchange = &download->exchange;
    bool runs = exchange->fetch && (exchange->phase == EXCHANGE_RUNS || exchange->phase == EXCHANGE_DONE);
    uint64_t bytes = runs ? fetch_bytes(exchange->fetch) : 0;
    return bytes > exchange->received ? bytes : exchange->received;
}

int registry_download_result(const struct registry_download *download, struct err *err) {
    const struct exchange *exchange = &download->exchange;
    const struct exchange_request *request = &exchange->request;
    if (exchange->phase == EXCHANGE_FAILED) {
        *err = exchange->err;
        return -1;
    }
    const struct fetch_answer *answer = exchange->fetch ? exchange_answer(exchange) : NULL;
    if (answer && answer->status != 200 && answer->status != 206) {
        return exchange_refused(exchange, err);
    }
    uint64_t bytes = registry_download_bytes(download);
    if (bytes != request->size) {
        return err_set(err, ERR_CORRUPT, "%s: has %llu bytes, expected %llu", request->what, (unsigned long long)bytes,
                       (unsigned long long)request->size);
    }
    return 0;
}

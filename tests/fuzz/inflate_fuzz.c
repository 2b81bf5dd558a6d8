// The framing of gzip and zstd streams: members, frames, ends. How the input is cut into pieces must make no difference (the first
// byte is their size), but for libzstd's judgement of what is damaged, which is less strict on whole frames. ISA-L and zlib must
// agree on what a stream holds, unless one of them refuses it.
#include "images/digest.h"
#include "images/inflate.h"
#include "images/input.h"
#include "runtime/base/err.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int inflate_all(const uint8_t *data, size_t size, size_t step, bool without_isal, struct digest *ret_digest) {
    struct err err;
    struct input input;
    struct inflate inflate;
    const struct inflate_options options = {.max_bytes = 8 << 20, .without_isal = without_isal};
    const uint8_t *out;
    size_t got;
    int failed;
    input_init_memory(&input, data, size, DIGEST_NONE);
    input.step = step;
    inflate_init(&inflate, &input, &options);
    do {
        failed = inflate_next(&inflate, &out, &got, &err);
    } while (failed == 0 && got > 0);
    if (failed == 0) {
        inflate_digest(&inflate, ret_digest);
    }
    inflate_finish(&inflate);
    input_finish(&input);
    return failed;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) {
        return 0;
    }
    struct digest whole, pieces, by_zlib;
    size_t step = data[0] < 4 ? 4 : data[0];
    int first = inflate_all(data + 1, size - 1, size, false, &whole);
    int second = inflate_all(data + 1, size - 1, step, false, &pieces);
    int third = inflate_all(data + 1, size - 1, step, true, &by_zlib);
    bool is_gzip = data[1] == 0x1f;
    bool differ = (is_gzip && first != second) || (first == 0 && second == 0 && !digest_equal(&whole, &pieces));
    if (differ || (first == 0 && third == 0 && !digest_equal(&whole, &by_zlib))) {
        abort();
    }
    return 0;
}

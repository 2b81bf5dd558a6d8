// The unpacker: a program of its own, linked with the decompressors and the C library of the host, which the program that carries
// it does without. It is started for one layer with four or five descriptors (images/unpack_message.h) and nothing else.
#include "images/deflate.h"
#include "images/input.h"
#include "images/repack.h"
#include "images/unpack_jail.h"
#include "images/unpack_message.h"
#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"

#include <unistd.h>

enum { REPORT_EVERY_BYTES = 1 << 20 }; // compressed

static int send_message(enum message_kind kind, const void *body, size_t size) {
    const struct message head = {.kind = kind, .size = (uint32_t)size};
    return fd_write_all(UNPACKER_PIPE, &head, sizeof(head)) < 0 ? -1 : fd_write_all(UNPACKER_PIPE, body, size);
}

static void send_progress(void *context, uint64_t in_bytes, uint64_t out_bytes) {
    (void)context;
    const struct progress progress = {.in_bytes = in_bytes, .out_bytes = out_bytes};
    if (send_message(MESSAGE_PROGRESS, &progress, sizeof(progress)) < 0) {
        _exit(1); // nobody listens any more
    }
}

static int send_result(const struct unpack_result *result) {
    AUTO_BUF struct buf message = {0};
    char digest[DIGEST_TEXT_SIZE], diff_id[DIGEST_TEXT_SIZE];
    const struct unpack_report report = {
        .digest = result->digest.algorithm == DIGEST_NONE ? NULL : digest_format(&result->digest, digest),
        .diff_id = digest_format(&result->diff_id, diff_id),
        .result = *result,
    };
    wire_encode(&unpack_report_record, &report, &message);
    return send_message(MESSAGE_RESULT, buf_string(&message), message.size);
}

static int read_order(struct unpack_order *ret_order, struct err *err) {
    char message[UNPACKER_MAX_REQUEST];
    AUTO_ARENA struct arena arena = {0};
    ssize_t size = pread(UNPACKER_REQUEST, message, sizeof(message), 0);
    if (size < 0) {
        return err_sys(err, "read the request");
    }
    return wire_decode(&unpack_order_record, message, (size_t)size, &arena, ret_order, err);
}

static void init_input(struct input *input, const struct unpack_order *order) {
    enum digest_algorithm algorithm = (enum digest_algorithm)order->algorithm;
    if (order->is_pipe) {
        input_init_pipe(input, UNPACKER_INPUT, order->length, algorithm);
    } else {
        input_init_file(input, UNPACKER_INPUT, order->offset, order->length, algorithm);
    }
}

static int enter_jail(const struct unpack_order *order, struct err *err) {
    const int kept[] = {UNPACKER_INPUT, UNPACKER_DIR, UNPACKER_PIPE, UNPACKER_OUTPUT};
    int result = unpack_jail_enter(kept, ARRAY_LEN(kept) - (order->has_output ? 0 : 1), UNPACKER_DIR, UNPACK_JAIL_WRITES, err);
    return result < 0 ? err_in(err, "confine the unpacker") : 0;
}

static int unpack(const struct unpack_order *order, struct err *err) {
    struct input input;
    struct unpack_result result = {0};
    const struct unpack_options options = {
        .compression = (enum compression)order->compression,
        .devices = (enum unpack_devices)order->devices,
        .single_id = order->single_id,
        .max_bytes = order->max_bytes,
        .max_entries = order->max_entries,
        .has_record = order->has_output,
        .record_fd = UNPACKER_OUTPUT,
        .progress = send_progress,
    };
    inflate_prepare(); // before /usr goes out of sight
    init_input(&input, order);
    if (enter_jail(order, err) < 0 || unpack_layer(&input, UNPACKER_DIR, &options, &result, err) < 0) {
        return -1;
    }
    return send_result(&result) < 0 ? err_sys(err, "send the result") : 0;
}

static int send_repacked(const struct repack_result *result) {
    AUTO_BUF struct buf message = {0};
    char digest[DIGEST_TEXT_SIZE], diff_id[DIGEST_TEXT_SIZE];
    const struct repack_report report = {
        .digest = digest_format(&result->digest, digest),
        .diff_id = digest_format(&result->diff_id, diff_id),
        .size = result->size,
        .tar_size = result->tar_size,
    };
    wire_encode(&repack_report_record, &report, &message);
    return send_message(MESSAGE_RESULT, buf_string(&message), message.size);
}

static int repack(const struct unpack_order *order, struct err *err) {
    struct input record;
    struct repack_result result;
    const struct repack_options options = {
        .output_fd = order->has_output ? UNPACKER_OUTPUT : -1,
        .compression = (enum compression)order->output_compression,
        .progress = send_progress,
    };
    if (order->output_compression == COMPRESSION_GZIP) {
        deflate_prepare();
    }
    input_init_file(&record, UNPACKER_INPUT, 0, INPUT_TO_END, DIGEST_NONE);
    if (order->output_compression >= COMPRESSION_COUNT) {
        return err_set(err, ERR_INPUT, "the unpacker's request makes no sense");
    }
    if (enter_jail(order, err) < 0 || repack_layer(&record, UNPACKER_DIR, &options, &result, err) < 0) {
        return -1;
    }
    return send_repacked(&result) < 0 ? err_sys(err, "send the result") : 0;
}

// The plain bytes go down a pipe; who reads them knows their digest.
static int pass_plain(struct inflate *inflate, struct err *err) {
    const uint8_t *data;
    size_t size = 1;
    for (uint64_t told = 0; size > 0;) {
        if (inflate_next(inflate, &data, &size, err) < 0) {
            return -1;
        }
        if (fd_write_all(UNPACKER_OUTPUT, data, size) < 0) {
            return err_sys(err, "write the plain bytes");
        }
        if (inflate->input->bytes - told >= REPORT_EVERY_BYTES) {
            told = inflate->input->bytes;
            send_progress(NULL, told, inflate->bytes);
        }
    }
    return send_message(MESSAGE_RESULT, "", 0) < 0 ? err_sys(err, "send the result") : 0;
}

static int decompress(const struct unpack_order *order, struct err *err) {
    struct input input;
    struct inflate inflate;
    const int kept[] = {UNPACKER_INPUT, UNPACKER_PIPE, UNPACKER_OUTPUT};
    const struct inflate_options options = {
        .declared = (enum compression)order->compression,
        .max_bytes = order->max_bytes,
    };
    inflate_prepare(); // before the files go out of reach
    init_input(&input, order);
    inflate_init(&inflate, &input, &options);
    if (unpack_jail_enter_plain(kept, ARRAY_LEN(kept), err) < 0) {
        return err_in(err, "confine the unpacker");
    }
    return pass_plain(&inflate, err);
}

static int send_verified(const struct verify_result *result) {
    AUTO_BUF struct buf message = {0};
    char diff_id[DIGEST_TEXT_SIZE];
    const struct verify_report report = {
        .diff_id = result->is_read ? digest_format(&result->diff_id, diff_id) : NULL,
        .result = *result,
    };
    wire_encode(&verify_report_record, &report, &message);
    return send_message(MESSAGE_RESULT, buf_string(&message), message.size);
}

static int verify(const struct unpack_order *order, struct err *err) {
    AUTO(verify_result_finish) struct verify_result result = {0};
    const struct verify_options options = {
        .single_id = order->single_id,
        .no_devices = order->devices != UNPACK_DEVICES_MAKE,
        .progress = send_progress,
    };
    if (enter_jail(order, err) < 0 || verify_layer(UNPACKER_INPUT, UNPACKER_DIR, &options, &result, err) < 0) {
        return -1;
    }
    return send_verified(&result) < 0 ? err_sys(err, "send the result") : 0;
}

static int send_tree_packed(const struct tree_pack_result *result) {
    AUTO_BUF struct buf message = {0};
    char diff_id[DIGEST_TEXT_SIZE];
    const struct tree_pack_report report = {.diff_id = digest_format(&result->diff_id, diff_id), .result = *result};
    wire_encode(&tree_pack_report_record, &report, &message);
    return send_message(MESSAGE_RESULT, buf_string(&message), message.size);
}

static int pack_tree(const struct unpack_order *order, struct err *err) {
    struct tree_pack_result result;
    const int kept[] = {UNPACKER_DIR, UNPACKER_PIPE, UNPACKER_OUTPUT};
    const struct tree_pack_options options = {
        .signs = (enum tree_signs)order->signs,
        .record_fd = order->has_output && order->writes_record ? UNPACKER_OUTPUT : -1,
        .output_fd = order->has_output && !order->writes_record ? UNPACKER_OUTPUT : -1,
        .progress = send_progress,
    };
    enum unpack_jail jail = order->signs == TREE_SIGNS_TRUSTED ? UNPACK_JAIL_READS_TRUSTED : UNPACK_JAIL_READS;
    if (order->signs >= TREE_SIGNS_COUNT) {
        return err_set(err, ERR_INPUT, "the unpacker's request makes no sense");
    }
    if (unpack_jail_enter(kept, ARRAY_LEN(kept) - (order->has_output ? 0 : 1), UNPACKER_DIR, jail, err) < 0) {
        return err_in(err, "confine the unpacker");
    }
    if (tree_pack(UNPACKER_DIR, &options, &result, err) < 0) {
        return -1;
    }
    return send_tree_packed(&result) < 0 ? err_sys(err, "send the result") : 0;
}

int main(void) {
    static int (*const jobs[])(const struct unpack_order *, struct err *) = {
        [JOB_UNPACK] = unpack, [JOB_REPACK] = repack, [JOB_VERIFY] = verify, [JOB_PLAIN] = decompress, [JOB_PACK] = pack_tree};
    struct err err = {0};
    struct unpack_order order = {0};
    int failed = read_order(&order, &err);
    // The parent may have died before the call that ties this process to it.
    if (failed == 0 && getppid() != order.parent) {
        return 1;
    }
    if (failed == 0) {
        failed = order.job < ARRAY_LEN(jobs) ? jobs[order.job](&order, &err)
                                             : err_set(&err, ERR_INPUT, "the unpacker's request makes no sense");
    }
    _exit(failed < 0 && send_message(MESSAGE_ERROR, &err, sizeof(err)) < 0 ? 1 : 0);
}

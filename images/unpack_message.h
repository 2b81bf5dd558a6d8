// What the unpacker and its caller say to each other: a request one way, progress and one result or error the other.
//
// It does one of five jobs: a layer's blob into a directory, a layer's directory into the tar it once was, the one held against the
// other, only the plain bytes of a blob, or a tree that never was a tar into one.
#ifndef COFFER_IMAGES_UNPACK_MESSAGE_H
#define COFFER_IMAGES_UNPACK_MESSAGE_H

#include "images/tree_pack.h"
#include "images/unpack.h"
#include "images/verify.h"
#include "runtime/base/wire.h"

// The descriptors the unpacker is started with. Output: the record that is to be written, or where the tar goes.
enum {
    UNPACKER_INPUT = 3,
    UNPACKER_DIR = 4,
    UNPACKER_PIPE = 5,
    UNPACKER_REQUEST = 6,
    UNPACKER_OUTPUT = 7,
    UNPACKER_MAX_REQUEST = 4096
};

// JOB_PLAIN only decompresses, into the output; it closes UNPACKER_DIR, whatever that is, and JOB_PACK closes UNPACKER_INPUT.
enum unpacker_job { JOB_UNPACK, JOB_REPACK, JOB_VERIFY, JOB_PLAIN, JOB_PACK };

enum message_kind { MESSAGE_PROGRESS, MESSAGE_RESULT, MESSAGE_ERROR };

struct message {
    uint32_t kind;
    uint32_t size; // of what follows
};

struct progress {
    uint64_t in_bytes, out_bytes;
};

// A request as it travels.
struct unpack_order {
    int32_t parent; // whose death is the unpacker's
    uint32_t job;
    bool has_output;
    bool is_pipe;
    uint64_t offset, length;
    uint32_t algorithm;
    uint32_t compression;
    uint32_t devices;
    bool single_id;
    uint64_t max_bytes, max_entries;
    uint32_t output_compression;
    uint32_t signs;
    bool writes_record; // of JOB_PACK: the output is for the record, not for the tar
};
extern const struct wire_record unpack_order_record;

// The result as it travels: digests as text, to be parsed as foreign text is.
struct unpack_report {
    const char *digest;
    const char *diff_id;
    struct unpack_result result;
};
extern const struct wire_record unpack_report_record;

struct repack_report {
    const char *digest;
    const char *diff_id;
    uint64_t size, tar_size;
};
extern const struct wire_record repack_report_record;

struct verify_report {
    const char *diff_id; // NULL: files were not read
    struct verify_result result;
};
extern const struct wire_record verify_report_record;

struct tree_pack_report {
    const char *diff_id;
    struct tree_pack_result result;
};
extern const struct wire_record tree_pack_report_record;

#endif

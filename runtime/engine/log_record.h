// One line of a log file: when, of which stream, and a piece of what the container wrote.
//
//     2016-10-06T00:17:09.669794202Z stdout F whole line          k8s-file: the CRI's text (kubernetes, "CRI log format")
//     2016-10-06T00:17:09.669794202Z stdout P begin of a line
//     {"log":"whole line\n","stream":"stdout","time":"2016-..."}  json-file: docker's
//
// A piece that ends its line is F, or ends in \n. Pieces of k8s-file hold the container's bytes as they are; in JSON what is not
// UTF-8 is U+FFFD, as docker has it.
#ifndef COFFER_ENGINE_LOG_RECORD_H
#define COFFER_ENGINE_LOG_RECORD_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

enum log_stream { LOG_STDOUT, LOG_STDERR, LOG_STREAM_COUNT };

enum {
    LOG_PIECE_BYTES = 16 << 10,   // most of one piece
    LOG_RECORD_BYTES = 128 << 10, // most of a line of the file, its newline included: JSON may take six bytes for one
};

struct log_record {
    int64_t time_ns; // since 1970
    enum log_stream stream;
    bool ends;        // its line
    const char *text; // without the newline
    size_t size;
    const char *tag; // of json-file with the option `tag`, ends in NUL; NULL: none
};

const char *log_stream_name(enum log_stream stream);

// Add a line of the file. time: the text of RFC 3339. A piece is given in two parts, either of which may be empty.
struct log_piece {
    const char *time;
    enum log_stream stream;
    bool ends;
    const char *first, *second;
    size_t first_size, second_size;
};

void log_record_add_text(struct buf *buf, const struct log_piece *piece);
void log_record_add_json(struct buf *buf, const struct log_piece *piece, const char *attributes);

// What stands between two members of each JSON line for this tag: "\"attrs\":{...},".
void log_record_add_attributes(struct buf *buf, const char *tag);

// Reads a line of either form, without its newline. The record's text lies in the line or in `scratch`, which is cleared before.
// False when it is neither: a damaged file, or one that is no log.
bool log_record_parse(const char *line, size_t size, struct buf *scratch, struct log_record *ret) MUST_CHECK;

#endif

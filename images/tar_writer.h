// A writer of tar archives: POSIX ustar, and pax headers (IEEE 1003.1-2017, pax) for what ustar has no room for: long names, large
// sizes and ids, times before 1970 or finer than seconds, extended attributes (SCHILY.xattr, as GNU tar and docker have them).
//
//     tar_writer_init_fd(&tar, fd);
//     tar_writer_entry(&tar, &entry, err); tar_writer_data(&tar, data, size, err); ... tar_writer_end(&tar, err);
//
// `seen` is told of what the reader of the archive tells its own of (images/tar.h): all but the data of files, with zeros for a
// torn last block. A record of a tar can so be made with it (images/tar_record.h).
//
// The same entries give the same bytes, always: nothing is asked of the host. Owned by the caller: init, then finish; what was not
// ended is no archive.
#ifndef COFFER_IMAGES_TAR_WRITER_H
#define COFFER_IMAGES_TAR_WRITER_H

#include "images/pieces.h"
#include "images/tar.h"
#include "images/tar_field.h"
#include "runtime/base/attr.h"
#include "runtime/base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

struct tar_writer {
    struct sink sink;
    int fd; // -1: there is only the sink
    char *buffer;
    size_t buffered;
    uint64_t bytes; // of the archive so far, those in the buffer too
    uint64_t left;  // of the current file's data, still to come
    uint32_t padding;
    void (*seen)(void *context, const void *data, size_t size); // set behind init; NULL: nobody is told
    void *seen_context;
    struct buf records;       // pax, of the entry at hand
    bool unsized;             // the current file's size will be known at its end
    uint64_t header_at;       // of such a file
    struct tar_header header; // of the entry at hand
};

// Writes to a sink, which must outlive the writer: for what is compressed or hashed on its way.
void tar_writer_init(struct tar_writer *writer, const struct sink *sink);

// Writes to a file or pipe, borrowed, from its position on. The writer must not move then: it is its own sink's context.
void tar_writer_init_fd(struct tar_writer *writer, int fd);

void tar_writer_finish(struct tar_writer *writer); // a zeroed one is fine
#define AUTO_TAR_WRITER AUTO(tar_writer_finish)

// Begins the next member; of a file exactly entry->size bytes of data follow. `name` is written as it is, a directory's with a "/"
// behind it; `sparse` and `atime` are not looked at. What cannot be written is ERR_UNSUPPORTED; errors do not name the entry.
int tar_writer_entry(struct tar_writer *writer, const struct tar_entry *entry, struct err *err) MUST_CHECK;
int tar_writer_data(struct tar_writer *writer, const void *data, size_t size, struct err *err) MUST_CHECK;

// A file with holes, in GNU's format 1.0: of its sparse->real_size bytes only those of the segments follow, one behind the other. For
// readers that know it: ours, GNU tar, bsdtar and Go's do.
int tar_writer_entry_sparse(struct tar_writer *writer, const struct tar_entry *entry, const struct tar_sparse *sparse,
                            struct err *err) MUST_CHECK;

// The current file's data as a sink.
struct sink tar_writer_sink(struct tar_writer *writer);

// A file whose size is known only at its end, where the descriptor can be written to at any place (tar_writer_can_seek()):
// entry->size is not looked at, and the header is written again at the end, with the size as GNU has it (base-256) from 8 GiB on.
bool tar_writer_can_seek(const struct tar_writer *writer);
int tar_writer_begin_unsized(struct tar_writer *writer, const struct tar_entry *entry, struct err *err) MUST_CHECK;
int tar_writer_end_unsized(struct tar_writer *writer, struct err *err) MUST_CHECK;

// A small file at once, mode 0644.
int tar_writer_add_text(struct tar_writer *writer, const char *name, const void *text, size_t size, struct err *err) MUST_CHECK;

// The end of the archive; all of it has been given to the sink then.
int tar_writer_end(struct tar_writer *writer, struct err *err) MUST_CHECK;

#endif

#include "images/tar_writer.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BUFFER_SIZE = 256 << 10, NAME_SIZE = sizeof(((struct tar_header *)0)->name) };

static const char zeros[2 * TAR_BLOCK_SIZE];

static const char types[] = {
    [TAR_FILE] = '0',  [TAR_HARDLINK] = '1',  [TAR_SYMLINK] = '2', [TAR_CHAR] = '3',
    [TAR_BLOCK] = '4', [TAR_DIRECTORY] = '5', [TAR_FIFO] = '6',
};
static_assert(sizeof(types) == TAR_TYPE_COUNT, "a type without a letter");

static int write_to_fd(void *context, const void *data, size_t size, struct err *err) {
    const struct tar_writer *writer = context;
    return fd_write_all(writer->fd, data, size) < 0 ? err_sys(err, "write the archive") : 0;
}

void tar_writer_init(struct tar_writer *writer, const struct sink *sink) {
    *writer = (struct tar_writer){.sink = *sink, .fd = -1, .buffer = mem_resize(NULL, BUFFER_SIZE, 1)};
}

void tar_writer_init_fd(struct tar_writer *writer, int fd) {
    const struct sink sink = {.write = write_to_fd, .context = writer};
    tar_writer_init(writer, &sink);
    writer->fd = fd;
}

void tar_writer_finish(struct tar_writer *writer) {
    free(writer->buffer);
    buf_finish(&writer->records);
    *writer = (struct tar_writer){.fd = -1};
}

static int flush(struct tar_writer *writer, struct err *err) {
    size_t size = writer->buffered;
    writer->buffered = 0;
    return size > 0 ? writer->sink.write(writer->sink.context, writer->buffer, size, err) : 0;
}

// What is small is collected; what is not goes its way without a copy.
static int emit_body(struct tar_writer *writer, const void *data, size_t size, struct err *err) {
    if (size > BUFFER_SIZE - writer->buffered && flush(writer, err) < 0) {
        return -1;
    }
    writer->bytes += size;
    if (size >= BUFFER_SIZE / 4 && writer->buffered == 0) {
        return writer->sink.write(writer->sink.context, data, size, err);
    }
    memcpy(writer->buffer + writer->buffered, data, size);
    writer->buffered += size;
    return 0;
}

static int emit(struct tar_writer *writer, const void *data, size_t size, struct err *err) {
    if (writer->seen && size > 0) {
        writer->seen(writer->seen_context, data, size);
    }
    return emit_body(writer, data, size, err);
}

// "LENGTH KEY=VALUE\n": the length counts its own digits.
static void add_record(struct tar_writer *writer, const char *key, const char *more, const void *value, size_t size) {
    size_t others = strlen(key) + strlen(more) + size + 3, total = others;
    for (size_t before = 0; before != total;) {
        before = total;
        total = others + (size_t)snprintf(NULL, 0, "%zu", total);
    }
    buf_add_format(&writer->records, "%zu %s%s=", total, key, more);
    buf_add(&writer->records, value, size);
    buf_add_char(&writer->records, '\n');
}

static void add_text_record(struct tar_writer *writer, const char *key, const char *value) {
    add_record(writer, key, "", value, strlen(value));
}

// Octal with a NUL behind it. False: it has no room.
static bool put_octal(char *field, size_t size, uint64_t number) {
    char digits[32];
    if (number >> (3 * (size - 1)) != 0) {
        memset(field, '0', size - 1);
        return false;
    }
    snprintf(digits, sizeof(digits), "%0*llo", (int)size - 1, (unsigned long long)number);
    memcpy(field, digits, size);
    return true;
}

static void put_number(struct tar_writer *writer, char *field, size_t size, uint64_t number, const char *key) {
    char text[32];
    if (!put_octal(field, size, number)) {
        snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
        add_text_record(writer, key, text);
    }
}

static void put_time(struct tar_writer *writer, char *field, size_t size, const struct timespec *time) {
    char text[64];
    bool plain = time->tv_sec >= 0 && time->tv_nsec == 0 && put_octal(field, size, (uint64_t)time->tv_sec);
    if (plain) {
        return;
    }
    memset(field, '0', size - 1);
    // Second -2 and 0.75 s is -1.25.
    bool negative = time->tv_sec < 0, borrows = negative && time->tv_nsec > 0;
    uint64_t seconds = negative ? 0 - (uint64_t)time->tv_sec - borrows : (uint64_t)time->tv_sec;
    long nanoseconds = borrows ? 1000000000 - time->tv_nsec : time->tv_nsec;
    snprintf(text, sizeof(text), nanoseconds ? "%s%llu.%09ld" : "%s%llu", negative ? "-" : "", (unsigned long long)seconds,
             nanoseconds);
    add_text_record(writer, "mtime", text);
}

// A slash at which the two fields of ustar can share the name; NULL: there is none.
static const char *split_of(const char *name, size_t length) {
    const size_t prefix_size = sizeof(((struct tar_header *)0)->prefix);
    for (size_t at = length > NAME_SIZE + 1 ? length - NAME_SIZE - 1 : 1; at <= prefix_size && at + 1 < length; at++) {
        if (name[at] == '/') {
            return name + at;
        }
    }
    return NULL;
}

static void put_name(struct tar_writer *writer, const struct tar_entry *entry) {
    struct tar_header *header = &writer->header;
    size_t length = strlen(entry->name);
    bool slash = entry->type == TAR_DIRECTORY && entry->name[length - 1] != '/';
    AUTO_FREE char *name = mem_format("%s%s", entry->name, slash ? "/" : "");
    length += slash;
    const char *split = length > NAME_SIZE ? split_of(name, length) : NULL;
    if (split) {
        memcpy(header->prefix, name, (size_t)(split - name));
        memcpy(header->name, split + 1, length - (size_t)(split + 1 - name));
        return;
    }
    memcpy(header->name, name, length < NAME_SIZE ? length : NAME_SIZE);
    if (length > NAME_SIZE) {
        add_text_record(writer, "path", name);
    }
}

static void put_link(struct tar_writer *writer, const struct tar_entry *entry) {
    size_t length = entry->link ? strlen(entry->link) : 0;
    memcpy(writer->header.link, length > 0 ? entry->link : "", length < NAME_SIZE ? length : NAME_SIZE);
    if (length > NAME_SIZE) {
        add_text_record(writer, "linkpath", entry->link);
    }
}

static int put_xattrs(struct tar_writer *writer, const struct tar_entry *entry, struct err *err) {
    for (size_t i = 0; i < entry->xattr_count; i++) {
        const struct tar_xattr *xattr = &entry->xattrs[i];
        if (strpbrk(xattr->name, "=\n")) {
            return err_set(err, ERR_UNSUPPORTED, "its extended attribute \"%s\" has a name that no tar can hold", xattr->name);
        }
        add_record(writer, "SCHILY.xattr.", xattr->name, xattr->value, xattr->size);
    }
    if (writer->records.size > TAR_PAX_MAX_BYTES) {
        return err_set(err, ERR_UNSUPPORTED, "its extended attributes are larger than %d bytes", TAR_PAX_MAX_BYTES);
    }
    return 0;
}

static void init_header(struct tar_header *header, char type) {
    *header = (struct tar_header){.type = type};
    memcpy(header->magic, "ustar\00000", sizeof(header->magic));
    (void)put_octal(header->major, sizeof(header->major), 0);
    (void)put_octal(header->minor, sizeof(header->minor), 0);
}

static void put_checksum(struct tar_header *header) {
    unsigned sum = 0;
    memset(header->checksum, ' ', sizeof(header->checksum));
    for (size_t i = 0; i < sizeof(*header); i++) {
        sum += ((const unsigned char *)header)[i];
    }
    snprintf(header->checksum, sizeof(header->checksum), "%06o", sum);
    header->checksum[7] = ' ';
}

// The records as a member of their own. Its name is for readers that know no pax.
static int emit_records(struct tar_writer *writer, const char *name, struct err *err) {
    struct tar_header header;
    char own[NAME_SIZE];
    const char *slash = strrchr(name, '/');
    size_t size = writer->records.size;
    init_header(&header, 'x');
    snprintf(own, sizeof(own), "PaxHeaders.0/%s", slash && slash[1] ? slash + 1 : name);
    memcpy(header.name, own, strlen(own));
    (void)put_octal(header.mode, sizeof(header.mode), 0644);
    (void)put_octal(header.uid, sizeof(header.uid), 0);
    (void)put_octal(header.gid, sizeof(header.gid), 0);
    (void)put_octal(header.size, sizeof(header.size), size);
    (void)put_octal(header.mtime, sizeof(header.mtime), 0);
    put_checksum(&header);
    return emit(writer, &header, sizeof(header), err) < 0 || emit(writer, writer->records.data, size, err) < 0
               ? -1
               : emit(writer, zeros, -size & (TAR_BLOCK_SIZE - 1), err);
}

// The records are there already.
static int begin_with(struct tar_writer *writer, const struct tar_entry *entry, uint64_t size, struct err *err) {
    struct tar_header *header = &writer->header;
    assert(writer->left == 0 && !writer->unsized && entry->name[0] && entry->type < TAR_TYPE_COUNT);
    init_header(header, types[entry->type]);
    put_name(writer, entry);
    put_link(writer, entry);
    (void)put_octal(header->mode, sizeof(header->mode), entry->mode & 07777);
    put_number(writer, header->uid, sizeof(header->uid), entry->uid, "uid");
    put_number(writer, header->gid, sizeof(header->gid), entry->gid, "gid");
    put_number(writer, header->size, sizeof(header->size), size, "size");
    put_time(writer, header->mtime, sizeof(header->mtime), &entry->mtime);
    if (entry->type == TAR_CHAR || entry->type == TAR_BLOCK) {
        if (!put_octal(header->major, sizeof(header->major), entry->major) ||
            !put_octal(header->minor, sizeof(header->minor), entry->minor)) {
            return err_set(err, ERR_UNSUPPORTED, "its device number %u:%u is larger than a tar can hold", entry->major,
                           entry->minor);
        }
    }
    if (put_xattrs(writer, entry, err) < 0 || (writer->records.size > 0 && emit_records(writer, entry->name, err) < 0)) {
        return -1;
    }
    writer->header_at = writer->bytes;
    put_checksum(header);
    return emit(writer, header, sizeof(*header), err);
}

static int begin(struct tar_writer *writer, const struct tar_entry *entry, uint64_t size, struct err *err) {
    buf_clear(&writer->records);
    return begin_with(writer, entry, size, err);
}

static void expect(struct tar_writer *writer, uint64_t size) {
    writer->left = size;
    writer->padding = (uint32_t)(-size & (TAR_BLOCK_SIZE - 1));
}

int tar_writer_entry(struct tar_writer *writer, const struct tar_entry *entry, struct err *err) {
    uint64_t size = entry->type == TAR_FILE ? entry->size : 0;
    if (begin(writer, entry, size, err) < 0) {
        return -1;
    }
    expect(writer, size);
    return 0;
}

static void add_map_line(struct buf *map, uint64_t number) {
    buf_add_format(map, "%llu\n", (unsigned long long)number);
}

int tar_writer_entry_sparse(struct tar_writer *writer, const struct tar_entry *entry, const struct tar_sparse *sparse, struct err *err) {
    AUTO_BUF struct buf map = {0};
    char real[32];
    uint64_t data = 0;
    add_map_line(&map, sparse->count);
    for (size_t i = 0; i < sparse->count; i++) {
        add_map_line(&map, sparse->segments[i].offset);
        add_map_line(&map, sparse->segments[i].size);
        data += sparse->segments[i].size;
    }
    buf_add(&map, zeros, -map.size & (TAR_BLOCK_SIZE - 1));
    buf_clear(&writer->records);
    snprintf(real, sizeof(real), "%llu", (unsigned long long)sparse->real_size);
    add_text_record(writer, "GNU.sparse.major", "1");
    add_text_record(writer, "GNU.sparse.minor", "0");
    add_text_record(writer, "GNU.sparse.name", entry->name);
    add_text_record(writer, "GNU.sparse.realsize", real);
    if (begin_with(writer, entry, map.size + data, err) < 0) {
        return -1;
    }
    expect(writer, map.size + data);
    return tar_writer_data(writer, map.data, map.size, err);
}

int tar_writer_data(struct tar_writer *writer, const void *data, size_t size, struct err *err) {
    assert(writer->unsized || size <= writer->left);
    if (size == 0) {
        return 0;
    }
    writer->left -= writer->unsized ? 0 : size;
    if (emit_body(writer, data, size, err) < 0) {
        return -1;
    }
    if (writer->left > 0 || writer->unsized) {
        return 0;
    }
    if (writer->seen && writer->padding > 0) {
        writer->seen(writer->seen_context, zeros, TAR_BLOCK_SIZE - writer->padding); // for the torn block's data
    }
    return emit(writer, zeros, writer->padding, err);
}

static int write_data(void *context, const void *data, size_t size, struct err *err) {
    return tar_writer_data(context, data, size, err);
}

struct sink tar_writer_sink(struct tar_writer *writer) {
    return (struct sink){.write = write_data, .context = writer};
}

// What is opened to append takes even pwrite(2) at its end. (pwrite(2), BUGS)
bool tar_writer_can_seek(const struct tar_writer *writer) {
    int flags = fcntl(writer->fd, F_GETFL);
    return flags >= 0 && !(flags & O_APPEND) && lseek(writer->fd, 0, SEEK_CUR) >= 0;
}

int tar_writer_begin_unsized(struct tar_writer *writer, const struct tar_entry *entry, struct err *err) {
    assert(entry->type == TAR_FILE && tar_writer_can_seek(writer) && !writer->seen); // it would be told of another header
    if (begin(writer, entry, 0, err) < 0) {
        return -1;
    }
    writer->unsized = true;
    return 0;
}

// GNU's base-256, which all readers of today know: the pax header has been written already.
static void put_large(char *field, size_t size, uint64_t number) {
    memset(field, 0, size);
    for (size_t i = size; i-- > size - sizeof(number); number >>= 8) {
        field[i] = (char)(number & 0xff);
    }
    field[0] = (char)0x80;
}

int tar_writer_end_unsized(struct tar_writer *writer, struct err *err) {
    struct tar_header *header = &writer->header;
    uint64_t size = writer->bytes - writer->header_at - sizeof(*header), behind = writer->bytes - writer->header_at;
    writer->unsized = false;
    if (!put_octal(header->size, sizeof(header->size), size)) {
        put_large(header->size, sizeof(header->size), size);
    }
    put_checksum(header);
    if (flush(writer, err) < 0) {
        return -1;
    }
    off_t end = lseek(writer->fd, 0, SEEK_CUR);
    ssize_t wrote;
    do {
        wrote = end < 0 ? -1 : pwrite(writer->fd, header, sizeof(*header), end - (off_t)behind);
    } while (wrote < 0 && errno == EINTR);
    if (wrote != sizeof(*header)) {
        return err_sys(err, "write the archive");
    }
    return emit(writer, zeros, -size & (TAR_BLOCK_SIZE - 1), err);
}

int tar_writer_add_text(struct tar_writer *writer, const char *name, const void *text, size_t size, struct err *err) {
    const struct tar_entry entry = {.type = TAR_FILE, .name = name, .mode = 0644, .size = size};
    return tar_writer_entry(writer, &entry, err) < 0 ? -1 : tar_writer_data(writer, text, size, err);
}

int tar_writer_end(struct tar_writer *writer, struct err *err) {
    assert(writer->left == 0 && !writer->unsized);
    return emit(writer, zeros, sizeof(zeros), err) < 0 ? -1 : flush(writer, err);
}

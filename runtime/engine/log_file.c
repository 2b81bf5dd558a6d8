#include "runtime/engine/log_file.h"

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/base/timestamp.h"
#include "runtime/engine/log_chain.h"
#include "runtime/engine/log_journal.h"
#include "runtime/engine/log_options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { RETRY_MS = 1000 }; // between attempts on a disk that takes nothing: each would cost a system call, and a line that says so

struct log_file {
    enum log_driver driver;
    struct log_chain chain;
    int64_t max_size_bytes;
    int max_files;
    int fd;
    int64_t size_bytes; // of the file
    int64_t rotate_ms;  // clock_now_ms() from when the next file may be tried again
    bool torn;          // the file ends within a line
    struct buf batch;   // lines that are not written yet
    char *attributes;   // of JSON lines
    struct log_journal journal;

    // The beginnings of lines.
    struct held {
        char text[LOG_PIECE_BYTES];
        size_t size;
        bool open; // a piece of the line has been written
    } held[LOG_STREAM_COUNT];

    struct {
        uint64_t lines, bytes;
        int errnum;
        int64_t retry_ms; // clock_now_ms() from when it may be tried again
    } lost;
};

// --- opening and closing ---

static int open_file(struct log_file *log, int dir_fd, const struct log_options *options, struct err *err) {
    struct stat status;
    char last = '\n';
    if (log_chain_open(dir_fd, options->path, &log->chain, err) < 0) {
        return -1;
    }
    log->fd = log_chain_append(&log->chain, err);
    if (log->fd < 0) {
        return -1;
    }
    if (fstat(log->fd, &status) < 0 || (status.st_size > 0 && pread(log->fd, &last, 1, status.st_size - 1) != 1)) {
        return err_sys(err, "read the log %s", log->chain.name);
    }
    log->size_bytes = status.st_size;
    log->torn = last != '\n';
    return 0;
}

struct log_file *log_file_open(int dir_fd, const struct log_options *options, const struct log_owner *owner, const char *journal,
                               struct err *err) {
    AUTO_LOG_FILE struct log_file *log = mem_alloc(sizeof(*log));
    AUTO_ARENA struct arena arena = {0};
    // One by one: its room for lines takes no memory as long as nothing is written to it, not even zeros.
    log->driver = options->driver;
    log->chain.dir_fd = log->fd = log->journal.fd = -1;
    log->max_size_bytes = options->max_size_bytes;
    log->max_files = options->max_files;
    const char *tag = log_options_tag(options, owner, &arena);
    AUTO_BUF struct buf attributes = {0};
    if (options->tag) {
        log_record_add_attributes(&attributes, tag);
    }
    log->attributes = buf_take(&attributes);
    if ((options->driver == LOG_DRIVER_K8S_FILE || options->driver == LOG_DRIVER_JSON_FILE) &&
        open_file(log, dir_fd, options, err) < 0) {
        return NULL;
    }
    if (options->driver == LOG_DRIVER_JOURNALD && log_journal_open(&log->journal, journal, owner, tag, err) < 0) {
        return NULL;
    }
    struct log_file *opened = log;
    log = NULL;
    return opened;
}

void log_file_trim(struct log_file *log) {
    if (log->batch.size == 0) {
        buf_finish(&log->batch);
    }
    for (size_t i = 0; i < LOG_STREAM_COUNT; i++) {
        if (log->held[i].size == 0) {
            mem_wipe(log->held[i].text, sizeof(log->held[i].text));
        }
    }
}

void log_file_cleanup(struct log_file **log) {
    log_file_destroy(*log);
}

void log_file_destroy(struct log_file *log) {
    if (!log) {
        return;
    }
    log->lost.retry_ms = 0; // there is no later
    log_file_settle(log);
    fd_close(&log->fd);
    log_chain_finish(&log->chain);
    log_journal_finish(&log->journal);
    buf_finish(&log->batch);
    free(log->attributes);
    free(log);
}

// --- writing to the file ---

static size_t count_lines(const char *data, size_t size) {
    size_t lines = 0;
    for (const char *at = data, *end = data + size; (at = memchr(at, '\n', (size_t)(end - at))); at++) {
        lines++;
    }
    return lines;
}

static void lose(struct log_file *log, const char *data, size_t size) {
    log->lost.lines += count_lines(data, size);
    log->lost.bytes += size;
}

static void format(const struct log_file *log, const struct log_piece *piece, struct buf *buf) {
    if (log->driver == LOG_DRIVER_JSON_FILE) {
        log_record_add_json(buf, piece, log->attributes);
    } else {
        log_record_add_text(buf, piece);
    }
}

// What stands before the next lines: the end of a torn one, and what was lost. That is a line of stderr, whose own it must not
// continue.
static void add_amends(struct log_file *log, struct buf *buf) {
    char time[TIMESTAMP_SIZE];
    if (log->torn) {
        buf_add_char(buf, '\n');
    }
    if (log->lost.lines == 0) {
        return;
    }
    struct log_piece piece = {.time = timestamp_format(timestamp_now(), time), .stream = LOG_STDERR, .ends = true};
    if (log->held[LOG_STDERR].open) {
        format(log, &piece, buf);
    }
    AUTO_BUF struct buf text = {0};
    buf_add_format(&text, "coffer: here the log lacks %llu line%s (%llu bytes): %s", (unsigned long long)log->lost.lines,
                   log->lost.lines == 1 ? "" : "s", (unsigned long long)log->lost.bytes, strerror(log->lost.errnum));
    piece.first = text.data;
    piece.first_size = text.size;
    format(log, &piece, buf);
}

// Writes both, and returns how much of them the file has taken; less than all when the disk took no more, with errno.
static size_t write_both(int fd, const struct buf *first, const char *data, size_t size) {
    size_t done = 0, total = first->size + size;
    while (done < total) {
        size_t head = done < first->size ? first->size - done : 0;
        size_t skip = done - (first->size - head);
        const struct iovec parts[] = {
            {.iov_base = head ? first->data + done : NULL, .iov_len = head},
            {.iov_base = (void *)(uintptr_t)(data + skip), .iov_len = size - skip},
        };
        ssize_t written = head ? writev(fd, parts, 2) : write(fd, data + skip, size - skip);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            break;
        }
        done += (size_t)written;
    }
    return done;
}

// The whole lines among the first `size` bytes of both.
static size_t whole_lines(const struct buf *first, const char *data, size_t size) {
    const char *newline = size > first->size ? memrchr(data, '\n', size - first->size) : NULL;
    if (newline) {
        return first->size + (size_t)(newline - data) + 1;
    }
    size_t within = size < first->size ? size : first->size;
    newline = within > 0 ? memrchr(first->data, '\n', within) : NULL;
    return newline ? (size_t)(newline - first->data) + 1 : 0;
}

// Appends whole lines. A line that does not fit wholly is taken away again.
static void append(struct log_file *log, const char *data, size_t size) {
    AUTO_BUF struct buf amends = {0};
    if (size == 0 && log->lost.lines == 0) {
        return;
    }
    if (log->lost.lines > 0 && clock_now_ms() < log->lost.retry_ms) {
        lose(log, data, size);
        return;
    }
    if (log->torn || log->lost.lines > 0) {
        add_amends(log, &amends);
    }
    size_t total = amends.size + size, written = write_both(log->fd, &amends, data, size), kept = written;
    int saved = errno;
    if (written < total) {
        kept = whole_lines(&amends, data, written);
    }
    // The file may have been made shorter by somebody since: what is taken away is counted from its end.
    struct stat status;
    bool cut = kept < written && fstat(log->fd, &status) == 0 && ftruncate(log->fd, status.st_size - (off_t)(written - kept)) == 0;
    log->torn = kept < written ? !cut : log->torn && kept == 0;
    log->size_bytes += (int64_t)(cut ? kept : written);
    if (log->lost.lines > 0 && kept >= amends.size) {
        log->lost.lines = log->lost.bytes = 0;
        log->held[LOG_STDERR].open = false;
    }
    size_t taken = kept > amends.size ? kept - amends.size : 0;
    if (written < total) {
        lose(log, data + taken, size - taken);
        log->lost.errnum = saved;
        log->lost.retry_ms = clock_now_ms() + RETRY_MS;
    }
}

static bool is_too_much(const struct log_file *log, size_t bytes) {
    return bytes > 0 && log->max_size_bytes > 0 && log->size_bytes > 0 && log->size_bytes + (int64_t)bytes > log->max_size_bytes &&
           (log->rotate_ms == 0 || clock_now_ms() >= log->rotate_ms);
}

// Begins the next file where these bytes would make this one too large. Nothing is lost when it cannot be made: this one goes on.
static void make_room(struct log_file *log, size_t bytes) {
    struct stat status;
    // Somebody may have emptied it.
    if (is_too_much(log, bytes) && fstat(log->fd, &status) == 0 && status.st_size < log->size_bytes) {
        log->size_bytes = status.st_size;
    }
    if (!is_too_much(log, bytes)) {
        return;
    }
    int fd = log_chain_next(&log->chain, log->max_files);
    if (fd < 0) {
        log->rotate_ms = clock_now_ms() + RETRY_MS;
        return;
    }
    fd_close(&log->fd);
    log->fd = fd;
    log->size_bytes = log->rotate_ms = 0;
    log->torn = false;
}

// Somebody has deleted it: what comes goes into a new one, for all to read. One system call for up to LOG_BATCH_BYTES.
static void make_anew(struct log_file *log) {
    struct stat status;
    struct err err;
    if (log->fd < 0 || fstat(log->fd, &status) < 0 || status.st_nlink > 0) {
        return;
    }
    int fd = log_chain_append(&log->chain, &err);
    if (fd >= 0) {
        fd_close(&log->fd);
        log->fd = fd;
        log->size_bytes = fstat(fd, &status) == 0 ? status.st_size : 0;
        log->torn = false;
    }
}

static void flush(struct log_file *log) {
    if (log->driver == LOG_DRIVER_JOURNALD) {
        log_journal_flush(&log->journal);
        return;
    }
    if (log->batch.size > 0) {
        make_anew(log);
    }
    make_room(log, log->batch.size);
    append(log, log->batch.data, log->batch.size);
    buf_clear(&log->batch);
}

// --- lines ---

static void add_to_batch(struct log_file *log, const struct log_piece *piece) {
    size_t before = log->batch.size;
    if (before == 0) {
        buf_reserve(&log->batch, LOG_BATCH_BYTES + LOG_PIECE_BYTES);
    }
    format(log, piece, &log->batch);
    // A file ends with the last line that fits.
    if (before > 0 && log->max_size_bytes > 0 && log->rotate_ms == 0 &&
        log->size_bytes + (int64_t)log->batch.size > log->max_size_bytes) {
        size_t line = log->batch.size - before;
        make_room(log, before);
        append(log, log->batch.data, before);
        memmove(log->batch.data, log->batch.data + before, line);
        log->batch.size = line;
        make_room(log, line);
    }
    if (log->batch.size >= LOG_BATCH_BYTES) {
        flush(log);
    }
}

static void emit(struct log_file *log, struct log_piece *piece) {
    if (log->driver == LOG_DRIVER_JOURNALD) {
        log_journal_add(&log->journal, piece);
    } else {
        add_to_batch(log, piece);
    }
}

// How much of the data goes into a piece that has room for so much: a letter of several bytes is not divided.
static size_t cut_at(const char *data, size_t room) {
    size_t cut = room;
    while (cut > 0 && room - cut < 3 && (data[cut] & 0xc0) == 0x80) {
        cut--;
    }
    return (data[cut] & 0xc0) == 0x80 ? room : cut;
}

void log_file_write(struct log_file *log, enum log_stream stream, const void *data, size_t size) {
    struct held *held = &log->held[stream];
    char time[TIMESTAMP_SIZE];
    const char *at = data;
    if (log->driver == LOG_DRIVER_NONE || size == 0) {
        return;
    }
    timestamp_format(timestamp_now(), time);
    while (size > 0) {
        const char *newline = memchr(at, '\n', size);
        size_t length = newline ? (size_t)(newline - at) : size, room = LOG_PIECE_BYTES - held->size;
        if (length <= room && !newline) {
            memcpy(held->text + held->size, at, length);
            held->size += length;
            break;
        }
        bool ends = length <= room;
        size_t taken = ends ? length : cut_at(at, room);
        struct log_piece piece = {.time = time,
                                  .stream = stream,
                                  .ends = ends,
                                  .first = held->text,
                                  .first_size = held->size,
                                  .second = at,
                                  .second_size = taken};
        emit(log, &piece);
        held->size = 0;
        held->open = !ends;
        at += taken + ends;
        size -= taken + ends;
    }
    flush(log);
}

bool log_file_is_pending(const struct log_file *log) {
    return log->held[LOG_STDOUT].size > 0 || log->held[LOG_STDERR].size > 0;
}

void log_file_settle(struct log_file *log) {
    char time[TIMESTAMP_SIZE];
    if (log->driver == LOG_DRIVER_NONE) {
        return;
    }
    timestamp_format(timestamp_now(), time);
    for (unsigned stream = 0; stream < LOG_STREAM_COUNT; stream++) {
        struct held *held = &log->held[stream];
        struct log_piece piece = {.time = time, .stream = stream, .first = held->text, .first_size = held->size};
        if (held->size > 0) {
            emit(log, &piece);
            held->size = 0;
            held->open = true;
        }
    }
    flush(log);
}

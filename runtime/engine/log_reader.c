#include "runtime/engine/log_reader.h"

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/engine/log_chain.h"
#include "runtime/engine/log_options.h"
#include "runtime/kernel/folder_events.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READS_AT_ONCE = 64 }; // of one call of log_reader_read()

struct log_reader {
    struct log_chain chain;
    struct log_read_request request;
    int files[LOG_MOST_FILES]; // newest first; the last is the one that is read
    int count;
    int64_t at;     // what has been read of it
    int64_t most;   // of the newest; INT64_MAX when it is followed
    char *room;     // LOG_RECORD_BYTES
    size_t used;    // bytes of a line whose end has not been read yet
    bool skips;     // until the end of a line that is too long
    bool has_moved; // there may be a newer file
    int folder;     // its number among the events; -1: it is not followed
    size_t damaged;
    struct buf scratch; // of records
};

size_t log_reader_damaged(const struct log_reader *reader) {
    return reader->damaged;
}

bool log_reader_follows(const struct log_reader *reader) {
    return reader->folder >= 0;
}

// Files are read on in any case; what matters is only whether they have changed their names.
void log_reader_notice(struct log_reader *reader, const struct folder_event *event) {
    bool ours = event->folder == reader->folder || event->folder < 0;
    reader->has_moved |= ours && (event->mask & (IN_MOVED_TO | IN_CREATE | IN_Q_OVERFLOW)) != 0;
}

static bool is_wanted(const struct log_reader *reader, const struct log_record *record) {
    return record->time_ns >= reader->request.since_ns && record->time_ns <= reader->request.until_ns;
}

static ssize_t read_at(int fd, char *data, size_t size, int64_t at) {
    ssize_t got;
    do {
        got = pread(fd, data, size, at);
    } while (got < 0 && errno == EINTR);
    return got;
}

// --- the last lines ---

struct search {
    int64_t left;                   // lines that are still wanted
    bool in_line[LOG_STREAM_COUNT]; // the line whose end has been met goes on towards the beginning
};

// Whether the line is not wanted any more, nor what stands before it.
static bool is_before_wanted(struct log_reader *reader, struct search *search, const char *line, size_t size) {
    struct log_record record;
    if (!log_record_parse(line, size, &reader->scratch, &record) || !is_wanted(reader, &record)) {
        return false;
    }
    if (!record.ends && search->in_line[record.stream]) {
        return false;
    }
    if (search->left == 0) {
        return true;
    }
    search->left--;
    search->in_line[record.stream] = true;
    return false;
}

// Looks through the lines of a block, the last one first. Returns where the earliest that begins in it does, or from where on lines
// are wanted; `size` when no line begins in it. first: whether a line begins with the block.
static size_t search_block(struct log_reader *reader, struct search *search, size_t size, bool first, bool *ret_done) {
    const char *room = reader->room;
    const char *last = memrchr(room, '\n', size);
    size_t end = last ? (size_t)(last - room) + 1 : 0;
    size_t earliest = end > 0 ? end : size;
    while (end > 0) {
        const char *before = memrchr(room, '\n', end - 1);
        if (!before && !first) {
            break;
        }
        size_t start = before ? (size_t)(before - room) + 1 : 0;
        if (is_before_wanted(reader, search, room + start, end - 1 - start)) {
            *ret_done = true;
            return end;
        }
        earliest = end = start;
    }
    return earliest;
}

// Finds where in this file the wanted lines begin.
static int search_file(struct log_reader *reader, struct search *search, int fd, int64_t *ret_at, bool *ret_done, struct err *err) {
    struct stat status;
    if (fstat(fd, &status) < 0) {
        return err_sys(err, "look at the log");
    }
    int64_t end = status.st_size;
    while (end > 0 && !*ret_done) {
        int64_t base = end > LOG_RECORD_BYTES ? end - LOG_RECORD_BYTES : 0;
        ssize_t got = read_at(fd, reader->room, (size_t)(end - base), base);
        if (got < 0) {
            return err_sys(err, "read the log");
        }
        size_t found = got > 0 ? search_block(reader, search, (size_t)got, base == 0, ret_done) : 0;
        // Of a block that is all one line, which is too long for one, nothing is wanted.
        end = *ret_done || (base + (int64_t)found < end && found > 0) ? base + (int64_t)found : base;
    }
    *ret_at = end;
    return 0;
}

static void drop_oldest(struct log_reader *reader) {
    fd_close(&reader->files[--reader->count]);
}

static int find_last_lines(struct log_reader *reader, struct err *err) {
    struct search search = {.left = reader->request.tail};
    bool done = false;
    for (int file = 0; file < reader->count; file++) {
        if (search_file(reader, &search, reader->files[file], &reader->at, &done, err) < 0) {
            return -1;
        }
        while (done && reader->count > file + 1) {
            drop_oldest(reader);
        }
    }
    return 0;
}

// Files that were last written before the time hold nothing of it. Their times are those of the kernel's ticks.
static void drop_before(struct log_reader *reader) {
    static const int64_t second_ns = 1000000000;
    struct stat status;
    while (reader->count > 1 && fstat(reader->files[reader->count - 1], &status) == 0 &&
           (int64_t)status.st_mtim.tv_sec < reader->request.since_ns / second_ns - 1) {
        drop_oldest(reader);
    }
}

// --- opening ---

static int follow_folder(struct log_reader *reader, struct err *err) {
    reader->folder = folder_events_add(reader->request.events_fd, reader->chain.dir_fd, IN_MODIFY | IN_MOVED_TO | IN_CREATE, err);
    return reader->folder < 0 ? -1 : 0;
}

static int find_start(struct log_reader *reader, struct err *err) {
    struct stat status;
    drop_before(reader);
    if (reader->request.tail >= 0 && find_last_lines(reader, err) < 0) {
        return -1;
    }
    reader->most = INT64_MAX;
    if (!reader->request.follow) {
        if (fstat(reader->files[0], &status) < 0) {
            return err_sys(err, "look at the log");
        }
        reader->most = status.st_size;
    }
    return 0;
}

struct log_reader *log_reader_open(int container_fd, const char *path, const struct log_read_request *request, struct err *err) {
    AUTO_LOG_READER struct log_reader *reader = mem_alloc(sizeof(*reader));
    bool found;
    *reader = (struct log_reader){.chain = {.dir_fd = -1}, .request = *request, .folder = -1};
    reader->room = mem_alloc(LOG_RECORD_BYTES);
    if (log_chain_open(container_fd, path, &reader->chain, err) < 0 || (request->follow && follow_folder(reader, err) < 0)) {
        return NULL;
    }
    int count = log_chain_read(&reader->chain, -1, reader->files, &found, err);
    if (count < 0) {
        return NULL;
    }
    reader->count = count;
    if (count == 0) {
        err_set(err, ERR_NOT_FOUND, "there is no log %s", path ? path : LOG_FILE_NAME);
        return NULL;
    }
    if (find_start(reader, err) < 0) {
        return NULL;
    }
    struct log_reader *opened = reader;
    reader = NULL;
    return opened;
}

void log_reader_destroy(struct log_reader *reader) {
    if (!reader) {
        return;
    }
    while (reader->count > 0) {
        drop_oldest(reader);
    }
    log_chain_finish(&reader->chain);
    free(reader->room);
    buf_finish(&reader->scratch);
    free(reader);
}

void log_reader_cleanup(struct log_reader **reader) {
    log_reader_destroy(*reader);
}

// --- going on ---

// The next file begins with a line; what this one has left of one was never ended.
static void begin_file(struct log_reader *reader) {
    reader->at = 0;
    reader->damaged += reader->used > 0;
    reader->used = 0;
    reader->skips = false;
}

static int64_t compare_times(const struct timespec *a, const struct timespec *b) {
    return a->tv_sec != b->tv_sec ? (int64_t)a->tv_sec - b->tv_sec : (int64_t)a->tv_nsec - b->tv_nsec;
}

// Where the file at hand is none of the log's any more: what was written after it, of all that there is. Either it was removed by
// somebody, and older ones may be there that have been read; or the log has gone on faster than it was read.
static int drop_read(const struct log_reader *reader, int *newer, int count) {
    struct stat ours, theirs;
    while (count > 0 && fstat(reader->files[0], &ours) == 0 && fstat(newer[count - 1], &theirs) == 0 &&
           compare_times(&theirs.st_mtim, &ours.st_mtim) < 0) {
        fd_close(&newer[--count]);
    }
    if (count > 1) {
        log_warn("the log's files gave way to others faster than they were read: lines are missing here");
    }
    if (count == LOG_MOST_FILES) {
        fd_close(&newer[--count]); // there is one more to hold
    }
    return count;
}

// Opens what is newer than the newest. Returns whether there is something: then the file at hand is read to its end once more, for
// it may have grown before it gave way.
static int open_newer(struct log_reader *reader, struct err *err) {
    int newer[LOG_MOST_FILES];
    bool found;
    reader->has_moved = false;
    int count = log_chain_read(&reader->chain, reader->files[0], newer, &found, err);
    if (count < 0) {
        return -1;
    }
    if (!found) {
        count = drop_read(reader, newer, count);
    }
    memmove(reader->files + count, reader->files, sizeof(*reader->files));
    memcpy(reader->files, newer, (size_t)count * sizeof(*newer));
    reader->count += count;
    return count > 0;
}

// Where a file that has been read to its end goes on: 1 when there is more to read, 0 when there is not.
static int go_on(struct log_reader *reader, struct err *err) {
    struct stat status;
    if (reader->count > 1) {
        drop_oldest(reader);
        begin_file(reader);
        return 1;
    }
    if (!reader->request.follow) {
        return 0;
    }
    if (fstat(reader->files[0], &status) == 0 && status.st_size < reader->at) {
        begin_file(reader); // somebody has emptied it
        return status.st_size > 0;
    }
    return reader->has_moved ? open_newer(reader, err) : 0;
}

static int take_line(struct log_reader *reader, const char *line, size_t size, log_reader_fn *take, void *context,
                     struct err *err) {
    struct log_record record;
    if (size == 0) {
        return 0; // ended a line that was cut off
    }
    if (!log_record_parse(line, size, &reader->scratch, &record)) {
        reader->damaged++;
        return 0;
    }
    return is_wanted(reader, &record) ? take(context, &record, err) : 0;
}

// Hands over the whole lines and keeps the rest.
static int take_lines(struct log_reader *reader, log_reader_fn *take, void *context, struct err *err) {
    const char *at = reader->room, *end = reader->room + reader->used;
    for (const char *newline; (newline = memchr(at, '\n', (size_t)(end - at))); at = newline + 1) {
        if (!reader->skips && take_line(reader, at, (size_t)(newline - at), take, context, err) < 0) {
            return -1;
        }
        reader->skips = false;
    }
    reader->used = (size_t)(end - at);
    memmove(reader->room, at, reader->used);
    if (reader->used == LOG_RECORD_BYTES) {
        reader->damaged += !reader->skips;
        reader->skips = true;
    }
    if (reader->skips) {
        reader->used = 0;
    }
    return 0;
}

int log_reader_read(struct log_reader *reader, log_reader_fn *take, void *context, struct err *err) {
    for (int reads = 0; reads < READS_AT_ONCE; reads++) {
        int64_t most = reader->count > 1 ? INT64_MAX : reader->most;
        size_t room = LOG_RECORD_BYTES - reader->used;
        int64_t left = most > reader->at ? most - reader->at : 0;
        size_t wanted = left < (int64_t)room ? (size_t)left : room;
        ssize_t got = wanted > 0 ? read_at(reader->files[reader->count - 1], reader->room + reader->used, wanted, reader->at) : 0;
        if (got < 0) {
            return err_sys(err, "read the log");
        }
        if (got == 0) {
            int more = go_on(reader, err);
            if (more <= 0) {
                return more;
            }
            continue;
        }
        reader->at += got;
        reader->used += (size_t)got;
        if (take_lines(reader, take, context, err) < 0) {
            return -1;
        }
    }
    return 1;
}

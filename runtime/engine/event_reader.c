// The log of events, read and followed: see event_log.h. Its lines are our own, but what is no event all the same is passed over.
#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/engine/event_log.h"
#include "runtime/engine/home.h"
#include "specs/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_BYTES = 16 << 10 };

static const struct json_name type_names[] = {
    {"container", EVENT_CONTAINER}, {"image", EVENT_IMAGE}, {"network", EVENT_NETWORK}, {"volume", EVENT_VOLUME}, {0},
};

static const struct json_row rows[] = {
    ROW_I64("time", struct event_seen, time_ns, JSON_NEEDED),
    ROW_ENUM("type", struct event_seen, type, type_names, JSON_NEEDED),
    ROW_STRING("action", struct event_seen, action, JSON_NEEDED),
    ROW_STRING("id", struct event_seen, id, JSON_NEEDED),
    ROW_PAIRS("attributes", struct event_seen, attributes, 0),
};
static const struct json_table table = JSON_TABLE(struct event_seen, rows);

struct event_reader {
    int fd;
    off_t at;           // of the file: what is read next
    struct buf text;    // read, and not told yet
    bool in_the_middle; // of a line whose beginning is punched out
};

struct event_reader *event_reader_open(const struct home *home, bool from_oldest, struct err *err) {
    AUTO_FD int fd = openat(home->live_fd, ".events", O_RDONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, (mode_t)0600);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0) {
        (void)err_sys(err, "open the log of events");
        return NULL;
    }
    struct event_reader *reader = mem_alloc(sizeof(*reader));
    reader->at = status.st_size;
    if (from_oldest && status.st_size > 0) {
        off_t data = lseek(fd, 0, SEEK_DATA);
        reader->at = data < 0 ? 0 : data;
        reader->in_the_middle = reader->at > 0;
    }
    reader->fd = fd_take(&fd);
    return reader;
}

void event_reader_close(struct event_reader *reader) {
    if (reader) {
        fd_close(&reader->fd);
        buf_finish(&reader->text);
        free(reader);
    }
}

static void forget(struct buf *text, size_t size) {
    memmove(text->data, text->data + size, text->size - size);
    text->size -= size;
}

// 1: more is in `text`.
static int read_more(struct event_reader *reader, struct err *err) {
    struct stat status;
    AUTO_FREE char *room = mem_alloc(READ_BYTES);
    ssize_t got = pread(reader->fd, room, READ_BYTES, reader->at);
    if (got < 0) {
        return err_sys(err, "read the log of events");
    }
    if (got == 0) {
        if (fstat(reader->fd, &status) == 0 && status.st_size < reader->at) {
            reader->at = 0; // emptied: see event_log.h
            reader->text.size = 0;
            return read_more(reader, err);
        }
        return 0;
    }
    reader->at += got;
    buf_add(&reader->text, room, (size_t)got);
    return 1;
}

// The next line in `text`, without its end; NULL where there is no whole one.
static const char *take_line(struct event_reader *reader, struct arena *arena) {
    struct buf *text = &reader->text;
    size_t hole = 0;
    while (hole < text->size && text->data[hole] == '\0') {
        hole++; // punched out while we were behind
    }
    if (hole > 0) {
        forget(text, hole);
        reader->in_the_middle = true;
    }
    const char *end = text->size > 0 ? memchr(text->data, '\n', text->size) : NULL;
    if (!end) {
        return NULL;
    }
    size_t size = (size_t)(end - text->data);
    const char *line = reader->in_the_middle ? "" : arena_copy(arena, text->data, size);
    reader->in_the_middle = false;
    forget(text, size + 1);
    return line;
}

int event_reader_next(struct event_reader *reader, struct arena *arena, struct event_seen *ret, struct err *err) {
    while (true) {
        const char *line = take_line(reader, arena);
        if (!line) {
            int more = read_more(reader, err);
            if (more <= 0) {
                return more;
            }
            continue;
        }
        struct err damaged = {0};
        const struct json_document document = {.name = "the log of events", .text = line, .size = strlen(line)};
        *ret = (struct event_seen){0};
        if (*line && json_decode(&document, &table, arena, ret, &damaged) == 0) {
            return 1;
        }
        if (*line) {
            log_info("%s", damaged.text);
        }
    }
}

const char *event_attribute(const struct event_seen *event, const char *name) {
    for (size_t i = 0; i < event->attributes_count; i++) {
        if (strcmp(event->attributes[i].name, name) == 0) {
            return event->attributes[i].value;
        }
    }
    return NULL;
}

#include "runtime/engine/event_log.h"

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/strv.h"
#include "runtime/base/timestamp.h"
#include "runtime/engine/home.h"
#include "runtime/engine/record.h"
#include "runtime/engine/request.h"
#include "runtime/engine/request_json.h"
#include "specs/json_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const type_names[EVENT_TYPE_COUNT] = {
    [EVENT_CONTAINER] = "container",
    [EVENT_IMAGE] = "image",
    [EVENT_NETWORK] = "network",
    [EVENT_VOLUME] = "volume",
};

const char *event_type_name(enum event_type type) {
    return type_names[type];
}

void event_log_finish(struct event_log *log) {
    fd_close(&log->fd);
}

// Gives back what is older than has to be kept, from time to time: when it has become twice that.
static void trim(int fd) {
    struct stat status;
    enum { PAGE = 4096, SECTOR = 512 };
    if (fstat(fd, &status) < 0 || status.st_size <= 2 * EVENT_KEPT_BYTES ||
        status.st_blocks * (int64_t)SECTOR <= 2 * EVENT_KEPT_BYTES) {
        return;
    }
    off_t old = (status.st_size - EVENT_KEPT_BYTES) / PAGE * PAGE;
    if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, old) < 0 && errno == EOPNOTSUPP &&
        status.st_size > 8 * (off_t)EVENT_KEPT_BYTES && ftruncate(fd, 0) < 0) {
        log_info("empty the log of events: %s", strerror(errno));
    }
}

static bool open_log(struct event_log *log, int live_fd) {
    if (log->fd >= 0) {
        return true;
    }
    log->fd = openat(live_fd, ".events", O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, (mode_t)0600);
    if (log->fd < 0) {
        log_info("open the log of events: %s", strerror(errno));
        return false;
    }
    if (log->trims) {
        trim(log->fd);
    }
    return true;
}

static void write_labels(struct json_writer *writer, const struct strv *labels) {
    for (size_t i = 0; labels && i < labels->count; i++) {
        char name[256];
        size_t length = strcspn(labels->items[i], "=");
        snprintf(name, sizeof(name), "%.*s", (int)length, labels->items[i]);
        json_write_string(writer, name, labels->items[i][length] ? labels->items[i] + length + 1 : "");
    }
}

static void write_event(const struct event *event, int64_t time_ns, const struct strv *labels, struct buf *text) {
    struct json_writer writer = {.buf = text};
    json_write_open(&writer, NULL, '{');
    json_write_i64(&writer, "time", time_ns);
    json_write_string(&writer, "type", type_names[event->type]);
    json_write_string(&writer, "action", event->action);
    json_write_string(&writer, "id", event->id);
    json_write_open(&writer, "attributes", '{');
    write_labels(&writer, labels);
    for (size_t i = 0; i < event->attributes_count; i++) {
        json_write_string(&writer, event->attributes[i].name, event->attributes[i].value);
    }
    json_write_close(&writer, '}');
    json_write_close(&writer, '}');
    buf_add_char(text, '\n');
}

void event_log_add(struct event_log *log, int live_fd, const struct event *events, size_t count) {
    char room[1024];
    AUTO_BUF struct buf text = BUF_IN(room);
    int64_t now_ns = timestamp_now();
    if (!open_log(log, live_fd)) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        size_t before = text.size;
        write_event(&events[i], now_ns, events[i].labels, &text);
        if (text.size - before > EVENT_MAX_LINE) {
            text.size = before;
            write_event(&events[i], now_ns, NULL, &text);
        }
    }
    if (write(log->fd, text.data, text.size) != (ssize_t)text.size) {
        log_info("write to the log of events: %s", strerror(errno));
    }
}

void event_log_add_container(struct event_log *log, const struct home *home, const struct event_log_container *container,
                             const char *action) {
    AUTO_ARENA struct arena arena = {0};
    const struct record *record = container->record;
    struct run_request request = {0};
    struct err damaged;
    const struct text_pair attributes[] = {
        {"image", record->image ? record->image : ""},
        {"name", record->name ? record->name : ""},
        {container->name, container->value},
    };
    bool has_labels = container->labels || (record->request && request_read_json(record->request, &arena, &request, &damaged) == 0);
    const struct event event = {
        .type = EVENT_CONTAINER,
        .action = action,
        .id = record->id,
        .attributes = attributes,
        .attributes_count = container->name ? 3 : 2,
        .labels = container->labels ? container->labels
                  : has_labels      ? &request.labels
                                    : NULL,
    };
    event_log_add(log, home->live_fd, &event, 1);
}

void events_add(int live_fd, const struct event *event) {
    AUTO_EVENT_LOG struct event_log log = EVENT_LOG_CLOSED;
    event_log_add(&log, live_fd, event, 1);
}

void events_add_container(const struct home *home, const struct event_log_container *container, const char *action) {
    AUTO_EVENT_LOG struct event_log log = EVENT_LOG_CLOSED;
    event_log_add_container(&log, home, container, action);
}

void events_add_elsewhere(const struct engine *engine, const struct event *event) {
    struct err err;
    AUTO_FD int live_fd = home_open_live(engine, &err);
    if (live_fd < 0) {
        log_info("%s", err.text);
        return;
    }
    events_add(live_fd, event);
}

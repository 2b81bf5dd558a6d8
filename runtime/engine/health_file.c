#include "runtime/engine/health_file.h"

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/base/timestamp.h"
#include "runtime/engine/home.h"
#include "runtime/engine/record.h"
#include "specs/json.h"
#include "specs/json_write.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINE_BYTES = 64, LOG_MAX_BYTES = 1 << 20, PATH_BYTES = RECORD_ID_SIZE + 16 };

static const char status_file[] = "health", log_file[] = "health.log";

static const char *path_of(const char *id, const char *file, char path[PATH_BYTES]) {
    snprintf(path, PATH_BYTES, "%.64s/%s", id, file);
    return path;
}

// --- reading ---

// Of one that runs, or what one that has ended has kept. False: there is none.
static bool read_line(int dir_fd, const char *id, char line[LINE_BYTES]) {
    char path[PATH_BYTES];
    AUTO_FD int fd = openat(dir_fd, path_of(id, status_file, path), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : fd_read_full(fd, line, LINE_BYTES - 1);
    line[got > 0 ? got : 0] = '\0';
    return got > 0;
}

static int find(const struct home *home, const char *id, struct health_report *ret) {
    const int places[] = {home->live_fd, home->containers_fd};
    char line[LINE_BYTES], name[LINE_BYTES];
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        if (read_line(places[i], id, line) && sscanf(line, "%63s %" SCNd64, name, &ret->streak) == 2) {
            ret->status = health_status_named(name);
            return places[i];
        }
    }
    return -1;
}

enum health_status health_file_status(const struct home *home, const char *id) {
    struct health_report report = {0};
    return find(home, id, &report) < 0 ? HEALTH_NONE : report.status;
}

int health_file_read(const struct home *home, const char *id, struct arena *arena, struct health_report *ret, struct err *err) {
    char path[PATH_BYTES];
    AUTO_FREE char *text = NULL;
    size_t size;
    *ret = (struct health_report){.log = "[]"};
    int place = find(home, id, ret);
    if (place < 0 || ret->status == HEALTH_NONE) {
        return 0;
    }
    if (fd_read_file(place, path_of(id, log_file, path), LOG_MAX_BYTES, &text, &size, err) < 0) {
        return err->errnum == ENOENT ? 0 : -1;
    }
    ret->log = arena_copy_string(arena, text);
    return 0;
}

// --- writing ---

int health_file_set(const struct home *home, const char *id, enum health_status status, int64_t streak, struct err *err) {
    char path[PATH_BYTES], line[LINE_BYTES];
    int size = snprintf(line, sizeof(line), "%s %" PRId64 "\n", health_status_name(status), streak);
    return fd_replace_file(home->live_fd, path_of(id, status_file, path), line, (size_t)size, 0600, err);
}

int health_file_begin(const struct home *home, const char *id, struct err *err) {
    char path[PATH_BYTES];
    unlinkat(home->live_fd, path_of(id, log_file, path), 0);
    return health_file_set(home, id, HEALTH_STARTING, 0, err);
}

// Output is whatever a program of the image wrote: JSON is text, so that what is none is left out of it, and a NUL ends nothing.
static void write_output(struct json_writer *writer, const struct health_entry *entry) {
    static const char more[] = "...";
    AUTO_BUF struct buf text = {0};
    bool cut = entry->output_size > HEALTH_LOG_BYTES;
    size_t size = cut ? HEALTH_LOG_BYTES - strlen(more) : entry->output_size;
    for (size_t i = 0; i < size; i++) {
        buf_add_char(&text, entry->output[i] ? entry->output[i] : ' ');
    }
    buf_add_string(&text, cut ? more : "");
    json_write_string(writer, "Output", buf_string(&text));
}

static void write_entry(struct json_writer *writer, const struct health_entry *entry) {
    char moment[TIMESTAMP_SIZE];
    json_write_open(writer, NULL, '{');
    json_write_string(writer, "Start", timestamp_format(entry->start_ns, moment));
    json_write_string(writer, "End", timestamp_format(entry->end_ns, moment));
    json_write_i64(writer, "ExitCode", entry->exit_code);
    write_output(writer, entry);
    json_write_close(writer, '}');
}

static void write_former(struct json_writer *writer, const char *text, size_t size) {
    json_t *former = json_loadb(text, size, 0, NULL);
    size_t count = json_is_array(former) ? json_array_size(former) : 0;
    for (size_t i = count >= HEALTH_LOG_ENTRIES ? count - HEALTH_LOG_ENTRIES + 1 : 0; i < count; i++) {
        AUTO_BUF struct buf entry = {0};
        if (json_print(json_array_get(former, i), JSON_COMPACT, &entry) == 0) {
            json_write_literal(writer, NULL, buf_string(&entry));
        }
    }
    json_decref(former);
}

int health_file_log(const struct home *home, const char *id, const struct health_entry *entry, struct err *err) {
    char path[PATH_BYTES];
    AUTO_FREE char *text = NULL;
    AUTO_BUF struct buf log = {0};
    struct json_writer writer = {.buf = &log};
    struct err none_yet;
    size_t size = 0;
    json_write_open(&writer, NULL, '[');
    if (fd_read_file(home->live_fd, path_of(id, log_file, path), LOG_MAX_BYTES, &text, &size, &none_yet) == 0) {
        write_former(&writer, text, size);
    }
    write_entry(&writer, entry);
    json_write_close(&writer, ']');
    return fd_replace_file(home->live_fd, path, log.data, log.size, 0600, err);
}

int health_file_keep(const struct home *home, const char *id, struct err *err) {
    const char *const files[] = {log_file, status_file};
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        char path[PATH_BYTES];
        AUTO_FREE char *text = NULL;
        size_t size;
        path_of(id, files[i], path);
        if (fd_read_file(home->live_fd, path, LOG_MAX_BYTES, &text, &size, err) < 0) {
            if (err->errnum != ENOENT) {
                return -1;
            }
        } else if (fd_replace_file(home->containers_fd, path, text, size, 0600, err) < 0) {
            return -1;
        }
    }
    return 0;
}

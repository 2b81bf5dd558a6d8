#include "tests/unit/folder.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/timestamp.h"
#include "runtime/engine/log_file.h"
#include "runtime/engine/log_options.h"
#include "runtime/engine/log_reader.h"
#include "runtime/kernel/folder_events.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct log_owner owner = {.id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", .name = "web"};
static const struct log_read_request everything = {.tail = LOG_TAIL_ALL, .since_ns = INT64_MIN, .until_ns = INT64_MAX};

static struct err err;
static int dir_fd = -1;
static struct log_options options;
static struct buf shown;
static int events_fd = -1;

static void begin(void) {
    const char *name = path("log");
    CHECK_INT(system(arena_format(&arena, "rm -rf %s && mkdir %s", name, name)), 0);
    fd_close(&dir_fd);
    dir_fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    options = (struct log_options){.max_size_bytes = LOG_DEFAULT_SIZE_BYTES, .max_files = LOG_DEFAULT_FILES};
}

static void add(const char *name, const char *text) {
    AUTO_FD int fd = openat(dir_fd, name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    CHECK_INT(fd_write_all(fd, text, strlen(text)), 0);
}

// A line of the log at so many seconds past noon.
static const char *line(int second, const char *rest) {
    return arena_format(&arena, "2026-01-31T12:%02d:%02d.000000000Z %s\n", second / 60, second % 60, rest);
}

static int64_t at(int second) {
    int64_t time_ns = 0;
    const char *text = line(second, "");
    CHECK(timestamp_parse(text, strlen(text), &time_ns) > 0);
    return time_ns;
}

static int show(void *context, const struct log_record *record, struct err *unused) {
    (void)context;
    (void)unused;
    buf_add_string(&shown, record->stream == LOG_STDERR ? "!" : "");
    buf_add(&shown, record->text, record->size);
    buf_add_string(&shown, record->ends ? "\n" : "~");
    return 0;
}

static struct log_reader *reader_of(const struct log_read_request *request) {
    struct log_reader *reader = log_reader_open(dir_fd, options.path, request, &err);
    CHECK(reader != NULL);
    return reader;
}

static void notice(void *context, const struct folder_event *event) {
    log_reader_notice(context, event);
}

// What the reader has to show now.
static const char *next(struct log_reader *reader) {
    int more;
    buf_clear(&shown);
    folder_events_take(events_fd, notice, reader);
    while ((more = log_reader_read(reader, show, NULL, &err)) > 0) {
    }
    CHECK_INT(more, 0);
    return buf_string(&shown);
}

static size_t damaged;

static const char *all_of(struct log_read_request request) {
    struct log_reader *reader = reader_of(&request);
    const char *text = reader ? next(reader) : "(none)";
    damaged = reader ? log_reader_damaged(reader) : 0;
    log_reader_destroy(reader);
    return text;
}

static const char *tail(int64_t lines) {
    struct log_read_request request = everything;
    request.tail = lines;
    return all_of(request);
}

CASE(all_lines_of_all_files) {
    begin();
    CHECK(log_reader_open(dir_fd, NULL, &everything, &err) == NULL);
    CHECK_INT(err.kind, ERR_NOT_FOUND);
    CHECK_STR(err.text, "there is no log ctr.log");
    add("ctr.log", "");
    CHECK_STR(all_of(everything), "");
    add("ctr.log", line(5, "stdout F five"));
    add("ctr.log", line(6, "stderr F six"));
    add("ctr.log.1", line(3, "stdout F three"));
    add("ctr.log.1", line(4, "stdout P half "));
    add("ctr.log.3", line(1, "stdout F one")); // number 2 is free: somebody was killed
    add("ctr.log.6", line(0, "stdout F nobody's"));
    CHECK_STR(all_of(everything), "one\nthree\nhalf ~five\n!six\n");
    CHECK_INT(damaged, 0);
}

CASE(the_last_lines) {
    CHECK_STR(tail(0), "");
    CHECK_STR(tail(1), "!six\n");
    CHECK_STR(tail(2), "half ~five\n!six\n");
    CHECK_STR(tail(3), "three\nhalf ~five\n!six\n");
    CHECK_STR(tail(4), "one\nthree\nhalf ~five\n!six\n");
    CHECK_STR(tail(1000), "one\nthree\nhalf ~five\n!six\n");
    add("ctr.log", line(7, "stdout P login: "));
    CHECK_STR(tail(1), "login: ~");
    CHECK_STR(tail(2), "!six\nlogin: ~");
    add("ctr.log", line(8, "stdout P really: ")); // the same line, and one that is being written
    add("ctr.log", "2026-01-31T12:00:00Z stdout F unfini");
    CHECK_STR(tail(1), "login: ~really: ~");
    CHECK_STR(tail(0), "");
}

CASE(within_times) {
    begin();
    struct log_read_request request = everything;
    for (int i = 0; i < 10; i++) {
        add(i < 5 ? "ctr.log.1" : "ctr.log", line(i, arena_format(&arena, "stdout F %d", i)));
    }
    request.since_ns = at(3);
    request.until_ns = at(6);
    CHECK_STR(all_of(request), "3\n4\n5\n6\n");
    request.tail = 2;
    CHECK_STR(all_of(request), "5\n6\n");
    request.since_ns = at(6) + 1;
    CHECK_STR(all_of(request), "");
    request.until_ns = INT64_MAX;
    request.tail = LOG_TAIL_ALL;
    CHECK_STR(all_of(request), "7\n8\n9\n");
}

CASE(both_formats_beside_each_other) {
    begin();
    add("ctr.log",
        "{\"log\":\"a\\u0000\\u00e9\\ud83d\\ude00\\ud83d\\\"\\/\\n\",\"stream\":\"stderr\",\"time\":\"2026-01-31T12:00:00.5Z\"}\n");
    add("ctr.log", "{ \"time\" : \"2026-01-31T12:00:00.5+01:00\", \"attrs\":{\"tag\":\"x\",\"log\":\"no\"}, \"stream\":\"stdout\", "
                   "\"log\":\"b\" }\n");
    add("ctr.log", line(1, "stdout F"));
    add("ctr.log", line(1, "stdout F:more c"));
    const char *text = all_of(everything);
    CHECK(memcmp(text, "!a\0\xc3\xa9\xf0\x9f\x98\x80\xef\xbf\xbd\"/\nb~\nc\n", 20) == 0);
    CHECK_INT(shown.size, 20);
    CHECK_INT(damaged, 0);
}

CASE(damaged_lines_are_passed_over) {
    static const char *const lines[] = {
        "x",
        " stdout F x",
        "2026-01-31T12:00:00Z",
        "2026-01-31T12:00:00Z ",
        "2026-01-31T12:00:00Z stdin F x",
        "2026-01-31T12:00:00Z stdout",
        "2026-01-31T12:00:00Z stdout X x",
        "2026-01-31T12:00:00Z stdout FX x",
        "2026-01-31T12:00:00Zstdout F x",
        "2026-02-31T12:00:00Z stdout F x",
        "{",
        "{}",
        "{\"log\":\"x\",\"stream\":\"stdout\"}",
        "{\"log\":\"x\",\"stream\":\"stdout\",\"time\":\"2026-01-31T12:00:00.5Z\"",
        "{\"log\":\"x\",\"stream\":\"stdout\",\"time\":\"2026-01-31T12:00:00.5Z\"}x",
        "{\"log\":\"x\",\"stream\":\"stdout\",\"time\":\"2026-01-31T12:00:00.5Zz\"}",
        "{\"log\":1,\"stream\":\"stdout\",\"time\":\"2026-01-31T12:00:00.5Z\"}",
        "{\"log\":\"\\x\",\"stream\":\"stdout\",\"time\":\"2026-01-31T12:00:00.5Z\"}",
        "{\"log\":\"\\u00g0\",\"stream\":\"stdout\",\"time\":\"2026-01-31T12:00:00.5Z\"}",
        "{\"log\":\"\\u00",
        "{\"log\":\"\\",
        "{\"attrs\":{\"attrs\":{\"attrs\":{}}}}",
    };
    begin();
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        add("ctr.log", lines[i]);
        add("ctr.log", "\n");
        add("ctr.log", line(1, arena_format(&arena, "stdout F %zu", i)));
        add("ctr.log", "\n"); // ended one that was cut off
    }
    all_of(everything);
    CHECK_INT(damaged, ARRAY_LEN(lines));
    CHECK_STR(tail(2), arena_format(&arena, "%zu\n%zu\n", ARRAY_LEN(lines) - 2, ARRAY_LEN(lines) - 1));
    // A line that is longer than any may be, and holes.
    AUTO_BUF struct buf text = {0};
    memset(buf_reserve(&text, 3 * LOG_RECORD_BYTES), 'x', 3 * LOG_RECORD_BYTES);
    text.size = 3 * LOG_RECORD_BYTES;
    for (size_t size = 1; size < text.size; size += size / 3 + LOG_RECORD_BYTES / 5) {
        begin();
        add("ctr.log", line(1, "stdout F first"));
        add("ctr.log", text.data + text.size - size);
        add("ctr.log", "\n");
        add("ctr.log", line(1, "stdout F second"));
        CHECK_STR(all_of(everything), "first\nsecond\n");
        CHECK_INT(damaged, 1);
        CHECK_STR(tail(2), "first\nsecond\n");
        CHECK_STR(tail(1), "second\n");
    }
    AUTO_FD int fd = openat(dir_fd, "ctr.log", O_WRONLY | O_APPEND | O_CLOEXEC);
    CHECK_INT(ftruncate(fd, 1 << 20), 0);
    add("ctr.log", "\n");
    add("ctr.log", line(1, "stdout F third"));
    CHECK_STR(all_of(everything), "first\nsecond\nthird\n");
    CHECK_STR(tail(2), "second\nthird\n");
}

CASE(what_is_no_file_is_refused) {
    begin();
    CHECK_INT(mkfifoat(dir_fd, "ctr.log", 0600), 0);
    CHECK(log_reader_open(dir_fd, NULL, &everything, &err) == NULL);
    CHECK_STR(err.text, "the log ctr.log: expected a regular file");
    begin();
    CHECK_INT(symlinkat("/etc/passwd", dir_fd, "ctr.log"), 0);
    CHECK(log_reader_open(dir_fd, NULL, &everything, &err) == NULL);
    CHECK_STR(err.text, "open the log ctr.log: Too many levels of symbolic links");
}

static bool has_event(void) {
    struct pollfd wanted = {.fd = events_fd, .events = POLLIN};
    return poll(&wanted, 1, 0) == 1;
}

CASE(followed_across_files) {
    begin();
    options.max_size_bytes = 130;
    options.max_files = 10;
    struct log_file *log = log_file_open(dir_fd, &options, &owner, NULL, &err);
    struct log_read_request request = everything;
    request.follow = true;
    request.events_fd = events_fd;
    struct log_reader *reader = reader_of(&request);
    CHECK_STR(next(reader), "");
    CHECK(!has_event());
    log_file_write(log, LOG_STDOUT, "one\ntwo\n", 8);
    CHECK(has_event());
    CHECK_STR(next(reader), "one\ntwo\n");
    CHECK(!has_event());
    log_file_write(log, LOG_STDOUT, "three\nfour\nfive\nsix\nseven\neight\nnine\nten\n", 41);
    CHECK_STR(next(reader), "three\nfour\nfive\nsix\nseven\neight\nnine\nten\n");
    log_file_write(log, LOG_STDOUT, "login: ", 7);
    CHECK_STR(next(reader), "");
    log_file_settle(log);
    CHECK_STR(next(reader), "login: ~");
    // The container is restarted, the log emptied and then removed by somebody.
    log_file_destroy(log);
    log = log_file_open(dir_fd, &options, &owner, NULL, &err);
    log_file_write(log, LOG_STDOUT, "again\n", 6);
    CHECK_STR(next(reader), "again\n");
    AUTO_FD int fd = openat(dir_fd, "ctr.log", O_WRONLY | O_TRUNC | O_CLOEXEC);
    CHECK_STR(next(reader), "");
    usleep(20000); // files are told apart by their times, which are those of the kernel's ticks
    log_file_write(log, LOG_STDOUT, "emptied\n", 8);
    CHECK_STR(next(reader), "emptied\n");
    CHECK_INT(unlinkat(dir_fd, "ctr.log", 0), 0);
    log_file_destroy(log);
    log = log_file_open(dir_fd, &options, &owner, NULL, &err);
    log_file_write(log, LOG_STDOUT, "anew\n", 5);
    CHECK_STR(next(reader), "anew\n");
    CHECK_STR(buf_string(&warnings), "");
    // Too slow: what was rotated away is missed, and that is said.
    for (int i = 0; i < 60; i++) {
        log_file_write(log, LOG_STDOUT, "fast\n", 5);
    }
    CHECK(strstr(next(reader), "fast\n") != NULL);
    CHECK_STR(buf_string(&warnings), "the log's files gave way to others faster than they were read: lines are missing here\n");
    log_file_destroy(log);
    log_reader_destroy(reader);
    options.path = NULL;
}

// A writer as fast as it can, and readers beside it: each sees every line, in order.
static int expected_number;

static int check_number(void *context, const struct log_record *record, struct err *unused) {
    int number = atoi(arena_copy(&arena, record->text, record->size));
    (void)unused;
    if (number != expected_number && *(int *)context == 0) {
        CHECK_INT(number, expected_number);
        *(int *)context = 1;
    }
    expected_number = number + 1;
    return 0;
}

CASE(every_line_is_seen_once_while_files_move) {
    enum { LINES = 100000 };
    begin();
    options.max_size_bytes = 64 << 10;
    options.max_files = 400;
    options.driver = LOG_DRIVER_JSON_FILE;
    struct log_file *log = log_file_open(dir_fd, &options, &owner, NULL, &err);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < LINES;) {
            AUTO_BUF struct buf text = {0};
            for (int j = 0; j < 37; j++) {
                buf_add_format(&text, "%d\n", i++);
            }
            log_file_write(log, LOG_STDOUT, text.data, text.size);
        }
        _exit(0);
    }
    struct log_read_request request = everything;
    request.follow = true;
    request.events_fd = events_fd;
    struct log_reader *reader = reader_of(&request);
    int wrong = 0, status = -1;
    expected_number = 0;
    while (reader && expected_number < LINES && !wrong) {
        bool gone = waitpid(child, &status, WNOHANG) == child;
        struct pollfd wanted = {.fd = events_fd, .events = POLLIN};
        folder_events_take(events_fd, notice, reader);
        int more = log_reader_read(reader, check_number, &wrong, &err);
        CHECK(more >= 0);
        if (more < 0 || (gone && more == 0)) {
            break;
        }
        if (more == 0) {
            poll(&wanted, 1, 100);
        }
    }
    CHECK(expected_number >= LINES);
    CHECK_INT(log_reader_damaged(reader), 0);
    log_reader_destroy(reader);
    if (status < 0) {
        waitpid(child, &status, 0);
    }
    int total = expected_number, count = 5000;
    request.follow = false;
    request.tail = count;
    expected_number = total - count;
    reader = reader_of(&request);
    while (log_reader_read(reader, check_number, &wrong, &err) > 0) {
    }
    CHECK_INT(expected_number, total);
    log_reader_destroy(reader);
    log_file_destroy(log);
}

int main(void) {
    if (!mkdtemp(folder)) {
        return 1;
    }
    log_set_sink(warn, LOG_LEVEL_WARNING);
    events_fd = folder_events_open(&err);
    RUN(all_lines_of_all_files);
    RUN(the_last_lines);
    RUN(within_times);
    RUN(both_formats_beside_each_other);
    RUN(damaged_lines_are_passed_over);
    RUN(what_is_no_file_is_refused);
    RUN(followed_across_files);
    RUN(every_line_is_seen_once_while_files_move);
    fd_close(&dir_fd);
    fd_close(&events_fd);
    CHECK_INT(system(arena_format(&arena, "rm -rf %s", folder)), 0);
    buf_finish(&shown);
    buf_finish(&warnings);
    arena_finish(&arena);
    return check_done();
}

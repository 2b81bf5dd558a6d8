// The log of events: what is written is read, also by who follows; it is bounded, and what is no event is passed over.
#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/base/strv.h"
#include "runtime/engine/event_log.h"
#include "runtime/engine/home.h"
#include "tests/unit/check.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/coffer-unit-test.XXXXXX";
static struct home home = HOME_CLOSED;
static struct err err;

static void begin(void) {
    unlinkat(home.live_fd, ".events", 0);
}

static void add(const char *id, const char *action) {
    const struct event event = {.type = EVENT_VOLUME, .action = action, .id = id};
    events_add(home.live_fd, &event);
}

// The ids of all there are by now, in a row.
static const char *ids(struct event_reader *reader, struct arena *arena) {
    static char text[256];
    struct event_seen event;
    text[0] = '\0';
    while (event_reader_next(reader, arena, &event, &err) > 0 && strlen(text) + strlen(event.id) + 2 < sizeof(text)) {
        strcat(strcat(text, event.id), " ");
    }
    return text;
}

CASE(what_is_written_is_read) {
    AUTO_ARENA struct arena arena = {0};
    AUTO_STRV struct strv labels = {0};
    struct event_seen seen;
    const struct text_pair attributes[] = {{"name", "a \"b\"\n"}, {"exitCode", "3"}};
    const struct event event = {
        .type = EVENT_CONTAINER, .action = "die", .id = "77", .attributes = attributes, .attributes_count = 2, .labels = &labels};
    begin();
    strv_add(&labels, "tier=front=1");
    strv_add(&labels, "bare");
    events_add(home.live_fd, &event);
    struct event_reader *reader = event_reader_open(&home, true, &err);
    CHECK(reader && event_reader_next(reader, &arena, &seen, &err) == 1);
    CHECK(seen.type == EVENT_CONTAINER && seen.time_ns > 0);
    CHECK_STR(seen.action, "die");
    CHECK_STR(seen.id, "77");
    CHECK_STR(event_attribute(&seen, "name"), "a \"b\"\n");
    CHECK_STR(event_attribute(&seen, "exitCode"), "3");
    CHECK_STR(event_attribute(&seen, "tier"), "front=1");
    CHECK_STR(event_attribute(&seen, "bare"), "");
    CHECK(!event_attribute(&seen, "nothing"));
    CHECK(event_reader_next(reader, &arena, &seen, &err) == 0);
    event_reader_close(reader);
}

CASE(who_follows_begins_at_the_end) {
    AUTO_ARENA struct arena arena = {0};
    begin();
    add("1", "create");
    struct event_reader *reader = event_reader_open(&home, false, &err);
    CHECK_STR(ids(reader, &arena), "");
    add("2", "create");
    add("3", "create");
    CHECK_STR(ids(reader, &arena), "2 3 ");
    // Emptied, as where nothing can be punched out.
    CHECK(truncate(arena_format(&arena, "%s/.events", folder), 0) == 0);
    add("4", "create");
    CHECK_STR(ids(reader, &arena), "4 ");
    event_reader_close(reader);
}

CASE(what_is_no_event_is_passed_over) {
    AUTO_ARENA struct arena arena = {0};
    begin();
    add("1", "create");
    AUTO_FD int fd = openat(home.live_fd, ".events", O_WRONLY | O_APPEND | O_CLOEXEC);
    static const char odd[] = "{\"time\":\"x\"}\n\n[]\nno\0thing\n{\"time\":1,\"type\":\"moon\",\"action\":\"a\",\"id\":\"b\"}\n";
    CHECK(fd_write_all(fd, odd, sizeof(odd) - 1) == 0);
    add("2", "create");
    CHECK(fd_write_all(fd, "{\"time\":", 8) == 0); // not whole
    struct event_reader *reader = event_reader_open(&home, true, &err);
    CHECK_STR(ids(reader, &arena), "1 2 ");
    event_reader_close(reader);
}

CASE(labels_without_end_are_left_out) {
    AUTO_ARENA struct arena arena = {0};
    AUTO_STRV struct strv labels = {0};
    AUTO_FREE char *large = mem_alloc(EVENT_MAX_LINE + 1);
    struct event_seen seen;
    memset(large, 'x', EVENT_MAX_LINE);
    memcpy(large, "l=", 2);
    begin();
    strv_add(&labels, large);
    strv_add(&labels, "tier=front");
    const struct event event = {.type = EVENT_IMAGE, .action = "pull", .id = "i", .labels = &labels};
    events_add(home.live_fd, &event);
    struct event_reader *reader = event_reader_open(&home, true, &err);
    CHECK(event_reader_next(reader, &arena, &seen, &err) == 1 && seen.attributes_count == 0);
    event_reader_close(reader);
}

CASE(it_is_bounded_in_front) {
    AUTO_ARENA struct arena arena = {0};
    AUTO_EVENT_LOG struct event_log log = {.fd = -1, .trims = true};
    AUTO_FREE char *line = mem_alloc(1001);
    struct stat status;
    struct event_seen seen;
    int64_t count = 0;
    begin();
    add("first", "create");
    memset(line, 'y', 999);
    line[999] = '\n';
    AUTO_FD int fd = openat(home.live_fd, ".events", O_WRONLY | O_APPEND | O_CLOEXEC);
    for (int i = 0; i < 3 * EVENT_KEPT_BYTES / 1000; i++) {
        CHECK(fd_write_all(fd, line, 1000) == 0);
    }
    const struct event event = {.type = EVENT_VOLUME, .action = "create", .id = "last"};
    event_log_add(&log, home.live_fd, &event, 1);
    CHECK(fstat(fd, &status) == 0);
    CHECK(status.st_size > 3 * EVENT_KEPT_BYTES - 4096);
    CHECK(status.st_blocks * 512 <= EVENT_KEPT_BYTES + (64 << 10));
    struct event_reader *reader = event_reader_open(&home, true, &err);
    while (event_reader_next(reader, &arena, &seen, &err) > 0) {
        count++;
        CHECK_STR(seen.id, "last");
    }
    CHECK(count == 1);
    event_reader_close(reader);
}

int main(void) {
    if (!mkdtemp(folder)) {
        return 1;
    }
    home.live_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    RUN(what_is_written_is_read);
    RUN(who_follows_begins_at_the_end);
    RUN(what_is_no_event_is_passed_over);
    RUN(labels_without_end_are_left_out);
    RUN(it_is_bounded_in_front);
    begin();
    rmdir(folder);
    return check_done();
}

#include "cli/commands/all.h"
#include "cli/commands/engine.h"
#include "cli/context.h"
#include "cli/log_printer.h"
#include "cli/moment.h"
#include "cli/output.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/quantity.h"
#include "runtime/base/quote.h"
#include "runtime/base/timestamp.h"
#include "runtime/engine/home.h"
#include "runtime/engine/log_reader.h"
#include "runtime/engine/record.h"
#include "runtime/engine/record_watch.h"
#include "runtime/kernel/folder_events.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

struct logs_request {
    bool follow;
    bool timestamps;
    bool details;
    bool names;
    bool color;
    const char *since, *until;
    const char *tail;
};

// A container whose log is shown.
struct shown {
    struct record record;
    struct log_reader *reader; // NULL: there is no more to come
    struct record_watch watch;
    struct log_source source;
    struct log_printer *printer;
};

struct session {
    struct shown *shown;
    size_t count;
    struct log_printer printer;
    struct log_read_request wanted; // with what tells of events
};

static void close_shown(struct shown *shown) {
    log_reader_cleanup(&shown->reader);
    shown->reader = NULL;
    record_watch_finish(&shown->watch);
}

static void session_finish(struct session *session) {
    for (size_t i = 0; i < session->count; i++) {
        close_shown(&session->shown[i]);
    }
    fd_close(&session->wanted.events_fd);
    log_printer_finish(&session->printer);
}

// --- what is wanted ---

static int parse_tail(const char *text, int64_t *ret, struct err *err) {
    char quoted[QUOTE_SIZE];
    if (!text || strcmp(text, "all") == 0) {
        *ret = LOG_TAIL_ALL;
        return 0;
    }
    if (quantity_int(text, ret) < 0) {
        return err_set(err, ERR_INPUT, "--tail: expected a number of lines, or all, found %s", quote_text(text, quoted));
    }
    *ret = *ret < 0 ? LOG_TAIL_ALL : *ret; // docker's -1
    return 0;
}

static int parse_request(const struct logs_request *request, struct log_read_request *wanted, struct err *err) {
    *wanted = (struct log_read_request){.since_ns = INT64_MIN, .until_ns = INT64_MAX, .follow = request->follow, .events_fd = -1};
    if (parse_tail(request->tail, &wanted->tail, err) < 0 ||
        (request->since && moment_parse("--since", request->since, &wanted->since_ns, err) < 0)) {
        return -1;
    }
    return request->until ? moment_parse("--until", request->until, &wanted->until_ns, err) : 0;
}

// "web     ", as wide as the widest, in a colour of its own where that is shown.
static const char *prefix_of(struct context *context, const struct session *session, size_t index) {
    static const int colours[] = {36, 33, 32, 35, 34, 96, 93, 92, 95, 94}; // of ECMA-48, none that is hard to read
    const struct logs_request *request = context->request;
    bool coloured = request->color || output_has_colour(STDOUT_FILENO);
    int width = RECORD_SHORT_ID;
    if (session->count < 2 && !request->names) {
        return NULL;
    }
    for (size_t i = 0; request->names && i < session->count; i++) {
        int length = (int)strlen(session->shown[i].record.name);
        width = i == 0 || length > width ? length : width;
    }
    const struct record *record = &session->shown[index].record;
    const char *name = arena_format(&context->arena, "%-*.*s", width, request->names ? width : RECORD_SHORT_ID,
                                    request->names ? record->name : record->id);
    return coloured ? arena_format(&context->arena, "\033[%dm%s\033[0m ", colours[index % ARRAY_LEN(colours)], name)
                    : arena_format(&context->arena, "%s ", name);
}

// --- opening ---

static int open_shown(struct shown *shown, const struct home *home, const struct log_read_request *wanted, struct err *err) {
    struct log_read_request request = *wanted;
    if (record_watch_open(home, shown->record.id, wanted->events_fd, &shown->watch, err) < 0) {
        return -1;
    }
    // What has ended is not followed.
    request.follow = request.follow && !record_watch_has_ended(&shown->watch);
    shown->reader = log_reader_open(shown->watch.dir_fd, NULL, &request, err);
    if (!shown->reader && err->kind == ERR_NOT_FOUND) {
        return err_set(err, ERR_NOT_FOUND,
                       "container %s keeps no log in a file; if it was started with --log-driver journald, \"journalctl "
                       "CONTAINER_NAME=%s\" shows what it wrote",
                       shown->record.name, shown->record.name);
    }
    return shown->reader ? 0 : err_in(err, "container %s", shown->record.name);
}

static int open_session(struct context *context, const struct home *home, struct session *session, struct err *err) {
    size_t count = (size_t)context->operand_count;
    char id[RECORD_ID_SIZE];
    session->wanted.events_fd = folder_events_open(err);
    if (session->wanted.events_fd < 0) {
        return -1;
    }
    session->shown = arena_array(&context->arena, count, sizeof(*session->shown));
    for (size_t i = 0; i < count; i++) {
        struct shown *shown = &session->shown[i];
        shown->watch = (struct record_watch){.dir_fd = -1};
        shown->printer = &session->printer;
        session->count++;
        if (record_find(home, context->operands[i], id, err) < 0 ||
            record_read(home, &context->arena, id, &shown->record, err) < 0 || open_shown(shown, home, &session->wanted, err) < 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < count; i++) {
        session->shown[i].source.prefix = prefix_of(context, session, i);
    }
    return 0;
}

// --- showing ---

static int print(void *context, const struct log_record *record, struct err *err) {
    struct shown *shown = context;
    return log_printer_add(shown->printer, &shown->source, record, err);
}

static void warn_of_damage(const struct shown *shown) {
    size_t damaged = log_reader_damaged(shown->reader);
    if (damaged > 0) {
        log_warn("container %s: %zu line%s of the log could not be read and %s left out", shown->record.name, damaged,
                 damaged == 1 ? "" : "s", damaged == 1 ? "was" : "were");
    }
}

// Shows what there is of one; closes what has no more to come. *ret_more is set when there may be more at once.
static int show(struct session *session, struct shown *shown, bool *ret_more, struct err *err) {
    // Asked before reading: what was written before the end is read then.
    bool ended = !log_reader_follows(shown->reader) || record_watch_has_ended(&shown->watch);
    int more = log_reader_read(shown->reader, print, shown, err);
    if (more < 0 || log_printer_flush(&session->printer, err) < 0) {
        return -1;
    }
    if (more) {
        *ret_more = true;
    } else if (ended) {
        warn_of_damage(shown);
        close_shown(shown);
    }
    return 0;
}

static void notice(void *context, const struct folder_event *event) {
    struct session *session = context;
    for (size_t i = 0; i < session->count; i++) {
        if (session->shown[i].reader) {
            log_reader_notice(session->shown[i].reader, event);
            record_watch_notice(&session->shown[i].watch, event);
        }
    }
}

static int sooner(int timeout_ms, int64_t other_ms) {
    int64_t bounded = other_ms > INT32_MAX ? INT32_MAX : other_ms;
    return bounded >= 0 && (timeout_ms < 0 || bounded < timeout_ms) ? (int)bounded : timeout_ms;
}

// Milliseconds to the moment, not less than it takes; -1: it never comes.
static int64_t time_left_ms(int64_t until_ns) {
    int64_t left_ns = until_ns - timestamp_now();
    return until_ns == INT64_MAX ? -1 : left_ns <= 0 ? 0 : left_ns / 1000000 + 1;
}

// Shows all that is there, then waits for more, until every container has ended, the time has come, or nobody reads any more.
static int show_all(struct session *session, struct err *err) {
    for (;;) {
        bool more = false, goes_on = false;
        int timeout_ms = -1;
        struct pollfd wanted[] = {
            {.fd = STDOUT_FILENO}, // an error: the other end of a pipe is closed
            {.fd = session->wanted.events_fd, .events = POLLIN},
        };
        folder_events_take(session->wanted.events_fd, notice, session);
        for (size_t i = 0; i < session->count; i++) {
            struct shown *shown = &session->shown[i];
            if (shown->reader && show(session, shown, &more, err) < 0) {
                return -1;
            }
            if (shown->reader) {
                goes_on = true;
                timeout_ms = sooner(timeout_ms, shown->watch.again_ms);
            }
        }
        int64_t left_ms = time_left_ms(session->wanted.until_ns);
        if (!goes_on || (left_ms == 0 && !more)) {
            return 0;
        }
        if (poll(wanted, ARRAY_LEN(wanted), more ? 0 : sooner(timeout_ms, left_ms)) < 0 && errno != EINTR) {
            return err_sys(err, "wait for the log");
        }
        if (wanted[0].revents & (POLLERR | POLLHUP | POLLNVAL)) {
            return 0;
        }
    }
}

static int run(struct context *context, struct err *err) {
    const struct logs_request *request = context->request;
    const struct engine engine = engine_of(context);
    struct log_read_request wanted;
    if (parse_request(request, &wanted, err) < 0) {
        return -1;
    }
    AUTO_HOME struct home home;
    if (home_open(&engine, &home, err) < 0) {
        return -1;
    }
    AUTO(session_finish)
    struct session session = {.printer = {.timestamps = request->timestamps, .details = request->details}, .wanted = wanted};
    return open_session(context, &home, &session, err) < 0 ? -1 : show_all(&session, err);
}

static const struct option_row options[] = {
    OPTION_FLAG("follow", 'f', struct logs_request, follow, "Go on as the container writes, until it ends"),
    OPTION_STRING("tail", 'n', "N", struct logs_request, tail, "Show the last N lines, or all [default all]"),
    OPTION_STRING("since", 0, "TIME", struct logs_request, since,
                  "Show what was written since: 10m, 2026-01-31T12:00:00Z, or seconds"),
    OPTION_STRING("until", 0, "TIME", struct logs_request, until, "Show what was written until then"),
    OPTION_FLAG("timestamps", 't', struct logs_request, timestamps, "Put the time in front of each line"),
    OPTION_FLAG("details", 0, struct logs_request, details, "Put the tag of --log-opt tag in front of each line of json-file"),
    OPTION_FLAG("names", 0, struct logs_request, names,
                "Put the container's name in front of each line; of several it is the id else"),
    OPTION_FLAG("color", 0, struct logs_request, color, "Colour the names even where no terminal shows them"),
    {0},
};

const struct command command_logs = {
    .name = "logs",
    .usage = "CONTAINER...",
    .summary = "Show what containers have written to standard output and standard error",
    .description =
        "What a container wrote to standard error goes to standard error. Logs of several containers are shown one after the "
        "other, and followed all at once.",
    .examples = "coffer logs --follow --tail 20 web\n"
                "coffer logs --since 10m --timestamps web db",
    .group = COMMAND_GROUP_CONTAINERS,
    .min_operands = 1,
    .max_operands = COMMAND_ANY_COUNT,
    .operands = COMPLETE_CONTAINER,
    .options = options,
    .request_size = sizeof(struct logs_request),
    .run = run,
};

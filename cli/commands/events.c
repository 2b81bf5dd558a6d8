#include "cli/commands/all.h"
#include "cli/commands/engine.h"
#include "cli/context.h"
#include "cli/messages.h"
#include "cli/moment.h"
#include "cli/output.h"
#include "cli/template.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/strv.h"
#include "runtime/base/timestamp.h"
#include "runtime/engine/event_log.h"
#include "runtime/engine/home.h"
#include "runtime/engine/record.h"
#include "runtime/kernel/folder_events.h"
#include "specs/json.h"
#include "specs/json_write.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>

struct events_request {
    const char *since, *until, *format;
    struct strv filters;
};

struct watching {
    struct context *context;
    struct home home;
    struct event_reader *reader;
    int64_t since_ns, until_ns; // INT64_MIN, INT64_MAX: not said
    int events_fd;
};

static void watching_finish(struct watching *watching) {
    event_reader_close(watching->reader);
    home_finish(&watching->home);
    fd_close(&watching->events_fd);
}

// --- filters ---

static bool passes_type(const struct event_seen *event, const char *value) {
    return strcmp(event_type_name(event->type), value) == 0;
}

// "exec_start" for "exec_start: sh", too.
static bool passes_event(const struct event_seen *event, const char *value) {
    size_t length = strlen(value);
    return strncmp(event->action, value, length) == 0 && (!event->action[length] || event->action[length] == ':');
}

static bool is_called(const struct event_seen *event, const char *value) {
    const char *name = event_attribute(event, "name");
    return strncmp(event->id, value, strlen(value)) == 0 || (name && strcmp(name, value) == 0);
}

static bool passes_container(const struct event_seen *event, const char *value) {
    const char *container = event_attribute(event, "container"); // of a network's
    return (event->type == EVENT_CONTAINER && is_called(event, value)) ||
           (event->type == EVENT_NETWORK && container && strncmp(container, value, strlen(value)) == 0);
}

static bool passes_image(const struct event_seen *event, const char *value) {
    const char *image = event_attribute(event, "image");
    return event->type == EVENT_IMAGE ? is_called(event, value) : image && strcmp(image, value) == 0;
}

static bool passes_network(const struct event_seen *event, const char *value) {
    return event->type == EVENT_NETWORK && is_called(event, value);
}

static bool passes_volume(const struct event_seen *event, const char *value) {
    return event->type == EVENT_VOLUME && is_called(event, value);
}

static bool passes_label(const struct event_seen *event, const char *value) {
    size_t length = strcspn(value, "=");
    for (size_t i = 0; i < event->attributes_count; i++) {
        const struct text_pair *attribute = &event->attributes[i];
        if (strlen(attribute->name) == length && strncmp(attribute->name, value, length) == 0) {
            return !value[length] || strcmp(attribute->value, value + length + 1) == 0;
        }
    }
    return false;
}

static const struct {
    const char *key;
    bool all; // of several all must pass
    bool (*passes)(const struct event_seen *event, const char *value);
} filters[] = {
    {"type=", false, passes_type},   {"event=", false, passes_event},     {"container=", false, passes_container},
    {"image=", false, passes_image}, {"network=", false, passes_network}, {"volume=", false, passes_volume},
    {"label=", true, passes_label},
};

static int check_filters(const struct strv *words, struct err *err) {
    for (size_t i = 0; i < words->count; i++) {
        const char *word = words->items[i];
        bool known = false;
        for (size_t key = 0; key < ARRAY_LEN(filters); key++) {
            known = known || (strncmp(word, filters[key].key, strlen(filters[key].key)) == 0 && word[strlen(filters[key].key)]);
        }
        if (!known) {
            return err_set(
                err, ERR_INPUT,
                "--filter %s: expected type=KIND, event=ACTION, container=NAME, image=NAME, network=NAME, volume=NAME or "
                "label=KEY[=VALUE]",
                word);
        }
    }
    return 0;
}

static bool passes(const struct event_seen *event, const struct strv *words) {
    for (size_t key = 0; key < ARRAY_LEN(filters); key++) {
        size_t given = 0, passed = 0, length = strlen(filters[key].key);
        for (size_t i = 0; i < words->count; i++) {
            if (strncmp(words->items[i], filters[key].key, length) == 0) {
                given++;
                passed += filters[key].passes(event, words->items[i] + length);
            }
        }
        if (given > 0 && (filters[key].all ? passed < given : passed == 0)) {
            return false;
        }
    }
    return true;
}

// --- showing ---

static void add_line(struct buf *buf, const struct event_seen *event) {
    char at[TIMESTAMP_SIZE];
    AUTO_BUF struct buf line = {0};
    buf_add_format(&line, "%s %s %s %s", timestamp_format(event->time_ns, at), event_type_name(event->type), event->action,
                   event->id);
    for (size_t i = 0; i < event->attributes_count; i++) {
        buf_add_format(&line, "%s%s=%s", i > 0 ? ", " : " (", event->attributes[i].name, event->attributes[i].value);
    }
    if (event->attributes_count > 0) {
        buf_add_char(&line, ')');
    }
    messages_add_visible(buf, buf_string(&line));
    buf_add_char(buf, '\n');
}

// As docker's API has it; for templates as its Go has it.
static void write_event(const struct event_seen *event, bool for_template, struct buf *buf) {
    struct json_writer writer = {.buf = buf};
    const char *image = event_attribute(event, "image");
    json_write_open(&writer, NULL, '{');
    json_write_string(&writer, for_template ? "Status" : "status", event->action);
    json_write_string(&writer, for_template ? "ID" : "id", event->id);
    json_write_string(&writer, for_template ? "From" : "from", image ? image : "");
    json_write_string(&writer, "Type", event_type_name(event->type));
    json_write_string(&writer, "Action", event->action);
    json_write_open(&writer, "Actor", '{');
    json_write_string(&writer, "ID", event->id);
    json_write_pairs(&writer, "Attributes", event->attributes, event->attributes_count);
    json_write_close(&writer, '}');
    json_write_string(&writer, for_template ? "Scope" : "scope", "local");
    json_write_i64(&writer, for_template ? "Time" : "time", event->time_ns / 1000000000);
    json_write_i64(&writer, for_template ? "TimeNano" : "timeNano", event->time_ns);
    json_write_close(&writer, '}');
}

static void drop_json(json_t **value) {
    json_decref(*value);
}

static int add_by_template(struct buf *buf, const struct event_seen *event, const char *template, struct err *err) {
    AUTO_BUF struct buf text = {0};
    AUTO(drop_json) json_t *root = NULL;
    write_event(event, true, &text);
    const struct json_document document = {.name = "event", .text = text.data, .size = text.size, .max_bytes = SIZE_MAX};
    return json_parse(&document, &root, err) < 0 || template_format(template, root, buf, err) < 0 ? -1 : 0;
}

static int add_event(struct buf *buf, const struct event_seen *event, const char *format, struct err *err) {
    if (!format) {
        add_line(buf, event);
    } else if (strcmp(format, "json") == 0 || strcmp(format, "{{json .}}") == 0) {
        write_event(event, false, buf);
        buf_add_char(buf, '\n');
    } else {
        return add_by_template(buf, event, format, err);
    }
    return 0;
}

// All there are. 1: one behind the end has come.
static int show_all(struct watching *watching, struct err *err) {
    const struct events_request *request = watching->context->request;
    AUTO_BUF struct buf buf = {0};
    while (true) {
        AUTO_ARENA struct arena arena = {0};
        struct event_seen event;
        int got = event_reader_next(watching->reader, &arena, &event, err);
        if (got < 0) {
            return -1;
        }
        bool past = got > 0 && event.time_ns > watching->until_ns;
        if (got == 0 || past) {
            return output_write_json(&buf, err) < 0 ? -1 : past;
        }
        if (event.time_ns >= watching->since_ns && passes(&event, &request->filters) &&
            add_event(&buf, &event, request->format, err) < 0) {
            return -1;
        }
    }
}

// --- following ---

static void notice(void *context, const struct folder_event *event) {
    (void)context;
    (void)event; // whatever it was: the log is read
}

// Milliseconds until the end, at most an hour at once; -1: there is none.
static int wait_ms(const struct watching *watching) {
    enum { MOST_MS = 3600 * 1000 };
    if (watching->until_ns == INT64_MAX) {
        return -1;
    }
    int64_t left_ms = (watching->until_ns - timestamp_now()) / 1000000 + 1;
    return left_ms < 0 ? 0 : left_ms > MOST_MS ? MOST_MS : (int)left_ms;
}

static int follow(struct watching *watching, struct err *err) {
    while (true) {
        struct pollfd polls[] = {{.fd = watching->events_fd, .events = POLLIN}};
        int result = show_all(watching, err);
        if (result != 0) {
            return result < 0 ? -1 : 0;
        }
        if (timestamp_now() > watching->until_ns) {
            return 0;
        }
        if (poll(polls, 1, wait_ms(watching)) < 0 && errno != EINTR) {
            return err_sys(err, "wait for events");
        }
        folder_events_take(watching->events_fd, notice, NULL);
    }
}

static int begin(struct watching *watching, struct err *err) {
    const struct events_request *request = watching->context->request;
    const struct engine engine = engine_of(watching->context);
    if (check_filters(&request->filters, err) < 0 ||
        (request->since && moment_parse("--since", request->since, &watching->since_ns, err) < 0) ||
        (request->until && moment_parse("--until", request->until, &watching->until_ns, err) < 0) ||
        home_open(&engine, &watching->home, err) < 0) {
        return -1;
    }
    record_sweep(&watching->home);
    // Watched first, so that nothing comes between.
    watching->events_fd = folder_events_open(err);
    if (watching->events_fd < 0 || folder_events_add(watching->events_fd, watching->home.live_fd, IN_MODIFY, err) < 0) {
        return -1;
    }
    watching->reader = event_reader_open(&watching->home, request->since || request->until, err);
    return watching->reader ? 0 : -1;
}

static int run(struct context *context, struct err *err) {
    AUTO(watching_finish)
    struct watching watching = {
        .context = context,
        .home = HOME_CLOSED,
        .since_ns = INT64_MIN,
        .until_ns = INT64_MAX,
        .events_fd = -1,
    };
    return begin(&watching, err) < 0 || follow(&watching, err) < 0 ? -1 : 0;
}

static const struct option_row options[] = {
    OPTION_STRING("since", 0, "TIME", struct events_request, since, "Begin with what happened since then"),
    OPTION_STRING("until", 0, "TIME", struct events_request, until, "End then, in place of going on"),
    OPTION_LIST("filter", 'f', "KEY=VALUE", struct events_request, filters,
                "Show only what matches: type=KIND, event=ACTION, container=NAME, image=NAME, network=NAME, volume=NAME, "
                "label=KEY[=VALUE]"),
    OPTION_STRING("format", 0, "FORM", struct events_request, format,
                  "Print as json, or by a template such as '{{.Action}} {{.ID}}'"),
    {0},
};

const struct command command_events = {
    .name = "events",
    .summary = "Show what happens to containers, images, networks and volumes",
    .description =
        "Whoever does something writes it down: there is no daemon that would have to run. The latest thousands of events are kept "
        "until the host is started again.",
    .examples = "coffer events\ncoffer events --since 1h --until 0s --filter event=die\n"
                "coffer events --filter container=web --format '{{.Action}} {{.Actor.Attributes.exitCode}}'",
    .group = COMMAND_GROUP_CONTAINERS,
    .options = options,
    .request_size = sizeof(struct events_request),
    .run = run,
};

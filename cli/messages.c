#include "cli/messages.h"

#include "cli/context.h"
#include "cli/log_target.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

// A process has one place for its messages; log.h hands its sink nothing but the line.
static struct {
    struct log_target target;
    bool opened;
    bool json;
} messages;

static const char *const level_names[] = {"error", "warning", "info", "debug"};

// In the order of the names that --log-level takes: runc's trace, warn, fatal and panic stand behind ours.
static const enum log_level levels[] = {LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO,  LOG_LEVEL_DEBUG,
                                        LOG_LEVEL_DEBUG, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR, LOG_LEVEL_ERROR};

void messages_add_visible(struct buf *buf, const char *text) {
    for (const unsigned char *byte = (const unsigned char *)text; *byte; byte++) {
        // U+0080 to U+009F are control characters too: in UTF-8 they begin with C2.
        bool upper_control = byte[0] == 0xc2 && byte[1] >= 0x80 && byte[1] < 0xa0;
        if (*byte < 0x20 || *byte == 0x7f || upper_control) {
            buf_add_format(buf, "\\x%02x", *byte);
            if (upper_control) {
                buf_add_format(buf, "\\x%02x", *++byte);
            }
        } else {
            buf_add_char(buf, (char)*byte);
        }
    }
}

static void add_time(struct buf *buf, long long now_s) {
    time_t now = (time_t)now_s;
    struct tm parts;
    char text[32];
    gmtime_r(&now, &parts);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
    buf_add_string(buf, text);
}

static void add_quoted(struct buf *buf, const char *text) {
    buf_add_char(buf, '"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') {
            buf_add_char(buf, '\\');
            buf_add_char(buf, *text);
        } else if (*text == '\n') {
            buf_add_string(buf, "\\n");
        } else if ((unsigned char)*text < 0x20 || *text == 0x7f) {
            buf_add_format(buf, "\\u%04x", *text);
        } else {
            buf_add_char(buf, *text);
        }
    }
    buf_add_char(buf, '"');
}

void messages_format_json(struct buf *buf, enum log_level level, const char *text, long long now_s) {
    buf_add_format(buf, "{\"level\":\"%s\",\"msg\":", level_names[level]);
    add_quoted(buf, text);
    buf_add_string(buf, ",\"time\":\"");
    add_time(buf, now_s);
    buf_add_string(buf, "\"}\n");
}

void messages_format_text(struct buf *buf, enum log_level level, const char *text, long long now_s) {
    buf_add_string(buf, "time=\"");
    add_time(buf, now_s);
    buf_add_format(buf, "\" level=%s msg=", level_names[level]);
    add_quoted(buf, text);
    buf_add_char(buf, '\n');
}

static void write_line(int fd, const struct buf *buf) {
    // There is nowhere left to say that a message could not be written.
    int ignored = fd_write_all(fd, buf->data, buf->size);
    (void)ignored;
}

// The journal and the system's log add what stands around a text by themselves, but JSON is JSON everywhere.
static void write_to_log(enum log_level level, const char *line) {
    AUTO_BUF struct buf buf = {0};
    long long now_s = (long long)time(NULL);
    bool bare = !messages.json && (messages.target.kind == LOG_TARGET_JOURNAL || messages.target.kind == LOG_TARGET_SYSLOG);
    if (bare) {
        messages_add_visible(&buf, line);
    } else {
        (messages.json ? messages_format_json : messages_format_text)(&buf, level, line, now_s);
    }
    if (messages.target.kind == LOG_TARGET_NONE) {
        write_line(STDERR_FILENO, &buf);
        return;
    }
    if (messages.target.kind != LOG_TARGET_FILE && !bare) {
        buf.data[--buf.size] = '\0'; // a datagram needs no newline
    }
    log_target_write(&messages.target, level, buf_string(&buf), now_s);
}

static void write_to_stderr(enum log_level level, const char *line) {
    AUTO_BUF struct buf buf = {0};
    buf_add_format(&buf, "coffer: %s: ", level_names[level]);
    messages_add_visible(&buf, line);
    buf_add_char(&buf, '\n');
    write_line(STDERR_FILENO, &buf);
}

int messages_open(const struct context *context, struct err *err) {
    if (messages.opened) {
        return 0;
    }
    messages.json = context->log_format == LOG_FORMAT_JSON;
    const char *container = context->operand_count > 0 ? context->operands[0] : NULL;
    if (context->log_path && log_target_open(context->log_path, container, &messages.target, err) < 0) {
        return -1;
    }
    messages.opened = true;
    log_set_sink(messages.target.kind != LOG_TARGET_NONE || messages.json ? write_to_log : write_to_stderr,
                 context->debug ? LOG_LEVEL_DEBUG : levels[context->log_level]);
    return 0;
}

void messages_error(const char *who, const char *text) {
    if (messages.target.kind != LOG_TARGET_NONE || messages.json) {
        write_to_log(LOG_LEVEL_ERROR, text);
        if (messages.target.kind == LOG_TARGET_NONE) {
            return;
        }
    }
    AUTO_BUF struct buf buf = {0};
    buf_add_format(&buf, "%s: ", who);
    messages_add_visible(&buf, text);
    buf_add_char(&buf, '\n');
    write_line(STDERR_FILENO, &buf);
}

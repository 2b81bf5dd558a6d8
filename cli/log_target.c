#include "cli/log_target.h"

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"

#include <endian.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>

static const char own_name[] = "coffer-oci";

// syslog(3)'s levels, which the journal has too.
static const int priorities[] = {
    [LOG_LEVEL_ERROR] = LOG_ERR,
    [LOG_LEVEL_WARNING] = LOG_WARNING,
    [LOG_LEVEL_INFO] = LOG_INFO,
    [LOG_LEVEL_DEBUG] = LOG_DEBUG,
};

static const struct {
    const char *prefix;
    enum log_target_kind kind;
    const char *socket;
} forms[] = {
    {"file:", LOG_TARGET_FILE, NULL},
    {"journald:", LOG_TARGET_JOURNAL, "/run/systemd/journal/socket"},
    {"syslog:", LOG_TARGET_SYSLOG, "/dev/log"},
};

static int connect_datagram(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    AUTO_FD int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        return -1;
    }
    return fd_take(&fd);
}

int log_target_open(const char *where, const char *container, struct log_target *ret, struct err *err) {
    struct log_target target = {.kind = LOG_TARGET_FILE, .name = where, .container = container};
    const char *socket_path = NULL;
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        size_t length = strlen(forms[i].prefix);
        if (strncmp(where, forms[i].prefix, length) == 0) {
            target.kind = forms[i].kind;
            target.name = where + length;
            socket_path = forms[i].socket;
        }
    }
    if (target.kind == LOG_TARGET_FILE && !target.name[0]) {
        return err_set(err, ERR_INPUT, "--log: expected a file, journald:NAME or syslog:NAME, found \"%s\"", where);
    }
    if (target.kind == LOG_TARGET_FILE) {
        target.fd = open(target.name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
        if (target.fd < 0) {
            return err_sys(err, "--log: open %s", target.name);
        }
    } else {
        if (!target.name[0]) {
            target.name = container ? container : own_name;
        }
        target.fd = connect_datagram(socket_path);
        if (target.fd < 0) {
            return err_sys(err, "--log %s: reach %s", where, socket_path);
        }
    }
    *ret = target;
    return 0;
}

// NAME=value, or for a value of several lines NAME, its length in eight little-endian bytes, and the value.
static void add_field(struct buf *buf, const char *name, const char *value) {
    if (!strchr(value, '\n')) {
        buf_add_format(buf, "%s=%s\n", name, value);
        return;
    }
    uint64_t length = htole64(strlen(value));
    buf_add_format(buf, "%s\n", name);
    buf_add(buf, &length, sizeof(length));
    buf_add_format(buf, "%s\n", value);
}

void log_target_format_journal(struct buf *buf, const struct log_target *target, enum log_level level, const char *text) {
    add_field(buf, "MESSAGE", text);
    buf_add_format(buf, "PRIORITY=%d\n", priorities[level]);
    add_field(buf, "SYSLOG_IDENTIFIER", target->name);
    if (target->container) {
        add_field(buf, "ID", target->container); // crun's field
    }
}

void log_target_format_syslog(struct buf *buf, const struct log_target *target, enum log_level level, const char *text, long long now_s) {
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t now = (time_t)now_s;
    struct tm parts;
    gmtime_r(&now, &parts); // as syslog(3) of musl; the daemon has its own clock
    buf_add_format(buf, "<%d>%s %2d %02d:%02d:%02d %s: %s", LOG_USER | priorities[level], months[parts.tm_mon], parts.tm_mday, parts.tm_hour,
                   parts.tm_min, parts.tm_sec, target->name, text);
}

void log_target_write(const struct log_target *target, enum log_level level, const char *text, long long now_s) {
    AUTO_BUF struct buf buf = {0};
    int ignored = 0;
    switch (target->kind) {
    case LOG_TARGET_NONE:
        break;
    case LOG_TARGET_FILE:
        ignored = fd_write_all(target->fd, text, strlen(text));
        break;
    case LOG_TARGET_JOURNAL:
        log_target_format_journal(&buf, target, level, text);
        break;
    case LOG_TARGET_SYSLOG:
        log_target_format_syslog(&buf, target, level, text, now_s);
        break;
    }
    if (buf.size > 0) {
        ignored = (int)send(target->fd, buf.data, buf.size, MSG_NOSIGNAL);
    }
    (void)ignored;
}

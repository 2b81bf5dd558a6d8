// Where the low level's --log leads: a file, the journal or the system's log, as `FILE`, `file:FILE`, `journald:NAME`, `syslog:NAME`.
//
// The journal and the system's log are datagram sockets of this host; each message is one datagram. NAME tells this program's messages
// from others'.
#ifndef COFFER_CLI_LOG_TARGET_H
#define COFFER_CLI_LOG_TARGET_H

#include "runtime/base/attr.h"
#include "runtime/base/log.h"

struct buf;
struct err;

enum log_target_kind { LOG_TARGET_NONE, LOG_TARGET_FILE, LOG_TARGET_JOURNAL, LOG_TARGET_SYSLOG };

struct log_target {
    enum log_target_kind kind;
    int fd; // open until the process ends
    const char *name;
    const char *container; // id, NULL for none
};

// Opens what `where` names. `container` is the id that the command was given, NULL for none: it goes with each message to the journal,
// and stands for a NAME that is empty.
int log_target_open(const char *where, const char *container, struct log_target *ret, struct err *err) MUST_CHECK;

// Writes one message: a whole line to a file, else the bare text. That a log cannot be written to is no reason to fail.
void log_target_write(const struct log_target *target, enum log_level level, const char *text, long long now_s);

// The datagrams, as systemd's "Native Journal Protocol" and RFC 3164, 4.1 have them.
void log_target_format_journal(struct buf *buf, const struct log_target *target, enum log_level level, const char *text);
void log_target_format_syslog(struct buf *buf, const struct log_target *target, enum log_level level, const char *text, long long now_s);

#endif

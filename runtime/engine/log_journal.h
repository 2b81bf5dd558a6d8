// A container's output as messages to the journal of this host (systemd's "Native Journal Protocol": one datagram a message).
//
// The journal may be slow, restarting or stuck, and a container must not wait for that: what cannot be sent within a moment is
// dropped and counted, and a message says later how much it was.
#ifndef COFFER_ENGINE_LOG_JOURNAL_H
#define COFFER_ENGINE_LOG_JOURNAL_H

#include "runtime/base/attr.h"
#include "runtime/base/buf.h"
#include "runtime/engine/log_record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>

struct err;
struct log_owner;

#define LOG_JOURNAL_SOCKET "/run/systemd/journal/socket"

enum {
    LOG_JOURNAL_MESSAGES = 64, // sent by one system call
    LOG_JOURNAL_WAIT_MS = 100, // most that one call waits
};

struct log_journal {
    int fd; // connected; -1 while there is nobody to connect to
    struct sockaddr_un address;
    struct buf fields[LOG_STREAM_COUNT]; // of each message of the stream, up to "MESSAGE="
    struct buf content;                  // of the messages that wait
    struct {
        enum log_stream stream;
        bool ends;
        size_t at, size; // in content
    } messages[LOG_JOURNAL_MESSAGES];
    size_t count;
    bool stuck; // it did not take anything for a while: it is not waited for until it does
    uint64_t lost;
};

// path: the socket, NULL for the host's. tag: what its messages are found by, beside the container's id and name.
int log_journal_open(struct log_journal *journal, const char *path, const struct log_owner *owner, const char *tag,
                     struct err *err) MUST_CHECK;
void log_journal_finish(struct log_journal *journal);

// Takes a message over, and sends those that wait when there are many.
void log_journal_add(struct log_journal *journal, const struct log_piece *piece);

// Sends what waits.
void log_journal_flush(struct log_journal *journal);

#endif

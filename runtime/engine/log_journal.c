#include "runtime/engine/log_journal.h"

#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/engine/log_options.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <syslog.h>
#include <unistd.h>

static const int priorities[] = {[LOG_STDOUT] = LOG_INFO, [LOG_STDERR] = LOG_ERR}; // docker's

static const char whole_end[] = "\n", partial_end[] = "\nCONTAINER_PARTIAL_MESSAGE=true\n";

enum { PARTS = 3 }; // fields, content, end

// Names and tags have been checked for newlines by those who took them; what came around that ends at one.
static void add_field(struct buf *fields, const char *name, const char *value) {
    if (value) {
        buf_add_format(fields, "%s=%.*s\n", name, (int)strcspn(value, "\n"), value);
    }
}

static void add_fields(struct buf *fields, const struct log_owner *owner, const char *tag, int priority) {
    char short_id[13];
    snprintf(short_id, sizeof(short_id), "%.12s", owner->id);
    buf_add_format(fields, "PRIORITY=%d\n", priority);
    add_field(fields, "SYSLOG_IDENTIFIER", tag);
    add_field(fields, "CONTAINER_ID", short_id);
    add_field(fields, "CONTAINER_ID_FULL", owner->id);
    add_field(fields, "CONTAINER_NAME", owner->name);
    add_field(fields, "CONTAINER_TAG", tag);
    add_field(fields, "IMAGE_NAME", owner->image);
    buf_add_string(fields, "MESSAGE=");
}

static int reach(struct log_journal *journal) {
    fd_close(&journal->fd);
    AUTO_FD int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&journal->address, sizeof(journal->address)) < 0) {
        return -1;
    }
    journal->fd = fd_take(&fd);
    return 0;
}

int log_journal_open(struct log_journal *journal, const char *path, const struct log_owner *owner, const char *tag,
                     struct err *err) {
    *journal = (struct log_journal){.fd = -1, .address = {.sun_family = AF_UNIX}};
    snprintf(journal->address.sun_path, sizeof(journal->address.sun_path), "%s", path ? path : LOG_JOURNAL_SOCKET);
    if (reach(journal) < 0) {
        return err_sys(err, "log driver journald: reach the journal at %s", journal->address.sun_path);
    }
    for (unsigned stream = 0; stream < LOG_STREAM_COUNT; stream++) {
        add_fields(&journal->fields[stream], owner, tag, priorities[stream]);
    }
    return 0;
}

void log_journal_finish(struct log_journal *journal) {
    fd_close(&journal->fd);
    buf_finish(&journal->content);
    for (unsigned stream = 0; stream < LOG_STREAM_COUNT; stream++) {
        buf_finish(&journal->fields[stream]);
    }
}

// A message that is larger than the socket's buffer goes as a sealed file, which the journal reads.
static int send_file(int fd, const struct iovec *parts) {
    AUTO_FD int file = memfd_create("journal-message", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (file < 0) {
        return -1;
    }
    for (unsigned i = 0; i < PARTS; i++) {
        if (fd_write_all(file, parts[i].iov_base, parts[i].iov_len) < 0) {
            return -1;
        }
    }
    if (fcntl(file, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0) {
        return -1;
    }
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {.header = {.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))}};
    memcpy(CMSG_DATA(&control.header), &file, sizeof(file));
    const struct msghdr message = {.msg_control = &control, .msg_controllen = sizeof(control)};
    return sendmsg(fd, &message, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

// Waits until the journal takes more, which is not for longer than what is left of the call's time. False: it does not.
static bool wait_for(struct log_journal *journal, int64_t until_ms) {
    int64_t left_ms = until_ms - clock_now_ms();
    struct pollfd wanted = {.fd = journal->fd, .events = POLLOUT};
    return !journal->stuck && left_ms > 0 && (poll(&wanted, 1, (int)left_ms) > 0 || errno == EINTR);
}

static bool is_gone(int error) {
    return error == ECONNREFUSED || error == ECONNRESET || error == ENOTCONN || error == EPIPE;
}

// Sends the messages in their order and returns how many the journal has taken.
static size_t send_all(struct log_journal *journal, struct mmsghdr *messages, size_t count) {
    int64_t until_ms = clock_now_ms() + LOG_JOURNAL_WAIT_MS;
    size_t sent = 0;
    bool again = false; // has been reached anew
    if (journal->fd < 0 && reach(journal) < 0) {
        return 0;
    }
    while (sent < count) {
        int taken = sendmmsg(journal->fd, messages + sent, (unsigned)(count - sent), MSG_NOSIGNAL);
        if (taken < 0 && errno == EMSGSIZE) {
            taken = send_file(journal->fd, messages[sent].msg_hdr.msg_iov) == 0 ? 1 : -1;
        }
        if (taken > 0) {
            sent += (size_t)taken;
            journal->stuck = false;
        } else if (is_gone(errno) && !again) {
            again = true;
            if (reach(journal) < 0) {
                break;
            }
        } else if (errno != EINTR && ((errno != EAGAIN && errno != ENOBUFS) || !wait_for(journal, until_ms))) {
            journal->stuck = true;
            break;
        }
    }
    return sent;
}

static struct iovec part(const void *data, size_t size) {
    return (struct iovec){.iov_base = (void *)(uintptr_t)data, .iov_len = size};
}

void log_journal_flush(struct log_journal *journal) {
    struct iovec parts[LOG_JOURNAL_MESSAGES + 1][PARTS];
    struct mmsghdr headers[LOG_JOURNAL_MESSAGES + 1] = {0};
    char notice[80];
    size_t total = 0;
    if (journal->count == 0 && journal->lost == 0) {
        return;
    }
    bool notes = journal->lost > 0;
    if (notes) {
        int length = snprintf(notice, sizeof(notice), "coffer: here the log lacks %llu line%s: the journal did not take more",
                              (unsigned long long)journal->lost, journal->lost == 1 ? "" : "s");
        parts[total][0] = part(journal->fields[LOG_STDERR].data, journal->fields[LOG_STDERR].size);
        parts[total][1] = part(notice, (size_t)length);
        parts[total++][2] = part(whole_end, sizeof(whole_end) - 1);
    }
    for (size_t i = 0; i < journal->count; i++, total++) {
        const struct buf *fields = &journal->fields[journal->messages[i].stream];
        bool ends = journal->messages[i].ends;
        parts[total][0] = part(fields->data, fields->size);
        parts[total][1] = part(journal->content.data + journal->messages[i].at, journal->messages[i].size);
        parts[total][2] = ends ? part(whole_end, sizeof(whole_end) - 1) : part(partial_end, sizeof(partial_end) - 1);
    }
    for (size_t i = 0; i < total; i++) {
        headers[i].msg_hdr = (struct msghdr){.msg_iov = parts[i], .msg_iovlen = PARTS};
    }
    size_t sent = send_all(journal, headers, total);
    if (notes && sent > 0) {
        journal->lost = 0;
        sent--;
    }
    journal->lost += journal->count - sent;
    journal->count = 0;
    buf_clear(&journal->content);
}

void log_journal_add(struct log_journal *journal, const struct log_piece *piece) {
    if (piece->first_size + piece->second_size == 0) {
        return; // the journal has no empty messages
    }
    size_t at = journal->content.size;
    buf_add(&journal->content, piece->first, piece->first_size);
    buf_add(&journal->content, piece->second, piece->second_size);
    journal->messages[journal->count].stream = piece->stream;
    journal->messages[journal->count].ends = piece->ends;
    journal->messages[journal->count].at = at;
    journal->messages[journal->count++].size = journal->content.size - at;
    if (journal->count == LOG_JOURNAL_MESSAGES) {
        log_journal_flush(journal);
    }
}

#include "runtime/kernel/dbus.h"

#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

enum {
    LINE_MAX_BYTES = 512, // of the authentication
    LINES_MAX = 4,
    HELD_MAX_BYTES = 1 << 18,
    RECEIVE_BYTES = 4096,
};

void dbus_finish(struct dbus *bus) {
    fd_close(&bus->fd);
    buf_finish(&bus->out);
    buf_finish(&bus->in);
    buf_finish(&bus->message);
    buf_finish(&bus->held);
    *bus = (struct dbus){.fd = -1};
}

pid_t dbus_peer(const struct dbus *bus) {
    struct ucred peer;
    socklen_t size = sizeof(peer);
    return getsockopt(bus->fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 ? 0 : peer.pid;
}

// --- addresses ---

static int hex_digit(char digit) {
    const char *digits = "0123456789abcdef";
    const char *at = digit ? strchr(digits, digit >= 'A' && digit <= 'F' ? digit - 'A' + 'a' : digit) : NULL;
    return at ? (int)(at - digits) : -1;
}

// The value of a key with its %xx undone; false when it does not fit or is none.
static bool take_value(const char *from, size_t size, char *to, size_t room) {
    size_t used = 0;
    for (size_t i = 0; i < size; i++) {
        char byte = from[i];
        if (byte == '%') {
            int high = i + 2 < size ? hex_digit(from[i + 1]) : -1, low = high >= 0 ? hex_digit(from[i + 2]) : -1;
            if (low < 0 || (high == 0 && low == 0)) {
                return false;
            }
            byte = (char)(high * 16 + low);
            i += 2;
        }
        if (used + 1 >= room) {
            return false;
        }
        to[used++] = byte;
    }
    to[used] = '\0';
    return used > 0;
}

// One address, "unix:path=...,guid=...", without the ';' behind it. The length of the socket's address; 0 when it is of no kind that
// we can reach.
static socklen_t socket_address(const char *text, size_t size, struct sockaddr_un *address) {
    static const char transport[] = "unix:";
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (size < sizeof(transport) - 1 || strncmp(text, transport, sizeof(transport) - 1) != 0) {
        return 0;
    }
    const char *end = text + size;
    for (const char *at = text + sizeof(transport) - 1; at < end;) {
        const char *comma = memchr(at, ',', (size_t)(end - at)), *stop = comma ? comma : end;
        const char *equals = memchr(at, '=', (size_t)(stop - at));
        size_t key = equals ? (size_t)(equals - at) : 0;
        bool path = key == 4 && strncmp(at, "path", key) == 0, abstract = key == 8 && strncmp(at, "abstract", key) == 0;
        if (path || abstract) {
            char *to = address->sun_path + abstract;
            if (!take_value(equals + 1, (size_t)(stop - equals - 1), to, sizeof(address->sun_path) - abstract)) {
                return 0;
            }
            // The NUL behind a path counts, and so does the one in front of an abstract name, which has none behind it.
            return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(to) + 1);
        }
        at = stop + 1;
    }
    return 0;
}

static int connect_one(const struct sockaddr_un *address, socklen_t size) {
    AUTO_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct timeval limit = {.tv_sec = DBUS_REPLY_MS / 1000};
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0) {
        return -1;
    }
    return connect(fd, (const struct sockaddr *)(const void *)address, size) < 0 ? -1 : fd_take(&fd);
}

static void send_hello(struct dbus *bus) {
    // No name is given with EXTERNAL: the bus then takes who the kernel says we are, which inside a user namespace is another number
    // than the one we know.
    static const char authentication[] = "\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n";
    buf_add(&bus->out, authentication, sizeof(authentication) - 1);
    const struct dbus_header hello = {
        .destination = "org.freedesktop.DBus",
        .path = "/org/freedesktop/DBus",
        .interface = "org.freedesktop.DBus",
        .member = "Hello",
    };
    dbus_send(bus, &hello, NULL);
}

int dbus_connect(const char *addresses, struct dbus *ret, struct err *err) {
    bool known = false;
    int errnum = 0;
    for (const char *at = addresses; *at;) {
        size_t size = strcspn(at, ";");
        struct sockaddr_un address;
        socklen_t length = socket_address(at, size, &address);
        if (length > 0) {
            known = true;
            int fd = connect_one(&address, length);
            if (fd >= 0) {
                *ret = (struct dbus){.fd = fd};
                send_hello(ret);
                return 0;
            }
            errnum = errno;
        }
        at += size + (at[size] == ';');
    }
    if (!known) {
        return err_set(err, ERR_INPUT, "bus address \"%.200s\": expected unix:path=SOCKET or unix:abstract=NAME", addresses);
    }
    err_num(err, errnum, "connect to the bus at %.200s", addresses);
    if (errnum == ENOENT || errnum == ECONNREFUSED) {
        err->kind = ERR_NOT_FOUND;
    }
    return -1;
}

// --- bytes ---

static int wait_for(struct dbus *bus, short events, int64_t deadline, struct err *err) {
    for (;;) {
        int64_t left = deadline - clock_now_ms();
        struct pollfd wait = {.fd = bus->fd, .events = events};
        int ready = poll(&wait, 1, left > 0 ? (int)left : 0);
        if (ready > 0) {
            return 0;
        }
        if (ready == 0) {
            return 1;
        }
        if (errno != EINTR) {
            return err_sys(err, "wait for the bus");
        }
    }
}

static int flush(struct dbus *bus, int64_t deadline, struct err *err) {
    for (size_t at = 0; at < bus->out.size;) {
        ssize_t sent = send(bus->fd, bus->out.data + at, bus->out.size - at, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent >= 0) {
            at += (size_t)sent;
        } else if (errno == EAGAIN) {
            int waited = wait_for(bus, POLLOUT, deadline, err);
            if (waited != 0) {
                return waited < 0 ? -1 : err_set(err, ERR_SYSTEM, "the bus takes no message");
            }
        } else if (errno != EINTR) {
            return err_sys(err, "send to the bus");
        }
    }
    buf_clear(&bus->out);
    return 0;
}

// Waits until `size` bytes are there to look at. 1: the time is over.
static int receive(struct dbus *bus, size_t size, int64_t deadline, struct err *err) {
    if (bus->in.data && (bus->in_at == bus->in.size || bus->in_at >= RECEIVE_BYTES)) {
        size_t left = bus->in.size - bus->in_at;
        memmove(bus->in.data, bus->in.data + bus->in_at, left);
        bus->in.size = left;
        bus->in_at = 0;
    }
    while (bus->in.size - bus->in_at < size) {
        ssize_t got = recv(bus->fd, buf_reserve(&bus->in, RECEIVE_BYTES), RECEIVE_BYTES, MSG_DONTWAIT);
        if (got > 0) {
            bus->in.size += (size_t)got;
        } else if (got == 0) {
            return err_set(err, ERR_SYSTEM, "the bus closed the connection");
        } else if (errno == EAGAIN) {
            int waited = wait_for(bus, POLLIN, deadline, err);
            if (waited != 0) {
                return waited;
            }
        } else if (errno != EINTR) {
            return err_sys(err, "receive from the bus");
        }
    }
    return 0;
}

// The next line of the authentication, without its end. Same results as receive().
static int receive_line(struct dbus *bus, char line[LINE_MAX_BYTES], int64_t deadline, struct err *err) {
    for (size_t size = 2; size < LINE_MAX_BYTES; size++) {
        int got = receive(bus, size, deadline, err);
        if (got != 0) {
            return got;
        }
        const char *text = bus->in.data + bus->in_at;
        if (text[size - 2] == '\r' && text[size - 1] == '\n') {
            memcpy(line, text, size - 2);
            line[size - 2] = '\0';
            bus->in_at += size;
            return 0;
        }
    }
    return err_set(err, ERR_CORRUPT, "the bus sent a line without an end");
}

// We said AUTH, DATA and BEGIN at once; the bus answers DATA and OK.
static int be_welcome(struct dbus *bus, int64_t deadline, struct err *err) {
    char line[LINE_MAX_BYTES];
    for (int i = 0; i < LINES_MAX; i++) {
        int got = receive_line(bus, line, deadline, err);
        if (got != 0) {
            return got < 0 ? -1 : err_set(err, ERR_SYSTEM, "the bus does not answer");
        }
        if (strncmp(line, "OK", 2) == 0) {
            bus->welcome = true;
            return 0;
        }
        if (strncmp(line, "DATA", 4) != 0) {
            break;
        }
    }
    return err_set(err, ERR_SYSTEM, "the bus does not let this user in");
}

// --- messages ---

void dbus_send(struct dbus *bus, const struct dbus_header *call, const struct buf *body) {
    struct dbus_header header = *call;
    header.type = DBUS_CALL;
    header.serial = ++bus->serial;
    dbus_encode(&header, body, &bus->out);
}

// The next message from the bus, in bus->message. Same results as receive().
static int next_message(struct dbus *bus, int64_t deadline, struct dbus_message *ret, struct err *err) {
    size_t size;
    int got = receive(bus, DBUS_HEAD_BYTES, deadline, err);
    if (got == 0 && dbus_message_size(bus->in.data + bus->in_at, &size, err) < 0) {
        got = -1;
    }
    if (got == 0) {
        got = receive(bus, size, deadline, err);
    }
    if (got != 0) {
        return got;
    }
    buf_clear(&bus->message);
    buf_add(&bus->message, bus->in.data + bus->in_at, size);
    bus->in_at += size;
    return dbus_decode(bus->message.data, size, ret, err);
}

static int hold(struct dbus *bus, struct err *err) {
    if (bus->held.size + bus->message.size > HELD_MAX_BYTES) {
        return err_set(err, ERR_SYSTEM, "the bus sends more signals than are taken");
    }
    buf_add(&bus->held, bus->message.data, bus->message.size);
    return 0;
}

int dbus_call(struct dbus *bus, const struct dbus_header *call, const struct buf *body, struct dbus_message *ret, struct err *err) {
    int64_t deadline = clock_now_ms() + DBUS_REPLY_MS;
    dbus_send(bus, call, body);
    if (flush(bus, deadline, err) < 0 || (!bus->welcome && be_welcome(bus, deadline, err) < 0)) {
        return -1;
    }
    for (;;) {
        int got = next_message(bus, deadline, ret, err);
        if (got != 0) {
            return got < 0 ? -1 : err_set(err, ERR_SYSTEM, "the bus has no answer to %s within %d s", call->member, DBUS_REPLY_MS / 1000);
        }
        if (ret->type == DBUS_SIGNAL && hold(bus, err) < 0) {
            return -1;
        }
        if (ret->type != DBUS_RETURN && ret->type != DBUS_ERROR) {
            continue;
        }
        if (ret->reply_serial == bus->serial) {
            return ret->type == DBUS_ERROR;
        }
        if (ret->type == DBUS_ERROR) {
            return err_set(err, ERR_SYSTEM, "the bus refuses: %s", dbus_error_text(ret));
        }
    }
}

const char *dbus_error_text(const struct dbus_message *error) {
    struct dbus_reader reader = dbus_read(error);
    struct err unused;
    const char *text;
    return dbus_read_string(&reader, &text, &unused) < 0 || !*text ? error->error : text;
}

static bool next_held(struct dbus *bus, struct dbus_message *ret) {
    struct err unused;
    size_t size;
    if (bus->held_at >= bus->held.size || dbus_message_size(bus->held.data + bus->held_at, &size, &unused) < 0 ||
        dbus_decode(bus->held.data + bus->held_at, size, ret, &unused) < 0) {
        buf_clear(&bus->held);
        bus->held_at = 0;
        return false;
    }
    bus->held_at += size;
    return true;
}

int dbus_wait_signal(struct dbus *bus, int timeout_ms, struct dbus_message *ret, struct err *err) {
    if (next_held(bus, ret)) {
        return 0;
    }
    for (int64_t deadline = clock_now_ms() + timeout_ms;;) {
        int got = next_message(bus, deadline, ret, err);
        if (got != 0 || ret->type == DBUS_SIGNAL) {
            return got;
        }
    }
}

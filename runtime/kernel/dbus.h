// dbus: a connection to a message bus (D-Bus Specification 0.42), as a client that calls and waits.
//
// Theory of operation. Connecting, authentication (SASL EXTERNAL: the kernel tells the bus who we are), Hello and whatever is sent
// before the first dbus_call() go out in one write; the bus answers in order. A refusal of anything that was sent ahead is an error of
// the next call. Signals that arrive while an answer is waited for are held for dbus_wait_signal(). Every wait has an end, every
// message is bounded (dbus_message.h), descriptors that a message may carry are never taken.
//
// The bus may be the host's or the one that the caller's environment named; either is trusted to be a bus and nothing more.
#ifndef COFFER_KERNEL_DBUS_H
#define COFFER_KERNEL_DBUS_H

#include "runtime/base/attr.h"
#include "runtime/base/buf.h"
#include "runtime/kernel/dbus_message.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define DBUS_SYSTEM_ADDRESS "unix:path=/run/dbus/system_bus_socket"

enum { DBUS_REPLY_MS = 25000 };

struct dbus {
    int fd;
    uint32_t serial; // of the newest message sent
    bool welcome;    // the bus has accepted us
    struct buf out;  // not sent yet
    struct buf in;   // received and not looked at
    size_t in_at;
    struct buf message; // what the last call or signal gave
    struct buf held;    // signals that came while an answer was waited for, whole messages behind each other
    size_t held_at;
};

// Connects to the first address of the list that can be reached: "unix:path=/run/user/1000/bus,guid=...;unix:abstract=...".
// ERR_NOT_FOUND: nobody listens there. ERR_INPUT: it is no such list.
int dbus_connect(const char *addresses, struct dbus *ret, struct err *err) MUST_CHECK;
void dbus_finish(struct dbus *bus);
#define AUTO_DBUS AUTO(dbus_finish)

// The process that listens, as this process's pid namespace numbers it; 0: it lies outside of that, and numbers of processes mean
// other ones to the bus than to us.
pid_t dbus_peer(const struct dbus *bus);

// Sends a call whose answer is of interest only when it is an error. The header's type and serial are filled in.
void dbus_send(struct dbus *bus, const struct dbus_header *call, const struct buf *body);

// Sends a call and waits for its answer. 0: a return. 1: an error, whose name is ret->error; dbus_error_text() is what it says.
// *ret is valid until the next call.
int dbus_call(struct dbus *bus, const struct dbus_header *call, const struct buf *body, struct dbus_message *ret,
              struct err *err) MUST_CHECK;
const char *dbus_error_text(const struct dbus_message *error);

// The next signal that a match was added for. 0, or 1 when the time is over. *ret is valid until the next call.
int dbus_wait_signal(struct dbus *bus, int timeout_ms, struct dbus_message *ret, struct err *err) MUST_CHECK;

#endif

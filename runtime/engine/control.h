// What a container's monitor and the commands that talk to it say to each other: messages on a SOCK_SEQPACKET socket (unix(7)),
// each whole or not at all.
//
// The socket lies in the container's run-time folder (home.h), for the owner alone; the command that starts a monitor has a pair
// instead. Both sides are the same program of the same user, so that numbers travel as they are; what is no message all the same
// ends the connection.
#ifndef COFFER_ENGINE_CONTROL_H
#define COFFER_ENGINE_CONTROL_H

#include "runtime/base/attr.h"

#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;
struct home;
struct record_dir;

enum control_kind {
    // from a command
    CONTROL_ATTACH = 1, // value: or-ed enum control_attach
    CONTROL_INPUT,      // bytes for the container's standard input
    CONTROL_INPUT_END,
    CONTROL_RESIZE, // value: columns, extra: rows
    CONTROL_SIGNAL, // value: a signal for the container's process, as typed or sent to the command
    CONTROL_KILL,   // the same, by the user's wish: what ends by it is not restarted
    CONTROL_STOP,   // value: ms until it is killed, extra: the signal, 0: the container's own. Answered by ENDED
    CONTROL_WAIT,   // answered by ENDED; value: enum control_wait
    CONTROL_CHECK,  // checks its health now. Answered by DONE with the check's exit code, and as extra the enum health_status
    CONTROL_LOOK,   // answered by DONE when the container runs, is about to, or waits to be restarted
    CONTROL_RENAME, // bytes: the new name
    CONTROL_CONNECT, CONTROL_DISCONNECT, // bytes: of a network, see network_change.h
    CONTROL_RELOAD, // what of its networks was taken away comes back
    CONTROL_UPDATE, // bytes: changes, see limit_change.h
    // from the monitor
    CONTROL_STARTED, // value: its process
    CONTROL_OUTPUT,  // value: 1 or 2; bytes
    CONTROL_TAKEN,   // value: how many bytes of INPUT, of those sent, make room for others
    CONTROL_ENDED,   // value: exit code, extra: whether it will be started again; bytes: why it was killed (ending.h), or none
    CONTROL_DONE,
    CONTROL_FAILED, // bytes: a struct err
};

enum control_attach {
    CONTROL_ATTACH_INPUT = 1,
    CONTROL_ATTACH_OUTPUT = 2,
    CONTROL_ATTACH_HOLDS = 4, // the container waits for it where it does not read; others are dropped then
    CONTROL_ATTACH_ENDS = 8,  // the end of its input is the end of the container's
};

enum control_wait {
    CONTROL_WAIT_END,
    CONTROL_WAIT_HEALTHY, // answered by DONE once it is; by ENDED when it never will be
};

enum {
    CONTROL_MAX_BYTES = 16 << 10, // behind the head
    // Of input that the monitor has not said to have TAKEN. It is less than what a socket holds, so that no other message has to wait.
    CONTROL_MAX_INPUT = 64 << 10,
    CONTROL_PATIENCE_MS = 10000, // with who has a container's lock and is no monitor
};

struct control_message {
    uint32_t kind;
    uint32_t size; // of `bytes`
    int64_t value, extra;
    const void *bytes;
};

// A listening socket for the container. One that is there is a dead monitor's: the caller holds the container's lock.
int control_listen(const struct home *home, const char *id, struct err *err) MUST_CHECK;

// Connects. ERR_NOT_FOUND: there is no monitor.
int control_connect(const struct home *home, const char *id, struct err *err) MUST_CHECK;

// Takes the lock of a container's folder, waiting for commands that have it for a moment. ERR_STATE: a monitor has it. ENOENT as
// errnum: there is no such folder any more.
int control_lock(const struct home *home, const char *id, struct record_dir *ret_dir, struct err *err) MUST_CHECK;

// Sends one message; -1 and errno, EAGAIN where the other side does not read and the socket does not wait.
int control_send(int fd, const struct control_message *message) MUST_CHECK;

// Receives one; bytes are in `room`, of CONTROL_MAX_BYTES. 1; 0 when the other side is gone; -1 and errno.
int control_receive(int fd, void *room, struct control_message *ret) MUST_CHECK;

#endif

// init_channel: the typed socketpair between the program and the container's init.
//
// A message is a header {type, size, descriptors}, the descriptors beside it (SCM_RIGHTS), and a body. The parent sends the plan and
// answers; init reports how far it is and, when something fails, the whole struct err. When init becomes the container's program
// the socket closes by itself (close-on-exec): end of file without an error means that the program runs.
#ifndef COFFER_CONTAINER_INIT_CHANNEL_H
#define COFFER_CONTAINER_INIT_CHANNEL_H

#include "runtime/base/attr.h"

#include <stddef.h>
#include <stdint.h>

struct err;

enum channel_type {
    CHANNEL_PLAN = 1,   // to init: the encoded init_plan, with its descriptors
    CHANNEL_GO,         // to init: the container is recorded and limited; go on to what is the container's own
    CHANNEL_NETWORK,    // to init: its network namespace, as the descriptor
    CHANNEL_NAMESPACES, // from init: mounts are made; the parent's hooks may run before it says GO
    CHANNEL_TERMINAL,   // from init: the pty's master, as the descriptor
    CHANNEL_LISTENER,   // from init: it is about to load a filter with a listener (filter.c); waits for GO
    CHANNEL_READY,      // from init: all is set up, `start` is awaited
    CHANNEL_WARNING,    // from init: a line for the user
    CHANNEL_ERROR,      // from init: a struct err
    CHANNEL_END,        // never sent: the other side closed the socket
};

enum { CHANNEL_MAX_FDS = 240, CHANNEL_MAX_BODY = 8 << 20, CHANNEL_BODY_ROOM = 4096 };

// Stays where it was received: a body that is not large lies inside, since memory would be init's first and cost it four system calls.
struct channel_message {
    enum channel_type type;
    char *body; // in room, or malloc'd; NULL when empty
    char room[CHANNEL_BODY_ROOM];
    size_t size;
    int fds[CHANNEL_MAX_FDS]; // owned
    size_t fd_count;
};

void channel_message_finish(struct channel_message *message);

// The descriptors are borrowed. A peer that is gone is an error (EPIPE), never a signal.
int channel_send(int socket, enum channel_type type, const void *body, size_t size, const int *fds, size_t fd_count,
                 struct err *err) MUST_CHECK;

// Waits for the next message; a closed socket gives type CHANNEL_END. What breaks the framing is an error.
int channel_receive(int socket, struct channel_message *ret_message, struct err *err) MUST_CHECK;

#endif

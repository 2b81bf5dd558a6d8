// listener: passing the listener of a container's seccomp filter on to whoever answers it (config-linux.md, "Seccomp").
//
// init/filter.c says how init and the parent go about it. The socket at listenerPath gets one connection, the process's state
// (struct oci_process_state) and with its first byte the descriptor.
#ifndef COFFER_CONTAINER_LISTENER_H
#define COFFER_CONTAINER_LISTENER_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <sys/types.h>

struct channel_message;
struct err;
struct oci_seccomp;

struct listener {
    const struct oci_seccomp *seccomp; // NULL, or without a listenerPath: a message is an error
    int channel;                       // to init
    int pidfd;                         // of init
    pid_t pid;
    const char *state; // the container's state document
};

// Whether some rule asks.
bool listener_is_needed(const struct oci_seccomp *seccomp);

// Answers a CHANNEL_LISTENER.
int listener_pass_on(const struct listener *listener, const struct channel_message *message, struct err *err) MUST_CHECK;

#endif

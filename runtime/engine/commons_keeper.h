// The process that keeps an ordinary user's commons (commons.h). Of commons.c alone.
#ifndef COFFER_ENGINE_COMMONS_KEEPER_H
#define COFFER_ENGINE_COMMONS_KEEPER_H

#include "runtime/base/attr.h"
#include "runtime/base/err.h"
#include "runtime/net/address.h"

#include <stdbool.h>
#include <sys/types.h>

struct home;

#define COMMONS_FOLDER "commons"

// What it says to who connects, with descriptors of the user and the network namespace; or why there are none.
struct commons_hello {
    bool failed;
    bool fresh; // the namespaces are new; said once
    pid_t anchor;
    struct address name_server;
    struct err err;
};

struct commons_keeper_request {
    const struct home *home;
    int listen_fd;
    int user_fd, net_fd; // those that there were, to be used where the anchor is gone; -1: none
};

// Starts one, no child of the caller's.
int commons_keeper_start(const struct commons_keeper_request *request, struct err *err) MUST_CHECK;

// A keeper was killed, and perhaps the anchor: monitors still have the namespaces, and start another one at once. They get that
// much time for it, before somebody does so who knows less.
enum { COMMONS_MONITORS_MS = 2000 };
void commons_await_monitors(const struct home *home, bool (*is_there)(const struct home *home));

// The lock of the folder: -1, without a message, where `block` is false and another has it.
int commons_lock(const struct home *home, bool block, struct err *err) MUST_CHECK;

#endif

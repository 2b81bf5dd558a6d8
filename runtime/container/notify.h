// notify: sd_notify(3) from inside a container. The host's socket is out of its reach, so it gets one of its own, in a folder of its
// state that is bound to /run/notify; whoever started it waits there for the word that it is ready and passes that on, and nothing
// else: a container has no say over the host's service manager.
//
// `create` makes the folder (and `run`), the socket comes with `start`, which waits.
#ifndef COFFER_CONTAINER_NOTIFY_H
#define COFFER_CONTAINER_NOTIFY_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <sys/types.h>

struct err;
struct state_dir;

#define NOTIFY_FOLDER "notify"                       // in the container's state
#define NOTIFY_TARGET "/run/notify"                  // in the container
#define NOTIFY_VARIABLE "NOTIFY_SOCKET=/run/notify/notify.sock"

struct notify {
    int socket;       // the container's, -1 for none
    int host;         // connected to the one that we were given, -1 for none
    const char *path; // of that one
};

void notify_finish(struct notify *notify);
#define AUTO_NOTIFY AUTO(notify_finish)
#define NOTIFY_NONE                                                                                                                     \
    { .socket = -1, .host = -1 }

int notify_make_folder(const struct state_dir *dir, struct err *err) MUST_CHECK;

// Opens both ends. host: a path, or @ and an abstract name; NULL, or a container without the folder: nothing to do. A host that does
// not listen is a warning: what is run does not depend on it.
int notify_open(const struct state_dir *dir, const char *host, struct notify *ret, struct err *err) MUST_CHECK;

// Reads one message. True once it was the word, which is passed on; with pid that becomes the service's main process.
bool notify_read(struct notify *notify, pid_t pid);

// Waits for the word, or for the end of the process. Then until the host has dealt with it: afterwards it would not know whose word
// it was.
void notify_wait(struct notify *notify, pid_t pid, int pidfd);

#endif

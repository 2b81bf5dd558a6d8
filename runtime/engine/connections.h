// connections: all networks of a container, and the ports that lead to it.
//
// Which of them is its way out is said by priority, then by name; published ports lead to its address there. While it runs they may
// become more or fewer: whoever does that holds the container's lock, and has kept its namespace since it was made, so that nothing
// in the container can lead him into another one.
#ifndef COFFER_ENGINE_CONNECTIONS_H
#define COFFER_ENGINE_CONNECTIONS_H

#include "runtime/base/arena.h"
#include "runtime/base/attr.h"
#include "runtime/engine/attachment.h"
#include "runtime/engine/commons.h"
#include "runtime/engine/connection.h"
#include "runtime/engine/connection_pasta.h"
#include "runtime/engine/publication.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct buf;
struct err;
struct home;
struct record;
struct run_request;

struct connections {
    const struct home *home;
    const struct record *record; // its id and its name
    const struct run_request *request;
    bool has_namespace; // of its own
    bool lost;          // with the commons, all that it had there
    struct connection *items[ATTACHMENTS_MAX];
    size_t count;
    struct pasta pasta; // in place of those: then it is the only network
    struct publication publication;
    struct pasta edge;      // which listens for those ports on the host
    struct commons commons; // where an ordinary user's networks are, and all of it that is no file is done
    int netns_fd;           // while it runs
    struct arena arena;
};

#define CONNECTIONS_NONE                                                                                                           \
    { .commons = COMMONS_NONE, .netns_fd = -1 }

// Takes what is wished for. The container's record is locked by the caller; all is borrowed. Nothing to do where the container has
// no network of its own.
int connections_take(struct connections *connections, const struct attachment_list *wishes, struct err *err) MUST_CHECK;

// The container's resolv.conf, added to `text`.
void connections_write_resolv(const struct connections *connections, struct buf *text);

// Whether the names of one of its networks are answered: then --dns is for who answers them.
bool connections_have_names(const struct connections *connections);

// The address at which it reaches the host, of no family where it does not.
struct address connections_host_gateway(const struct connections *connections);

// Its addresses; *ret lives until they are released.
size_t connections_addresses(struct connections *connections, const struct address **ret);

// Makes the interfaces in the container's namespace, and publishes its ports. context: the connections; pid: the container's first
// process.
int connections_attach(void *context, pid_t pid, int netns_fd, struct err *err) MUST_CHECK;

// The container's command runs.
void connections_bind(struct connections *connections);

// One more while it runs; on an error nothing of it is left. `wish` is kept.
int connections_add(struct connections *connections, const struct attachment *wish, struct err *err) MUST_CHECK;

bool connections_include(const struct connections *connections, int64_t number);

// One less, by its number. None of that number is fine.
int connections_remove(struct connections *connections, int64_t number, struct err *err) MUST_CHECK;

// Descriptors that get readable when something that they need has died, -1 for none; then that is mended. Where it cannot be, it is watched
// no more.
enum { CONNECTIONS_WATCHED = 3 };
void connections_watched(const struct connections *connections, int ret_fds[CONNECTIONS_WATCHED]);
int connections_mend(struct connections *connections, struct err *err) MUST_CHECK;

// The record has another name by now: that is found on its networks, and the old one is not.
int connections_rename(struct connections *connections, struct err *err) MUST_CHECK;

// What was taken away of it behind its back is there again: bridges, interfaces, names, ports.
int connections_restore(struct connections *connections, struct err *err) MUST_CHECK;

// Fills in what is there of each: the list is that of the wishes. What it points to then lives until they are released.
void connections_describe(struct connections *connections, struct attachment_list *list);

// Gives all back.
void connections_release(struct connections *connections);

#endif

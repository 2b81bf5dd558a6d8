// The store's folder of networks, for the files that make up network.h and lease.h.
#ifndef COFFER_ENGINE_NETWORK_STORE_H
#define COFFER_ENGINE_NETWORK_STORE_H

#include "runtime/base/attr.h"
#include "runtime/engine/network.h"

struct arena;
struct buf;
struct err;
struct home;

struct networks {
    int fd;       // STORE/networks
    int names_fd; // STORE/networks/names
};

void networks_finish(struct networks *networks);
#define AUTO_NETWORKS AUTO(networks_finish)

// Makes the folders as needed.
int networks_open(const struct home *home, struct networks *ret, struct err *err) MUST_CHECK;

// Holds other commands off that make or remove networks, until `networks` is finished; takes away what one that was killed has
// left.
int networks_lock(const struct networks *networks, struct err *err) MUST_CHECK;

int networks_unlock(const struct networks *networks, struct err *err) MUST_CHECK;

// The one of this name.
int networks_read_one(const struct networks *networks, struct arena *arena, const char *name, struct network *ret,
                      struct err *err) MUST_CHECK;

// All that are there, by name. What cannot be read is left out, with a warning.
int networks_read(const struct networks *networks, struct arena *arena, struct network **ret, size_t *ret_count,
                  struct err *err) MUST_CHECK;

// Writes a new network down and gives it its name, last; under the lock. A taken name is ERR_EXISTS.
int networks_add(const struct networks *networks, const struct network *network, struct err *err) MUST_CHECK;

// Tells those who watch events ("create"); container: whose id is told, too, or NULL.
void network_announce(const struct home *home, const struct network *network, const char *action, const char *container);

// Its name's link is the network's id.
bool networks_is_there(const struct networks *networks, const struct network *network);

// network.json; network_read checks what it reads. `name` is for messages.
void network_write(const struct network *network, struct buf *text);
int network_read(const char *name, const char *text, size_t size, struct arena *arena, struct network *ret,
                 struct err *err) MUST_CHECK;

#endif

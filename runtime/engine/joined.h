// joined: other containers whose namespaces a container joins: --network, --pid, --ipc and --userns with container:NAME.
//
// Theory of operation. A namespace is managed by the user namespace that it was made in, and by nobody in another one: /proc of another
// container's processes, for one, can only be mounted there. So who joins one of these namespaces joins the other's user namespace, too,
// and has its range of user ids (idrange.h). Which container is meant is settled when the joining one is made; its namespaces are found
// at each start, by descriptors that its number's next process cannot have.
#ifndef COFFER_ENGINE_JOINED_H
#define COFFER_ENGINE_JOINED_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stdint.h>

struct arena;
struct err;
struct home;
struct run_request;

// Descriptors, -1 for what is not joined.
struct joined {
    int user, pid, ipc, network;
    int shm; // with ipc: its /dev/shm, a tree of mounts
};

#define JOINED_NONE                                                                                                                \
    { .user = -1, .pid = -1, .ipc = -1, .network = -1, .shm = -1 }

void joined_finish(struct joined *joined);

// The id behind "container:", NULL where the mode is another.
const char *joined_container(const char *mode);

// Puts ids in place of names in the request, whose strings go to the arena, and says whose user ids it gets: *ret_shares with *ret_first
// where those are a range of the other container's.
int joined_settle(const struct home *home, struct run_request *request, struct arena *arena, bool *ret_shares, uint32_t *ret_first,
                  struct err *err) MUST_CHECK;

// Opens what a settled request joins. ERR_STATE where the other container does not run.
int joined_open(const struct home *home, const struct run_request *request, struct joined *ret, struct err *err) MUST_CHECK;

#endif

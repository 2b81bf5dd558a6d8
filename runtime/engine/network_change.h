// network_change: a container's list of networks becomes longer or shorter, be it that it runs or not. Who runs it has the list;
// where nobody does, the command changes the record itself.
//
// Between the two go, as bytes of CONTROL_CONNECT, a list with the one item that comes (attachment.h, JSON), and of
// CONTROL_DISCONNECT the network's name or id.
#ifndef COFFER_ENGINE_NETWORK_CHANGE_H
#define COFFER_ENGINE_NETWORK_CHANGE_H

#include "runtime/base/attr.h"
#include "runtime/engine/attachment.h"

#include <stdbool.h>
#include <stdint.h>

struct arena;
struct err;
struct home;

// Adds the one of `text` to the list, with a number of its own. One that is there already, be it by another name, and a network
// that does not exist are errors. The list's items are new ones, in the arena.
int network_change_join(const struct home *home, struct arena *arena, struct attachment_list *list, const char *text,
                        struct err *err) MUST_CHECK;

// Takes the one of this network out. ERR_NOT_FOUND: there is none.
int network_change_leave(const struct home *home, struct arena *arena, struct attachment_list *list, const char *network,
                         int64_t *ret_number, struct err *err) MUST_CHECK;

// Fails for a container that has no network of its own: `network` is what --network said.
int network_change_none(const char *network, bool joins, struct err *err) MUST_CHECK;

// Asks the monitors of all containers that run to bring back what was taken away of their networks; the last error is told when all
// have been asked.
int network_reload_running(const struct home *home, struct err *err) MUST_CHECK;

#endif

// network_heal: what was taken from running containers behind their backs comes back: networks and published ports by a flush of
// the packet filter (nft flush ruleset, a reload of firewalld), a bridge's ports by its removal.
//
// The records say what there should be (attachment.h). Whoever raises a network finds out for nothing that the table or its bridge
// was not there, and only then looks at the records of those that run; `network reload` looks at all.
#ifndef COFFER_ENGINE_NETWORK_HEAL_H
#define COFFER_ENGINE_NETWORK_HEAL_H

#include "runtime/base/attr.h"
#include "runtime/engine/network.h"

#include <stdbool.h>

struct err;
struct home;

// Makes all of a bridge network (network_host.h), and heals what was lost with what of it was not there, even when this one cannot
// be made.
int network_raise(const struct home *home, const struct network *network, bool ports, struct err *err) MUST_CHECK;

// Heals all networks of containers that run; a user's where he has any.
int network_heal_all(const struct home *home, struct err *err) MUST_CHECK;

// The same where we are where they are.
int network_heal(const struct home *home, struct err *err) MUST_CHECK;

#endif

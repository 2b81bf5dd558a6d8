// What networks and the packet filter still have of a container whose monitor was killed: addresses, names, published ports.
#ifndef COFFER_ENGINE_CONNECTION_SWEEP_H
#define COFFER_ENGINE_CONNECTION_SWEEP_H

#include <stddef.h>

struct home;

// Takes away what there is of one that does not run, by its id alone. The caller holds its lock, and its record is still there: a port is
// never found again once nobody knows whose it was. Never fails; logs what it cannot do.
void connection_sweep(const struct home *home, const char *id);

// Takes away published ports whose containers are in this store and do not run. What belongs to no container of this store may be another
// store's, and stays. Returns how many there were.
size_t connection_sweep_ports(const struct home *home);

#endif

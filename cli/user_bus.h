// Which systemd is asked for a control group: the host's, or the user's own.
#ifndef COFFER_CLI_USER_BUS_H
#define COFFER_CLI_USER_BUS_H

#include "runtime/base/attr.h"

struct context;
struct err;

// *ret is the address of the bus of the user's own systemd, for everybody but root: from DBUS_SESSION_BUS_ADDRESS or
// XDG_RUNTIME_DIR. NULL for root, unless he is an ordinary user's root in a user namespace. An error says how to get a bus.
int user_bus_find(struct context *context, const char **ret, struct err *err) MUST_CHECK;

#endif

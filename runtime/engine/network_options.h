// Options of a driver, as docker and podman name them: --opt KEY=VALUE.
#ifndef COFFER_ENGINE_NETWORK_OPTIONS_H
#define COFFER_ENGINE_NETWORK_OPTIONS_H

#include "runtime/base/attr.h"
#include "runtime/engine/network.h"

#define NETWORK_OPTION_MTU "com.docker.network.driver.mtu"
#define NETWORK_OPTION_BRIDGE "com.docker.network.bridge.name"
#define NETWORK_OPTION_PARENT "parent"
#define NETWORK_OPTION_MODE "macvlan_mode"

// Checks the words and sets network->options under docker's names. The driver is known by then.
int network_options_set(struct arena *arena, const struct strv *words, struct network *network, struct err *err) MUST_CHECK;

#endif

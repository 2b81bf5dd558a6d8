// Merging what the user wants, what the image says and what the engine decides into one OCI configuration: the only place for that.
#ifndef COFFER_ENGINE_CONFIG_H
#define COFFER_ENGINE_CONFIG_H

#include "runtime/base/attr.h"
#include "runtime/kernel/userns.h"

#include <stdbool.h>
#include <stdint.h>

struct arena;
struct err;
struct image_settings;
struct joined;
struct mount_list;
struct oci_config;
struct run_request;

struct config_request {
    const struct run_request *run;
    const struct image_settings *image;
    const char *id;
    const struct mount_list *mounts;
    const char *etc;      // folder with hosts, hostname and resolv.conf for the container
    bool user_namespace;  // with these maps
    struct idmap uids, gids;
    const char *user;     // as the record has it
    unsigned rows, columns; // of its terminal from the beginning; 0: not known
    bool rootless;
    bool single_id;
    const struct joined *joined; // namespaces of other containers, in place of new ones
    bool runs; // nothing of the host is looked at again: it may be gone, and the container has it
};

// Everything lives in the arena, or is borrowed from the requests.
int engine_config(const struct config_request *request, struct arena *arena, struct oci_config **ret, struct err *err) MUST_CHECK;

// The host name that the container gets.
const char *engine_hostname(const struct run_request *run, const char *id, struct arena *arena);

#endif

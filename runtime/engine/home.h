// home: where the engine keeps things, opened once a command. Policy about names and places is here and nowhere else.
//
//   STORE/containers/ID/   the record and the writable layer of a container; its lock while a command holds it
//   STORE/names/NAME       a symbolic link to the id (links.h): taking a name is one system call
//   STORE/networks/        networks and their addresses (network.h, lease.h)
//   STORE/volumes/NAME/    volumes (volume_store.h)
//   STORE/ids/FIRST        ranges of user ids (idrange.h)
//   ROOT/containers/STORE/ID/  what a container has only while it runs (live.h). STORE is the store's device and inode: two may
//   share a root. ROOT/oci/ID/           the run-time state of the low level (runtime/container/state_dir.h)
#ifndef COFFER_ENGINE_HOME_H
#define COFFER_ENGINE_HOME_H

#include "runtime/base/attr.h"
#include "runtime/kernel/userns.h"

#include <stdbool.h>

struct engine;
struct err;
struct tree_graves;

struct home {
    const char *store; // absolute paths, borrowed
    const char *root;
    const char *oci_root;
    const char *user_bus; // NULL: not known
    bool rootless;
    int store_fd;
    int containers_fd;
    int names_fd;
    int live_fd;
    char *live_path; // ROOT/containers/STORE; owned

    struct userns_own own; // rootless: what the user may map
    struct tree_graves *graves; // a monitor's: what containers' folders were made of is freed when it ends, and nobody waits for that
};

#define HOME_CLOSED                                                                                                                \
    { .store_fd = -1, .containers_fd = -1, .names_fd = -1, .live_fd = -1 }

// Makes the folders as needed. Rootless is when the effective user is not root.
int home_open(const struct engine *engine, struct home *ret_home, struct err *err) MUST_CHECK;
// The folder of run-time state alone, made as needed: for who has nothing else to do with containers.
int home_open_live(const struct engine *engine, struct err *err) MUST_CHECK;

void home_finish(struct home *home);
#define AUTO_HOME AUTO(home_finish)

// The user namespace of a rootless user, for what has to be done to files of his subordinate ids.
int home_user_namespace(const struct home *home, struct err *err) MUST_CHECK;

// Makes the calling process root of a user namespace: this one, or one of a container's. It has one thread.
int home_enter(int userns_fd, struct err *err) MUST_CHECK;

// Does it as root of that namespace, in a process aside; as root: right here. What it leaves in memory is lost.
int home_do_inside(const struct home *home, int (*work)(void *context, struct err *err), void *context, struct err *err) MUST_CHECK;

// tree_remove() of files that belong to containers.
int home_remove_tree(const struct home *home, int dir_fd, const char *name, struct err *err) MUST_CHECK;

#endif

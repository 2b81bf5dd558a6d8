// files: a container's files as it sees them, for a process aside of ours.
//
// Theory of operation. What a container has in its root file system is its own affair: links, libraries, programs, and what it exchanges
// while we look. So whoever works there is a process of its own that becomes no more than the container's root: of one that runs it
// joins the user and the mount namespace, by a descriptor of its first process, and is held by the root of that; for one that does not it
// mounts the layers and the volumes where nobody else sees them, and takes the container's user ids. Nothing of the container is executed
// or loaded there (CVE-2019-14271): our program is static, needs no file, and is a clone of what runs already. It stays in the pid
// namespace of the caller, so that nothing in the container can name it or reach its memory.
//
// Owned by the caller: open, finish. One that does not run is locked as long as it is open, and so cannot be started or removed.
#ifndef COFFER_ENGINE_FILES_H
#define COFFER_ENGINE_FILES_H

#include "runtime/base/attr.h"
#include "runtime/engine/mount_list.h"
#include "runtime/engine/record.h"
#include "runtime/engine/target.h"

#include <stdbool.h>
#include <stdint.h>

struct engine;
struct err;
struct image;
struct store;

struct files {
    const struct engine *engine;
    struct target target;
    int pidfd;       // of its first process; -1: it does not run
    uint64_t joined; // its namespaces that are not ours, CLONE_NEW*
    struct record_dir dir;
    struct store *store; // of one that does not run; its image is kept from being removed
    struct image *image;
    struct mount_list mounts;
};

#define FILES_NONE                                                                                                                  \
    { .target = TARGET_NONE, .pidfd = -1, .dir = {.fd = -1} }

void files_finish(struct files *files);
#define AUTO_FILES AUTO(files_finish)

int files_open(struct files *files, const struct engine *engine, const char *name, struct err *err) MUST_CHECK;

enum files_mounts {
    FILES_VOLUMES, // its volumes and binds are there, too
    FILES_LAYERS,  // the root file system alone, with what mounts would hide
};

// In a process aside, which has one thread and ends soon: becomes the container's root, and returns its root directory, to be read.
int files_enter(const struct files *files, enum files_mounts mounts, struct err *err) MUST_CHECK;

#endif

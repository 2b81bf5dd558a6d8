// Copies a directory tree into a layer's directory: `coffer import DIR`, and single files from layer to layer.
//
// The source may be anybody's, and change meanwhile: it is walked by descriptors, never through symbolic links, never onto another
// file system (a mount point is copied as the empty directory it hides), and what is not what it was a moment ago is an error.
// Kept: owners, modes, times, wanted extended attributes, hard links, holes, device nodes. Data is cloned where the file system
// can. Sockets are left out: nobody listens at a copy, and no tar of the layer could hold them.
#ifndef COFFER_IMAGES_COPYTREE_H
#define COFFER_IMAGES_COPYTREE_H

#include "images/unpack.h"
#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stdint.h>

struct err;

struct copytree_options {
    enum unpack_devices devices;
    bool single_id; // owners are left alone
};

struct copytree_result {
    uint64_t entries; // without the root
    uint64_t file_bytes;
    uint64_t dropped_xattrs;
    uint64_t skipped_devices;
    uint64_t skipped_sockets;
};

// from_fd and to_fd are directories opened for reading; the second is fresh and ours alone. Errors name the path.
int copytree(int from_fd, int to_fd, const struct copytree_options *options, struct copytree_result *ret_result,
             struct err *err) MUST_CHECK;

// Copies one thing that is not a directory, with all its attributes, under the same name, which must be free.
int copytree_one(int from_parent_fd, int to_parent_fd, const char *name, bool single_id, struct err *err) MUST_CHECK;

// Gives a directory the other one's owner, mode, attributes and times.
int copytree_directory_attributes(int from_fd, int to_fd, bool single_id, struct err *err) MUST_CHECK;

#endif

// A directory tree, in the form that overlayfs takes as a layer, as a tar: for what comes without one, a directory that is
// imported, and what containers have written.
//
// The tar is canonical: the root first ("./"), then all names in the order of their bytes, directories before what lies in them;
// the same tree always gives the same bytes. Modes, owners, times of change to the nanosecond, wanted extended attributes, links
// and devices are in it; a file with several names is one under the first of them; holes are written as zeros unless told otherwise. What unpack_layer()
// makes of it is the tree again, and the record (images/tar_record.h) with the tree makes the tar again. Times of access are not in
// it.
//
// Names and attributes are foreign, so that images/tree_pack_worker.h runs this in the unpacker.
#ifndef COFFER_IMAGES_TREE_PACK_H
#define COFFER_IMAGES_TREE_PACK_H

#include "images/digest.h"
#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stdint.h>

struct err;

// Overlayfs's signs, which become whiteouts of the tar (image-spec layer.md, "Whiteouts"): a character device 0:0 is `.wh.NAME`, an
// attribute overlay.opaque `.wh..wh..opq`. To read trusted.* takes CAP_SYS_ADMIN of the host. IGNORE is for a tree that has no
// layers below it: such devices are left out, and the attributes, too.
enum tree_signs { TREE_SIGNS_IGNORE, TREE_SIGNS_TRUSTED, TREE_SIGNS_USER, TREE_SIGNS_COUNT };

struct tree_pack_options {
    enum tree_signs signs;
    int record_fd; // an empty file for the record, borrowed; -1: none is wanted
    int output_fd; // where the tar goes, borrowed; -1: nowhere, only the diff id counts

    // A tree that lives: others change it meanwhile, so what goes away is left out, and what becomes shorter ends in zeros. Mount points
    // are entered, but for the kernel's own file systems (tree_is_of_kernel()), where the tree does not begin in one. Devices are left
    // out on demand. No digest, no record; names may be a whiteout's where signs are ignored.
    bool live;
    bool no_devices;
    bool keeps_holes; // of files; the tar is for who knows GNU's sparse files
    const char *name; // in place of ".": what the tar's names begin with. "": the root is not in it, nor is "./" in front of names
    const char *const *left_out; // clean paths that are not packed, with all below them; NULL behind the last. NULL: none
    const char *only; // what in the directory alone is packed, under `name`, and may be no directory; NULL: all

    // Called when all has been read, before the tar's end: a tar without one is not whole. NULL: nobody is asked.
    int (*check)(void *context, struct err *err);
    void *check_context;

    // Called now and then with the bytes of the tar so far; NULL: not at all.
    void (*progress)(void *context, uint64_t in_bytes, uint64_t out_bytes);
    void *progress_context;
};

struct tree_pack_result {
    struct digest diff_id;
    uint64_t tar_size;
    uint64_t entries;    // members of the tar
    uint64_t file_bytes; // holes included
    uint64_t left_out;   // sockets, which no tar can hold, 0:0 devices where signs are ignored, and others as asked
};

// dir_fd: the tree, opened for reading, which nobody changes meanwhile. The working directory is changed. Errors name the path.
// What a tar cannot say is ERR_UNSUPPORTED: names that are a whiteout's, attributes with odd names, what overlayfs has only
// renamed.
int tree_pack(int dir_fd, const struct tree_pack_options *options, struct tree_pack_result *ret, struct err *err) MUST_CHECK;

#endif

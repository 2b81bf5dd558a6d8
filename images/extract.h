// A tar into a tree that is there already: `coffer cp`.
//
// Theory of operation. Both sides are strangers: the tar may name anything, and whoever owns the tree may exchange files of it for links
// while this runs (CVE-2018-15664, CVE-2019-11246). So directories are opened below dir_fd by openat2(2), where neither "..", nor absolute
// names, nor links lead out, and all else is done on descriptors and single names. What is in the way of a file is taken away and made
// anew, never written through; what is in the way of a directory is an error, unless it is one. Nothing is made in file systems of the
// kernel (tree_is_of_kernel()). The caller runs it in a process that has no more rights than the tree's owner.
#ifndef COFFER_IMAGES_EXTRACT_H
#define COFFER_IMAGES_EXTRACT_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stdint.h>

struct err;

struct extract_options {
    // Owners, set-id bits, capabilities and ACLs as the tar says, also for directories that are there; else all belongs to the caller.
    bool owners;
    bool new_root;    // dir_fd was made for it: it becomes what the tar says of its own root
    bool follow;      // links among the directories on the way, within dir_fd; otherwise they are errors
    const char *below; // where in dir_fd all of it goes, a clean path; NULL: right there
    const char *name; // the name of what is no directory and the whole tar; NULL: names are the tar's
};

struct extract_result {
    uint64_t entries;
    uint64_t file_bytes;
    uint64_t left_out; // devices
};

// input_fd: the tar, plain, read to its end; dir_fd: a directory opened for reading. The umask becomes 0. Errors name the entry.
int extract_tar(int input_fd, int dir_fd, const struct extract_options *options, struct extract_result *ret, struct err *err) MUST_CHECK;

#endif

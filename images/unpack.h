// Unpacks one layer: its compressed tar goes, in a single pass, through both digests into one fresh directory, in the form that
// overlayfs takes as a layer.
//
// The directory is the caller's, empty, and nobody else's while this runs; after a failure its contents are rubbish to be removed.
// What lower layers are needed for is not done here, so that layers can be unpacked side by side: it is listed in the result and
// done by unpack_settle(), once the lower layers are there.
//
// A hostile stream may try everything here, so images/unpack_worker.h runs this in a process that can do nothing else.
#ifndef COFFER_IMAGES_UNPACK_H
#define COFFER_IMAGES_UNPACK_H

#include "images/digest.h"
#include "images/inflate.h"
#include "runtime/base/arena.h"
#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct input;

// What becomes of device nodes, which only root outside of any user namespace can make. REFUSE still leaves out those below /dev:
// a container's /dev is a new file system with nodes of its own, so nothing is lost, and every Debian root file system has them.
enum unpack_devices { UNPACK_DEVICES_MAKE, UNPACK_DEVICES_REFUSE, UNPACK_DEVICES_SKIP };

struct unpack_options {
    enum compression compression; // as the media type declares it; COMPRESSION_ANY: whatever it is
    enum unpack_devices devices;
    bool single_id;       // only the caller's own ids are mapped: owners are left alone
    uint64_t max_bytes;   // of the tar, 0: UNPACK_MAX_BYTES
    uint64_t max_entries; // 0: UNPACK_MAX_ENTRIES
    bool has_record;      // the tar's record (images/tar_record.h) is to be written to record_fd, an empty file
    int record_fd;

    // Called now and then with the compressed bytes read and the plain bytes unpacked so far; NULL: not at all.
    void (*progress)(void *context, uint64_t in_bytes, uint64_t out_bytes);
    void *progress_context;
};

#define UNPACK_MAX_BYTES ((uint64_t)1 << 40)
#define UNPACK_MAX_ENTRIES ((uint64_t)20 * 1000 * 1000)

// A hard link to something that this layer does not have.
struct unpack_link {
    const char *name;
    const char *target;
};

// Paths are relative to the layer's root, without "." and ".." components; "." is the root itself.
struct unpack_result {
    struct digest digest; // of the compressed bytes, where the input was told to hash them
    uint64_t size;        // compressed
    struct digest diff_id;
    uint64_t tar_size;
    uint64_t entries;
    uint64_t file_bytes;
    uint64_t dropped_xattrs;   // not ours to set: those of overlayfs, security modules, and what the file system does not take
    uint64_t skipped_devices;  // device nodes left out as asked, and 0:0 ones, which would be whiteouts
    const char **implied_dirs; // made because something lies in them; the tar says nothing about them
    size_t implied_count;
    const char **opaque_dirs; // hide what lower layers have in them; "." too, where the caller must cut the stack of layers
    size_t opaque_count;
    struct unpack_link *links;
    size_t link_count;
    struct arena arena; // holds the lists
};

// Unpacks the whole input into dir_fd, a directory opened for reading. The process's umask is 0 meanwhile, and its working
// directory may be dir_fd's for moments. Errors name the entry, not the layer: the caller does. A worker's result comes home as one
// message.
int unpack_layer(struct input *input, int dir_fd, const struct unpack_options *options, struct unpack_result *ret_result,
                 struct err *err) MUST_CHECK;

void unpack_result_finish(struct unpack_result *result);

struct unpack_stack {
    const int *lower_fds; // directories of the layers below, the next one first; all unpacked and settled
    size_t lower_count;
    bool userxattr; // overlayfs is mounted with that option: its attributes are user.overlay.* (in user namespaces)
    bool single_id;
};

// What an unpacked layer waits for its lower layers for, in one go: marks opaque directories, gives implied directories the
// attributes they have below, and makes hard links to files of lower layers, which are copied up into this one. Runs in the
// caller's process: it reads no stream, only paths and our own layers. A layer whose result lists nothing but the root as implied
// and no links comes out the same on any stack, but for its root's own attributes. Needs CAP_SYS_ADMIN for opaque directories
// without userxattr.
int unpack_settle(int layer_fd, const struct unpack_result *result, const struct unpack_stack *stack, struct err *err) MUST_CHECK;

// Whether a directory of a settled layer is marked as opaque.
bool unpack_is_opaque(int layer_fd, const char *path, bool userxattr);

#endif

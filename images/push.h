// Pushing an image of the store: its manifest and configuration as they came, byte for byte, so that its digests stay what they
// are.
//
// The store keeps layers unpacked. What the registry does not have yet is mounted from a repository beside, or brought over from
// where the image came from, by the names it has in the store. A layer that nobody has any more, or of an image that never had a
// manifest, is packed anew (images/pack.h): its tar, and so the image's id, stay the same; the manifest becomes another one. Up
// to four blobs are sent side by side (images/sender.h), while the next one is found.
#ifndef COFFER_IMAGES_PUSH_H
#define COFFER_IMAGES_PUSH_H

#include "images/copy.h"
#include "images/inflate.h"

struct store;

struct push_options {
    const struct store *store;
    const char *name;             // of the image in the store
    struct registry *registry;    // of the target
    struct registry *others;      // where layers may come from: what was allowed of the target is not allowed of these
    const struct image_ref *to;   // with a tag, or the image's own digest; with neither it is there by its digest alone
    int spool_fd;                 // a directory for files without a name
    enum compression compression; // of layers that are packed anew
    bool pack_all;                // and those that are somewhere, too
    void (*progress)(void *context, const char *digest, enum copy_state state, uint64_t done,
                     uint64_t size); // as copy_options has it
    void *progress_context;
};

// *ret_digest: the manifest's.
int push_image(const struct push_options *options, struct digest *ret_digest, struct err *err) MUST_CHECK;

#endif

// Where images are loaded from: OCI image layouts, as directories or archives, archives of `docker save`, and skopeo's directories.
//
//     a reference, of a registry that is open
//     an image of the store, to hand it on: its layers as the plain tars that they were
//     oci:DIR[:TAG]    oci-archive:FILE[:TAG]    docker-archive:FILE[:REFERENCE]    dir:DIR
//     PATH, which tells by itself    -, standard input
//
// A file that is a plain archive is read in place: one look at its headers, then blobs by pread(2). What cannot be read so, a pipe
// or a compressed archive, is first written to the staging directory. Everything in a source is foreign; manifests and
// configurations are verified here, layers while they are unpacked. A registry's layers are not opened here at all: they come by
// images/registry.h, straight to who unpacks them.
#ifndef COFFER_IMAGES_SOURCE_H
#define COFFER_IMAGES_SOURCE_H

#include "images/digest.h"
#include "images/inflate.h"
#include "images/ref.h"
#include "runtime/base/attr.h"
#include "specs/image_config.h"
#include "specs/image_manifest.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;
struct registry;
struct source;
struct store;

// A run of bytes of an open file. The source owns the descriptor.
struct source_blob {
    int fd; // -1: in the registry, or to be made of the store's
    uint64_t offset;
    uint64_t size;
};

struct source_layer {
    const char *name;             // for messages: its digest, or its name in the archive
    struct digest digest;         // of the blob; DIGEST_NONE: the archive does not say
    struct digest diff_id;        // as the configuration has it
    enum compression compression; // ANY: the archive does not say
    struct source_blob blob;
    const char *url; // where the manifest says that it is to be had as well; NULL: nowhere
};

// A document, byte for byte.
struct source_document {
    const char *text; // NULL: there is none
    size_t size;
    struct digest digest;
};

struct source_image {
    struct image_ref *names; // that the source gives it
    size_t names_count;
    struct source_document manifest; // of `docker save` there is none
    struct source_document document; // the configuration
    struct image_config config;
    struct source_layer *layers; // the lowest first; as many as diff ids
    size_t layers_count;
};

struct source_request {
    const char *text;          // as above
    struct registry *registry; // where `ref` is; NULL: text is not one
    const struct image_ref *ref;
    struct registry *beside;               // another one, whose transfers go on while this one is waited for; NULL: none
    const struct store *store; // where `text` is an image's name; NULL: it is not
    int input_fd;                          // what "-" stands for
    int spool_fd;                          // a directory for what must be written out; no name is left there
    const struct image_platform *platform; // NULL: this host's
};

// Whether the text names a file or directory, and no image of a registry: it has a word for the kind in front, or looks like a
// path.
bool source_is_file(const char *text);

// Opens it and looks at what it is.
int source_open(const struct source_request *request, struct source **ret_source, struct err *err) MUST_CHECK;

void source_close(struct source *source); // NULL is fine
void source_cleanup(struct source **source);
#define AUTO_SOURCE AUTO(source_cleanup)

// All images that are asked for, with verified manifests and configurations; at least one. Lists live in the arena, descriptors as
// long as the source. Errors name the source and the document.
int source_images(struct source *source, struct arena *arena, struct source_image **ret_images, size_t *ret_count,
                  struct err *err) MUST_CHECK;

// The sentence for a blob that is missing, but is said to be at an address. Nobody goes there: a manifest could name any, in a
// network that its maker does not reach himself. Returns -1.
int source_say_elsewhere(const char *url, struct err *err);

// --- byte for byte, for who hands it on ---

// The one manifest or index that the source stands for, with its media type. An archive of `docker save` has none: it is given an
// OCI manifest of what is in it.
struct source_root {
    struct source_document document;
    const char *media_type;
    const char *name;      // in the source: a tag, mostly; NULL: none
    const char *reference; // the image's whole name; NULL: none is known
};
int source_root(struct source *source, struct arena *arena, struct source_root *ret, struct err *err) MUST_CHECK;

// A manifest or index that another lists, verified.
int source_document(struct source *source, const struct image_descriptor *descriptor, struct arena *arena,
                    struct source_document *ret, struct err *err) MUST_CHECK;

// The best for the source's platform of what an index lists. NULL with err: there is none.
const struct image_descriptor *source_choose(const struct source *source, const struct image_descriptor *items, size_t count,
                                             struct err *err) MUST_CHECK;

// Any blob: only its size is verified where it lies in a file, also its digest where it comes from a registry, to a file without a
// name in the spool directory.
int source_blob(struct source *source, const struct image_descriptor *descriptor, struct source_blob *ret,
                struct err *err) MUST_CHECK;

// Any blob in pieces, without a copy of it on the way, whatever the source. Of what it says only the size is verified. NULL with
// err.
struct source_stream;
struct source_stream *source_stream_open(struct source *source, const struct image_descriptor *descriptor,
                                         struct err *err) MUST_CHECK;
int source_stream_next(struct source_stream *stream, const uint8_t **ret_data, size_t *ret_size, struct err *err) MUST_CHECK;
void source_stream_close(struct source_stream *stream); // NULL is fine

// The same for a process that reads by itself. source_stream_give(): the window of a file (*ret_give_pipe -1, the descriptor stays
// the source's), or a pipe, which is the caller's. The download that fills it goes on while source_stream_feed() is called whenever
// the descriptor of source_stream_wait_fd() (-1: no more) is readable or the time has come, and has proven whole when
// source_stream_feed_rest() says so.
void source_stream_give(struct source_stream *stream, struct source_blob *ret_window, int *ret_give_pipe);
int source_stream_wait_fd(const struct source_stream *stream, int *ret_timeout_ms);
int source_stream_feed(struct source_stream *stream, struct err *err) MUST_CHECK;
int source_stream_feed_rest(struct source_stream *stream, struct err *err) MUST_CHECK;

#endif

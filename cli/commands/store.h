// The store as image commands open it.
#ifndef COFFER_CLI_COMMANDS_STORE_H
#define COFFER_CLI_COMMANDS_STORE_H

#include "images/load.h"
#include "images/store.h"
#include "runtime/base/attr.h"
#include "specs/values.h"

struct context;
struct err;
struct image_ref;
struct registry;
struct table;

// Opens it, made where it is missing, and cleans up behind commands that died. An ordinary user's process is from here on in a user
// namespace of his own, where his layers' files belong to it; *ret_single_id, where wanted: it has only his own id.
int store_of(const struct context *context, struct store **ret_store, bool *ret_single_id, struct err *err) MUST_CHECK;

// The same, but only to look at it: what commands that died have left stays, to be seen.
int store_to_look_at(const struct context *context, struct store **ret_store, struct err *err) MUST_CHECK;

// The same for who examines it: nothing is made, changed or cleaned up by opening it, and one that is not there is ERR_NOT_FOUND.
int store_to_examine(const struct context *context, struct store **ret_store, bool *ret_single_id, struct err *err) MUST_CHECK;

// Each layer of an image that is loaded needs two or three descriptors, and the usual limit, 1024, is there for old programs that
// select(2).
void store_raise_descriptor_limit(void);

// Fills the columns of when something was made, "3 days ago" and "2001-02-03 04:05:06 +0000 UTC", from RFC 3339; "N/A" for NULL and
// what is no time.
void store_set_created(struct table *table, unsigned since, unsigned at, const char *created);

// `load` and `pull`: loads the source, shows how far it is on standard error unless quiet, and prints what came.
struct store_load {
    const char *source;
    struct registry *registry; // where `ref` is; NULL: the source is a file or a directory
    const struct image_ref *ref;
    const char *name;     // NULL: as the source says
    const char *platform; // NULL: this host's
    bool quiet;
    bool only_ids;                // print nothing but the images' ids
    bool events;                  // JSON in place of all words
    bool no_words;                // print nothing at all on standard output
    struct opt_i64 partial_after; // milliseconds; not set: the usual
};
int store_load(struct context *context, const struct store_load *load, struct err *err) MUST_CHECK;

struct store_wish {
    const char *image;
    const char *platform; // NULL: any that is there, and this host's of what is brought
    bool quiet;
};

// For commands that need an image by its name and go on: whether it is there; and brings it from its registry, in a process of its
// own, since that may change its user namespace.
bool store_has_image(const struct context *context, const char *image, const char *platform);
int store_bring(struct context *context, const struct store_wish *wish, struct err *err) MUST_CHECK;

#endif

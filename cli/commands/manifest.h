// What the commands of `coffer manifest` share: how they say what is said of an image, and how they reach its registries.
#ifndef COFFER_CLI_COMMANDS_MANIFEST_H
#define COFFER_CLI_COMMANDS_MANIFEST_H

#include "cli/options.h"
#include "cli/registry_session.h"
#include "images/list_source.h"
#include "runtime/base/attr.h"

struct context;
struct err;

// A member of a command's request; its rows: OPTION_ROWS(manifest_detail_rows, struct X, details, struct manifest_details).
struct manifest_details {
    const char *os, *architecture, *variant, *os_version;
    struct strv features, os_features, annotations;
};
extern const struct option_row manifest_detail_rows[];

// Words "NAME=VALUE".
int manifest_annotations(struct context *context, const struct strv *words, struct text_pair **ret, size_t *ret_count,
                         struct err *err) MUST_CHECK;

// Strings are those of the request, arrays in the context's arena.
int manifest_details_take(struct context *context, const struct manifest_details *details, struct list_details *ret,
                          struct err *err) MUST_CHECK;

// Opens a session for the registries of those words that are no images of the store. Before the store is opened.
int manifest_session_open(struct context *context, const struct registry_flags *flags, char *const *words,
                          struct registry_session *ret, struct err *err) MUST_CHECK;

// Reads a list before the store is opened for changes, whose user namespace is none to ask for logins in. Strings in the context's
// arena.
int manifest_read(struct context *context, const struct image_ref *ref, struct list *ret, struct err *err) MUST_CHECK;

// Finds the items for all words, NULL behind the last. `options` lacks registry and spool.
int manifest_find_items(struct context *context, const struct list_source_options *options, char *const *words,
                        struct list_item **ret_items, size_t *ret_count, struct err *err) MUST_CHECK;

// Prints the digest the list would be pushed with, as an OCI index.
int manifest_tell_digest(const struct list *list, struct err *err) MUST_CHECK;

#endif

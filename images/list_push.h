// Pushing a list: first what it lists, each by its digest, then the index under its name; so that a push that is broken off leaves
// images without a name and no list that leads nowhere.
#ifndef COFFER_IMAGES_LIST_PUSH_H
#define COFFER_IMAGES_LIST_PUSH_H

#include "images/copy.h"
#include "images/list.h"

struct list_push_options {
    const struct store *store;
    const struct list *list;
    struct registry *registry;  // of the target
    struct registry *others;    // where images may be: what was allowed of the target is not allowed of these
    const struct image_ref *to; // with a tag
    enum list_format format;
    bool only_index; // nothing is brought there: what is listed must be there
    int spool_fd;    // a directory for files without a name
    void (*progress)(void *context, const char *digest, enum copy_state state, uint64_t done,
                     uint64_t size); // as copy_options has it
    void *progress_context;
};

// *ret_digest: the index's.
int list_push(const struct list_push_options *options, struct digest *ret_digest, struct err *err) MUST_CHECK;

#endif

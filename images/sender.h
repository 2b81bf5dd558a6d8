// Blobs on their way into a repository, some side by side: who finds the next one does so while those before it are sent. Private
// to the room.
//
// It is a little theory of waiting: whatever else is waited for meanwhile (another registry, a packer) takes in the news of the
// sender's registry, too, by registry_wait_beside().
#ifndef COFFER_IMAGES_SENDER_H
#define COFFER_IMAGES_SENDER_H

#include "images/copy.h"
#include "images/digest.h"
#include "images/ref.h"
#include "runtime/base/attr.h"

#include <stdint.h>

struct err;
struct registry;
struct source_blob;

enum { SENDER_UPLOADS = 4 };

struct sender {
    struct registry *registry;
    const struct image_ref *to;
    void (*progress)(void *context, const char *digest, enum copy_state state, uint64_t done, uint64_t size); // NULL: not told
    void *progress_context;
    struct sender_job {
        struct sender *sender;
        struct registry_upload *upload; // NULL: free
        struct digest digest;
        int fd; // with a descriptor of our own
        uint64_t size;
    } jobs[SENDER_UPLOADS];
};

// Breaks off what is under way. One that is zeroed is fine.
void sender_finish(struct sender *sender);

// Waits until this blob is not under way: an image may name one twice, and then the registry has it.
int sender_settle(struct sender *sender, const struct digest *digest, struct err *err) MUST_CHECK;

// Begins to send a blob, after having waited for a place. The file is borrowed for this call only. An error may be another blob's.
int sender_add(struct sender *sender, const struct digest *digest, const struct source_blob *bytes, struct err *err) MUST_CHECK;

// Waits until all is there.
int sender_wait(struct sender *sender, struct err *err) MUST_CHECK;

#endif

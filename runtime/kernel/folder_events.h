// What happens in folders, told by one inotify(7) instance, of which a user has few: 128 unless the host says otherwise.
#ifndef COFFER_KERNEL_FOLDER_EVENTS_H
#define COFFER_KERNEL_FOLDER_EVENTS_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stdint.h>

struct err;

// Returns the descriptor, which polls as readable when something has happened; it does not block.
int folder_events_open(struct err *err) MUST_CHECK;

// Watches the folder for these events too (IN_MODIFY and the like). Returns the folder's number: for the same folder the same.
int folder_events_add(int events_fd, int dir_fd, uint32_t mask, struct err *err) MUST_CHECK;

struct folder_event {
    int folder;    // its number; -1: events were lost, anything may have happened anywhere
    uint32_t mask; // what
    bool itself;   // to the folder, not to a file in it
};

typedef void folder_event_fn(void *context, const struct folder_event *event);

// Hands over all there are.
void folder_events_take(int events_fd, folder_event_fn *take, void *context);

#endif

// dialogue: the runtime's side of the channel to init (init/channel.h), from the plan to where init waits for `start` or has become the
// command. The same for a container's first process and for those that `exec` adds. Internal to the room.
#ifndef COFFER_CONTAINER_DIALOGUE_H
#define COFFER_CONTAINER_DIALOGUE_H

#include "runtime/base/attr.h"

#include <stdbool.h>

struct channel_message;
struct container_plan;
struct err;

struct dialogue {
    int channel;
    const char *console_socket; // where the pty's master goes; NULL: it is kept in *console
    int *console;               // owned by whoever made the dialogue; -1 while there is none
    int (*namespaces_made)(void *context, struct err *err); // what the parent does before init goes on; NULL: nothing
    int (*listener_comes)(void *context, const struct channel_message *message, struct err *err); // answers a CHANNEL_LISTENER
    void *context;
};

// Sends the plan before there is an init to read it. 1 when it is sent, 0 when it is too large to wait in the channel's buffer.
int dialogue_offer_plan(int channel, const struct container_plan *plan, struct err *err) MUST_CHECK;

// Sends init its plan with the descriptors. When init is gone already, its last words are the error.
int dialogue_send_plan(int channel, const struct container_plan *plan, struct err *err) MUST_CHECK;

// Where sending to init failed with EPIPE: what init said before it ended, in place of that.
void dialogue_last_words(int channel, struct err *err);

// Serves init until it waits for `start` (*ret_ended false) or has closed the channel (true): it has become the command, or was killed.
// What init reports as an error is this function's.
int dialogue_serve(const struct dialogue *dialogue, bool *ret_ended, struct err *err) MUST_CHECK;

#endif

#include "runtime/container/init/init.h"

#include "runtime/base/err.h"
#include "runtime/container/init/channel.h"

#include <string.h>

int init_fd(const struct init *init, int32_t place) {
    return place >= 0 && (size_t)place < init->fd_count ? init->fds[place] : -1;
}

void init_send_error(const struct init *init, const struct err *err) {
    struct err ignored;
    if (channel_send(init->channel, CHANNEL_ERROR, err, sizeof(*err), NULL, 0, &ignored) < 0) {
        return; // nobody is left to tell
    }
}

void init_warn(const struct init *init, const char *text) {
    struct err ignored;
    if (channel_send(init->channel, CHANNEL_WARNING, text, strlen(text), NULL, 0, &ignored) < 0) {
        return; // nobody listens
    }
}

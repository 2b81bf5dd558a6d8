#include "runtime/container/init/init.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/container/init/channel.h"
#include "runtime/container/init/plan.h"
#include "runtime/kernel/sys.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int init_fd(const struct init *init, int32_t place) {
    return place >= 0 && (size_t)place < init->fd_count ? init->fds[place] : -1;
}

enum { LEFT_FDS_MAX = 48 }; // a default start needs 33; a low limit of the caller, 64, must do

void init_leave_fd(int *fd) {
    if (*fd >= LEFT_FDS_MAX) {
        fd_close(fd);
    }
}

static int compare_fds(const void *a, const void *b) {
    return *(const int *)a - *(const int *)b;
}

int init_close_used(struct init *init, struct err *err) {
    const struct init_plan *plan = init->plan;
    int kept[] = {init->channel, init->console_fd, init->label_fd, init_fd(init, plan->start_socket), init_fd(init, plan->created_lock)};
    qsort(kept, ARRAY_LEN(kept), sizeof(kept[0]), compare_fds);
    init->root_fd = init->proc_fd = -1;
    int next = STDERR_FILENO + 1 + (int)plan->process.kept_fds;
    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        if (kept[i] > next && sys_close_range((unsigned)next, (unsigned)kept[i] - 1, 0) < 0) {
            return err_sys(err, "close what the mounts needed");
        }
        next = kept[i] >= next ? kept[i] + 1 : next;
    }
    return sys_close_range((unsigned)next, UINT_MAX, 0) < 0 ? err_sys(err, "close what the mounts needed") : 0;
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

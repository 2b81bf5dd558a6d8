// Containers whose networks went with an ordinary user's commons, while they run on.
#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/container/container.h"
#include "runtime/engine/attachment.h"
#include "runtime/engine/commons.h"
#include "runtime/engine/commons_keeper.h"
#include "runtime/engine/home.h"
#include "runtime/engine/record.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

// A keeper that goes takes its socket away, and goes only where nobody has an interface; one that was killed leaves it.
bool commons_lack(const struct commons *commons, const struct home *home, const char *id) {
    unsigned status;
    pid_t pid;
    struct err gone;
    char path[48];
    if (commons->user_fd < 0) {
        return faccessat(home->live_fd, COMMONS_FOLDER "/keeper", F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT;
    }
    if (container_status(home->oci_root, id, &status, &pid, &gone) < 0 || pid <= 0) {
        return false;
    }
    snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
    AUTO_FD int user_fd = openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    return user_fd >= 0 && !commons_include(commons, user_fd);
}

static bool is_on_any(struct arena *arena, const char *networks) {
    struct attachment_list list = {0};
    struct err damaged;
    bool any = false;
    if (networks && attachment_list_read(networks, arena, &list, &damaged) == 0) {
        for (size_t i = 0; i < list.items_count; i++) {
            any = any || list.items[i].network_id;
        }
    }
    return any;
}

static bool is_looked_after(const struct home *home, struct arena *arena) {
    const char **ids;
    struct err err;
    if (record_list(home, arena, &ids, &err) < 0) {
        return false;
    }
    for (; *ids; ids++) {
        struct record record;
        if (record_is_running(home, *ids) && record_read(home, arena, *ids, &record, &err) == 0 &&
            is_on_any(arena, record.networks)) {
            return true;
        }
    }
    return false;
}

void commons_await_monitors(const struct home *home, bool (*is_there)(const struct home *home)) {
    enum { STEP_MS = 20 };
    AUTO_ARENA struct arena arena = {0};
    // A keeper that goes takes that file away.
    if (faccessat(home->live_fd, COMMONS_FOLDER "/anchor", F_OK, AT_SYMLINK_NOFOLLOW) < 0 || is_there(home) ||
        !is_looked_after(home, &arena)) {
        return;
    }
    for (int waited_ms = 0; waited_ms < COMMONS_MONITORS_MS && !is_there(home); waited_ms += STEP_MS) {
        (void)!poll(NULL, 0, STEP_MS);
    }
}

void commons_tell_losses(const struct commons *commons, const struct home *home) {
    AUTO_ARENA struct arena arena = {0};
    const char **ids;
    struct err err;
    if (record_list(home, &arena, &ids, &err) < 0) {
        return;
    }
    for (; *ids; ids++) {
        struct record record;
        if (record_read(home, &arena, *ids, &record, &err) < 0 || !is_on_any(&arena, record.networks)) {
            continue;
        }
        enum record_state state = record_state(home, &record);
        if ((state == RECORD_RUNNING || state == RECORD_PAUSED) && commons_lack(commons, home, *ids)) {
            log_warn("container %s has lost its networks, as the processes that kept them were killed; coffer restart %s",
                     record.name, record.name);
        }
    }
}

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/container/container.h"
#include "runtime/engine/home.h"
#include "runtime/engine/idrange.h"
#include "runtime/engine/record.h"
#include "runtime/engine/links.h"
#include "runtime/kernel/process.h"
#include "runtime/kernel/tree.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

// Files of a rootless container belong to subordinate ids: they are removed by a process that is root of a user namespace of those.
static int remove_as_root_inside(const struct home *home, const char *id, struct err *err) {
    AUTO_FD int userns = home_user_namespace(home, err);
    if (userns < 0) {
        return -1;
    }
    pid_t child = process_clone(0, -1, NULL);
    if (child < 0) {
        return err_sys(err, "start a process");
    }
    if (child == 0) {
        struct err inner = {0};
        bool removed = setns(userns, CLONE_NEWUSER) == 0 && setresgid(0, 0, 0) == 0 && setresuid(0, 0, 0) == 0 &&
                       tree_remove(home->containers_fd, id, &inner) == 0;
        _exit(removed ? 0 : 1);
    }
    int status;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        return err_set(err, ERR_SYSTEM, "remove the files of container %.12s", id);
    }
    return 0;
}

static void release_name(const struct home *home, const struct record *record) {
    char owner[RECORD_ID_SIZE];
    ssize_t length = record->name && *record->name ? readlinkat(home->names_fd, record->name, owner, sizeof(owner) - 1) : -1;
    if (length == RECORD_ID_SIZE - 1 && memcmp(owner, record->id, RECORD_ID_SIZE - 1) == 0) {
        unlinkat(home->names_fd, record->name, 0);
    }
}

// The order lets a sweep finish what is cut off anywhere. What was taken for the container is given back while the record still
// says what that is; then the record goes, and a folder without one is debris to any command that comes by.
int record_remove(const struct home *home, struct record_dir *dir, struct err *err) {
    AUTO_ARENA struct arena arena = {0};
    struct record record = {0};
    struct err unread;
    bool has_record = record_read(home, &arena, dir->id, &record, &unread) == 0;
    if (container_delete(home->oci_root, dir->id, true, err) < 0) {
        return -1;
    }
    if (has_record) {
        release_name(home, &record);
        if (record.has_range) {
            idrange_release(home->store_fd, dir->id, record.first_id);
        }
        unlinkat(dir->fd, "record.json", 0);
    } else {
        // Its making was cut off before there was a record: what it had taken is found by its owner.
        links_remove(home->names_fd, dir->id);
        idrange_release_all(home->store_fd, dir->id);
    }
    bool needs_namespace = home->rootless && !home->own.single_id;
    if ((needs_namespace ? remove_as_root_inside(home, dir->id, err) : tree_remove(home->containers_fd, dir->id, err)) < 0) {
        return err_in(err, "remove container %.12s", dir->id);
    }
    return 0;
}

static bool is_debris(const struct home *home, const char *id) {
    AUTO_ARENA struct arena arena = {0};
    struct record record;
    struct err ignored;
    return record_read(home, &arena, id, &record, &ignored) < 0 || record.remove;
}

void record_sweep(const struct home *home) {
    AUTO_ARENA struct arena arena = {0};
    const char **ids;
    struct err err;
    container_sweep(home->oci_root);
    if (record_list(home, &arena, &ids, &err) < 0) {
        log_warn("%s", err.text);
        return;
    }
    for (; *ids; ids++) {
        AUTO_RECORD_DIR struct record_dir dir = {.fd = -1};
        if (record_lock(home, *ids, &dir, &err) < 0 || !is_debris(home, *ids)) {
            continue;
        }
        if (record_remove(home, &dir, &err) < 0) {
            log_warn("%s", err.text);
        }
    }
}

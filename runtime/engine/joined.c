#include "runtime/engine/joined.h"

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/container/container.h"
#include "runtime/engine/aside.h"
#include "runtime/engine/home.h"
#include "runtime/engine/record.h"
#include "runtime/engine/request.h"
#include "runtime/engine/request_json.h"
#include "runtime/kernel/process.h"
#include "runtime/kernel/sys.h"

#include <errno.h>
#include <linux/magic.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>

static const char prefix[] = "container:";

void joined_finish(struct joined *joined) {
    fd_close(&joined->user);
    fd_close(&joined->pid);
    fd_close(&joined->ipc);
    fd_close(&joined->network);
    fd_close(&joined->shm);
}

const char *joined_container(const char *mode) {
    return mode && strncmp(mode, prefix, strlen(prefix)) == 0 ? mode + strlen(prefix) : NULL;
}

// --- when it is made ---

struct settling {
    const struct home *home;
    struct arena *arena;
    const char *flag; // whose ids they are
    struct record record;
};

static int check_shareable(const struct settling *settling, struct arena *arena, struct err *err) {
    struct run_request other;
    if (request_read_json(settling->record.request, arena, &other, err) < 0) {
        return -1;
    }
    bool shared = other.ipc && (strcmp(other.ipc, "shareable") == 0 || strcmp(other.ipc, "host") == 0 || joined_container(other.ipc));
    return shared ? 0
                  : err_set(err, ERR_INPUT, "--ipc container:%s: that keeps its IPC for itself; make it with --ipc shareable",
                            settling->record.name);
}

static int settle_one(struct settling *settling, const char *flag, const char **mode, struct err *err) {
    const char *name = joined_container(*mode);
    char id[RECORD_ID_SIZE];
    struct record record;
    if (!name) {
        return 0;
    }
    if (record_find(settling->home, name, id, err) < 0 || record_read(settling->home, settling->arena, id, &record, err) < 0) {
        return err_in(err, "%s", flag);
    }
    if (settling->flag && (record.has_range != settling->record.has_range || record.first_id != settling->record.first_id)) {
        return err_set(err, ERR_INPUT, "%s container:%s: that has other user ids than the container of %s; one can only have those of one",
                       flag, name, settling->flag);
    }
    settling->flag = flag;
    settling->record = record;
    *mode = arena_format(settling->arena, "%s%s", prefix, id);
    return strcmp(flag, "--ipc") == 0 ? check_shareable(settling, settling->arena, err) : 0;
}

// It is known by the other one's name for itself. Where that has the host's network, this is the host's, too.
static int settle_network(struct settling *settling, struct run_request *request, struct err *err) {
    struct run_request other;
    if (!joined_container(request->network)) {
        return 0;
    }
    if (request->hostname || request->publish.count > 0) {
        return err_set(err, ERR_INPUT, "--%s: is for the container of --network %s", request->hostname ? "hostname" : "publish", request->network);
    }
    if (settle_one(settling, "--network", &request->network, err) < 0 ||
        request_read_json(settling->record.request, settling->arena, &other, err) < 0) {
        return -1;
    }
    if (strcmp(other.network, "host") == 0) {
        request->network = "host";
    }
    request->hostname = other.hostname ? other.hostname : arena_format(settling->arena, "%.12s", settling->record.id);
    return 0;
}

// Where the other one has the host's user ids, or without root, where all have the caller's, there is no range to share.
int joined_settle(const struct home *home, struct run_request *request, struct arena *arena, bool *ret_shares, uint32_t *ret_first,
                  struct err *err) {
    struct settling settling = {.home = home, .arena = arena};
    bool said = request->userns && *request->userns && !joined_container(request->userns);
    if (settle_one(&settling, "--userns", &request->userns, err) < 0 || settle_one(&settling, "--pid", &request->pid, err) < 0 ||
        settle_one(&settling, "--ipc", &request->ipc, err) < 0 || settle_network(&settling, request, err) < 0) {
        return -1;
    }
    *ret_shares = false;
    if (!settling.flag) {
        return 0;
    }
    bool own = home->rootless || settling.record.has_range;
    if (said && (own || strcmp(request->userns, "host") != 0)) {
        return err_set(err, ERR_INPUT, "--userns %s: with %s container:%s it has the user ids of that; leave --userns out", request->userns,
                       settling.flag, settling.record.name);
    }
    if (request->privileged && own) {
        return err_set(err, ERR_INPUT, "--privileged: not with the user ids of container %s; make that with --userns host", settling.record.name);
    }
    request->userns = own ? arena_format(arena, "%s%s", prefix, settling.record.id) : "host";
    *ret_shares = settling.record.has_range;
    *ret_first = settling.record.first_id;
    return 0;
}

// --- when it is started ---

struct other {
    const char *id;
    int pidfd;
    pid_t pid;
};

static void other_finish(struct other *other) {
    fd_close(&other->pidfd);
}

static int not_running(const char *flag, const char *id, struct err *err) {
    return err_set(err, ERR_STATE, "%s container:%.12s: that does not run; start it first", flag, id);
}

// 0 where it does not run.
static pid_t look(const struct home *home, const char *id) {
    unsigned status;
    pid_t pid;
    struct err gone;
    bool known = container_status(home->oci_root, id, &status, &pid, &gone) == 0;
    return known && (status == OCI_STATUS_RUNNING || status == OCI_STATUS_PAUSED) ? pid : 0;
}

// The number may be another's by the time it is opened: so it is looked at again.
static int find_other(const struct home *home, const char *flag, struct other *other, struct err *err) {
    other->pid = look(home, other->id);
    if (other->pid == 0) {
        return not_running(flag, other->id, err);
    }
    other->pidfd = sys_pidfd_open(other->pid, 0);
    if (other->pidfd < 0 && errno != ESRCH) {
        return err_sys(err, "%s: find container %.12s", flag, other->id);
    }
    return other->pidfd < 0 || look(home, other->id) != other->pid ? not_running(flag, other->id, err) : 0;
}

static bool has_ended(const struct other *other) {
    struct pollfd end = {.fd = other->pidfd, .events = POLLIN};
    return poll(&end, 1, 0) != 0;
}

static int open_namespace(const struct other *other, const char *flag, const char *name, int *ret, struct err *err) {
    char path[48];
    snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)other->pid, name);
    *ret = open(path, O_RDONLY | O_CLOEXEC);
    if (*ret < 0 || has_ended(other)) {
        return *ret < 0 && errno != ENOENT ? err_sys(err, "%s: open the namespace of container %.12s", flag, other->id)
                                           : not_running(flag, other->id, err);
    }
    return 0;
}

struct shm {
    const struct other *other;
    int user_fd;
    bool rootless;
};

// A mount can be cloned only by who is in its namespace. It is made private there, as it may be of one that we may change nothing in.
static int clone_shm(void *context, struct err *err) {
    const struct shm *shm = context;
    struct mount_attr attr = {.propagation = MS_PRIVATE};
    bool there = (!shm->rootless || setns(shm->user_fd, CLONE_NEWUSER) == 0) && setns(shm->other->pidfd, CLONE_NEWNS) == 0;
    int tree = there ? sys_open_tree(AT_FDCWD, "/dev/shm", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW) : -1;
    return tree < 0 || sys_mount_setattr(tree, "", AT_EMPTY_PATH, &attr) < 0
               ? err_sys(err, "--ipc: open /dev/shm of container %.12s", shm->other->id)
               : tree;
}

static int open_shm(const struct other *other, int user_fd, bool rootless, int *ret, struct err *err) {
    struct shm shm = {.other = other, .user_fd = user_fd, .rootless = rootless};
    struct statfs file_system;
    *ret = aside_open(clone_shm, &shm, err);
    if (*ret < 0) {
        return -1;
    }
    return fstatfs(*ret, &file_system) == 0 && file_system.f_type == TMPFS_MAGIC
               ? 0
               : err_set(err, ERR_STATE, "--ipc: what is at /dev/shm of container %.12s is no memory", other->id);
}

// One namespace, "user", "pid" or "ipc", of the container that the mode names.
static int open_one(const struct home *home, const char *flag, const char *mode, const char *name, int *ret, struct err *err) {
    AUTO(other_finish) struct other other = {.id = joined_container(mode), .pidfd = -1};
    return !other.id || (find_other(home, flag, &other, err) == 0 && open_namespace(&other, flag, name, ret, err) == 0) ? 0 : -1;
}

static int open_memory(const struct home *home, const char *mode, struct joined *joined, struct err *err) {
    AUTO(other_finish) struct other other = {.id = joined_container(mode), .pidfd = -1};
    return !other.id || (find_other(home, "--ipc", &other, err) == 0 && open_shm(&other, joined->user, home->rootless, &joined->shm, err) == 0)
               ? 0
               : -1;
}

int joined_open(const struct home *home, const struct run_request *request, struct joined *ret, struct err *err) {
    return open_one(home, "--pid", request->pid, "pid", &ret->pid, err) < 0 ||
                   open_one(home, "--ipc", request->ipc, "ipc", &ret->ipc, err) < 0 ||
                   open_one(home, "--network", request->network, "net", &ret->network, err) < 0 ||
                   open_one(home, "--userns", request->userns, "user", &ret->user, err) < 0 ||
                   open_memory(home, request->ipc, ret, err) < 0
               ? -1
               : 0;
}

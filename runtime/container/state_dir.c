#include "runtime/container/state_dir.h"

#include "runtime/base/buf.h"
#include "runtime/base/dir.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/kernel/cgroup.h"
#include "runtime/kernel/process.h"
#include "runtime/kernel/tree.h"
#include "specs/json.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

void state_dir_finish(struct state_dir *dir) {
    fd_close(&dir->fd);
    fd_close(&dir->root_fd);
    if (dir->state_fd > 0) {
        fd_close(&dir->state_fd);
    }
    dir->state_fd = 0;
}

int container_id_check(const char *id, struct err *err) {
    static const char first[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-";
    static const char rest[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-.";
    size_t length = strlen(id);
    if (length == 0 || length > CONTAINER_ID_MAX || !strchr(first, id[0]) || strspn(id, rest) != length) {
        return err_set(err, ERR_INPUT, "container id \"%.64s\": expected 1 to %d letters, digits, _ + - or, not in front, .", id,
                       CONTAINER_ID_MAX);
    }
    return 0;
}

// The root and its parents are made as needed, for the owner alone.
static int open_root(const char *root, bool make, struct err *err) {
    int fd = openat(AT_FDCWD, root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT && make) {
        // An ordinary user's lies below XDG_RUNTIME_DIR, where only what is sticky is never cleaned away.
        mode_t mode = geteuid() == 0 ? 0711 : 01700;
        if (dir_make(root, mode, mode, err) < 0) {
            return -1;
        }
        fd = openat(AT_FDCWD, root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    return fd < 0 ? err_sys(err, "open the run-time directory %s", root) : fd;
}

static int not_found(const char *id, struct err *err) {
    return err_set(err, ERR_NOT_FOUND, "container \"%s\" does not exist", id);
}

enum new_folder { FOLDER_OURS, FOLDER_GONE, FOLDER_TAKEN, FOLDER_FAILED };

// Between making the folder and locking it, another command's sweep may take the empty folder for debris and remove it, and a third
// make it anew, which is then what we have opened. Whoever locks it first has it; the state that he writes at once tells the others.
static enum new_folder lock_new_folder(const struct state_dir *dir) {
    for (;;) {
        struct stat status;
        bool locked = flock(dir->fd, LOCK_EX | LOCK_NB) == 0;
        if ((!locked && errno != EWOULDBLOCK && errno != EINTR) || fstat(dir->fd, &status) < 0) {
            return FOLDER_FAILED;
        }
        if (status.st_nlink == 0) {
            return FOLDER_GONE;
        }
        if (faccessat(dir->fd, "state.json", F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
            return FOLDER_TAKEN;
        }
        if (locked) {
            return FOLDER_OURS;
        }
        poll(NULL, 0, 1); // the other one is about to write its state, or to remove the folder
    }
}

static int taken(const char *id, struct err *err) {
    return err_set(err, ERR_EXISTS, "container \"%s\" exists already; delete it or take another id", id);
}

void state_dir_settle(struct state_dir *dir) {
    pending_drop(dir->root_fd, dir->pending);
}

// A folder that could not be locked stays, and its note with it: the next command's sweep sees whose it is.
static int make_folder(struct state_dir *dir, struct err *err) {
    enum new_folder found = FOLDER_GONE;
    while (found == FOLDER_GONE) {
        fd_close(&dir->fd);
        if (mkdirat(dir->root_fd, dir->id, 0700) < 0) {
            int reason = errno;
            state_dir_settle(dir);
            return reason == EEXIST ? taken(dir->id, err) : err_num(err, reason, "make the directory of container \"%s\"", dir->id);
        }
        dir->fd = openat(dir->root_fd, dir->id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        found = dir->fd >= 0 ? lock_new_folder(dir) : errno == ENOENT ? FOLDER_GONE : FOLDER_FAILED;
    }
    if (found == FOLDER_TAKEN) {
        state_dir_settle(dir);
        return taken(dir->id, err);
    }
    return found == FOLDER_OURS ? 0 : err_sys(err, "lock the directory of container \"%s\"", dir->id);
}

int state_dir_create(const char *root, const char *id, struct state_dir *ret, struct err *err) {
    AUTO_STATE_DIR struct state_dir dir = {.root_fd = -1, .fd = -1};
    if (container_id_check(id, err) < 0) {
        return -1;
    }
    dir.root_fd = open_root(root, true, err);
    if (dir.root_fd < 0) {
        return -1;
    }
    snprintf(dir.id, sizeof(dir.id), "%s", id);
    if (pending_add(dir.root_fd, id, dir.pending, err) < 0) {
        return -1;
    }
    if (make_folder(&dir, err) < 0) {
        return -1;
    }
    *ret = dir;
    dir = (struct state_dir){.root_fd = -1, .fd = -1};
    return 0;
}

int state_dir_open(const char *root, const char *id, struct state_dir *ret, struct err *err) {
    AUTO_STATE_DIR struct state_dir dir = {.root_fd = -1, .fd = -1};
    if (container_id_check(id, err) < 0) {
        return -1;
    }
    dir.root_fd = open_root(root, false, err);
    if (dir.root_fd < 0) {
        return err->errnum == ENOENT ? not_found(id, err) : -1;
    }
    snprintf(dir.id, sizeof(dir.id), "%s", id);
    dir.fd = openat(dir.root_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir.fd < 0) {
        return errno == ENOENT ? not_found(id, err) : err_sys(err, "open directory %s/%s", root, id);
    }
    *ret = dir;
    dir = (struct state_dir){.root_fd = -1, .fd = -1};
    return 0;
}

int state_dir_lock(struct state_dir *dir, bool wait, struct err *err) {
    int result;
    do {
        result = flock(dir->fd, LOCK_EX | (wait ? 0 : LOCK_NB));
    } while (result < 0 && errno == EINTR);
    if (result < 0) {
        return errno == EWOULDBLOCK ? err_set(err, ERR_STATE, "container \"%s\" is in use by another command", dir->id)
                                    : err_sys(err, "lock container \"%s\"", dir->id);
    }
    struct stat status;
    if (fstat(dir->fd, &status) < 0) {
        return err_sys(err, "look at the directory of container \"%s\"", dir->id);
    }
    // Whoever held the lock may have removed the folder.
    return status.st_nlink == 0 ? not_found(dir->id, err) : 0;
}

// Line 1 has room to grow: what is not known at first (the process, the cgroup) is filled in without moving the rest.
enum { LINE_ROOM = 768, LINE_USUAL_BYTES = 2048, STATE_USUAL_BYTES = 8192, STATE_MAX_BYTES = 5 << 20 };

static int format_record(const struct state_dir *dir, const struct container_record *record, struct buf *line, struct err *err) {
    json_t *object = json_pack("{s:s, s:s?, s:s?, s:s?, s:I, s:I, s:i, s:b, s:b, s:b, s:s?, s:s?, s:s*, s:s?, s:s*}", "id", dir->id, "bundle",
                               record->bundle, "rootfs", record->rootfs, "created", record->created, "pid", (json_int_t)record->pid,
                               "startTime", (json_int_t)record->start_time, "owner", (int)record->owner, "ownPids", record->own_pids,
                               "attached", record->attached, "reaper", record->reaper, "cgroupManager", record->cgroup_manager,
                               "cgroupPath", record->cgroup_path, "cgroupThere", record->cgroup_there, "cgroup", record->cgroup, "rdt", record->rdt);
    int printed = object ? json_print(object, JSON_COMPACT, line) : -1;
    json_decref(object);
    return printed < 0 ? err_set(err, ERR_INPUT, "container \"%s\": a path of it is not valid UTF-8", dir->id) : 0;
}

// The cgroup's record repeats its path for each hierarchy.
static size_t line_room(const struct container_record *record) {
    return LINE_ROOM + (record->cgroup_path ? CGROUP_MAX_HIERARCHIES * strlen(record->cgroup_path) : 0);
}

static void pad_line(struct buf *line, size_t size) {
    while (line->size + 1 < size) {
        buf_add_char(line, ' ');
    }
    buf_add_char(line, '\n');
}

int state_dir_write(struct state_dir *dir, const struct container_record *record, const char *config, size_t config_size,
                    struct err *err) {
    char room[STATE_USUAL_BYTES];
    AUTO_BUF struct buf text = BUF_IN(room);
    if (format_record(dir, record, &text, err) < 0) {
        return -1;
    }
    pad_line(&text, text.size + line_room(record));
    buf_add(&text, config, config ? config_size : 0);
    AUTO_FD int fd = openat(dir->fd, "state.json", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 || fd_write_all(fd, text.data, text.size) < 0) {
        return err_sys(err, "write the state of container \"%s\"", dir->id);
    }
    dir->state_fd = fd_take(&fd);
    return 0;
}

int state_dir_complete(const struct state_dir *dir, const struct container_record *record, struct err *err) {
    char first_room[LINE_USUAL_BYTES], line_text[LINE_USUAL_BYTES];
    AUTO_BUF struct buf first = BUF_IN(first_room);
    AUTO_BUF struct buf line = BUF_IN(line_text);
    struct container_record before = *record;
    before.pid = 0;
    before.start_time = 0;
    before.attached = true;
    before.cgroup = NULL;
    if (format_record(dir, &before, &first, err) < 0 || format_record(dir, record, &line, err) < 0) {
        return -1;
    }
    size_t size = first.size + line_room(record);
    if (line.size >= size) {
        return err_set(err, ERR_INPUT, "the state of container \"%s\" is too long", dir->id);
    }
    pad_line(&line, size);
    AUTO_FD int opened = dir->state_fd > 0 ? -1 : openat(dir->fd, "state.json", O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    int fd = dir->state_fd > 0 ? dir->state_fd : opened;
    if (fd < 0 || pwrite(fd, line.data, line.size, 0) != (ssize_t)line.size) {
        return err_sys(err, "write the state of container \"%s\"", dir->id);
    }
    return 0;
}

static const char *copy_member(struct arena *arena, const json_t *object, const char *name) {
    const char *text = json_string_value(json_object_get(object, name));
    return text ? arena_copy_string(arena, text) : NULL;
}

static int read_state(const struct state_dir *dir, char **ret_text, size_t *ret_size, struct err *err) {
    if (fd_read_file(dir->fd, "state.json", STATE_MAX_BYTES, ret_text, ret_size, err) < 0) {
        if (err->errnum == ENOENT) {
            return err_set(err, ERR_STATE, "container \"%s\" is being created, or its creation was cut off", dir->id);
        }
        return err_in(err, "container \"%s\"", dir->id);
    }
    return 0;
}

// The configuration stands behind the first line.
static void copy_config(const char *text, size_t size, char **ret_text, size_t *ret_size) {
    const char *newline = memchr(text, '\n', size);
    size_t skipped = newline ? (size_t)(newline - text) + 1 : size;
    *ret_size = size - skipped;
    *ret_text = NULL;
    if (*ret_size > 0) {
        *ret_text = mem_alloc(*ret_size + 1);
        memcpy(*ret_text, text + skipped, *ret_size);
    }
}

bool container_record_decode(const char *text, size_t size, struct arena *arena, struct container_record *ret) {
    const char *newline = memchr(text, '\n', size);
    json_seed();
    json_t *object = json_loadb(text, newline ? (size_t)(newline - text) : 0, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(object)) {
        json_decref(object);
        return false;
    }
    *ret = (struct container_record){
        .bundle = copy_member(arena, object, "bundle"),
        .rootfs = copy_member(arena, object, "rootfs"),
        .created = copy_member(arena, object, "created"),
        .pid = json_integer_value(json_object_get(object, "pid")),
        .start_time = (uint64_t)json_integer_value(json_object_get(object, "startTime")),
        .owner = (uint32_t)json_integer_value(json_object_get(object, "owner")),
        .own_pids = json_is_true(json_object_get(object, "ownPids")),
        .attached = json_is_true(json_object_get(object, "attached")),
        .cgroup_manager = copy_member(arena, object, "cgroupManager"),
        .reaper = json_is_true(json_object_get(object, "reaper")),
        .cgroup_path = copy_member(arena, object, "cgroupPath"),
        .cgroup_there = copy_member(arena, object, "cgroupThere"),
        .cgroup = copy_member(arena, object, "cgroup"),
        .rdt = copy_member(arena, object, "rdt"),
    };
    json_decref(object);
    return true;
}

static int parse_record(const struct state_dir *dir, const char *text, size_t size, struct arena *arena, struct container_record *ret,
                        struct err *err) {
    if (!container_record_decode(text, size, arena, ret)) {
        return err_set(err, ERR_STATE, "container \"%s\" is being created, or its creation was cut off", dir->id);
    }
    return 0;
}

int state_dir_read_config(const struct state_dir *dir, char **ret_text, size_t *ret_size, struct err *err) {
    AUTO_FREE char *text = NULL;
    size_t size;
    if (read_state(dir, &text, &size, err) < 0) {
        return -1;
    }
    copy_config(text, size, ret_text, ret_size);
    return 0;
}

int state_dir_read(const struct state_dir *dir, struct arena *arena, struct container_record *ret, struct err *err) {
    AUTO_FREE char *text = NULL;
    size_t size;
    return read_state(dir, &text, &size, err) < 0 ? -1 : parse_record(dir, text, size, arena, ret, err);
}

int state_dir_read_both(const struct state_dir *dir, struct arena *arena, struct container_record *ret, char **ret_text, size_t *ret_size,
                        struct err *err) {
    AUTO_FREE char *text = NULL;
    size_t size;
    if (read_state(dir, &text, &size, err) < 0 || parse_record(dir, text, size, arena, ret, err) < 0) {
        return -1;
    }
    copy_config(text, size, ret_text, ret_size);
    return 0;
}

// The mark costs one system call: the sticky bit, which means nothing on a folder that only its owner can enter.
int state_dir_mark_whole(const struct state_dir *dir, struct err *err) {
    return fchmod(dir->fd, 0700 | S_ISVTX) < 0 ? err_sys(err, "mark container \"%s\" as made", dir->id) : 0;
}

bool state_dir_is_whole(const struct state_dir *dir, const struct container_record *record) {
    struct stat status;
    return !record->attached || (fstat(dir->fd, &status) == 0 && (status.st_mode & S_ISVTX) != 0);
}

// The folder is ours and flat. What it holds is known: looking is only for what an older or newer version put there.
static int remove_folder(const struct state_dir *dir, struct err *err) {
    unlinkat(dir->fd, "state.json", 0);
    if (unlinkat(dir->root_fd, dir->id, AT_REMOVEDIR) == 0 || errno == ENOENT) {
        return 0;
    }
    AUTO_DIR DIR *stream = dir_stream(dir->fd);
    if (!stream) {
        return err_sys(err, "read the directory of container \"%s\"", dir->id);
    }
    for (const struct dirent *entry = dir_next(stream); entry; entry = dir_next(stream)) {
        int reason = unlinkat(dir->fd, entry->d_name, 0) < 0 ? errno : 0;
        if (reason == EISDIR && tree_remove(dir->fd, entry->d_name, err) < 0) {
            return -1;
        }
        if (reason != 0 && reason != EISDIR && reason != ENOENT) {
            return err_num(err, reason, "remove %s of container \"%s\"", entry->d_name, dir->id);
        }
    }
    if (unlinkat(dir->root_fd, dir->id, AT_REMOVEDIR) < 0 && errno != ENOENT) {
        return err_sys(err, "remove the directory of container \"%s\"", dir->id);
    }
    return 0;
}

int state_dir_remove(struct state_dir *dir, struct err *err) {
    if ((dir->pending[0] == '\0' && pending_add(dir->root_fd, dir->id, dir->pending, err) < 0) || remove_folder(dir, err) < 0) {
        return -1;
    }
    state_dir_settle(dir);
    return 0;
}

// Asked through a descriptor of its own: a lock that the caller holds would be changed by the asking.
bool state_dir_is_locked(const struct state_dir *dir) {
    AUTO_FD int fd = openat(dir->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

// Whether the process still is our init (launch.c), which becomes the container's command at the end.
static bool is_init(pid_t pid) {
    static const char image[] = "/memfd:coffer-init";
    char path[32], target[sizeof(image)];
    snprintf(path, sizeof(path), "/proc/%d/exe", pid);
    ssize_t size = readlink(path, target, sizeof(target));
    return size >= (ssize_t)strlen(image) && memcmp(target, image, strlen(image)) == 0;
}

enum oci_status state_dir_status(const struct state_dir *dir, const struct container_record *record) {
    if (record->pid == 0) {
        return state_dir_is_locked(dir) ? OCI_STATUS_CREATING : OCI_STATUS_STOPPED;
    }
    bool ending = false;
    uint64_t started = record->pid < 0 ? 0 : process_look((pid_t)record->pid, &ending);
    // What cannot be asked for is taken to live: nothing is lost by that.
    if (record->pid < 0 || record->start_time == 0 || (started != record->start_time && (started != 0 || errno == ESRCH))) {
        return OCI_STATUS_STOPPED;
    }
    // Its parent may take long to wait for a command of `exec`. Nothing of the container runs then, and nothing can be done with it.
    if (record->own_pids && ending) {
        return OCI_STATUS_STOPPED;
    }
    AUTO_FD int created = openat(dir->fd, "created", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (created >= 0 && flock(created, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK) {
        return record->attached ? OCI_STATUS_CREATING : OCI_STATUS_CREATED;
    }
    // A `run` in the foreground has no `created`. Once it is whole a command that looks like our init only pretends, not to be killed.
    bool starting = created < 0 && record->attached && !record->reaper && !state_dir_is_whole(dir, record) && is_init((pid_t)record->pid);
    return starting ? OCI_STATUS_CREATING : OCI_STATUS_RUNNING;
}

// A path in sockaddr_un is short: the folder is named by its descriptor.
static void socket_address(const struct state_dir *dir, struct sockaddr_un *address) {
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(address->sun_path, sizeof(address->sun_path), "/proc/self/fd/%d/init.sock", dir->fd);
}

int state_dir_listen(const struct state_dir *dir, struct err *err) {
    struct sockaddr_un address;
    socket_address(dir, &address);
    AUTO_FD int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (const struct sockaddr *)&address, sizeof(address)) < 0 || listen(listener, 4) < 0) {
        return err_sys(err, "make the start socket of container \"%s\"", dir->id);
    }
    return fd_take(&listener);
}

int state_dir_connect(const struct state_dir *dir, struct err *err) {
    struct sockaddr_un address;
    socket_address(dir, &address);
    AUTO_FD int peer = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (peer < 0 || connect(peer, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        return err_sys(err, "reach the init of container \"%s\"", dir->id);
    }
    return fd_take(&peer);
}

int state_dir_lock_created(const struct state_dir *dir, struct err *err) {
    AUTO_FD int created = openat(dir->fd, "created", O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (created < 0 || flock(created, LOCK_EX | LOCK_NB) < 0) {
        return err_sys(err, "mark container \"%s\" as created", dir->id);
    }
    return fd_take(&created);
}

int state_dir_hide_created(const struct state_dir *dir, bool hide, struct err *err) {
    static const char *const names[] = {"created", "created.paused"};
    if (renameat(dir->fd, names[!hide], dir->fd, names[hide]) < 0 && errno != ENOENT) {
        return err_sys(err, "rename %s of container \"%s\"", names[!hide], dir->id);
    }
    return 0;
}

void state_dir_wait_started(const struct state_dir *dir) {
    AUTO_FD int created = openat(dir->fd, "created", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    while (created >= 0 && flock(created, LOCK_SH) < 0 && errno == EINTR) {
    }
}

static const char frozen_name[] = "frozen";

int state_dir_mark_frozen(const struct state_dir *dir, bool mark, struct err *err) {
    int result = mark ? mknodat(dir->fd, frozen_name, S_IFREG | 0600, 0) : unlinkat(dir->fd, frozen_name, 0);
    if (result < 0 && errno != (mark ? EEXIST : ENOENT)) {
        return err_sys(err, "mark container \"%s\" as frozen", dir->id);
    }
    return 0;
}

bool state_dir_is_marked_frozen(const struct state_dir *dir) {
    return faccessat(dir->fd, frozen_name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

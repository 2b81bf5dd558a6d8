#include "runtime/engine/record.h"

#include "runtime/base/buf.h"
#include "runtime/base/dir.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/container/container.h"
#include "runtime/engine/home.h"
#include "runtime/engine/links.h"
#include "runtime/engine/live.h"
#include "runtime/engine/names.h"
#include "specs/json.h"
#include "specs/json_write.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

void record_dir_finish(struct record_dir *dir) {
    fd_close(&dir->fd);
}

// --- names ---

bool record_exists(const struct home *home, const char *id) {
    struct stat status;
    return fstatat(home->containers_fd, id, &status, AT_SYMLINK_NOFOLLOW) == 0;
}

static int take_name(const struct home *home, const char *name, const char *id, struct err *err) {
    for (int attempt = 0; attempt < 2; attempt++) {
        char owner[RECORD_ID_SIZE];
        if (links_make(home->names_fd, name, id) == 0) {
            return 0;
        }
        if (errno != EEXIST) {
            return err_sys(err, "take the name \"%s\"", name);
        }
        if (!links_read(home->names_fd, name, owner)) {
            return err_set(err, ERR_EXISTS, "the name \"%s\" is taken; choose another", name);
        }
        record_repair_live(home, owner); // a container with --rm whose monitor was killed
        if (record_exists(home, owner)) {
            return err_set(err, ERR_EXISTS,
                           "the name \"%s\" is taken by container %.12s; remove that (coffer rm %s) or choose another", name, owner,
                           name);
        }
        unlinkat(home->names_fd, name, 0); // its container is gone
    }
    return err_set(err, ERR_EXISTS, "the name \"%s\" is taken", name);
}

static int check_name(const char *name, struct err *err) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    size_t length = strlen(name);
    if (length < 2 || length > 128 || strspn(name, allowed) != length || strchr("_.-", name[0])) {
        return err_set(err, ERR_INPUT,
                       "container name \"%s\": expected 2 to 128 letters, digits, _ . or -, a letter or digit in front", name);
    }
    return 0;
}

// --- the folder ---

static int make_id(char id[RECORD_ID_SIZE], struct err *err) {
    unsigned char bytes[32];
    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes)) {
        return err_sys(err, "get random bytes for an id");
    }
    for (size_t i = 0; i < sizeof(bytes); i++) {
        snprintf(id + 2 * i, 3, "%02x", bytes[i]);
    }
    return 0;
}

static int open_locked(const struct home *home, const char *id, int flags) {
    AUTO_FD int fd = openat(home->containers_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || flock(fd, LOCK_EX | flags) < 0) {
        return -1;
    }
    struct stat status;
    if (fstat(fd, &status) < 0 || status.st_nlink == 0) {
        errno = ENOENT;
        return -1;
    }
    return fd_take(&fd);
}

int record_open_folder(const struct home *home, const char *id, struct err *err) {
    int fd = openat(home->containers_fd, id, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd >= 0           ? fd
           : errno == ENOENT ? err_set(err, ERR_STATE, "the container was removed meanwhile")
                             : err_sys(err, "open the folder of container %.12s", id);
}

// The record goes first (record_remove()).
int record_check_kept(void *folder_fd, struct err *err) {
    struct stat status;
    return fstatat(*(const int *)folder_fd, "record.json", &status, AT_SYMLINK_NOFOLLOW) == 0
               ? 0
               : err_set(err, ERR_STATE, "the container was removed meanwhile");
}

int record_create(const struct home *home, struct arena *arena, const char *name, struct record_dir *ret_dir, const char **ret_name,
                  struct err *err) {
    AUTO_RECORD_DIR struct record_dir dir = {.fd = -1};
    if ((name && check_name(name, err) < 0) || make_id(dir.id, err) < 0 || live_make(home, dir.id, err) < 0) {
        return -1;
    }
    // A sweep that comes between the two calls may remove the empty folder: it is made again then.
    while (dir.fd < 0) {
        if (mkdirat(home->containers_fd, dir.id, 0711) < 0) {
            return err_sys(err, "make the folder of the container");
        }
        dir.fd = open_locked(home, dir.id, 0);
        if (dir.fd < 0 && errno != ENOENT) {
            return err_sys(err, "lock the folder of the container");
        }
    }
    const char *chosen = name ? name : names_make_up(arena, dir.id, 0);
    int result = take_name(home, chosen, dir.id, err);
    for (unsigned attempt = 1; result < 0 && !name && err->kind == ERR_EXISTS && attempt < 100; attempt++) {
        chosen = names_make_up(arena, dir.id, attempt);
        result = take_name(home, chosen, dir.id, err);
    }
    if (result < 0) {
        unlinkat(home->containers_fd, dir.id, AT_REMOVEDIR);
        live_remove(home, dir.id);
        return -1;
    }
    *ret_name = arena_copy_string(arena, chosen);
    *ret_dir = dir;
    dir.fd = -1;
    return 0;
}

int record_lock(const struct home *home, const char *id, struct record_dir *ret_dir, struct err *err) {
    struct record_dir dir = {.fd = open_locked(home, id, LOCK_NB)};
    if (dir.fd < 0) {
        return errno == EWOULDBLOCK ? err_set(err, ERR_STATE, "container %.12s is running", id)
                                    : err_sys(err, "lock the folder of container %.12s", id);
    }
    snprintf(dir.id, sizeof(dir.id), "%s", id);
    *ret_dir = dir;
    return 0;
}

bool record_is_running(const struct home *home, const char *id) {
    AUTO_FD int fd = openat(home->containers_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

// --- record.json ---

static const char *or_empty(const char *text, const char *empty) {
    return text ? text : empty;
}

int record_write(const struct record_dir *dir, const struct record *record, struct err *err) {
    AUTO_BUF struct buf text = {0};
    struct json_writer writer = {.buf = &text};
    json_write_open(&writer, NULL, '{');
    json_write_string(&writer, "id", dir->id);
    json_write_string(&writer, "name", or_empty(record->name, ""));
    json_write_string(&writer, "image", or_empty(record->image, ""));
    json_write_string(&writer, "imageId", or_empty(record->image_id, ""));
    json_write_string(&writer, "command", or_empty(record->command, ""));
    json_write_string(&writer, "user", or_empty(record->user, ""));
    json_write_i64(&writer, "created", record->created_s);
    json_write_i64(&writer, "createdNs", record->created_ns);
    json_write_i64(&writer, "started", record->started_s);
    json_write_i64(&writer, "finished", record->finished_s);
    json_write_i64(&writer, "exitCode", record->exit_code);
    json_write_i64(&writer, "pid", record->pid);
    json_write_i64(&writer, "restarts", record->restarts);
    json_write_bool(&writer, "exitUnknown", record->exit_unknown);
    json_write_bool(&writer, "hasStarted", record->started);
    json_write_i64(&writer, "exitSignal", record->exit_signal);
    json_write_bool(&writer, "outOfMemory", record->out_of_memory);
    json_write_i64(&writer, "memoryLimit", record->memory_limit_bytes);
    json_write_i64(&writer, "systemCall", record->system_call);
    json_write_string(&writer, "systemCallName", or_empty(record->system_call_name, ""));
    json_write_bool(&writer, "stopped", record->stopped);
    json_write_bool(&writer, "restarting", record->restarting);
    json_write_bool(&writer, "remove", record->remove);
    json_write_bool(&writer, "hasRange", record->has_range);
    json_write_i64(&writer, "firstId", record->first_id);
    json_write_literal(&writer, "request", or_empty(record->request, "{}"));
    json_write_literal(&writer, "mounts", or_empty(record->mounts, "[]"));
    json_write_literal(&writer, "networks", or_empty(record->networks, "{}"));
    json_write_close(&writer, '}');
    return fd_replace_file(dir->fd, "record.json", text.data, text.size, 0600, err);
}

int record_rename(const struct home *home, const struct record_dir *dir, struct record *record, const char *name, struct err *err) {
    struct record changed = *record;
    changed.name = name;
    if (check_name(name, err) < 0 || take_name(home, name, dir->id, err) < 0) {
        return -1;
    }
    if (record_write(dir, &changed, err) < 0) {
        links_release(home->names_fd, name, dir->id);
        return -1;
    }
    links_release(home->names_fd, record->name, dir->id);
    *record = changed;
    return 0;
}

static const char *copy_member(struct arena *arena, const json_t *object, const char *name) {
    const char *text = json_string_value(json_object_get(object, name));
    return arena_copy_string(arena, text ? text : "");
}

// A member as text again.
static const char *copy_text(struct arena *arena, const json_t *object, const char *name) {
    AUTO_BUF struct buf text = {0};
    const json_t *member = json_object_get(object, name);
    return member && json_print(member, JSON_COMPACT, &text) == 0 ? arena_copy_string(arena, buf_string(&text)) : "{}";
}

static int64_t number(const json_t *object, const char *name) {
    return json_integer_value(json_object_get(object, name));
}

int record_read(const struct home *home, struct arena *arena, const char *id, struct record *ret, struct err *err) {
    char path[NAME_MAX + 1];
    AUTO_FREE char *text = NULL;
    size_t size;
    snprintf(path, sizeof(path), "%s/record.json", id);
    if (fd_read_file(home->containers_fd, path, 1 << 20, &text, &size, err) < 0) {
        return err_in(err, "container %.12s", id);
    }
    json_t *object = json_loadb(text, size, 0, NULL);
    if (!json_is_object(object)) {
        json_decref(object);
        return err_set(err, ERR_CORRUPT, "container %.12s: record.json is damaged", id);
    }
    *ret = (struct record){
        .name = copy_member(arena, object, "name"),
        .image = copy_member(arena, object, "image"),
        .image_id = copy_member(arena, object, "imageId"),
        .command = copy_member(arena, object, "command"),
        .user = copy_member(arena, object, "user"),
        .request = copy_text(arena, object, "request"),
        .mounts = copy_text(arena, object, "mounts"),
        .networks = copy_text(arena, object, "networks"),
        .created_s = number(object, "created"),
        .created_ns = number(object, "createdNs"),
        .started_s = number(object, "started"),
        .finished_s = number(object, "finished"),
        .exit_code = (int)number(object, "exitCode"),
        .pid = number(object, "pid"),
        .restarts = number(object, "restarts"),
        .exit_unknown = json_is_true(json_object_get(object, "exitUnknown")),
        .started = json_is_true(json_object_get(object, "hasStarted")),
        .exit_signal = (int)number(object, "exitSignal"),
        .out_of_memory = json_is_true(json_object_get(object, "outOfMemory")),
        .memory_limit_bytes = number(object, "memoryLimit"),
        .system_call = (int)number(object, "systemCall"),
        .system_call_name = copy_member(arena, object, "systemCallName"),
        .stopped = json_is_true(json_object_get(object, "stopped")),
        .restarting = json_is_true(json_object_get(object, "restarting")),
        .remove = json_is_true(json_object_get(object, "remove")),
        .has_range = json_is_true(json_object_get(object, "hasRange")),
        .first_id = (uint32_t)number(object, "firstId"),
    };
    snprintf(ret->id, sizeof(ret->id), "%s", id);
    json_decref(object);
    return 0;
}

int record_order(const struct record *left, const struct record *right) {
    return left->created_s != right->created_s ? (left->created_s < right->created_s ? -1 : 1)
           : left->created_ns != right->created_ns ? (left->created_ns < right->created_ns ? -1 : 1)
                                                   : 0;
}

static const char *const state_names[] = {
    [RECORD_CREATED] = "created",       [RECORD_RUNNING] = "running", [RECORD_PAUSED] = "paused",
    [RECORD_RESTARTING] = "restarting", [RECORD_EXITED] = "exited",
};
static_assert(ARRAY_LEN(state_names) == RECORD_STATE_COUNT, "a state without a name");

const char *record_state_name(enum record_state state) {
    return state_names[state];
}

enum record_state record_state(const struct home *home, const struct record *record) {
    unsigned status;
    struct err gone;
    bool attended = record_is_running(home, record->id);
    if (!attended && !record->started) {
        return RECORD_CREATED;
    }
    if (attended && record->restarting) {
        return RECORD_RESTARTING;
    }
    // Without a monitor it may run all the same.
    if (container_status(home->oci_root, record->id, &status, NULL, &gone) < 0) {
        return attended ? (record->started ? RECORD_RUNNING : RECORD_CREATED) : RECORD_EXITED;
    }
    // Whose monitor is there has not ended before that says so: it may be about to start it again.
    bool ended = status == OCI_STATUS_STOPPED && !attended;
    return status == OCI_STATUS_PAUSED ? RECORD_PAUSED : ended ? RECORD_EXITED : RECORD_RUNNING;
}

// --- finding ---

int record_list(const struct home *home, struct arena *arena, const char ***ret_ids, struct err *err) {
    AUTO_DIR DIR *stream = dir_stream(home->containers_fd);
    if (!stream) {
        return err_sys(err, "read the store's folder of containers");
    }
    size_t count = 0, room = 64;
    const char **ids = arena_array(arena, room + 1, sizeof(*ids));
    for (const struct dirent *entry = dir_next(stream); entry; entry = dir_next(stream)) {
        if (strlen(entry->d_name) != RECORD_ID_SIZE - 1) {
            continue;
        }
        if (count == room) {
            const char **larger = arena_array(arena, 2 * room + 1, sizeof(*ids));
            memcpy(larger, ids, count * sizeof(*ids));
            ids = larger;
            room *= 2;
        }
        ids[count++] = arena_copy_string(arena, entry->d_name);
    }
    *ret_ids = ids;
    return 0;
}

int record_find(const struct home *home, const char *text, char ret_id[RECORD_ID_SIZE], struct err *err) {
    AUTO_ARENA struct arena arena = {0};
    const char **ids, *found = NULL;
    if (*text && !strchr(text, '/') && text[0] != '.' && links_read(home->names_fd, text, ret_id) && record_exists(home, ret_id)) {
        return 0;
    }
    size_t length = strlen(text);
    if (length == RECORD_ID_SIZE - 1 && !strchr(text, '/') && record_exists(home, text)) {
        snprintf(ret_id, RECORD_ID_SIZE, "%s", text);
        return 0;
    }
    if (record_list(home, &arena, &ids, err) < 0) {
        return -1;
    }
    for (; length > 0 && *ids; ids++) {
        if (strncmp(*ids, text, length) != 0) {
            continue;
        }
        if (found) {
            return err_set(err, ERR_INPUT, "more than one container has an id that begins with \"%s\"", text);
        }
        found = *ids;
    }
    if (!found) {
        return err_set(err, ERR_NOT_FOUND, "no container is named \"%s\"; coffer ps --all lists them", text);
    }
    snprintf(ret_id, RECORD_ID_SIZE, "%s", found);
    return 0;
}

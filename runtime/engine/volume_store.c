#include "runtime/engine/volume_store.h"

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/dir.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/base/strv.h"
#include "runtime/engine/event_log.h"
#include "runtime/engine/home.h"
#include "runtime/engine/mount_list.h"
#include "runtime/engine/volume.h"
#include "specs/json.h"
#include "specs/json_write.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int open_folder(int dir_fd, const char *name) {
    return openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

int volumes_open(const struct home *home, struct err *err) {
    int fd = open_folder(home->store_fd, "volumes");
    if (fd < 0 && errno == ENOENT && (mkdirat(home->store_fd, "volumes", 0700) == 0 || errno == EEXIST)) {
        fd = open_folder(home->store_fd, "volumes");
    }
    return fd < 0 ? err_sys(err, "open the store's folder volumes") : fd;
}

// --- debris ---

// Whoever removes it holds its lock.
static void finish_removal(const struct home *home, int volumes_fd, const char *name) {
    struct err err;
    AUTO_FD int folder = open_folder(volumes_fd, name);
    if (folder >= 0 && flock(folder, LOCK_EX | LOCK_NB) == 0 && home_remove_tree(home, volumes_fd, name, &err) < 0) {
        log_warn("remove what is left of a volume: %s", err.text);
    }
}

int volumes_lock(const struct home *home, int volumes_fd, struct err *err) {
    while (flock(volumes_fd, LOCK_EX) < 0) {
        if (errno != EINTR) {
            return err_sys(err, "lock the store's folder of volumes");
        }
    }
    AUTO_DIR DIR *stream = dir_stream(volumes_fd);
    for (const struct dirent *entry = stream ? dir_next(stream) : NULL; entry; entry = dir_next(stream)) {
        if (entry->d_name[0] == '.') {
            finish_removal(home, volumes_fd, entry->d_name);
        }
    }
    return 0;
}

// --- reading ---

static const struct json_row rows[] = {
    ROW_STRING("name", struct stored_volume, name, JSON_NEEDED | JSON_NOT_EMPTY),
    ROW_I64("created", struct stored_volume, created_s, JSON_NEEDED),
    ROW_BOOL("anonymous", struct stored_volume, anonymous, 0),
    ROW_PAIRS("labels", struct stored_volume, labels, 0),
    ROW_PAIRS("options", struct stored_volume, options, 0),
};
static const struct json_table table = JSON_TABLE(struct stored_volume, rows);

int volume_read(int volumes_fd, struct arena *arena, const char *name, struct stored_volume *ret, struct err *err) {
    char path[NAME_MAX + 1];
    AUTO_FREE char *text = NULL;
    size_t size;
    struct stored_volume volume = {0};
    if (volume_check_name(name, err) < 0) {
        return -1;
    }
    snprintf(path, sizeof(path), "%s/volume.json", name);
    if (fd_read_file(volumes_fd, path, 1 << 20, &text, &size, err) < 0) {
        return err->errnum == ENOENT && (faccessat(volumes_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
                   ? err_set(err, ERR_NOT_FOUND, "no volume is named \"%s\"; coffer volume ls lists them", name)
                   : err_in(err, "volume %s", name);
    }
    const struct json_document document = {.name = "volume.json", .text = text, .size = size};
    if (json_decode(&document, &table, arena, &volume, err) < 0) {
        return err_in(err, "volume %s", name);
    }
    if (strcmp(volume.name, name) != 0) {
        return err_set(err, ERR_CORRUPT, "volume %s: volume.json is another volume's", name);
    }
    *ret = volume;
    return 0;
}

static int by_name(const void *a, const void *b) {
    const struct stored_volume *left = a, *right = b;
    return strcmp(left->name, right->name);
}

int volumes_read(int volumes_fd, struct arena *arena, struct stored_volume **ret, size_t *ret_count, struct err *err) {
    AUTO_BUF struct buf found = {0};
    AUTO_DIR DIR *stream = dir_stream(volumes_fd);
    if (!stream) {
        return err_sys(err, "read the store's folder of volumes");
    }
    for (const struct dirent *entry = dir_next(stream); entry; entry = dir_next(stream)) {
        struct stored_volume volume;
        struct err unread;
        if (entry->d_name[0] == '.') {
            continue;
        }
        if (volume_read(volumes_fd, arena, entry->d_name, &volume, &unread) == 0) {
            buf_add(&found, &volume, sizeof(volume));
        } else if (unread.kind != ERR_NOT_FOUND) {
            log_warn("%s", unread.text);
        }
    }
    *ret_count = found.size / sizeof(struct stored_volume);
    *ret = arena_array(arena, *ret_count + 1, sizeof(struct stored_volume));
    if (*ret_count > 0) {
        memcpy(*ret, found.data, found.size);
        qsort(*ret, *ret_count, sizeof(struct stored_volume), by_name);
    }
    return 0;
}

// --- making ---

const char *volumes_make_name(struct arena *arena, struct err *err) {
    unsigned char bytes[32];
    char *name = arena_alloc(arena, 2 * sizeof(bytes) + 1);
    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes)) {
        err_sys(err, "get random bytes for a name");
        return NULL;
    }
    for (size_t i = 0; i < sizeof(bytes); i++) {
        snprintf(name + 2 * i, 3, "%02x", bytes[i]);
    }
    return name;
}

static int write_folder(int folder, const struct stored_volume *volume, bool synced, struct err *err) {
    AUTO_BUF struct buf text = {0};
    struct json_writer writer = {.buf = &text};
    json_write_open(&writer, NULL, '{');
    json_write_string(&writer, "name", volume->name);
    json_write_i64(&writer, "created", volume->created_s);
    json_write_bool(&writer, "anonymous", volume->anonymous);
    json_write_pairs(&writer, "labels", volume->labels, volume->labels_count);
    json_write_pairs(&writer, "options", volume->options, volume->options_count);
    json_write_close(&writer, '}');
    // The mode is not the umask's affair.
    if (mkdirat(folder, "_data", 0755) < 0 || fchmodat(folder, "_data", 0755, 0) < 0) {
        return err_sys(err, "make the folder of volume %s", volume->name);
    }
    return synced ? fd_replace_file_synced(folder, "volume.json", text.data, text.size, 0600, err)
                  : fd_replace_file(folder, "volume.json", text.data, text.size, 0600, err);
}

int volume_add(int volumes_fd, const struct stored_volume *volume, bool synced, struct err *err) {
    if (mkdirat(volumes_fd, ".new", 0700) < 0) {
        return err_sys(err, "make the folder of volume %s", volume->name);
    }
    AUTO_FD int folder = open_folder(volumes_fd, ".new");
    if (folder < 0) {
        return err_sys(err, "make the folder of volume %s", volume->name);
    }
    if (write_folder(folder, volume, synced, err) < 0) {
        return -1;
    }
    if (renameat(volumes_fd, ".new", volumes_fd, volume->name) < 0 || (synced && fsync(volumes_fd) < 0)) {
        return err_sys(err, "make volume %s", volume->name);
    }
    return 0;
}

// The last of several of one name counts.
static struct text_pair *split_labels(struct arena *arena, const struct strv *words, size_t *ret_count, struct err *err) {
    struct text_pair *pairs = arena_array(arena, words->count + 1, sizeof(*pairs));
    size_t count = 0;
    for (size_t i = 0; i < words->count; i++) {
        char *name = arena_copy_string(arena, words->items[i]), *value = strchr(name, '=');
        if (value) {
            *value++ = '\0';
        }
        if (!*name) {
            err_set(err, ERR_INPUT, "--label \"%s\": expected KEY=VALUE or KEY", words->items[i]);
            return NULL;
        }
        size_t at = 0;
        while (at < count && strcmp(pairs[at].name, name) != 0) {
            at++;
        }
        pairs[at] = (struct text_pair){name, value ? value : ""};
        count += at == count;
    }
    *ret_count = count;
    return pairs;
}

bool volume_has_same_options(const struct stored_volume *a, const struct stored_volume *b) {
    bool same = a->options_count == b->options_count;
    for (size_t i = 0; same && i < a->options_count; i++) {
        const char *other = volume_option(b, a->options[i].name);
        same = other && strcmp(other, a->options[i].value) == 0;
    }
    return same;
}

static void announce(const struct home *home, const char *name, const char *action) {
    static const struct text_pair attributes[] = {{"driver", "local"}};
    const struct event event = {.type = EVENT_VOLUME, .action = action, .id = name, .attributes = attributes, .attributes_count = 1};
    events_add(home->live_fd, &event);
}

static int add_wished(const struct home *home, struct arena *arena, const struct stored_volume *volume, struct err *err) {
    AUTO_FD int volumes_fd = volumes_open(home, err);
    struct stored_volume there;
    struct err missing;
    if (volumes_fd < 0 || volumes_lock(home, volumes_fd, err) < 0) {
        return -1;
    }
    if (volume_read(volumes_fd, arena, volume->name, &there, &missing) < 0) {
        if (missing.kind != ERR_NOT_FOUND) {
            *err = missing;
            return -1;
        }
        if (volume_add(volumes_fd, volume, true, err) < 0) {
            return -1;
        }
        announce(home, volume->name, "create");
        return 0;
    }
    if (!volume_has_same_options(volume, &there)) {
        return err_set(err, ERR_EXISTS,
                       "volume %s exists already, with other options; remove that (coffer volume rm %s) or choose another name",
                       volume->name, volume->name);
    }
    return 0;
}

int volume_describe(struct arena *arena, const struct volume_wish *wish, struct stored_volume *volume, struct err *err) {
    if (wish->driver && strcmp(wish->driver, "local") != 0) {
        return err_set(err, ERR_UNSUPPORTED, "--driver %s: there are no drivers of volumes but local", wish->driver);
    }
    volume->labels = split_labels(arena, wish->labels, &volume->labels_count, err);
    return !volume->labels || volume_check_options(arena, wish->options, volume, err) < 0 ? -1 : 0;
}

int volume_create(const struct home *home, struct arena *arena, const struct volume_wish *wish, const char **ret_name,
                  struct err *err) {
    struct stored_volume volume = {.name = wish->name, .created_s = time(NULL), .anonymous = !wish->name};
    if ((!wish->name && !(volume.name = volumes_make_name(arena, err))) || volume_check_name(volume.name, err) < 0 ||
        volume_describe(arena, wish, &volume, err) < 0 || add_wished(home, arena, &volume, err) < 0) {
        return -1;
    }
    *ret_name = volume.name;
    return 0;
}

// --- removing ---

// Gone is what has another name; the files follow without the lock.
static int move_away(int volumes_fd, const char *name, struct arena *arena, const char **ret_gone, int *ret_folder, struct err *err) {
    AUTO_FD int folder = open_folder(volumes_fd, name);
    const char *random = volumes_make_name(arena, err);
    if (!random) {
        return -1;
    }
    *ret_gone = arena_format(arena, ".gone.%.32s", random);
    if (folder < 0 || flock(folder, LOCK_EX) < 0 || renameat(volumes_fd, name, volumes_fd, *ret_gone) < 0 || fsync(volumes_fd) < 0) {
        return err_sys(err, "remove volume %s", name);
    }
    *ret_folder = fd_take(&folder);
    return 0;
}

int volume_remove(const struct home *home, const char *name, const char *except, struct err *err) {
    AUTO_ARENA struct arena arena = {0};
    AUTO_FD int folder = -1;
    AUTO_FD int volumes_fd = volumes_open(home, err);
    struct stored_volume volume;
    const char *user, *gone;
    bool more;
    // A damaged one can be removed, too.
    if (volumes_fd < 0 || volumes_lock(home, volumes_fd, err) < 0 ||
        (volume_read(volumes_fd, &arena, name, &volume, err) < 0 && (err->kind == ERR_NOT_FOUND || volume_check_name(name, err) < 0)) ||
        mount_list_find_user(home, &arena, name, except, &user, &more, err) < 0) {
        return -1;
    }
    if (*user) {
        return err_set(err, ERR_STATE, "volume %s is used by container %s%s; remove that first (coffer rm %s)", name, user,
                       more ? " and others" : "", user);
    }
    if (move_away(volumes_fd, name, &arena, &gone, &folder, err) < 0) {
        return -1;
    }
    flock(volumes_fd, LOCK_UN);
    announce(home, name, "destroy");
    return home_remove_tree(home, volumes_fd, gone, err) < 0 ? err_in(err, "remove volume %s", name) : 0;
}

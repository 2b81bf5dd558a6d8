#include "runtime/engine/changes.h"

#include "images/image.h"
#include "images/store.h"
#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/dir.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/base/quote.h"
#include "runtime/engine/aside.h"
#include "runtime/engine/engine.h"
#include "runtime/engine/image_root.h"
#include "runtime/engine/mount_list.h"
#include "runtime/engine/target.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { MAX_DEPTH = 256, MAX_BYTES = 256 << 20 };

// What the low level makes a mount point of in every container (config.c).
static const char *const own_targets[] = {"/proc", "/sys", "/dev", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf"};

struct search {
    const struct changes_request *request;
    const struct mount_list *mounts;
    int output;      // rows: a kind, a path, a NUL
    struct buf path; // of what is looked at
    struct buf rows;
};

// What was found in a directory.
struct finding {
    bool changed, hidden;
};

static int emit(struct search *search, enum change_kind kind, struct finding *finding, struct err *err) {
    finding->changed = finding->changed || kind != CHANGE_HIDDEN;
    finding->hidden = finding->hidden || kind == CHANGE_HIDDEN;
    buf_add_char(&search->rows, (char)kind);
    buf_add(&search->rows, search->path.data, search->path.size);
    buf_add_char(&search->rows, '\0');
    if (search->rows.size < (64 << 10)) {
        return 0;
    }
    int failed = fd_write_all(search->output, search->rows.data, search->rows.size);
    buf_clear(&search->rows);
    return failed < 0 ? err_sys(err, "keep what was found") : 0;
}

static bool is_way_to(const char *path, const char *target) {
    size_t length = strlen(path);
    return strncmp(path, target, length) == 0 && (target[length] == '\0' || target[length] == '/');
}

// Whether something is mounted there, or, for a directory, below.
static bool is_mount_point(const struct search *search, bool directory) {
    const char *path = search->path.data;
    bool found = false;
    for (size_t i = 0; i < ARRAY_LEN(own_targets) && !found; i++) {
        found = directory ? is_way_to(path, own_targets[i]) : strcmp(path, own_targets[i]) == 0;
    }
    for (size_t i = 0; i < search->mounts->items_count && !found; i++) {
        const char *target = search->mounts->items[i].target;
        found = directory ? is_way_to(path, target) : strcmp(path, target) == 0;
    }
    return found;
}

static bool is_whiteout(const struct stat *status) {
    return S_ISCHR(status->st_mode) && status->st_rdev == makedev(0, 0);
}

static bool is_opaque(const struct search *search, int fd) {
    char value;
    const char *name = search->request->home->rootless ? "user.overlay.opaque" : "trusted.overlay.opaque";
    return fgetxattr(fd, name, &value, 1) == 1 && value == 'y';
}

static bool differs(const struct search *search, const struct stat *upper, const struct stat *lower, bool with_times) {
    const struct record *record = search->request->record;
    uint32_t shift = record->has_range ? record->first_id : 0;
    return upper->st_mode != lower->st_mode || upper->st_uid != lower->st_uid + shift || upper->st_gid != lower->st_gid + shift ||
           (with_times && (upper->st_mtim.tv_sec != lower->st_mtim.tv_sec || upper->st_mtim.tv_nsec != lower->st_mtim.tv_nsec));
}

static int search_directory(struct search *search, int upper_fd, int lower_fd, unsigned depth, struct finding *ret, struct err *err);

static void enter_name(struct search *search, const char *name) {
    buf_add_char(&search->path, '/');
    buf_add_string(&search->path, name);
}

static void leave_name(struct search *search, size_t before) {
    search->path.size = before;
    search->path.data[before] = '\0';
}

// What the image has in a directory that hides it, and the writable layer has not.
static int search_hidden(struct search *search, int upper_fd, int lower_fd, struct finding *finding, struct err *err) {
    int failed = 0;
    AUTO_DIR DIR *stream = dir_stream(lower_fd);
    for (const struct dirent *entry; failed == 0 && stream && (entry = dir_next(stream));) {
        struct stat status;
        size_t before = search->path.size;
        if (fstatat(upper_fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT) {
            enter_name(search, entry->d_name);
            failed = emit(search, CHANGE_DELETED, finding, err);
            leave_name(search, before);
        }
    }
    return failed;
}

static int one_directory(struct search *search, int upper_fd, int lower_fd, const struct stat *lower, unsigned depth,
                         struct finding *finding, struct err *err) {
    const char *name = strrchr(search->path.data, '/') + 1;
    struct stat status;
    struct finding below = {0};
    AUTO_FD int upper = openat(upper_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (upper < 0 || fstat(upper, &status) < 0) {
        return errno == ENOENT ? 0 : err_sys(err, "open");
    }
    AUTO_FD int under = lower && S_ISDIR(lower->st_mode) ? openat(lower_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
    bool opaque = under >= 0 && is_opaque(search, upper);
    if (depth == MAX_DEPTH) {
        return err_set(err, ERR_UNSUPPORTED, "lies more than %d directories deep", MAX_DEPTH);
    }
    if (search_directory(search, upper, under, depth + 1, &below, err) < 0 ||
        (opaque && search_hidden(search, upper, under, &below, err) < 0)) {
        return -1;
    }
    if (!lower) {
        bool ours = !below.changed && is_mount_point(search, true);
        return emit(search, ours ? CHANGE_HIDDEN : CHANGE_ADDED, finding, err);
    }
    bool changed = below.changed || opaque || differs(search, &status, lower, !below.hidden);
    // One that is there only for what was made in it to mount on is not the container's doing either.
    return changed ? emit(search, CHANGE_CHANGED, finding, err) : below.hidden ? emit(search, CHANGE_HIDDEN, finding, err) : 0;
}

static int one_entry(struct search *search, int upper_fd, int lower_fd, unsigned depth, struct finding *finding, struct err *err) {
    const char *name = strrchr(search->path.data, '/') + 1;
    struct stat status, lower;
    bool has_lower = lower_fd >= 0 && fstatat(lower_fd, name, &lower, AT_SYMLINK_NOFOLLOW) == 0 && !is_whiteout(&lower);
    if (fstatat(upper_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0) {
        return errno == ENOENT ? 0 : err_sys(err, "look at it");
    }
    if (S_ISDIR(status.st_mode)) {
        return one_directory(search, upper_fd, lower_fd, has_lower ? &lower : NULL, depth, finding, err);
    }
    if (is_whiteout(&status)) {
        return has_lower ? emit(search, CHANGE_DELETED, finding, err) : 0;
    }
    bool ours = !has_lower && S_ISREG(status.st_mode) && status.st_size == 0 && is_mount_point(search, false);
    return emit(search, ours ? CHANGE_HIDDEN : has_lower ? CHANGE_CHANGED : CHANGE_ADDED, finding, err);
}

static int search_directory(struct search *search, int upper_fd, int lower_fd, unsigned depth, struct finding *ret, struct err *err) {
    AUTO_DIR DIR *stream = dir_stream(upper_fd);
    if (!stream) {
        return err_sys(err, "read the directory");
    }
    size_t before = search->path.size;
    for (const struct dirent *entry; (entry = dir_next(stream));) {
        enter_name(search, entry->d_name);
        if (one_entry(search, upper_fd, lower_fd, depth, ret, err) < 0) {
            return -1; // the path stays, for the message
        }
        leave_name(search, before);
    }
    return 0;
}

// --- in a process aside, which an ordinary user's files need ---

static int search_all(struct search *search, struct err *err) {
    const struct changes_request *request = search->request;
    const struct home *home = request->home;
    struct finding ignored = {0};
    AUTO_FREE char *upper_path = mem_format("%s/upper", request->record->id);
    AUTO_FREE char *place = mem_format("%s/%s", home->live_path, request->record->id);
    if (aside_enter_own(home, err) < 0) {
        return -1;
    }
    AUTO_FD int folder = record_open_folder(home, request->record->id, err);
    if (folder < 0) {
        return -1;
    }
    AUTO_FD int upper = openat(home->containers_fd, upper_path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (upper < 0) {
        (void)!err_sys(err, "open its writable layer");
        (void)!record_check_kept(&folder, err); // then that is why
        return -1;
    }
    AUTO_FD int lower = request->image->lower_count > 0 ? image_root_open(home, request->image, place, err) : -1;
    if (lower < 0 && request->image->lower_count > 0) {
        return -1;
    }
    if (search_directory(search, upper, lower, 0, &ignored, err) < 0) {
        char quoted[QUOTE_SIZE];
        return err_in(err, "%s", quote_text(search->path.size ? search->path.data : "/", quoted));
    }
    if (record_check_kept(&folder, err) < 0) {
        return -1;
    }
    return fd_write_all(search->output, search->rows.data, search->rows.size) < 0 ? err_sys(err, "keep what was found") : 0;
}

static int work(void *context, struct aside_report *report) {
    return search_all(context, &report->err);
}

static int by_path(const void *a, const void *b) {
    const struct change *left = a, *right = b;
    return strcmp(left->path, right->path);
}

static int read_rows(int fd, struct arena *arena, struct change **ret, size_t *ret_count, struct err *err) {
    AUTO_FREE char *text = NULL;
    size_t size, count = 0;
    if (lseek(fd, 0, SEEK_SET) < 0 || fd_read_rest(fd, MAX_BYTES, "the list of changes", &text, &size, err) < 0) {
        return -1;
    }
    const char *rows = arena_copy(arena, text, size);
    for (size_t i = 0; i < size; i++) {
        count += rows[i] == '\0';
    }
    struct change *changes = arena_array(arena, count + 1, sizeof(*changes));
    for (size_t i = 0; i < count; i++) {
        changes[i] = (struct change){.kind = (enum change_kind)*rows, .path = rows + 1};
        rows += strlen(rows) + 1;
    }
    qsort(changes, count, sizeof(*changes), by_path);
    *ret = changes;
    *ret_count = count;
    return 0;
}

int changes_find(const struct changes_request *request, struct arena *arena, struct change **ret, size_t *ret_count, struct err *err) {
    struct mount_list mounts;
    AUTO_ASIDE struct aside aside = {0};
    AUTO_FD int rows = memfd_create("changes", MFD_CLOEXEC);
    if (rows < 0) {
        return err_sys(err, "get memory");
    }
    if (mount_list_read(request->record->mounts, arena, &mounts, err) < 0) {
        return -1;
    }
    struct search search = {.request = request, .mounts = &mounts, .output = rows};
    const struct aside_request start = {.work = work, .context = &search, .close_fd = -1};
    if (aside_start(&aside, &start, err) < 0) {
        return -1;
    }
    if (aside_wait(&aside) < 0) {
        *err = aside.report->err;
        return -1;
    }
    return read_rows(rows, arena, ret, ret_count, err);
}

int engine_diff(const struct engine *engine, const char *name, struct arena *arena, struct change **ret, size_t *ret_count,
                struct err *err) {
    AUTO_TARGET struct target target = TARGET_NONE;
    AUTO_STORE struct store *store = NULL;
    AUTO_IMAGE struct image *image = NULL;
    if (target_open(&target, engine, name, err) < 0) {
        return -1;
    }
    unsigned flags = target.home.rootless ? STORE_USER_XATTR : 0;
    if (store_open(engine->store, flags, &store, err) < 0 || image_open(store, target.record.image_id, &image, err) < 0) {
        return -1;
    }
    const struct changes_request request = {.home = &target.home, .record = &target.record, .image = image};
    return changes_find(&request, arena, ret, ret_count, err) < 0 ? err_in(err, "diff %s", name) : 0;
}

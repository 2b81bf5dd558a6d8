#include "runtime/engine/copy_end.h"

#include "images/extract.h"
#include "images/tree_pack.h"
#include "images/unpack_jail.h"
#include "runtime/base/buf.h"
#include "runtime/base/fd.h"
#include "runtime/engine/home.h"
#include "runtime/kernel/root.h"
#include "runtime/kernel/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// --- what was said ---

// Docker's: "a:b" is a container's, "./a:b" and "/a:b" are not.
static const char *colon_of(const char *text) {
    const char *colon = strchr(text, ':');
    return *text == '/' || *text == '.' || !colon || colon == text ? NULL : colon;
}

// Absolute, "." and ".." taken out by the words alone, as docker's client does.
static const char *clean(struct arena *arena, const char *cwd, const char *path) {
    char *text = arena_format(arena, "%s/%s", *path == '/' ? "" : cwd, path);
    size_t used = 0;
    for (const char *at = text; *at;) {
        at += strspn(at, "/");
        size_t length = strcspn(at, "/");
        if (length == 2 && strncmp(at, "..", 2) == 0) {
            while (used > 0 && text[--used] != '/') {
            }
        } else if (length > 0 && !(length == 1 && *at == '.')) {
            text[used++] = '/';
            memmove(text + used, at, length);
            used += length;
        }
        at += length;
    }
    if (used == 0) {
        text[used++] = '/';
    }
    text[used] = '\0';
    return text;
}

int copy_end_parse(struct arena *arena, const char *text, const char *cwd, struct copy_end *ret, struct err *err) {
    const char *colon = colon_of(text);
    const char *path = colon ? colon + 1 : text;
    size_t length = strlen(path);
    if (length == 0) {
        return err_set(err, ERR_INPUT, "\"%s\": expected a path%s", text, colon ? " behind the colon" : "");
    }
    ret->kind = colon ? COPY_CONTAINER : strcmp(text, "-") == 0 ? COPY_STREAM : COPY_HOST;
    ret->container = colon ? arena_copy(arena, text, (size_t)(colon - text)) : NULL;
    ret->path = clean(arena, colon ? "" : cwd, path);
    ret->base = strrchr(ret->path, '/') + 1;
    ret->contents = strcmp(path, ".") == 0 || (length > 1 && strcmp(path + length - 2, "/.") == 0) || *ret->base == '\0';
    ret->directory = ret->contents || path[length - 1] == '/';
    return 0;
}

int copy_end_open(struct copy_end *end, const struct engine *engine, struct err *err) {
    return end->kind == COPY_CONTAINER ? files_open(&end->files, engine, end->container, err) : 0;
}

void copy_end_finish(struct copy_end *end) {
    files_finish(&end->files);
}

// --- places ---

// An ordinary user's process has to be root of a namespace of his own to confine itself. Reading descriptors work on in it.
static int enter_host(const struct copy_task *task, struct err *err) {
    const struct copy_end *other = task->from->kind == COPY_CONTAINER ? task->from : task->to;
    const struct home *home = &other->files.target.home;
    AUTO_FD int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    AUTO_FD int own = root >= 0 && home->rootless ? home_user_namespace(home, err) : -1;
    if (root < 0) {
        return err_sys(err, "open /");
    }
    return home->rootless && (own < 0 || home_enter(own, err) < 0) ? -1 : fd_take(&root);
}

static int enter(const struct copy_end *end, const struct copy_task *task, struct err *err) {
    int root = end->kind == COPY_CONTAINER ? files_enter(&end->files, FILES_VOLUMES, err) : enter_host(task, err);
    aside_stay_bound();
    return root;
}

static int not_found(const struct copy_end *end, struct err *err) {
    int reason = errno;
    err_num(err, reason, "%s%s%s", end->container ? end->container : "", end->container ? ":" : "", end->path);
    err->kind = reason == ENOENT ? ERR_NOT_FOUND : ERR_SYSTEM;
    return -1;
}

// --- reading ---

struct source {
    int dir_fd; // the tree, or what the one thing lies in
    bool is_directory;
    char name[NAME_MAX + 1]; // of that
};

// The parent of the path's last component, which is not followed.
static int open_parent(int root, const struct copy_end *end, char ret_name[NAME_MAX + 1], struct err *err) {
    char parent[PATH_MAX];
    if (snprintf(ret_name, NAME_MAX + 1, "%s", end->base) > NAME_MAX || strlen(end->path) >= sizeof(parent)) {
        errno = ENAMETOOLONG;
        return not_found(end, err);
    }
    snprintf(parent, sizeof(parent), "%.*s", (int)(end->base - end->path), end->path);
    int fd = root_try_open(root, parent, O_RDONLY | O_DIRECTORY);
    return fd < 0 ? not_found(end, err) : fd;
}

static int find_source(const struct copy_task *task, int root, struct source *ret, struct err *err) {
    const struct copy_end *end = task->from;
    struct stat status;
    bool follow = task->request->follow || end->directory;
    ret->dir_fd = *end->base == '\0' || follow ? root_try_open(root, end->path, O_RDONLY | O_DIRECTORY) : -1;
    ret->is_directory = ret->dir_fd >= 0;
    if (ret->is_directory) {
        return 0;
    }
    if (end->directory) {
        return not_found(end, err);
    }
    AUTO_FD int parent = follow ? root_find_parent(root, end->path, ret->name, err) : open_parent(root, end, ret->name, err);
    if (parent < 0) {
        return -1;
    }
    if (fstatat(parent, ret->name, &status, AT_SYMLINK_NOFOLLOW) < 0) {
        return not_found(end, err);
    }
    ret->is_directory = S_ISDIR(status.st_mode);
    ret->dir_fd = openat(parent, ret->is_directory ? ret->name : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return ret->dir_fd < 0 ? not_found(end, err) : 0;
}

static int send(const struct copy_task *task, struct aside_report *report, struct err *err) {
    struct source source = {.dir_fd = -1};
    struct tree_pack_result result;
    const struct target *target = &task->from->files.target;
    bool to_stream = task->to->kind == COPY_STREAM, from_container = task->from->kind == COPY_CONTAINER;
    AUTO_FD int folder = from_container ? record_open_folder(&target->home, target->id, err) : -1;
    AUTO_FD int root = from_container && folder < 0 ? -1 : enter(task->from, task, err);
    if (root < 0 || find_source(task, root, &source, err) < 0) {
        return -1;
    }
    char sign = source.is_directory ? 'd' : 'f';
    if (!to_stream && fd_write_all(task->output, &sign, 1) < 0) {
        return err_sys(err, "write the tar");
    }
    const int output = to_stream ? STDOUT_FILENO : task->output;
    const int kept[] = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO, root, source.dir_fd, folder, output};
    const struct tree_pack_options options = {
        .record_fd = -1,
        .output_fd = output,
        .live = true,
        .no_devices = !to_stream,
        .keeps_holes = !to_stream,
        .name = !source.is_directory || (to_stream && !task->from->contents) ? task->from->base : NULL,
        .only = source.is_directory ? NULL : source.name,
        .check = from_container ? record_check_kept : NULL,
        .check_context = &folder,
    };
    if (unpack_jail_enter(kept, ARRAY_LEN(kept), root, UNPACK_JAIL_READS, err) < 0 ||
        tree_pack(source.dir_fd, &options, &result, err) < 0) {
        return -1;
    }
    report->left_out = result.left_out;
    return 0;
}

int copy_end_send(void *task, struct aside_report *report) {
    return send(task, report, &report->err);
}

// --- writing ---

struct place {
    int dir_fd;
    bool is_new;             // it was made for what comes
    char name[NAME_MAX + 1]; // in it, of what is no directory
};

// Control groups, for one, are made by directories.
static int make_directory(int parent, const char *name, struct place *ret, struct err *err) {
    if (tree_is_of_kernel(parent)) {
        return err_set(err, ERR_UNSUPPORTED, "%s lies in a file system of the kernel, where nothing is copied to", name);
    }
    ret->is_new = mkdirat(parent, name, 0700) == 0;
    if (!ret->is_new && errno != EEXIST) {
        return err_sys(err, "make directory %s", name);
    }
    ret->dir_fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (ret->dir_fd < 0) {
        return errno == ENOTDIR || errno == ELOOP ? err_set(err, ERR_EXISTS, "cannot copy a directory to %s, which is none", name)
                                                  : err_sys(err, "open directory %s", name);
    }
    return 0;
}

// Into a directory that is there.
static int place_inside(const struct copy_task *task, char sign, int directory, struct place *ret, struct err *err) {
    const struct copy_end *from = task->from;
    if (sign == 'd' && !from->contents) {
        return make_directory(directory, from->base, ret, err);
    }
    if (sign == 'f') {
        snprintf(ret->name, sizeof(ret->name), "%s", from->base);
    }
    ret->dir_fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return ret->dir_fd < 0 ? err_sys(err, "open %s", task->to->path) : 0;
}

static int find_place(const struct copy_task *task, char sign, int root, struct place *ret, struct err *err) {
    const struct copy_end *to = task->to;
    AUTO_FD int there = root_try_open(root, to->path, O_PATH);
    struct stat status = {0};
    if (there < 0 && errno != ENOENT) {
        return not_found(to, err);
    }
    if (there >= 0 && fstat(there, &status) == 0 && S_ISDIR(status.st_mode)) {
        return place_inside(task, sign, there, ret, err);
    }
    if (there >= 0 && (sign != 'f' || to->directory)) {
        return err_set(err, ERR_EXISTS, sign == 'd' ? "cannot copy a directory to %s, which is none" : "%s is not a directory", to->path);
    }
    if (there < 0 && (sign == 't' || (sign == 'f' && to->directory))) {
        return err_set(err, ERR_NOT_FOUND, "directory %s does not exist", to->path);
    }
    if (there >= 0 && !S_ISREG(status.st_mode)) { // /dev/null would be a file for everybody from then on
        return err_set(err, ERR_EXISTS, "%s is a pipe, a socket or a device, which is not replaced", to->path);
    }
    AUTO_FD int parent = root_find_parent(root, to->path, ret->name, err);
    if (parent < 0) {
        return -1;
    }
    if (sign == 'd') {
        return make_directory(parent, ret->name, ret, err);
    }
    ret->dir_fd = fd_take(&parent);
    return 0;
}

// From a tar, links within the container are followed, as it unpacks itself; so that all of it is below the container's root.
static int take(const struct copy_task *task, struct aside_report *report, struct err *err) {
    const struct copy_end *to = task->to;
    struct place place = {.dir_fd = -1};
    struct extract_result result;
    char sign = 't';
    bool from_stream = task->from->kind == COPY_STREAM;
    if (!from_stream && fd_read_full(task->input, &sign, 1) != 1) {
        return 0; // the other end says why
    }
    AUTO_FD int root = enter(to, task, err);
    if (root < 0 || find_place(task, sign, root, &place, err) < 0) {
        return -1;
    }
    const struct extract_options options = {
        .owners = task->request->archive || from_stream,
        .new_root = place.is_new,
        .follow = from_stream,
        .below = from_stream && *to->base != '\0' ? to->path + 1 : NULL,
        .name = sign == 'f' ? place.name : NULL,
    };
    const int base = from_stream ? root : place.dir_fd;
    const int kept[] = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO, task->input, root, place.dir_fd};
    if (unpack_jail_enter(kept, ARRAY_LEN(kept), base, UNPACK_JAIL_WRITES, err) < 0 ||
        extract_tar(task->input, base, &options, &result, err) < 0) {
        return -1;
    }
    report->left_out = result.left_out;
    return 0;
}

int copy_end_take(void *task, struct aside_report *report) {
    return take(task, report, &report->err);
}

// What one layer takes from those below it. All paths are walked beneath a layer's directory without following links.
#include "images/copytree.h"
#include "images/unpack.h"
#include "images/unpack_path.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/quote.h"
#include "runtime/kernel/sys.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

static const char *opaque_name(const struct unpack_stack *stack) {
    return stack->userxattr ? "user.overlay.opaque" : "trusted.overlay.opaque";
}

static int open_beneath(int root_fd, const char *path, int flags) {
    const struct open_how how = {
        .flags = (unsigned)(flags | O_NOFOLLOW | O_CLOEXEC),
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
    };
    return sys_openat2(root_fd, path, &how);
}

static int open_directory(int root_fd, const char *path) {
    return open_beneath(root_fd, path, O_RDONLY | O_DIRECTORY);
}

static bool is_opaque(const struct unpack_stack *stack, int directory_fd) {
    char value;
    return fgetxattr(directory_fd, opaque_name(stack), &value, 1) == 1 && value == 'y';
}

// Opens the parent of the path's last component; *ret_name points into path.
static int open_parent(int root_fd, const char *path, const char **ret_name) {
    const char *slash = strrchr(path, '/');
    char directory[PATH_MAX] = ".";
    if (slash && (size_t)(slash - path) < sizeof(directory)) {
        memcpy(directory, path, (size_t)(slash - path));
        directory[slash - path] = '\0';
    }
    *ret_name = slash ? slash + 1 : path;
    return open_directory(root_fd, directory);
}

enum presence { PRESENT, HIDDEN_BELOW, LOOK_BELOW };

// The path up to `end`, which is NULL for all of it.
static bool copy_prefix(const char *path, const char *end, char prefix[PATH_MAX]) {
    size_t length = end ? (size_t)(end - path) : strlen(path);
    if (length >= PATH_MAX) {
        return false;
    }
    memcpy(prefix, path, length);
    prefix[length] = '\0';
    return true;
}

// What one layer says about a path: it has it, it hides whatever is below it, or nothing.
static enum presence look_in_layer(const struct unpack_stack *stack, int layer_fd, const char *path) {
    enum presence missing = LOOK_BELOW;
    char prefix[PATH_MAX];
    for (const char *end = strchr(path, '/');; end = strchr(end + 1, '/')) {
        struct stat status;
        if (!copy_prefix(path, end, prefix)) {
            return HIDDEN_BELOW;
        }
        AUTO_FD int fd = open_beneath(layer_fd, prefix, O_PATH);
        if (fd < 0 || fstat(fd, &status) < 0) {
            return missing;
        }
        if (!end) {
            return S_ISCHR(status.st_mode) && status.st_rdev == makedev(0, 0) ? HIDDEN_BELOW : PRESENT;
        }
        if (!S_ISDIR(status.st_mode)) {
            return HIDDEN_BELOW;
        }
        AUTO_FD int directory = open_directory(layer_fd, prefix);
        missing = directory >= 0 && is_opaque(stack, directory) ? HIDDEN_BELOW : missing;
    }
}

// The layer below that shows the path, as overlayfs would; -1 when there is none.
static int find_below(const struct unpack_stack *stack, const char *path) {
    for (size_t i = 0; i < stack->lower_count; i++) {
        enum presence presence = look_in_layer(stack, stack->lower_fds[i], path);
        if (presence != LOOK_BELOW) {
            return presence == PRESENT ? stack->lower_fds[i] : -1;
        }
    }
    return -1;
}

static int mark_opaque(int layer_fd, const struct unpack_stack *stack, const char *path, struct err *err) {
    AUTO_FD int fd = open_directory(layer_fd, path);
    if (fd < 0) {
        return errno == ENOTDIR || errno == ENOENT ? 0 : err_sys(err, "open");
    }
    return fsetxattr(fd, opaque_name(stack), "y", 1, 0) < 0 ? err_sys(err, "set %s", opaque_name(stack)) : 0;
}

// Gives the directory what it has below. Below there may be something else now: then it stays as it was made.
static int fix_implied(int layer_fd, const struct unpack_stack *stack, const char *path, struct err *err) {
    AUTO_FD int fd = open_directory(layer_fd, path);
    if (fd < 0) {
        return err_sys(err, "open");
    }
    if (is_opaque(stack, fd)) {
        return 0;
    }
    int lower_fd = find_below(stack, path);
    AUTO_FD int from_fd = lower_fd < 0 ? -1 : open_directory(lower_fd, path);
    return from_fd < 0 ? 0 : copytree_directory_attributes(from_fd, fd, stack->single_id, err);
}

static int restore_times(int fd, const struct stat *status, struct err *err) {
    const struct timespec times[2] = {status->st_atim, status->st_mtim};
    return futimens(fd, times) < 0 ? err_sys(err, "set the times of its directory") : 0;
}

// Copies the link's target up into this layer, with the directories above it that this layer lacks. Those get the attributes they
// have below; the deepest one that was there keeps its times.
static int copy_up(int layer_fd, const struct unpack_stack *stack, const char *path, struct err *err) {
    int lower_fd = look_in_layer(stack, layer_fd, path) == LOOK_BELOW ? find_below(stack, path) : -1;
    char quoted[QUOTE_SIZE];
    if (lower_fd < 0) {
        return err_set(err, ERR_INPUT, "its link target %s is neither in this layer nor below it", quote_text(path, quoted));
    }
    char prefix[PATH_MAX];
    const char *name, *made = NULL; // made: the end of the first directory that had to be made
    struct stat status;             // of the deepest directory that was there, as it was
    AUTO_FD int there = open_directory(layer_fd, ".");
    if (there < 0 || fstat(there, &status) < 0) {
        return err_sys(err, "open the layer");
    }
    for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        AUTO_FD int parent = copy_prefix(path, slash, prefix) ? open_parent(layer_fd, prefix, &name) : -1;
        bool is_made = parent >= 0 && mkdirat(parent, name, 0755) == 0;
        if (!is_made && errno != EEXIST) {
            return err_sys(err, "make %s", quote_text(prefix, quoted));
        }
        made = made || !is_made ? made : slash;
        if (!is_made) {
            fd_close(&there);
            there = open_directory(layer_fd, prefix);
            if (there < 0 || fstat(there, &status) < 0) {
                return err_sys(err, "open %s", quote_text(prefix, quoted));
            }
        }
    }
    AUTO_FD int from = open_parent(lower_fd, path, &name);
    AUTO_FD int to = open_parent(layer_fd, path, &name);
    if (from < 0 || to < 0) {
        return err_sys(err, "open the directory of its link target");
    }
    if (copytree_one(from, to, name, stack->single_id, err) < 0) {
        return -1;
    }
    for (const char *slash = made; slash; slash = strchr(slash + 1, '/')) {
        if (copy_prefix(path, slash, prefix) && fix_implied(layer_fd, stack, prefix, err) < 0) {
            return -1;
        }
    }
    return restore_times(there, &status, err);
}

static int link_names(int layer_fd, const struct unpack_link *link, struct err *err) {
    const char *from_name, *to_name;
    AUTO_FD int from = open_parent(layer_fd, link->target, &from_name);
    AUTO_FD int to = open_parent(layer_fd, link->name, &to_name);
    struct stat status;
    if (to < 0 || fstat(to, &status) < 0) {
        return err_sys(err, "open its directory");
    }
    if (from < 0 || linkat(from, from_name, to, to_name, 0) < 0) {
        char quoted[QUOTE_SIZE];
        return err_sys(err, "link it to %s", quote_text(link->target, quoted));
    }
    return restore_times(to, &status, err);
}

static int serve_link(int layer_fd, const struct unpack_stack *stack, const struct unpack_link *link, struct err *err) {
    AUTO_FD int there = open_beneath(layer_fd, link->target, O_PATH); // an earlier link may have brought it
    if (there < 0 && copy_up(layer_fd, stack, link->target, err) < 0) {
        return -1;
    }
    return link_names(layer_fd, link, err);
}

int unpack_settle(int layer_fd, const struct unpack_result *result, const struct unpack_stack *stack, struct err *err) {
    char quoted[QUOTE_SIZE];
    for (size_t i = 0; i < result->opaque_count; i++) {
        if (mark_opaque(layer_fd, stack, result->opaque_dirs[i], err) < 0) {
            return err_in(err, "mark %s as opaque", quote_text(result->opaque_dirs[i], quoted));
        }
    }
    for (size_t i = 0; i < result->link_count; i++) {
        if (serve_link(layer_fd, stack, &result->links[i], err) < 0) {
            return err_in(err, "entry %s", quote_text(result->links[i].name, quoted));
        }
    }
    for (size_t i = 0; i < result->implied_count; i++) {
        if (fix_implied(layer_fd, stack, result->implied_dirs[i], err) < 0) {
            return err_in(err, "directory %s", quote_text(result->implied_dirs[i], quoted));
        }
    }
    return 0;
}

bool unpack_is_opaque(int layer_fd, const char *path, bool userxattr) {
    const struct unpack_stack stack = {.userxattr = userxattr};
    AUTO_FD int fd = open_directory(layer_fd, path);
    return fd >= 0 && is_opaque(&stack, fd);
}

#include "cli/context.h"

#include "cli/user_bus.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/kernel/userns.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *environment(const char *name) {
    const char *value = getenv(name);
    return value && value[0] ? value : NULL;
}

// The store and what runs must be found again from any working directory.
static int make_absolute(struct context *context, const char *what, const char **path, struct err *err) {
    if ((*path)[0] == '/') {
        return 0;
    }
    if ((*path)[0] == '\0') {
        return err_set(err, ERR_INPUT, "%s: expected a folder, found \"\"", what);
    }
    char here[PATH_MAX];
    if (!getcwd(here, sizeof(here))) {
        return err_sys(err, "%s %s: find the working directory", what, *path);
    }
    *path = arena_format(&context->arena, "%s/%s", here, *path);
    return 0;
}

// /tmp is everyone's: whoever made the folder before us must have been us, and nobody else may look into it.
static int take_folder_in_tmp(struct context *context, const char **ret, struct err *err) {
    const char *path = arena_format(&context->arena, "/tmp/coffer-%u", (unsigned)geteuid());
    if (mkdir(path, 0700) < 0 && errno != EEXIST) {
        return err_sys(err, "make %s for run-time state", path);
    }
    AUTO_FD int fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0) {
        return err_sys(err, "open %s for run-time state", path);
    }
    if (status.st_uid != geteuid() || (status.st_mode & 077) != 0) {
        return err_set(err, ERR_INPUT,
                       "%s: expected a folder of uid %u with mode 0700 for run-time state, found uid %u and mode %04o; "
                       "set XDG_RUNTIME_DIR, or give --root",
                       path, (unsigned)geteuid(), (unsigned)status.st_uid, (unsigned)status.st_mode & 07777);
    }
    *ret = path;
    return 0;
}

// Root of a user namespace, as podman's and as unshare's is, has no /run of its own, but the folder of the user who made it.
static int default_root(struct context *context, const char **ret, struct err *err) {
    const char *runtime = environment("XDG_RUNTIME_DIR");
    if (!context->rootless && (!runtime || userns_is_initial())) {
        *ret = "/run/coffer";
        return 0;
    }
    if (!runtime) {
        return take_folder_in_tmp(context, ret, err);
    }
    *ret = arena_format(&context->arena, "%s/coffer", runtime);
    return 0;
}

static int default_store(struct context *context, const char **ret, struct err *err) {
    if (!context->rootless) {
        *ret = "/var/lib/coffer";
        return 0;
    }
    const char *data = environment("XDG_DATA_HOME"), *home = environment("HOME");
    if (data) {
        *ret = arena_format(&context->arena, "%s/coffer", data);
    } else if (home) {
        *ret = arena_format(&context->arena, "%s/.local/share/coffer", home);
    } else {
        return err_set(err, ERR_INPUT, "find the store: neither XDG_DATA_HOME nor HOME is set; give --store");
    }
    return 0;
}

int context_find_state(struct context *context, struct err *err) {
    context->rootless = geteuid() != 0;
    context->oci_dir_given = context->oci_dir;
    const char *root = context->root_dir ? context->root_dir : environment("COFFER_ROOT");
    const char *store = context->store_dir ? context->store_dir : environment("COFFER_STORE");
    if (!root && context->oci_dir) {
        root = context->oci_dir; // a low-level call that was told its folder needs no other one
    } else if (!root && default_root(context, &root, err) < 0) {
        return -1;
    }
    if (!store && default_store(context, &store, err) < 0) {
        return -1;
    }
    const char *oci = context->oci_dir ? context->oci_dir : arena_format(&context->arena, "%s/oci", root);
    if (make_absolute(context, "--root", &root, err) < 0 || make_absolute(context, "--store", &store, err) < 0 ||
        make_absolute(context, "--root", &oci, err) < 0) {
        return -1;
    }
    context->root_dir = root;
    context->store_dir = store;
    context->oci_dir = oci;
    context->mounts_dir = arena_format(&context->arena, "%s/images", root);
    struct err none;
    if (context->rootless && user_bus_find(context, &context->user_bus, &none) < 0) {
        context->user_bus = NULL;
    }
    return 0;
}

#include "cli/advice.h"

#include "cli/context.h"
#include "runtime/base/err.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

static void add(struct err *err, const char *text) {
    size_t used = strlen(err->text);
    snprintf(err->text + used, sizeof(err->text) - used, "; %s", text);
}

// The folder itself, or what is above it as far as it is there.
static void nearest(const char *path, char *ret, size_t size) {
    snprintf(ret, size, "%s", path);
    for (char *slash = strrchr(ret, '/'); slash && ret[1] && access(ret, F_OK) < 0 && errno == ENOENT; slash = strrchr(ret, '/')) {
        slash[slash == ret] = '\0';
    }
}

static bool is_full(const char *path) {
    enum { LITTLE_BYTES = 1 << 20 };
    struct statvfs status;
    return statvfs(path, &status) == 0 &&
           (status.f_bavail * status.f_frsize < LITTLE_BYTES || (status.f_files > 0 && status.f_favail == 0));
}

static bool add_room(const struct context *context, const char *what, const char *folder, struct err *err) {
    char path[4096], text[4096 + 256];
    bool store = folder == context->store_dir, quota = err->errnum == EDQUOT;
    nearest(folder, path, sizeof(path));
    if (quota ? !store : !is_full(path)) {
        return false;
    }
    snprintf(text, sizeof(text), "%s of %s, %s, is %s%s", quota ? "your quota on the file system" : "the file system", folder, what,
             quota ? "used up" : "full",
             store ? ": \"coffer system df\" says what takes room, \"coffer system prune\" removes what nobody uses" : "");
    add(err, text);
    return true;
}

static bool add_access(const char *what, const char *folder, const char *way, struct err *err) {
    char path[4096], text[4096 + 256];
    nearest(folder, path, sizeof(path));
    if (access(path, W_OK | X_OK) == 0 || errno != err->errnum) {
        return false;
    }
    snprintf(text, sizeof(text), "%s would be %s: make that writable, %s", what, folder, way);
    add(err, text);
    return true;
}

void advice_add(const struct context *context, struct err *err) {
    if (!context->store_dir || !context->root_dir) {
        return;
    }
    if (err->errnum == ENOSPC || err->errnum == EDQUOT) {
        (void)(add_room(context, "the store", context->store_dir, err) ||
               add_room(context, "where what runs is noted", context->root_dir, err));
    } else if (err->errnum == EACCES || err->errnum == EROFS) {
        const char *other_store = context->rootless ? "set HOME or XDG_DATA_HOME, or give --store" : "or give --store";
        const char *other_root = context->rootless ? "set XDG_RUNTIME_DIR, or give --root" : "or give --root";
        (void)(add_access("the store", context->store_dir, other_store, err) ||
               add_access("what runs", context->root_dir, other_root, err));
    }
}

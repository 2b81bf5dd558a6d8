// Deletions: image-spec layer.md, "Whiteouts". `.wh.NAME` deletes NAME of lower layers, `.wh..wh..opq` all that lower layers have
// in its directory; neither touches what the same layer brings, wherever they stand in its tar. Overlayfs has the one as a
// character device 0:0, which any user may make since Linux 5.8, the other as an extended attribute that takes more privilege than
// this process shall have: it is listed, and set by unpack_settle().
#include "images/unpack_state.h"
#include "runtime/base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define MARKER UNPACK_MARKER
#define META_MARKER ".wh..wh."
#define OPAQUE_MARKER UNPACK_OPAQUE_MARKER

enum { MARKER_LENGTH = sizeof(MARKER) - 1, META_LENGTH = sizeof(META_MARKER) - 1 };

bool unpack_is_marker(const char *path) {
    if (strncmp(path, MARKER, MARKER_LENGTH) == 0) {
        return true;
    }
    return strstr(path, "/" MARKER) != NULL;
}

bool unpack_is_whiteout(int parent_fd, const char *name) {
    struct stat status;
    return fstatat(parent_fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISCHR(status.st_mode) &&
           status.st_rdev == makedev(0, 0);
}

bool unpack_replace_whiteout(int parent_fd, const char *name) {
    return unpack_is_whiteout(parent_fd, name) && unlinkat(parent_fd, name, 0) == 0;
}

static int make_whiteout(struct unpack_state *state, const struct unpack_target *target, const char *path, struct err *err) {
    if (mknodat(target->parent.fd, target->name, S_IFCHR, makedev(0, 0)) == 0) {
        return 0;
    }
    if (errno != EEXIST) {
        return err_sys(err, "make a whiteout");
    }
    // What this layer brings stays; of a directory, only what lower layers have in it goes.
    struct stat status;
    if (fstatat(target->parent.fd, target->name, &status, AT_SYMLINK_NOFOLLOW) < 0) {
        return err_sys(err, "look at what is in its place");
    }
    return S_ISDIR(status.st_mode) ? unpack_add_opaque(state, path, err) : 0;
}

// aufs kept its own books below such names; they were never part of an image.
static bool is_of_aufs(const char *path, const char *marker) {
    if (strncmp(path, META_MARKER, META_LENGTH) == 0 && strcmp(path, OPAQUE_MARKER) != 0) {
        return true;
    }
    return marker != path && strstr(path, "/" META_MARKER) && strcmp(marker, OPAQUE_MARKER) != 0;
}

bool unpack_marker_subject(const char *path, char ret_subject[PATH_MAX], bool *ret_opaque) {
    const char *slash = strrchr(path, '/');
    const char *marker = slash ? slash + 1 : path;
    size_t above = (size_t)(marker - path);
    if (is_of_aufs(path, marker) || strncmp(marker, MARKER, MARKER_LENGTH) != 0) {
        return false;
    }
    *ret_opaque = strcmp(marker, OPAQUE_MARKER) == 0;
    if (*ret_opaque) {
        memcpy(ret_subject, above > 0 ? path : ".", above > 0 ? above - 1 : 1);
        ret_subject[above > 0 ? above - 1 : 1] = '\0';
        return true;
    }
    memcpy(ret_subject, path, above);
    memcpy(ret_subject + above, marker + MARKER_LENGTH, strlen(marker + MARKER_LENGTH) + 1);
    return true;
}

int unpack_marker_check(const char *path, struct err *err) {
    const char *slash = strrchr(path, '/');
    const char *marker = slash ? slash + 1 : path;
    char above[PATH_MAX];
    memcpy(above, path, (size_t)(marker - path));
    above[marker - path] = '\0';
    if (unpack_is_marker(above)) {
        return err_set(err, ERR_INPUT, "lies in a directory whose name is a whiteout's");
    }
    const char *name = marker + MARKER_LENGTH;
    if (*name == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        return err_set(err, ERR_INPUT, "is a whiteout of nothing");
    }
    return 0;
}

int unpack_marker(struct unpack_state *state, const char *path, const struct tar_entry *entry, struct err *err) {
    const char *slash = strrchr(path, '/');
    const char *marker = slash ? slash + 1 : path;
    if (is_of_aufs(path, marker)) {
        return 0;
    }
    if (unpack_marker_check(path, err) < 0) {
        return -1;
    }
    struct unpack_target target = {.entry = entry};
    if (unpack_open_parent(state, path, &target, err) < 0) {
        return -1;
    }
    char subject[PATH_MAX];
    bool is_opaque;
    unpack_marker_subject(path, subject, &is_opaque);
    if (is_opaque) {
        return unpack_add_opaque(state, subject, err);
    }
    target.name = marker + MARKER_LENGTH;
    return make_whiteout(state, &target, subject, err);
}

#include "runtime/engine/image_root.h"

#include "images/image.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/engine/home.h"
#include "runtime/kernel/overlay.h"

#include <fcntl.h>
#include <sched.h>

// A single layer is a tree by itself.
int image_root_open(const struct home *home, const struct image *image, const char *place, struct err *err) {
    AUTO_FREE char *path = mem_format("%s/layers", home->store);
    if (home->rootless && unshare(CLONE_NEWNS) < 0) {
        return err_sys(err, "make a mount namespace");
    }
    // By its path: what was opened in another mount namespace cannot be mounted here.
    AUTO_FD int layers = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (layers < 0) {
        return err_sys(err, "open %s", path);
    }
    if (image->lower_count == 1) {
        int layer = openat(layers, image->lower[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return layer < 0 ? err_sys(err, "open the image's layer %s", image->lower[0]) : layer;
    }
    const struct overlay overlay = {
        .base_fd = layers,
        .lower = image->lower,
        .lower_count = image->lower_count,
        .user_xattr = home->rootless,
        .directory = place,
        .own_namespace = home->rootless,
    };
    AUTO_FD int root = overlay_mount(&overlay, err);
    if (root < 0) {
        return -1;
    }
    int readable = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return readable < 0 ? err_sys(err, "open the image's root") : readable;
}

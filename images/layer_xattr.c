#include "images/layer_xattr.h"

#include "runtime/base/err.h"
#include "runtime/base/mem.h"

#include <errno.h>
#include <linux/limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

bool layer_xattr_is_wanted(const char *name) {
    static const char *const whole[] = {"security.capability", "system.posix_acl_access", "system.posix_acl_default"};
    if (strncmp(name, "user.", 5) == 0) {
        return strncmp(name, "user.overlay.", 13) != 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(whole); i++) {
        if (strcmp(name, whole[i]) == 0) {
            return true;
        }
    }
    return false;
}

static int compare_names(const void *a, const void *b) {
    const char *const *left = a, *const *right = b;
    return strcmp(*left, *right);
}

size_t layer_xattr_select(const char *list, size_t size, const char **ret_names, uint64_t *dropped) {
    size_t count = 0;
    for (const char *name = list; name < list + size; name += strlen(name) + 1) {
        if (layer_xattr_is_wanted(name)) {
            ret_names[count++] = name;
        } else {
            (*dropped)++;
        }
    }
    qsort(ret_names, count, sizeof(*ret_names), compare_names);
    return count;
}

static int copy_one(int from_fd, int to_fd, const char *name, char *value, uint64_t *dropped, struct err *err) {
    ssize_t size = fgetxattr(from_fd, name, value, XATTR_SIZE_MAX);
    if (size < 0) {
        return errno == ENODATA ? 0 : err_sys(err, "read extended attribute %s", name);
    }
    if (fsetxattr(to_fd, name, value, (size_t)size, 0) == 0) {
        return 0;
    }
    if ((errno != ENOTSUP && errno != EPERM) || strcmp(name, "security.capability") == 0) {
        return err_sys(err, "set extended attribute %s", name);
    }
    (*dropped)++;
    return 0;
}

int layer_xattr_copy(int from_fd, int to_fd, uint64_t *dropped, struct err *err) {
    ssize_t size = flistxattr(from_fd, NULL, 0);
    if (size <= 0) {
        return size == 0 || errno == ENOTSUP ? 0 : err_sys(err, "list extended attributes");
    }
    AUTO_FREE char *list = mem_alloc(XATTR_LIST_MAX);
    size = flistxattr(from_fd, list, XATTR_LIST_MAX);
    if (size < 0) {
        return err_sys(err, "list extended attributes");
    }
    AUTO_FREE const char **names = mem_array((size_t)size / 2 + 1, sizeof(*names)); // each takes two bytes at least
    size_t count = layer_xattr_select(list, (size_t)size, names, dropped);
    AUTO_FREE char *value = count > 0 ? mem_resize(NULL, XATTR_SIZE_MAX, 1) : NULL;
    for (size_t i = 0; i < count; i++) {
        if (copy_one(from_fd, to_fd, names[i], value, dropped, err) < 0) {
            return -1;
        }
    }
    return 0;
}

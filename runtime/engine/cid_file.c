#include "runtime/engine/cid_file.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int cid_file_make(const char *path, int *ret_fd, struct err *err) {
    *ret_fd = path ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644) : -1;
    if (path && *ret_fd < 0 && errno == EEXIST) {
        return err_set(err, ERR_EXISTS, "--cidfile %s: there is such a file already, with the id of another container perhaps; remove it",
                       path);
    }
    return path && *ret_fd < 0 ? err_sys(err, "--cidfile %s", path) : 0;
}

int cid_file_write(const char *path, int fd, const char *id, struct err *err) {
    return path && fd_write_all(fd, id, strlen(id)) < 0 ? err_sys(err, "--cidfile %s", path) : 0;
}

void cid_file_remove(const char *path) {
    if (path) {
        unlink(path);
    }
}

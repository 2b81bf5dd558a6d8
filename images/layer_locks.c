#include "images/layer_locks.h"

#include "images/store.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

struct place {
    off_t offset;
    const struct digest *diff_id;
};

// The first 60 bits.
static off_t offset_of(const struct digest *diff_id) {
    char digits[16];
    memcpy(digits, diff_id->hex, 15);
    digits[15] = '\0';
    return (off_t)strtoull(digits, NULL, 16);
}

static int compare(const void *a, const void *b) {
    const struct place *one = a, *other = b;
    return one->offset < other->offset ? -1 : one->offset > other->offset;
}

static int set_lock(int fd, const struct place *place, int command) {
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = place->offset, .l_len = 1};
    int result;
    do {
        result = fcntl(fd, command, &lock);
    } while (result < 0 && errno == EINTR);
    return result;
}

int layer_locks_take(const struct store *store, const struct digest *const *diff_ids, size_t count,
                     void (*waiting)(const struct digest *diff_id), struct err *err) {
    AUTO_FREE struct place *places = mem_array(count + 1, sizeof(*places));
    AUTO_FD int fd = openat(store->fd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return err_sys(err, "open %s/lock", store->path);
    }
    for (size_t i = 0; i < count; i++) {
        places[i] = (struct place){.offset = offset_of(diff_ids[i]), .diff_id = diff_ids[i]};
    }
    qsort(places, count, sizeof(*places), compare);
    for (size_t i = 0; i < count; i++) {
        int result = set_lock(fd, &places[i], F_OFD_SETLK);
        if (result < 0 && (errno == EAGAIN || errno == EACCES)) {
            waiting(places[i].diff_id);
            result = set_lock(fd, &places[i], F_OFD_SETLKW);
        }
        if (result < 0) {
            return err_sys(err, "lock layer sha256:%.12s in the store", places[i].diff_id->hex);
        }
    }
    return fd_take(&fd);
}

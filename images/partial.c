#include "images/partial.h"

#include "images/partial_note.h"
#include "images/store.h"
#include "runtime/base/dir.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { DISK_BLOCK = 512 }; // of st_blocks

static void name_it(const struct digest *digest, char name[PARTIAL_NAME_SIZE]) {
    snprintf(name, PARTIAL_NAME_SIZE, "partials/%s-%s", digest_algorithm_name(digest->algorithm), digest->hex);
}

// The lock comes after the opening: somebody may have removed the file in between.
static bool lock(const struct store *store, int fd, const char *name, struct stat *ret) {
    struct stat placed;
    return flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, ret) == 0 && S_ISREG(ret->st_mode) &&
           fstatat(store->fd, name, &placed, AT_SYMLINK_NOFOLLOW) == 0 && placed.st_ino == ret->st_ino &&
           placed.st_dev == ret->st_dev;
}

static bool read_note(struct partial *partial, uint64_t file_bytes, uint64_t size) {
    char note[PARTIAL_NOTE_SIZE];
    ssize_t got = pread(partial->fd, note, sizeof(note), 0);
    if (got < 0 || partial_note_parse(note, (size_t)got, &partial->from) < 0) {
        return false;
    }
    uint64_t bytes = file_bytes - PARTIAL_NOTE_SIZE;
    partial->to = partial->from + bytes;
    return bytes > 0 && partial->from < size && bytes <= size - partial->from;
}

bool partial_find(const struct store *store, const struct digest *digest, uint64_t size, struct partial *ret) {
    struct partial partial = {.store = store};
    struct stat status;
    name_it(digest, partial.name);
    partial.fd = openat(store->fd, partial.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (partial.fd < 0) {
        return false;
    }
    if (!lock(store, partial.fd, partial.name, &status)) {
        fd_close(&partial.fd);
        return false;
    }
    if (!read_note(&partial, (uint64_t)status.st_size, size)) {
        log_info("%s/%s is not what it should be; it is removed", store->path, partial.name);
        partial_remove(&partial);
        return false;
    }
    *ret = partial;
    return true;
}

bool partial_create(const struct store *store, const struct digest *digest, struct partial *ret) {
    struct partial partial = {.store = store};
    struct stat status;
    name_it(digest, partial.name);
    if (mkdirat(store->fd, "partials", 0700) < 0 && errno != EEXIST) {
        log_info("make directory %s/partials: %s", store->path, strerror(errno));
        return false;
    }
    partial.fd = openat(store->fd, partial.name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    if (partial.fd < 0) {
        log_info("make %s/%s: %s", store->path, partial.name, strerror(errno));
        return false;
    }
    if (!lock(store, partial.fd, partial.name, &status) || status.st_size > 0) {
        fd_close(&partial.fd); // another process was there first
        return false;
    }
    *ret = partial;
    return true;
}

int partial_writer(const struct partial *partial) {
    return openat(partial->store->fd, partial->name, O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
}

void partial_remove(struct partial *partial) {
    if (!partial->store) {
        return;
    }
    if (unlinkat(partial->store->fd, partial->name, 0) < 0 && errno != ENOENT) {
        log_warn("remove %s/%s: %s", partial->store->path, partial->name, strerror(errno));
    }
    fd_close(&partial->fd);
    *partial = (struct partial){.fd = -1};
}

void partial_finish(struct partial *partial) {
    struct stat status;
    if (!partial->store) {
        return;
    }
    if (fstat(partial->fd, &status) == 0 && status.st_size <= PARTIAL_NOTE_SIZE) {
        partial_remove(partial);
        return;
    }
    fd_close(&partial->fd);
    *partial = (struct partial){.fd = -1};
}

// --- all of them ---

struct visit {
    const struct store *store;
    void (*see)(struct visit *visit, struct partial *partial, const struct stat *status, bool is_ours);
    void (*tell)(void *context, uint64_t bytes, bool in_use);
    void *context;
    int64_t made_before_s;
    unsigned removed;
    uint64_t bytes;
};

static void visit_each(struct visit *visit) {
    AUTO_FD int dir = openat(visit->store->fd, "partials", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    AUTO_DIR DIR *stream = dir < 0 ? NULL : dir_stream(dir);
    for (const struct dirent *entry; stream && (entry = dir_next(stream));) {
        struct partial partial = {.store = visit->store};
        struct stat status;
        int length = snprintf(partial.name, sizeof(partial.name), "partials/%s", entry->d_name);
        if (length < 0 || (size_t)length >= sizeof(partial.name)) {
            continue; // not ours
        }
        AUTO_FD int fd = openat(visit->store->fd, partial.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) {
            bool is_ours = lock(visit->store, fd, partial.name, &status);
            partial.fd = fd_take(&fd);
            visit->see(visit, &partial, &status, is_ours);
            fd_close(&partial.fd);
        }
    }
}

static void tell_of(struct visit *visit, struct partial *partial, const struct stat *status, bool is_ours) {
    (void)partial;
    visit->tell(visit->context, (uint64_t)status->st_blocks * DISK_BLOCK, !is_ours);
}

void partial_each(const struct store *store, void (*tell)(void *context, uint64_t bytes, bool in_use), void *context) {
    struct visit visit = {.store = store, .see = tell_of, .tell = tell, .context = context};
    visit_each(&visit);
}

static void remove_old(struct visit *visit, struct partial *partial, const struct stat *status, bool is_ours) {
    if (is_ours && (int64_t)status->st_mtime <= visit->made_before_s) {
        visit->removed++;
        visit->bytes += (uint64_t)status->st_blocks * DISK_BLOCK;
        partial_remove(partial);
    }
}

unsigned partial_sweep(const struct store *store, int64_t min_age_s, uint64_t *bytes) {
    struct visit visit = {.store = store, .see = remove_old};
    visit.made_before_s = min_age_s > 0 ? (int64_t)time(NULL) - min_age_s : INT64_MAX; // whatever the clock was
    visit_each(&visit);
    *bytes += visit.bytes;
    return visit.removed;
}

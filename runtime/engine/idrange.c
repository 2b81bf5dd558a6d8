#include "runtime/engine/idrange.h"

#include "runtime/base/dir.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/engine/links.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEFAULT_FIRST = 0x70000000, DEFAULT_END = 0x7ffe0000, GRANTS_MAX = 256 };

struct span {
    uint64_t first, end;
};

struct pool {
    struct span span;
    struct span taken[GRANTS_MAX]; // other subordinate ranges
    size_t taken_count;
};

// Reads /etc/subuid: our own line moves the pool, the others are kept out of.
static void read_pool(struct pool *pool) {
    *pool = (struct pool){.span = {DEFAULT_FIRST, DEFAULT_END}};
    AUTO_FREE char *text = NULL;
    size_t size;
    struct err ignored = {0};
    if (fd_read_file(AT_FDCWD, "/etc/subuid", 1 << 20, &text, &size, &ignored) < 0) {
        return;
    }
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        char name[64];
        unsigned long long first, count;
        if (sscanf(line, "%63[^:]:%llu:%llu", name, &first, &count) != 3 || first + count > UINT32_MAX) {
            continue;
        }
        if (strcmp(name, "coffer") == 0 && count >= IDRANGE_SIZE) {
            pool->span = (struct span){first, first + count};
        } else if (pool->taken_count < GRANTS_MAX) {
            pool->taken[pool->taken_count++] = (struct span){first, first + count};
        }
    }
}

static bool is_free_of_grants(const struct pool *pool, uint64_t first) {
    for (size_t i = 0; i < pool->taken_count; i++) {
        if (first < pool->taken[i].end && pool->taken[i].first < first + IDRANGE_SIZE) {
            return false;
        }
    }
    return true;
}

static int open_ids(int store_fd, struct err *err) {
    int fd = openat(store_fd, "ids", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT && (mkdirat(store_fd, "ids", 0700) == 0 || errno == EEXIST)) {
        fd = openat(store_fd, "ids", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    }
    return fd < 0 ? err_sys(err, "open the store's directory of id ranges") : fd;
}

// Where the search begins: ids are random, so their first digits spread the containers over the pool.
static uint64_t start_at(const char *container, uint64_t slots) {
    char digits[9] = "";
    strncpy(digits, container, sizeof(digits) - 1);
    return strtoul(digits, NULL, 16) % slots;
}

int idrange_take(int store_fd, const char *container, uint32_t *ret_first, struct err *err) {
    AUTO_FD int ids = open_ids(store_fd, err);
    if (ids < 0) {
        return -1;
    }
    struct pool pool;
    read_pool(&pool);
    uint64_t slots = (pool.span.end - pool.span.first) / IDRANGE_SIZE, start = start_at(container, slots);
    for (uint64_t i = 0; i < slots; i++) {
        uint64_t first = pool.span.first + (start + i) % slots * IDRANGE_SIZE;
        if (!is_free_of_grants(&pool, first)) {
            continue;
        }
        char name[16];
        snprintf(name, sizeof(name), "%u", (uint32_t)first);
        if (links_make(ids, name, container) == 0) {
            *ret_first = (uint32_t)first;
            return 0;
        }
        if (errno != EEXIST) {
            return err_sys(err, "take a range of user ids");
        }
    }
    return err_set(err, ERR_STATE, "all %llu ranges of user ids are taken; remove containers, or grant more with a line "
                   "\"coffer:FIRST:COUNT\" in /etc/subuid", (unsigned long long)slots);
}

// --- shared ones ---

// "ids/shared/FIRST.ID", a link as the others are. The folder is there only while there is one.
static int open_shared(int ids_fd, bool make) {
    if (make && mkdirat(ids_fd, "shared", 0700) < 0 && errno != EEXIST) {
        return -1;
    }
    return openat(ids_fd, "shared", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

int idrange_share(int store_fd, const char *container, uint32_t first, struct err *err) {
    char number[16], name[NAME_MAX], owner[RECORD_ID_SIZE];
    AUTO_FD int ids = open_ids(store_fd, err);
    if (ids < 0) {
        return -1;
    }
    snprintf(number, sizeof(number), "%u", first);
    snprintf(name, sizeof(name), "%u.%s", first, container);
    if (flock(ids, LOCK_EX) < 0) {
        return err_sys(err, "lock the store's directory of id ranges");
    }
    if (!links_read(ids, number, owner)) {
        return err_set(err, ERR_STATE, "the container whose user ids are to be shared has just been removed");
    }
    AUTO_FD int shared = open_shared(ids, true);
    return shared < 0 || links_make(shared, name, container) < 0 ? err_sys(err, "share a range of user ids") : 0;
}

// Another container that has the range, too.
static bool find_sharer(int shared_fd, const char *number, char ret_id[RECORD_ID_SIZE]) {
    size_t length = strlen(number);
    AUTO_DIR DIR *stream = dir_stream(shared_fd);
    for (const struct dirent *entry = stream ? dir_next(stream) : NULL; entry; entry = dir_next(stream)) {
        if (strncmp(entry->d_name, number, length) == 0 && entry->d_name[length] == '.' && links_read(shared_fd, entry->d_name, ret_id)) {
            return true;
        }
    }
    return false;
}

// Whoever leaves a shared range last gives it back: before, it goes to the next one, whole, by a rename. The lock is held.
static void leave(int ids_fd, int shared_fd, const char *number, const char *container) {
    char owner[RECORD_ID_SIZE], next[RECORD_ID_SIZE], name[2 * NAME_MAX];
    snprintf(name, sizeof(name), "%s.%s", number, container);
    unlinkat(shared_fd, name, 0);
    if (!links_read(ids_fd, number, owner) || strcmp(owner, container) != 0) {
        return;
    }
    if (!find_sharer(shared_fd, number, next)) {
        unlinkat(ids_fd, number, 0);
        return;
    }
    snprintf(name, sizeof(name), "%s.%s", number, next);
    if (renameat(shared_fd, name, ids_fd, number) < 0) {
        log_warn("hand the user ids from %s on to container %.12s: %s", number, next, strerror(errno));
    }
}

void idrange_release(int store_fd, const char *container, uint32_t first) {
    AUTO_FD int ids = openat(store_fd, "ids", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    char name[16];
    snprintf(name, sizeof(name), "%u", first);
    if (ids < 0 || flock(ids, LOCK_EX) < 0) {
        return;
    }
    AUTO_FD int shared = open_shared(ids, false);
    if (shared < 0) {
        links_release(ids, name, container);
        return;
    }
    leave(ids, shared, name, container);
    unlinkat(ids, "shared", AT_REMOVEDIR); // where it is empty
}

void idrange_release_all(int store_fd, const char *container) {
    AUTO_FD int ids = openat(store_fd, "ids", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (ids < 0 || flock(ids, LOCK_EX) < 0) {
        return;
    }
    AUTO_FD int shared = open_shared(ids, false);
    if (shared < 0) {
        links_remove(ids, container);
        return;
    }
    links_remove(shared, container);
    AUTO_DIR DIR *stream = dir_stream(ids);
    for (const struct dirent *entry = stream ? dir_next(stream) : NULL; entry; entry = dir_next(stream)) {
        leave(ids, shared, entry->d_name, container);
    }
    unlinkat(ids, "shared", AT_REMOVEDIR);
}

// What stands where in a store, with which modes.
#include "images/check_state.h"
#include "images/digest.h"
#include "images/store.h"
#include "images/tar_record.h"
#include "runtime/base/dir.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/base/quote.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SHA256_DIGITS = 64, SHA512_DIGITS = 128 };

// What a folder may hold: which names, of which type. Their modes are 0700 and 0600, for they are the owner's alone.
struct rule {
    bool (*knows)(const char *name);
    mode_t type; // 0: any, and any mode: it is not ours
};

static bool knows_sha256(const char *name) {
    return check_is_hex(name, SHA256_DIGITS);
}

static bool knows_sha512(const char *name) {
    return check_is_hex(name, SHA512_DIGITS);
}

static bool knows_partial(const char *name) {
    return (strncmp(name, "sha256-", 7) == 0 && knows_sha256(name + 7)) ||
           (strncmp(name, "sha512-", 7) == 0 && knows_sha512(name + 7));
}

static bool knows_algorithm(const char *name) {
    return strcmp(name, "sha256") == 0 || strcmp(name, "sha512") == 0;
}

static bool knows_record(const char *name) {
    size_t digits = strspn(name, "0123456789abcdef");
    return (digits == SHA256_DIGITS || digits == SHA512_DIGITS) && strcmp(name + digits, ".json") == 0;
}

static bool knows_tree(const char *name) {
    return strcmp(name, "fs") == 0;
}

static bool knows_document(const char *name) {
    return strcmp(name, "layer.json") == 0 || strcmp(name, TAR_RECORD_NAME) == 0;
}

// Names of images and lists are looked at one by one (check_images.c, check_lists.c).
static bool knows_all(const char *name) {
    (void)name;
    return true;
}

static const struct rule of_store[] = {{store_knows, 0}, {0}};
static const struct rule of_blobs[] = {{knows_algorithm, S_IFDIR}, {0}};
static const struct rule of_sha256[] = {{knows_sha256, S_IFREG}, {0}};
static const struct rule of_sha512[] = {{knows_sha512, S_IFREG}, {0}};
static const struct rule of_images[] = {{knows_record, S_IFREG}, {0}};
static const struct rule of_tags[] = {{knows_all, S_IFDIR}, {0}};
static const struct rule of_names[] = {{knows_all, S_IFLNK}, {0}};
static const struct rule of_lists[] = {{knows_all, S_IFREG}, {0}};
static const struct rule of_layers[] = {{knows_sha256, S_IFDIR}, {0}};
static const struct rule of_layer[] = {{knows_tree, 0}, {knows_document, S_IFREG}, {0}};
static const struct rule of_partials[] = {{knows_partial, S_IFREG}, {0}};
static const struct rule of_staging[] = {{knows_all, S_IFDIR}, {0}};

static void check_attributes(struct check *check, const char *path, const struct stat *status) {
    mode_t mode = status->st_mode & 07777, expected = S_ISDIR(status->st_mode) ? 0700 : 0600;
    if (status->st_uid != geteuid()) {
        check_found(check, CHECK_MODE, path, "belongs to user %u, expected %u", status->st_uid, geteuid());
    }
    if (!S_ISLNK(status->st_mode) && mode != expected) {
        check_found(check, CHECK_MODE, path, "its mode is %04o, expected %04o", mode, expected);
    }
}

// Names of strangers: they are quoted where they are shown, and bounded by the file system.
static bool check_entry(struct check *check, const char *path, const char *name, const struct stat *status,
                        const struct rule *rules) {
    for (const struct rule *rule = rules; rule->knows; rule++) {
        if (rule->knows(name) && (rule->type == 0 || (status->st_mode & S_IFMT) == rule->type)) {
            if (rule->type != 0) {
                check_attributes(check, path, status);
            }
            return true;
        }
    }
    check_found(check, CHECK_FOREIGN, path, "does not belong into the store");
    return false;
}

static void check_folder(struct check *check, const char *folder, const struct rule *rules, const struct rule *below) {
    AUTO_DIR DIR *stream = check_list(check, folder);
    for (const struct dirent *entry; stream && (entry = dir_next(stream));) {
        struct stat status;
        AUTO_FREE char *path =
            strcmp(folder, ".") == 0 ? mem_copy_string(entry->d_name) : mem_format("%s/%s", folder, entry->d_name);
        if (fstatat(check->store->fd, path, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
            check_entry(check, path, entry->d_name, &status, rules) && below) {
            check_folder(check, path, below, NULL);
        }
    }
}

static void check_places(struct check *check) {
    struct stat status;
    if (fstat(check->store->fd, &status) == 0) {
        check_attributes(check, ".", &status);
    }
    for (size_t i = 0; store_folders[i]; i++) {
        if (fstatat(check->store->fd, store_folders[i], &status, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT) {
            check_found(check, CHECK_FOLDER, store_folders[i], "is missing");
        } else if (!S_ISDIR(status.st_mode)) {
            check_found(check, CHECK_FOREIGN, store_folders[i], "is no directory");
        } else if (!strchr(store_folders[i], '/')) { // the others are entries of theirs
            check_attributes(check, store_folders[i], &status);
        }
    }
}

// What processes that have died were about to do. The living hold a lock.
static void check_staging(struct check *check) {
    AUTO_DIR DIR *stream = check_list(check, "staging");
    for (const struct dirent *entry; stream && (entry = dir_next(stream));) {
        AUTO_FD int fd = openat(dirfd(stream), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) {
            AUTO_FREE char *path = mem_format("staging/%s", entry->d_name);
            check_found(check, CHECK_LEFTOVER, path, "was left by a process that died");
        }
    }
}

void check_layout(struct check *check) {
    static const struct {
        const char *folder;
        const struct rule *rules, *below;
    } places[] = {
        {".", of_store, NULL},
        {"blobs", of_blobs, NULL},
        {"blobs/sha256", of_sha256, NULL},
        {"blobs/sha512", of_sha512, NULL},
        {"images", of_images, NULL},
        {"tags", of_tags, of_names},
        {"lists", of_tags, of_lists},
        {"layers", of_layers, of_layer},
        {"partials", of_partials, NULL},
        {"staging", of_staging, NULL},
    };
    check_places(check);
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        check_folder(check, places[i].folder, places[i].rules, places[i].below);
    }
    check_lists(check);
    check_staging(check);
}

// Lists of images: whether they can be read, by the names they have. What they list need not be in the store.
#include "images/check_state.h"
#include "images/list.h"
#include "images/store.h"
#include "runtime/base/dir.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static void check_list_file(struct check *check, const char *folder, const char *file) {
    struct image_ref ref;
    struct list list;
    struct stat status;
    struct err err = {0};
    AUTO_FREE char *path = mem_format("lists/%s/%s", folder, file);
    char expected[LIST_PATH_SIZE];
    if (fstatat(check->store->fd, path, &status, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(status.st_mode)) {
        return; // the layout says so
    }
    if (!list_name_of(folder, file, check->arena, &ref) || strcmp(list_path(&ref, expected), path) != 0) {
        check_found(check, CHECK_FOREIGN, path, "is no name of a list");
    } else if (list_read(check->store, &ref, check->arena, &list, &err) < 0) {
        check_found(check, CHECK_FOREIGN, path, "is no list: %s", err.text);
    }
}

void check_lists(struct check *check) {
    AUTO_DIR DIR *folders = check_list(check, "lists");
    for (const struct dirent *folder; folders && (folder = dir_next(folders));) {
        AUTO_FREE char *path = mem_format("lists/%s", folder->d_name);
        AUTO_DIR DIR *files = check_list(check, path);
        for (const struct dirent *file; files && (file = dir_next(files));) {
            check_list_file(check, folder->d_name, file->d_name);
        }
    }
}

// What connects a container with its caller, and is not in criu's files: what is at the other end of its standard descriptors, and
// whether it ends with him.
#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/container/checkpoint_image.h"
#include "runtime/kernel/criu_message.h"
#include "runtime/kernel/mount_point.h"
#include "runtime/kernel/mountinfo.h"
#include "specs/json.h"
#include "specs/json_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char descriptors_name[] = "descriptors.json";
enum { DESCRIPTORS_MAX_BYTES = 4096, MOUNTINFO_MAX_BYTES = 64 << 20, NAME_SIZE = 64 };

// The name criu has for what is open: a pipe's, or that of a file on a mount of the host's. "" for what is the container's own, for
// terminals and for sockets. The text of a link that begins with "pipe:" is never a path's.
static void name_descriptor(pid_t pid, int fd, const char *mounts, char name[NAME_SIZE]) {
    char path[48], target[NAME_SIZE];
    snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
    ssize_t size = readlink(path, target, sizeof(target) - 1);
    target[size > 0 ? size : 0] = '\0';
    name[0] = '\0';
    if (strncmp(target, "pipe:[", 6) == 0) {
        snprintf(name, NAME_SIZE, "%s", target);
        return;
    }
    if (target[0] != '/' || strncmp(target, "/dev/pts/", 9) == 0) {
        return;
    }
    AUTO_FD int file = open(path, O_PATH | O_CLOEXEC);
    struct mount_point place;
    struct stat status;
    if (file < 0 || mount_point_look(file, &place) < 0 || fstat(file, &status) < 0) {
        return;
    }
    AUTO_FREE char *point = mountinfo_point(mounts, place.id);
    if (!point) {
        snprintf(name, NAME_SIZE, "file[%lx:%lx]", (unsigned long)place.id, (unsigned long)status.st_ino);
    }
}

int checkpoint_descriptors_name(pid_t pid, struct arena *arena, struct buf *options, const char *names[CHECKPOINT_DESCRIPTORS],
                                struct err *err) {
    AUTO_FREE char *mounts = NULL;
    size_t size;
    char path[48];
    snprintf(path, sizeof(path), "/proc/%d/mountinfo", pid);
    if (fd_read_file(AT_FDCWD, path, MOUNTINFO_MAX_BYTES, &mounts, &size, err) < 0) {
        return -1;
    }
    for (int fd = 0; fd < CHECKPOINT_DESCRIPTORS; fd++) {
        char name[NAME_SIZE];
        name_descriptor(pid, fd, mounts, name);
        names[fd] = arena_copy_string(arena, name);
        if (strncmp(name, "file[", 5) == 0) {
            criu_put_string(options, CRIU_EXTERNAL, name);
        }
    }
    return 0;
}

int checkpoint_descriptors_write(const struct checkpoint_image *image, const char *const names[CHECKPOINT_DESCRIPTORS],
                                 struct err *err) {
    AUTO_BUF struct buf text = {0};
    struct json_writer writer = {.buf = &text};
    json_write_open(&writer, NULL, '[');
    for (size_t i = 0; i < CHECKPOINT_DESCRIPTORS; i++) {
        json_write_string(&writer, NULL, names[i]);
    }
    json_write_close(&writer, ']');
    return fd_replace_file(image->images, descriptors_name, text.data, text.size, 0600, err);
}

struct strings {
    const char **items;
    size_t count;
};

static int take_strings(struct json_reader *reader, json_t *value, void *into) {
    struct strings *strings = into;
    return json_take_strings(reader, value, &strings->items, &strings->count);
}

int checkpoint_descriptors_read(const struct checkpoint_image *image, struct arena *arena, const char *names[CHECKPOINT_DESCRIPTORS],
                                struct err *err) {
    AUTO_FREE char *text = NULL;
    size_t size;
    struct strings strings = {0};
    if (fd_read_file(image->images, descriptors_name, DESCRIPTORS_MAX_BYTES, &text, &size, err) < 0) {
        return err->errnum == ENOENT ? err_set(err, ERR_NOT_FOUND, "there is no whole checkpoint in it: %s is missing", descriptors_name)
                                     : -1;
    }
    const struct json_document document = {.name = descriptors_name, .text = text, .size = size};
    if (json_decode_custom(&document, take_strings, arena, &strings, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < CHECKPOINT_DESCRIPTORS; i++) {
        names[i] = i < strings.count ? strings.items[i] : "";
    }
    return 0;
}

static const char attached_name[] = "attached";

int checkpoint_attached_write(const struct checkpoint_image *image, bool attached, struct err *err) {
    int result = attached ? mknodat(image->images, attached_name, S_IFREG | 0600, 0) : unlinkat(image->images, attached_name, 0);
    return result < 0 && errno != (attached ? EEXIST : ENOENT) ? err_sys(err, "write %s", attached_name) : 0;
}

bool checkpoint_attached_read(const struct checkpoint_image *image) {
    return faccessat(image->images, attached_name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

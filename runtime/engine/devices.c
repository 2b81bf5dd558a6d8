#include "runtime/engine/devices.h"

#include "runtime/base/arena.h"
#include "runtime/base/dir.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/strv.h"
#include "runtime/engine/cdi.h"
#include "runtime/engine/config.h"
#include "runtime/engine/request.h"
#include "specs/cdi.h"
#include "specs/oci_config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

enum { DEVICES_MAX = 1024, DEPTH_MAX = 8 };

struct device {
    const char *source, *target, *access;
    struct stat status;
};

struct device_list {
    struct arena *arena;
    struct device *items;
    size_t count;
};

static bool is_access(const char *text) {
    return *text && strlen(text) <= 3 && strspn(text, "rwm") == strlen(text);
}

static bool is_device(const struct stat *status) {
    return S_ISCHR(status->st_mode) || S_ISBLK(status->st_mode);
}

// HOST[:CONTAINER][:rwm]
static int read_words(const char *text, struct arena *arena, struct device *ret, struct err *err) {
    char *words[4] = {0}, *rest = arena_copy_string(arena, text);
    size_t count = 0;
    for (char *word = strsep(&rest, ":"); word && count < ARRAY_LEN(words); word = strsep(&rest, ":")) {
        words[count++] = word;
    }
    *ret = (struct device){.source = words[0], .target = words[0], .access = "rwm"};
    bool second_is_access = count == 2 && is_access(words[1]);
    if (count == 3 || second_is_access) {
        ret->access = words[count - 1];
    }
    if (count == 3 || (count == 2 && !second_is_access)) {
        ret->target = words[1];
    }
    if (count > 3 || ret->source[0] != '/' || ret->target[0] != '/' || !is_access(ret->access)) {
        return err_set(err, ERR_INPUT, "--device: expected HOST[:CONTAINER][:rwm] with absolute paths, found \"%s\"", text);
    }
    return 0;
}

static int add(struct device_list *list, const struct device *device, struct err *err) {
    if (list->count == DEVICES_MAX) {
        return err_set(err, ERR_INPUT, "--device: expected at most %d devices, and %s is one more", DEVICES_MAX, device->source);
    }
    if (!list->items) {
        list->items = arena_array(list->arena, DEVICES_MAX, sizeof(*list->items));
    }
    list->items[list->count++] = *device;
    return 0;
}

// --- folders of devices ---

// Of /dev itself: what is no hardware, and what a container has of its own.
static bool is_own(const struct device *folder, const char *name) {
    static const char *const own[] = {"pts", "shm", "mqueue", "fd", "console", "ptmx", "log"};
    for (size_t i = 0; i < ARRAY_LEN(own) && strcmp(folder->target, "/dev") == 0; i++) {
        if (strcmp(name, own[i]) == 0) {
            return true;
        }
    }
    return false;
}

static int add_folder(struct device_list *list, int at, const struct device *folder, unsigned depth, struct err *err);

static int add_entry(struct device_list *list, int fd, const struct device *folder, const char *name, unsigned depth, struct err *err) {
    struct device device = {.access = folder->access};
    if (fstatat(fd, name, &device.status, AT_SYMLINK_NOFOLLOW) < 0 || (!is_device(&device.status) && !S_ISDIR(device.status.st_mode))) {
        return 0; // gone meanwhile, or a link to another one
    }
    device.source = arena_format(list->arena, "%s/%s", folder->source, name);
    device.target = arena_format(list->arena, "%s/%s", folder->target, name);
    if (is_device(&device.status)) {
        return add(list, &device, err);
    }
    if (depth == DEPTH_MAX) {
        return err_set(err, ERR_INPUT, "--device: %s lies more than %d folders deep", device.source, DEPTH_MAX);
    }
    AUTO_FD int below = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return below < 0 ? err_sys(err, "--device: open %s", device.source) : add_folder(list, below, &device, depth + 1, err);
}

static int add_folder(struct device_list *list, int at, const struct device *folder, unsigned depth, struct err *err) {
    AUTO_DIR DIR *stream = dir_stream(at);
    if (!stream) {
        return err_sys(err, "--device: read %s", folder->source);
    }
    for (const struct dirent *entry = dir_next(stream); entry; entry = dir_next(stream)) {
        if (!is_own(folder, entry->d_name) && add_entry(list, at, folder, entry->d_name, depth, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int add_path(struct device_list *list, struct device *device, struct err *err) {
    if (stat(device->source, &device->status) < 0) {
        return err_sys(err, "--device: look at %s", device->source);
    }
    if (!S_ISDIR(device->status.st_mode)) {
        return is_device(&device->status) ? add(list, device, err) : err_set(err, ERR_INPUT, "--device: %s is no device", device->source);
    }
    AUTO_FD int fd = open(device->source, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? err_sys(err, "--device: open %s", device->source) : add_folder(list, fd, device, 0, err);
}

// --- into the configuration ---

// With user ids of its own a container may make no device: the host's node is shown in it.
static void show(const struct device *device, struct arena *arena, struct oci_mount *ret) {
    *ret = (struct oci_mount){.destination = device->target, .type = "bind", .source = device->source};
    ret->options = arena_array(arena, 4, sizeof(*ret->options));
    ret->options[ret->options_count++] = "bind";
    ret->options[ret->options_count++] = "nosuid";
    ret->options[ret->options_count++] = "noexec";
    ret->options[ret->options_count++] = "rprivate";
}

static void show_all(const struct device_list *list, struct oci_config *config) {
    struct oci_mount *mounts = arena_array(list->arena, config->mounts_count + list->count, sizeof(*mounts));
    memcpy(mounts, config->mounts, config->mounts_count * sizeof(*mounts));
    config->mounts = mounts;
    for (size_t i = 0; i < list->count; i++) {
        show(&list->items[i], list->arena, &mounts[config->mounts_count++]);
    }
}

static void make_all(const struct device_list *list, struct oci_config *config) {
    config->os.devices = arena_array(list->arena, list->count, sizeof(*config->os.devices));
    for (size_t i = 0; i < list->count; i++) {
        const struct device *device = &list->items[i];
        config->os.devices[config->os.devices_count++] = (struct oci_device){
            .path = device->target,
            .type = device->status.st_mode & S_IFMT,
            .major = major(device->status.st_rdev),
            .minor = minor(device->status.st_rdev),
            .file_mode = {true, device->status.st_mode & 07777},
            .uid = {true, device->status.st_uid},
            .gid = {true, device->status.st_gid},
        };
    }
}

// --- rules ---

static bool read_number(const char *text, struct opt_i64 *ret) {
    char *end;
    if (strcmp(text, "*") == 0) {
        return true; // all of them
    }
    errno = 0;
    unsigned long number = strtoul(text, &end, 10);
    *ret = (struct opt_i64){true, (int64_t)number};
    return *text >= '0' && *text <= '9' && *end == '\0' && errno == 0 && number <= UINT32_MAX;
}

// "TYPE MAJOR:MINOR ACCESS"
static int read_rule(const char *text, struct arena *arena, struct oci_device_rule *ret, struct err *err) {
    char *rest = arena_copy_string(arena, text), *type = strsep(&rest, " ");
    char *first = rest ? strsep(&rest, ":") : NULL, *second = rest ? strsep(&rest, " ") : NULL;
    *ret = (struct oci_device_rule){.allow = true, .type = (unsigned char)type[0], .access = rest};
    if (!second || !rest || strlen(type) != 1 || !strchr("abc", type[0]) || !read_number(first, &ret->major) ||
        !read_number(second, &ret->minor) || !is_access(rest)) {
        return err_set(err, ERR_INPUT, "--device-cgroup-rule: expected a type, numbers and what may be done, such as \"c 81:* rwm\", found \"%s\"",
                       text);
    }
    return 0;
}

static int add_rules(const struct config_request *request, const struct device_list *list, struct oci_resources *resources, struct err *err) {
    const struct strv *rules = &request->run->device_rules;
    if (request->rootless) {
        return rules->count == 0 ? 0 : err_set(err, ERR_UNSUPPORTED, "--device-cgroup-rule: only root can set rules for devices");
    }
    resources->devices = arena_array(list->arena, 1 + list->count + rules->count, sizeof(*resources->devices));
    resources->devices[resources->devices_count++] = (struct oci_device_rule){.allow = request->run->privileged, .type = 'a'};
    if (request->run->privileged) {
        return 0;
    }
    for (size_t i = 0; i < list->count; i++) {
        const struct device *device = &list->items[i];
        resources->devices[resources->devices_count++] = (struct oci_device_rule){
            .allow = true,
            .type = S_ISCHR(device->status.st_mode) ? 'c' : 'b',
            .major = {true, major(device->status.st_rdev)},
            .minor = {true, minor(device->status.st_rdev)},
            .access = device->access,
        };
    }
    for (size_t i = 0; i < rules->count; i++) {
        if (read_rule(rules->items[i], list->arena, &resources->devices[resources->devices_count++], err) < 0) {
            return -1;
        }
    }
    return 0;
}

// Nodes that a CDI file names; what else it wants is in `described`.
static int add_described(struct device_list *list, const struct cdi_list *described, struct err *err) {
    for (size_t i = 0; i < described->count; i++) {
        const struct cdi_edits *edits = described->items[i];
        for (size_t node = 0; node < edits->nodes_count; node++) {
            const struct cdi_node *from = &edits->nodes[node];
            struct device device = {
                .source = from->host_path ? from->host_path : from->path,
                .target = from->path,
                .access = from->permissions && is_access(from->permissions) ? from->permissions : "rwm",
            };
            if (add_path(list, &device, err) < 0) {
                return -1;
            }
        }
    }
    return 0;
}

static int collect(const struct run_request *run, struct device_list *list, struct cdi_list *described, struct err *err) {
    for (size_t i = 0; i < run->devices.count; i++) {
        const char *word = run->devices.items[i];
        struct device device;
        int result = cdi_is_name(word)                                ? cdi_find(word, list->arena, described, err)
                     : read_words(word, list->arena, &device, err) < 0 ? -1
                                                                       : add_path(list, &device, err);
        if (result < 0) {
            return -1;
        }
    }
    return run->gpus && cdi_find_gpus(run->gpus, list->arena, described, err) < 0 ? -1 : add_described(list, described, err);
}

int devices_merge(const struct config_request *request, struct arena *arena, struct oci_config *config, struct err *err) {
    struct device_list list = {.arena = arena};
    struct cdi_list described = {0};
    struct device all = {.source = "/dev", .target = "/dev", .access = "rwm"};
    if (collect(request->run, &list, &described, err) < 0) {
        return -1;
    }
    if (request->run->privileged && !request->user_namespace && add_path(&list, &all, err) < 0) {
        return -1;
    }
    cdi_apply(&described, arena, config);
    (request->user_namespace ? show_all : make_all)(&list, config);
    return add_rules(request, &list, &config->os.resources, err);
}

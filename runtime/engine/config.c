#include "runtime/engine/config.h"

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/strv.h"
#include "runtime/engine/joined.h"
#include "runtime/engine/mount_list.h"
#include "runtime/engine/policy.h"
#include "runtime/engine/request.h"
#include "runtime/engine/resources.h"
#include "runtime/engine/volume_ids.h"
#include "specs/image_config.h"
#include "specs/oci_config.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ENGINE_MOUNTS_MAX = 16 };

static const char default_path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

struct making {
    const struct config_request *request;
    struct arena *arena;
    struct oci_config *config;
};

static bool is_host(const char *mode) {
    return mode && strcmp(mode, "host") == 0;
}

const char *engine_hostname(const struct run_request *run, const char *id, struct arena *arena) {
    if ((is_host(run->network) || is_host(run->uts)) && !run->hostname) {
        char name[256] = "";
        return gethostname(name, sizeof(name) - 1) == 0 && *name ? arena_copy_string(arena, name) : "localhost";
    }
    return run->hostname ? run->hostname : arena_format(arena, "%.12s", id);
}

// --- process ---

static void add_all(const char **to, size_t *count, const char *const *from, size_t from_count) {
    for (size_t i = 0; i < from_count; i++) {
        to[(*count)++] = from[i];
    }
}

// Docker's rules: the user's entrypoint drops the image's command; the user's command replaces only the image's command.
static int merge_args(struct making *making, struct oci_process *process, struct err *err) {
    const struct run_request *run = making->request->run;
    const struct image_settings *image = making->request->image;
    size_t room = image->entrypoint_count + image->cmd_count + run->command_count + 2;
    const char **args = arena_array(making->arena, room, sizeof(*args));
    size_t count = 0;
    if (run->entrypoint && *run->entrypoint) {
        args[count++] = run->entrypoint;
    } else if (!run->entrypoint) {
        add_all(args, &count, image->entrypoint, image->entrypoint_count);
    }
    if (run->command_count > 0) {
        add_all(args, &count, run->command, run->command_count);
    } else if (!run->entrypoint) {
        add_all(args, &count, image->cmd, image->cmd_count);
    }
    if (count == 0) {
        return err_set(err, ERR_INPUT, "image %s names no command; give one behind the image", run->image);
    }
    if (!*args[0]) {
        return err_set(err, ERR_NO_COMMAND, "the command is empty");
    }
    process->args = args;
    process->args_count = count;
    return 0;
}

static void merge_env(struct making *making, struct oci_process *process) {
    const struct run_request *run = making->request->run;
    const struct image_settings *image = making->request->image;
    AUTO_STRV struct strv env = {0};
    strv_add(&env, default_path);
    strv_add_format(&env, "HOSTNAME=%s", engine_hostname(run, making->request->id, making->arena));
    if (run->tty) {
        strv_add(&env, "TERM=xterm");
    }
    for (size_t i = 0; i < image->env_count; i++) {
        if (strchr(image->env[i], '=')) {
            strv_set_env(&env, image->env[i]);
        }
    }
    for (size_t i = 0; i < run->env.count; i++) {
        if (strchr(run->env.items[i], '=')) {
            strv_set_env(&env, run->env.items[i]);
        }
    }
    process->env = arena_array(making->arena, env.count + 1, sizeof(*process->env));
    for (size_t i = 0; i < env.count; i++) {
        process->env[process->env_count++] = arena_copy_string(making->arena, env.items[i]);
    }
}

static int merge_process(struct making *making, struct err *err) {
    const struct run_request *run = making->request->run;
    const char *image_dir = making->request->image->working_dir;
    struct oci_process *process = arena_alloc(making->arena, sizeof(*process));
    process->terminal = run->tty;
    if (run->tty && making->request->rows > 0) {
        process->console_size = arena_alloc(making->arena, sizeof(*process->console_size));
        *process->console_size = (struct oci_console_size){.height = making->request->rows, .width = making->request->columns};
    }
    process->cwd = run->workdir ? run->workdir : image_dir && *image_dir ? image_dir : "/";
    if (process->cwd[0] != '/') {
        return err_set(err, ERR_INPUT, "working directory \"%s\": expected an absolute path", process->cwd);
    }
    making->config->process = process;
    if (merge_args(making, process, err) < 0) {
        return -1;
    }
    merge_env(making, process);
    return policy_process(run, making->arena, process, err);
}

// --- mounts ---

static struct oci_mount *add_mount(struct making *making, const char *target, const char *type, const char *source) {
    struct oci_mount *mount = &making->config->mounts[making->config->mounts_count++];
    *mount = (struct oci_mount){.destination = target, .type = type, .source = source};
    mount->options = arena_array(making->arena, ENGINE_MOUNTS_MAX, sizeof(*mount->options));
    return mount;
}

static void add_options(struct oci_mount *mount, const char *const *options) {
    for (; *options; options++) {
        mount->options[mount->options_count++] = *options;
    }
}

#define MOUNT(target, type, source, ...) add_options(add_mount(making, target, type, source), (const char *const[]){__VA_ARGS__, NULL})

static void add_system_mounts(struct making *making) {
    const struct config_request *request = making->request;
    const struct run_request *run = request->run;
    bool host_network = strcmp(run->network, "host") == 0;
    int64_t shm = run->shm_size_bytes.set ? run->shm_size_bytes.value : 64 << 20;
    MOUNT("/proc", "proc", "proc", "nosuid", "noexec", "nodev");
    MOUNT("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k");
    // Group 5, tty, is in the map of every namespace but one with a single id.
    MOUNT("/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620",
          request->single_id ? NULL : "gid=5");
    if (is_host(run->ipc) || joined_container(run->ipc)) {
        MOUNT("/dev/shm", "bind", "/dev/shm", "bind", "nosuid", "noexec", "nodev", "rprivate");
    } else if (!run->ipc || strcmp(run->ipc, "none") != 0) {
        MOUNT("/dev/shm", "tmpfs", "shm", "nosuid", "noexec", "nodev", "mode=1777",
              arena_format(making->arena, "size=%lld", (long long)shm));
    }
    MOUNT("/dev/mqueue", "mqueue", "mqueue", "nosuid", "noexec", "nodev");
    if (host_network && request->user_namespace) {
        // A new sysfs shows a network namespace's devices and so needs to own one: the host's is shown instead, read-only.
        MOUNT("/sys", "bind", "/sys", "rbind", "rro", "nosuid", "noexec", "nodev", "rprivate");
    } else {
        MOUNT("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", "ro");
        MOUNT("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "relatime", run->privileged ? "rw" : "ro");
    }
}

static void add_etc(struct making *making, const char *name, const char *target) {
    MOUNT(target, "bind", arena_format(making->arena, "%s/%s", making->request->etc, name), "bind", "rprivate");
}

static bool has_map(const struct volume *volume) {
    bool found = false;
    for (size_t i = 0; i < volume->options_count; i++) {
        found = found || volume_is_map(volume->options[i]);
    }
    return found;
}

static int add_volume(struct making *making, const struct volume *volume, struct err *err) {
    const struct config_request *request = making->request;
    const struct volume_ids ids = {
        .user = request->user,
        .user_namespace = request->user_namespace,
        .range = request->uids.ranges,
        .rootless = request->rootless,
    };
    bool is_new = volume->kind == VOLUME_TMPFS;
    struct oci_mount *mount = &making->config->mounts[making->config->mounts_count++];
    *mount = (struct oci_mount){
        .destination = volume->target,
        .type = is_new ? "tmpfs" : "bind",
        .source = is_new ? "tmpfs" : volume->kind == VOLUME_NAMED ? volume->path : volume->source,
        .source_below = volume->kind == VOLUME_IMAGE ? NULL : volume->sub_path, // an image comes as a tree (image_mounts.h)
        .options = volume->options,
        .options_count = volume->options_count,
    };
    // With ids of the container's own, files of the host would all be nobody's: they keep the owners they have outside. Those of a
    // volume have the owners that containers see, whatever their ids are.
    bool shows_other_ids = (request->user_namespace && !request->rootless) || volume->swaps_owner;
    if (!is_new && volume->kind != VOLUME_IMAGE && shows_other_ids && !has_map(volume)) {
        mount->options = arena_array(making->arena, volume->options_count + 2, sizeof(*mount->options));
        memcpy(mount->options, volume->options, volume->options_count * sizeof(*mount->options));
        mount->options[mount->options_count++] = "ridmap";
    }
    return request->runs ? 0 : volume_ids_apply(&ids, making->arena, volume, mount, err);
}

// A mount of the user's over one of ours replaces it; what lies below others comes after them.
static void drop_replaced(struct oci_config *config, size_t ours) {
    size_t kept = 0;
    for (size_t i = 0; i < config->mounts_count; i++) {
        bool replaced = false;
        for (size_t later = i < ours ? ours : i + 1; later < config->mounts_count && !replaced; later++) {
            replaced = strcmp(config->mounts[i].destination, config->mounts[later].destination) == 0;
        }
        if (!replaced) {
            config->mounts[kept++] = config->mounts[i];
        }
    }
    config->mounts_count = kept;
}

static int merge_mounts(struct making *making, struct err *err) {
    const struct mount_list *mounts = making->request->mounts;
    making->config->mounts = arena_array(making->arena, ENGINE_MOUNTS_MAX + mounts->items_count, sizeof(*making->config->mounts));
    add_system_mounts(making);
    add_etc(making, "resolv.conf", "/etc/resolv.conf");
    add_etc(making, "hostname", "/etc/hostname");
    add_etc(making, "hosts", "/etc/hosts");
    size_t ours = making->config->mounts_count;
    for (size_t i = 0; i < mounts->items_count; i++) {
        if (add_volume(making, &mounts->items[i], err) < 0) {
            return -1;
        }
    }
    drop_replaced(making->config, ours);
    return 0;
}

// --- namespaces ---

static struct oci_id_mapping *copy_map(struct arena *arena, const struct idmap *map, size_t *ret_count) {
    struct oci_id_mapping *mappings = arena_array(arena, map->count, sizeof(*mappings));
    for (size_t i = 0; i < map->count; i++) {
        mappings[i] = (struct oci_id_mapping){map->ranges[i].inside, map->ranges[i].outside, map->ranges[i].count};
    }
    *ret_count = map->count;
    return mappings;
}

static const char *namespace_path(struct making *making, int fd) {
    return fd < 0 ? NULL : arena_format(making->arena, "/proc/self/fd/%d", fd);
}

static void merge_namespaces(struct making *making) {
    const struct config_request *request = making->request;
    const struct joined *joined = request->joined;
    struct oci_linux *os = &making->config->os;
    const struct {
        uint32_t type;
        bool wanted;
        int joined;
    } types[] = {
        {CLONE_NEWPID, !is_host(request->run->pid), joined->pid},
        {CLONE_NEWNS, true, -1},
        {CLONE_NEWIPC, !is_host(request->run->ipc), joined->ipc},
        {CLONE_NEWUTS, !is_host(request->run->uts), -1},
        {CLONE_NEWCGROUP, !is_host(request->run->cgroupns), -1},
        {CLONE_NEWNET, strcmp(request->run->network, "host") != 0, joined->network},
        {CLONE_NEWUSER, request->user_namespace, joined->user},
    };
    os->namespaces = arena_array(making->arena, ARRAY_LEN(types), sizeof(*os->namespaces));
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (types[i].wanted) {
            os->namespaces[os->namespaces_count++] = (struct oci_namespace){
                .type = types[i].type,
                .path = namespace_path(making, types[i].joined),
            };
        }
    }
    if (request->user_namespace && joined->user < 0) {
        os->uid_mappings = copy_map(making->arena, &request->uids, &os->uid_mappings_count);
        os->gid_mappings = copy_map(making->arena, &request->gids, &os->gid_mappings_count);
    }
}

static void merge_annotations(struct making *making) {
    const struct strv *annotations = &making->request->run->annotations;
    struct oci_config *config = making->config;
    config->annotations = arena_array(making->arena, annotations->count, sizeof(*config->annotations));
    for (size_t i = 0; i < annotations->count; i++) {
        const char *text = annotations->items[i];
        size_t length = strcspn(text, "=");
        config->annotations[config->annotations_count++] = (struct text_pair){
            .name = arena_copy(making->arena, text, length),
            .value = text[length] ? text + length + 1 : "",
        };
    }
}

int engine_config(const struct config_request *request, struct arena *arena, struct oci_config **ret, struct err *err) {
    struct oci_config *config = arena_alloc(arena, sizeof(*config));
    struct making making = {.request = request, .arena = arena, .config = config};
    config->oci_version = OCI_VERSION;
    config->root.path = "rootfs"; // its place is taken by the layers
    config->root.readonly = request->run->read_only;
    config->hostname = is_host(request->run->uts) ? NULL : engine_hostname(request->run, request->id, arena);
    config->domainname = request->run->domainname;
    merge_namespaces(&making);
    if (merge_mounts(&making, err) < 0 || merge_process(&making, err) < 0 || resources_merge(request, arena, config, err) < 0 ||
        policy_hiding(request->run, arena, config, err) < 0) {
        return -1;
    }
    merge_annotations(&making);
    *ret = config;
    return 0;
}

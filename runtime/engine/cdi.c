#include "runtime/engine/cdi.h"

#include "runtime/base/arena.h"
#include "runtime/base/dir.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/base/quantity.h"
#include "specs/cdi.h"
#include "specs/json.h"
#include "specs/oci_config.h"

#include <fcntl.h>
#include <string.h>

enum { EDITS_MAX = 256, GPUS_MAX = 64 };

static const char *const folders[] = {"/var/run/cdi", "/etc/cdi"};

bool cdi_is_name(const char *word) {
    const char *equals = strchr(word, '='), *slash = strchr(word, '/');
    return word[0] != '/' && slash && equals && slash < equals;
}

// --- files ---

struct search {
    const char *kind, *name; // of the device; name NULL: any of the kind will do
    struct arena *arena;
    const struct cdi_spec *spec;
    const struct cdi_device *device;
    const char *path; // of its file
    bool has_yaml; // which is not read
};

static bool ends_with(const char *text, const char *ending) {
    size_t length = strlen(text), ending_length = strlen(ending);
    return length > ending_length && strcmp(text + length - ending_length, ending) == 0;
}

static void look_in(struct search *search, const struct cdi_spec *spec) {
    for (size_t i = 0; strcmp(spec->kind, search->kind) == 0 && i < spec->devices_count; i++) {
        if (!search->name || strcmp(spec->devices[i].name, search->name) == 0) {
            search->spec = spec;
            search->device = &spec->devices[i];
            return;
        }
    }
}

// A file that cannot be read may be about another device.
static void search_file(struct search *search, int folder_fd, const char *folder, const char *name) {
    AUTO_FREE char *text = NULL;
    struct err err = {0};
    size_t size;
    struct cdi_spec *spec = arena_alloc(search->arena, sizeof(*spec));
    const char *path = arena_format(search->arena, "%s/%s", folder, name);
    if (fd_read_file(folder_fd, name, JSON_MAX_BYTES, &text, &size, &err) < 0 ||
        cdi_spec_decode(&(struct json_document){.name = path, .text = text, .size = size}, search->arena, spec, &err) < 0) {
        log_warn("%s", err.text);
        return;
    }
    search->path = path;
    look_in(search, spec);
}

static void search_folder(struct search *search, const char *folder) {
    AUTO_FD int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    AUTO_DIR DIR *stream = fd < 0 ? NULL : dir_stream(fd);
    for (const struct dirent *entry = stream ? dir_next(stream) : NULL; entry && !search->device; entry = dir_next(stream)) {
        search->has_yaml = search->has_yaml || ends_with(entry->d_name, ".yaml") || ends_with(entry->d_name, ".yml");
        if (ends_with(entry->d_name, ".json")) {
            search_file(search, fd, folder, entry->d_name);
        }
    }
}

static void search_all(struct search *search) {
    for (size_t i = 0; i < ARRAY_LEN(folders) && !search->device; i++) {
        search_folder(search, folders[i]);
    }
}

static bool is_listed(const struct cdi_list *list, const char *name) {
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static int add(const struct search *search, struct cdi_list *list, struct err *err) {
    const struct cdi_edits *both[] = {&search->spec->edits, &search->device->edits};
    const char *names[] = {search->path, arena_format(search->arena, "%s=%s", search->kind, search->device->name)};
    if (!list->items) {
        list->items = arena_array(search->arena, EDITS_MAX, sizeof(*list->items));
        list->names = arena_array(search->arena, EDITS_MAX, sizeof(*list->names));
    }
    if (list->count + ARRAY_LEN(both) > EDITS_MAX) {
        return err_set(err, ERR_INPUT, "--device: expected at most %d devices of CDI files", EDITS_MAX / 2);
    }
    for (size_t i = 0; i < ARRAY_LEN(both); i++) {
        if (!is_listed(list, names[i])) {
            list->names[list->count] = names[i];
            list->items[list->count++] = both[i];
        }
    }
    return 0;
}

int cdi_find(const char *name, struct arena *arena, struct cdi_list *list, struct err *err) {
    char *kind = arena_copy_string(arena, name), *equals = strchr(kind, '=');
    *equals = '\0';
    struct search search = {.kind = kind, .name = equals + 1, .arena = arena};
    search_all(&search);
    if (!search.device) {
        return err_set(err, ERR_NOT_FOUND, "--device %s: no CDI file in /etc/cdi or /var/run/cdi describes it%s", name,
                       search.has_yaml ? "; files in YAML are not read, write them as JSON (nvidia-ctk cdi generate --format json)" : "");
    }
    return add(&search, list, err);
}

// --- GPUs ---

static const char *find_kind(struct arena *arena, bool *ret_has_yaml) {
    static const char *const kinds[] = {"nvidia.com/gpu", "amd.com/gpu"};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct search search = {.kind = kinds[i], .arena = arena};
        search_all(&search);
        *ret_has_yaml = search.has_yaml;
        if (search.device) {
            return kinds[i];
        }
    }
    return NULL;
}

static int wrong_gpus(const char *words, struct err *err) {
    return err_set(err, ERR_INPUT, "--gpus: expected all, a number, or \"device=NAME,...\" in quotes of its own, found \"%s\"", words);
}

// All of the names, with commas between.
static int find_named(const char *kind, char *names, struct arena *arena, struct cdi_list *list, struct err *err) {
    for (char *name = strsep(&names, ","); name; name = strsep(&names, ",")) {
        if (cdi_find(arena_format(arena, "%s=%s", kind, name), arena, list, err) < 0) {
            return err_in(err, "--gpus");
        }
    }
    return 0;
}

static int find_count(const char *kind, const char *count, struct arena *arena, struct cdi_list *list, struct err *err) {
    int64_t number;
    char all[] = "all";
    if (strcmp(count, "all") == 0 || strcmp(count, "-1") == 0) {
        return find_named(kind, all, arena, list, err);
    }
    if (quantity_int(count, &number) < 0 || number < 0 || number > GPUS_MAX) {
        return wrong_gpus(count, err);
    }
    for (int64_t i = 0; i < number; i++) {
        if (find_named(kind, arena_format(arena, "%lld", (long long)i), arena, list, err) < 0) {
            return -1;
        }
    }
    return 0;
}

// One of docker's fields, which are separated by commas, those with commas in double quotes.
static char *take_field(char **rest) {
    char *at = *rest;
    if (!at || !*at) {
        return NULL;
    }
    if (*at != '"') {
        return strsep(rest, ",");
    }
    char *end = strchr(at + 1, '"');
    if (end) {
        *end++ = '\0';
    }
    *rest = end && *end == ',' ? end + 1 : NULL;
    return at + 1;
}

int cdi_find_gpus(const char *words, struct arena *arena, struct cdi_list *list, struct err *err) {
    bool has_yaml;
    const char *kind = find_kind(arena, &has_yaml);
    char *rest = arena_copy_string(arena, words);
    if (!kind) {
        return err_set(err, ERR_UNSUPPORTED,
                       "--gpus: no GPU is described on this host: expected a CDI file of kind nvidia.com/gpu in /etc/cdi or /var/run/cdi, as "
                       "\"nvidia-ctk cdi generate --format json --output /etc/cdi/nvidia.json\" writes it%s",
                       has_yaml ? "; files in YAML, as there is one, are not read" : "");
    }
    for (char *field = take_field(&rest); field; field = take_field(&rest)) {
        bool is_device = strncmp(field, "device=", 7) == 0, is_count = strncmp(field, "count=", 6) == 0;
        if (strncmp(field, "driver=", 7) == 0 || strncmp(field, "capabilities=", 13) == 0) {
            continue; // the CDI file says what belongs to a device
        }
        if (!is_device && !is_count && strchr(field, '=')) {
            return wrong_gpus(words, err);
        }
        if ((is_device ? find_named(kind, field + 7, arena, list, err)
                       : find_count(kind, is_count ? field + 6 : field, arena, list, err)) < 0) {
            return -1;
        }
    }
    return list->count > 0 ? 0 : wrong_gpus(words, err);
}

// --- edits ---

static void add_env(const struct cdi_edits *edits, struct arena *arena, struct oci_process *process) {
    const char **env = arena_array(arena, process->env_count + edits->env_count + 1, sizeof(*env));
    memcpy(env, process->env, process->env_count * sizeof(*env));
    for (size_t i = 0; i < edits->env_count; i++) {
        size_t name = strcspn(edits->env[i], "="), at = 0;
        while (at < process->env_count && (strncmp(env[at], edits->env[i], name) != 0 || env[at][name] != '=')) {
            at++;
        }
        env[at] = edits->env[i];
        process->env_count += at == process->env_count;
    }
    process->env = env;
}

static void add_mounts(const struct cdi_edits *edits, struct arena *arena, struct oci_config *config) {
    struct oci_mount *mounts = arena_array(arena, config->mounts_count + edits->mounts_count, sizeof(*mounts));
    memcpy(mounts, config->mounts, config->mounts_count * sizeof(*mounts));
    for (size_t i = 0; i < edits->mounts_count; i++) {
        const struct cdi_mount *from = &edits->mounts[i];
        struct oci_mount *mount = &mounts[config->mounts_count++];
        *mount = (struct oci_mount){.destination = from->container_path, .type = "bind", .source = from->host_path};
        mount->options = arena_array(arena, from->options_count + 2, sizeof(*mount->options));
        mount->options[mount->options_count++] = "bind";
        for (size_t option = 0; option < from->options_count; option++) {
            mount->options[mount->options_count++] = from->options[option];
        }
    }
    config->mounts = mounts;
}

static void add_groups(const struct cdi_edits *edits, struct arena *arena, struct oci_user *user) {
    uint32_t *gids = arena_array(arena, user->additional_gids_count + edits->gids_count + 1, sizeof(*gids));
    if (user->additional_gids_count > 0) {
        memcpy(gids, user->additional_gids, user->additional_gids_count * sizeof(*gids));
    }
    for (size_t i = 0; i < edits->gids_count; i++) {
        gids[user->additional_gids_count++] = edits->gids[i];
    }
    user->additional_gids = gids;
}

void cdi_apply(const struct cdi_list *list, struct arena *arena, struct oci_config *config) {
    for (size_t i = 0; i < list->count; i++) {
        const struct cdi_edits *edits = list->items[i];
        add_env(edits, arena, config->process);
        add_mounts(edits, arena, config);
        add_groups(edits, arena, &config->process->user);
        for (size_t hook = 0; hook < edits->hooks_count; hook++) {
            log_warn("a CDI file asks for the hook %s, %s, which is not run", edits->hooks[hook].name, edits->hooks[hook].path);
        }
    }
}

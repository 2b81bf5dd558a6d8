#include "runtime/engine/mount_list.h"

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/engine/home.h"
#include "runtime/engine/record.h"
#include "runtime/engine/request.h"
#include "runtime/engine/volume_store.h"
#include "specs/image_config.h"
#include "specs/json.h"
#include "specs/json_write.h"

#include <string.h>

enum { IMAGE_VOLUMES_MAX = 256 };

// --- as JSON ---

static const struct json_name kind_names[] = {
    {"bind", VOLUME_BIND}, {"tmpfs", VOLUME_TMPFS}, {"volume", VOLUME_NAMED}, {"image", VOLUME_IMAGE}, {0},
};
_Static_assert(ARRAY_LEN(kind_names) == VOLUME_KIND_COUNT + 1, "a kind without a name");

static const struct json_row rows[] = {
    ROW_ENUM("type", struct volume, kind, kind_names, JSON_NEEDED),
    ROW_STRING("source", struct volume, source, 0),
    ROW_STRING("image", struct volume, image, 0),
    ROW_STRING("target", struct volume, target, JSON_NEEDED),
    ROW_STRING("subPath", struct volume, sub_path, 0),
    ROW_BOOL("readOnly", struct volume, read_only, 0),
    ROW_BOOL("makeSource", struct volume, make_source, 0),
    ROW_BOOL("anonymous", struct volume, anonymous, 0),
    ROW_BOOL("noCopy", struct volume, no_copy, 0),
    ROW_BOOL("swapsOwner", struct volume, swaps_owner, 0),
    ROW_STRINGS("createOptions", struct volume, create_options, 0),
    ROW_STRINGS("createLabels", struct volume, create_labels, 0),
    ROW_STRINGS("options", struct volume, options, 0),
};
static const struct json_table row_table = JSON_TABLE(struct volume, rows);

static const struct json_row list_rows[] = {
    ROW_LIST("list", struct mount_list, items, struct volume, row_table, 0),
};
static const struct json_table list_table = JSON_TABLE(struct mount_list, list_rows);

static void write_text(struct json_writer *writer, const char *name, const char *text) {
    if (text) {
        json_write_string(writer, name, text);
    }
}

static void write_flag(struct json_writer *writer, const char *name, bool value) {
    if (value) {
        json_write_bool(writer, name, true);
    }
}

const char *mount_list_write(const struct mount_list *list, struct arena *arena) {
    AUTO_BUF struct buf text = {0};
    struct json_writer writer = {.buf = &text};
    json_write_open(&writer, NULL, '{');
    json_write_open(&writer, "list", '[');
    for (size_t i = 0; i < list->items_count; i++) {
        const struct volume *volume = &list->items[i];
        json_write_open(&writer, NULL, '{');
        json_write_string(&writer, "type", json_name_of(kind_names, volume->kind));
        write_text(&writer, "source", volume->source);
        write_text(&writer, "image", volume->image);
        json_write_string(&writer, "target", volume->target);
        write_text(&writer, "subPath", volume->sub_path);
        write_flag(&writer, "readOnly", volume->read_only);
        write_flag(&writer, "makeSource", volume->make_source);
        write_flag(&writer, "anonymous", volume->anonymous);
        write_flag(&writer, "noCopy", volume->no_copy);
        write_flag(&writer, "swapsOwner", volume->swaps_owner);
        if (volume->create_options_count > 0) {
            json_write_strings(&writer, "createOptions", volume->create_options, volume->create_options_count);
        }
        if (volume->create_labels_count > 0) {
            json_write_strings(&writer, "createLabels", volume->create_labels, volume->create_labels_count);
        }
        json_write_strings(&writer, "options", volume->options, volume->options_count);
        json_write_close(&writer, '}');
    }
    json_write_close(&writer, ']');
    json_write_close(&writer, '}');
    return arena_copy_string(arena, buf_string(&text));
}

int mount_list_read(const char *text, struct arena *arena, struct mount_list *ret, struct err *err) {
    const struct json_document document = {.name = "record.json: mounts", .text = text, .size = strlen(text)};
    return json_decode(&document, &list_table, arena, ret, err);
}

// --- of a request ---

static struct volume *find_target(const struct mount_list *list, const char *target) {
    for (size_t i = 0; i < list->items_count; i++) {
        if (strcmp(list->items[i].target, target) == 0) {
            return &list->items[i];
        }
    }
    return NULL;
}

static size_t depth_of(const char *path) {
    size_t depth = 0;
    for (; *path; path++) {
        depth += *path == '/';
    }
    return depth;
}

// Behind those that are no deeper: what lies below another mount is mounted after it.
static void insert(struct mount_list *list, const struct volume *volume) {
    size_t at = list->items_count++;
    for (; at > 0 && depth_of(list->items[at - 1].target) > depth_of(volume->target); at--) {
        list->items[at] = list->items[at - 1];
    }
    list->items[at] = *volume;
}

static void reserve(struct mount_list *list, struct arena *arena, size_t more) {
    struct volume *items = arena_array(arena, list->items_count + more + 1, sizeof(*items));
    if (list->items_count > 0) {
        memcpy(items, list->items, list->items_count * sizeof(*items));
    }
    list->items = items;
}

static int parse_tmpfs(struct arena *arena, const char *text, const struct volume_place *place, struct volume *ret, struct err *err) {
    (void)place;
    return volume_parse_tmpfs(arena, text, ret, err);
}

int mount_list_parse(const struct run_request *request, struct arena *arena, struct mount_list *ret, struct err *err) {
    const struct {
        const char *flag;
        const struct strv *words;
        int (*parse)(struct arena *arena, const char *text, const struct volume_place *place, struct volume *ret, struct err *err);
    } flags[] = {
        {"--volume", &request->volumes, volume_parse_short},
        {"--mount", &request->mounts, volume_parse_long},
        {"--tmpfs", &request->tmpfs, parse_tmpfs},
    };
    const struct volume_place place = {.cwd = request->cwd, .home = request->home};
    struct mount_list list = {0};
    reserve(&list, arena, request->volumes.count + request->mounts.count + request->tmpfs.count);
    for (size_t flag = 0; flag < ARRAY_LEN(flags); flag++) {
        for (size_t i = 0; i < flags[flag].words->count; i++) {
            struct volume volume;
            if (flags[flag].parse(arena, flags[flag].words->items[i], &place, &volume, err) < 0) {
                return err_in(err, "%s", flags[flag].flag);
            }
            if (find_target(&list, volume.target)) {
                return err_set(err, ERR_INPUT, "%s: \"%s\": something is mounted at %s already; leave out one of them",
                               flags[flag].flag, flags[flag].words->items[i], volume.target);
            }
            insert(&list, &volume);
        }
    }
    *ret = list;
    return 0;
}

bool mount_list_has_volumes(const struct mount_list *list, const struct run_request *request, const struct image_settings *image) {
    for (size_t i = 0; i < list->items_count; i++) {
        if (list->items[i].kind == VOLUME_NAMED) {
            return true;
        }
    }
    return request->volumes_from.count > 0 || image->volumes_count > 0;
}

// What the container has of volumes and of binds.
static int add_from(const struct home *home, const char *word, struct arena *arena, struct mount_list *list, struct err *err) {
    char *name = arena_copy_string(arena, word), *mode = strchr(name, ':'), id[RECORD_ID_SIZE];
    struct record record;
    struct mount_list theirs = {0};
    if (mode) {
        *mode++ = '\0';
    }
    if (!*name || (mode && strcmp(mode, "ro") != 0 && strcmp(mode, "rw") != 0)) {
        return err_set(err, ERR_INPUT, "\"%s\": expected CONTAINER, CONTAINER:ro or CONTAINER:rw", word);
    }
    if (record_find(home, name, id, err) < 0 || record_read(home, arena, id, &record, err) < 0 ||
        mount_list_read(record.mounts, arena, &theirs, err) < 0) {
        return -1;
    }
    reserve(list, arena, theirs.items_count);
    for (size_t i = 0; i < theirs.items_count; i++) {
        struct volume volume = theirs.items[i];
        if (volume.kind == VOLUME_TMPFS || volume.kind == VOLUME_IMAGE || find_target(list, volume.target)) {
            continue;
        }
        if (mode && strcmp(mode, "ro") == 0 && !volume.read_only) {
            const char **options = arena_array(arena, volume.options_count + 2, sizeof(*options));
            memcpy(options, volume.options, volume.options_count * sizeof(*options));
            options[volume.options_count++] = "rro";
            volume.options = options;
            volume.read_only = true;
        }
        volume.no_copy = true; // it is for the other one to say what is in there at first
        insert(list, &volume);
    }
    return 0;
}

int mount_list_complete(const struct home *home, const struct run_request *request, const struct image_settings *image,
                        struct arena *arena, struct mount_list *list, struct err *err) {
    for (size_t i = 0; i < request->volumes_from.count; i++) {
        if (add_from(home, request->volumes_from.items[i], arena, list, err) < 0) {
            return err_in(err, "--volumes-from");
        }
    }
    if (image->volumes_count > IMAGE_VOLUMES_MAX) {
        return err_set(err, ERR_INPUT, "the image wants %zu volumes, which is more than %d", image->volumes_count, IMAGE_VOLUMES_MAX);
    }
    reserve(list, arena, image->volumes_count);
    for (size_t i = 0; i < image->volumes_count; i++) {
        struct volume volume;
        if (volume_parse_image(arena, image->volumes[i], &volume, err) < 0) {
            return err_in(err, "the image's volumes");
        }
        if (!find_target(list, volume.target)) {
            insert(list, &volume);
        }
    }
    for (size_t i = 0; i < list->items_count; i++) {
        struct volume *volume = &list->items[i];
        if (volume->kind == VOLUME_NAMED && !volume->source && !(volume->source = volumes_make_name(arena, err))) {
            return -1;
        }
    }
    return 0;
}

// --- who has it ---

static bool has_volume(const struct mount_list *list, const char *volume) {
    for (size_t i = 0; i < list->items_count; i++) {
        if (list->items[i].kind == VOLUME_NAMED && list->items[i].source && strcmp(list->items[i].source, volume) == 0) {
            return true;
        }
    }
    return false;
}

int mount_list_find_user(const struct home *home, struct arena *arena, const char *volume, const char *except, const char **ret_name,
                         bool *ret_more, struct err *err) {
    const char **ids;
    *ret_name = "";
    *ret_more = false;
    if (record_list(home, arena, &ids, err) < 0) {
        return -1;
    }
    for (; *ids && !*ret_more; ids++) {
        struct record record;
        struct mount_list list = {0};
        struct err gone; // or has no record yet, and so no volumes
        if ((except && strcmp(*ids, except) == 0) || record_read(home, arena, *ids, &record, &gone) < 0) {
            continue;
        }
        if (mount_list_read(record.mounts, arena, &list, err) < 0) {
            return err_in(err, "container %.12s", *ids);
        }
        if (has_volume(&list, volume)) {
            *ret_more = **ret_name;
            *ret_name = **ret_name ? *ret_name : record.name;
        }
    }
    return 0;
}

int mount_list_remove_own(const struct home *home, const char *id, const char *mounts, struct err *err) {
    AUTO_ARENA struct arena arena = {0};
    struct mount_list list = {0};
    if (mount_list_read(mounts, &arena, &list, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < list.items_count; i++) {
        const struct volume *volume = &list.items[i];
        struct err kept;
        if (volume->kind == VOLUME_NAMED && volume->anonymous && volume->source && volume_remove(home, volume->source, id, &kept) < 0 &&
            kept.kind != ERR_STATE && kept.kind != ERR_NOT_FOUND) { // others may have it, by --volumes-from
            *err = kept;
            return -1;
        }
    }
    return 0;
}

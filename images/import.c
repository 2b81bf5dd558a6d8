#include "images/import.h"

#include "images/blob.h"
#include "images/catalog.h"
#include "images/copytree.h"
#include "images/input.h"
#include "images/layer.h"
#include "images/publish.h"
#include "images/staging.h"
#include "images/store.h"
#include "images/tree_pack_worker.h"
#include "images/unpack_worker.h"
#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "specs/json_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char staged_name[] = "layer";

struct import {
    struct store *store;
    const struct import_options *options;
    struct arena *arena;
    struct staging staging;
    int source_fd;
    int layer_fd; // in the staging directory
    int fs_fd;
    struct publish_layer layer;
    struct image_config below; // of the base; zeroed where there is none
    struct publish_layer *below_layers;
    size_t below_count;
};

static void import_finish(struct import *import) {
    fd_close(&import->source_fd);
    fd_close(&import->fs_fd);
    fd_close(&import->layer_fd);
    staging_finish(&import->staging);
}

static int open_source(struct import *import, struct err *err) {
    const struct import_options *options = import->options;
    bool standard_input = options->base || strcmp(options->source, "-") == 0;
    import->source_fd = standard_input ? fcntl(options->input_fd, F_DUPFD_CLOEXEC, 3) : open(options->source, O_RDONLY | O_CLOEXEC);
    if (import->source_fd < 0) {
        int reason = errno;
        err_sys(err, "open %s", options->source);
        err->kind = reason == ENOENT ? ERR_NOT_FOUND : ERR_SYSTEM;
        return -1;
    }
    return 0;
}

static int make_layer_dir(struct import *import, struct err *err) {
    import->layer_fd = staging_make_dir(&import->staging, staged_name, err);
    if (import->layer_fd < 0) {
        return -1;
    }
    if (mkdirat(import->layer_fd, "fs", 0755) == 0) {
        import->fs_fd = openat(import->layer_fd, "fs", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    }
    return import->fs_fd < 0 || fchmod(import->fs_fd, 0755) < 0 ? err_sys(err, "make directory %s/fs in the store", staged_name)
                                                                : 0;
}

// The tar is made of the copy, which nobody changes any more, not of the source on its way: whatever the copy has lost or rounded,
// its record and its diff id are of what lies in the store. The copy is in memory still, and is read there.
static int take_tree(struct import *import, struct err *err) {
    const struct copytree_options options = {.devices = import->options->devices, .single_id = import->options->single_id};
    struct copytree_result copied;
    struct tree_pack_result packed;
    if (copytree(import->source_fd, import->fs_fd, &options, &copied, err) < 0) {
        return -1;
    }
    AUTO_FD int record_fd = layer_make_record(import->layer_fd, err);
    const struct tree_pack_request request = {.dir_fd = import->fs_fd, .output_fd = record_fd, .writes_record = true};
    if (record_fd < 0 || tree_pack_in_worker(&request, &packed, err) < 0) {
        return -1;
    }
    import->layer.layer.diff_id = packed.diff_id;
    import->layer.layer.size_bytes = copied.file_bytes;
    import->layer.layer.tar_bytes = packed.tar_size;
    return 0;
}

static int unpack(struct import *import, struct unpack_result *ret_result, struct err *err) {
    AUTO_FD int record_fd = layer_make_record(import->layer_fd, err);
    if (record_fd < 0) {
        return -1;
    }
    const struct unpack_request request = {
        .input_fd = import->source_fd,
        .is_pipe = lseek(import->source_fd, 0, SEEK_CUR) < 0,
        .length = INPUT_TO_END,
        .dir_fd = import->fs_fd,
        .has_record = true,
        .record_fd = record_fd,
        .options = {.devices = import->options->devices, .single_id = import->options->single_id},
    };
    struct unpack_worker *worker = unpack_worker_create(&request, err);
    int result = worker ? unpack_worker_result(worker, ret_result, err) : -1;
    unpack_worker_destroy(worker);
    return result;
}

static int take_tar(struct import *import, struct err *err) {
    AUTO(unpack_result_finish) struct unpack_result result = {0};
    const struct unpack_stack nothing = {.userxattr = import->store->user_xattr, .single_id = import->options->single_id};
    if (unpack(import, &result, err) < 0 || unpack_settle(import->fs_fd, &result, &nothing, err) < 0) {
        return -1;
    }
    if (import->options->confirm && import->options->confirm(import->options->confirm_context, err) < 0) {
        return -1;
    }
    if (result.entries == 0) {
        return err_set(err, ERR_INPUT, "the archive is empty");
    }
    import->layer.layer.diff_id = result.diff_id;
    import->layer.layer.size_bytes = result.file_bytes;
    import->layer.layer.tar_bytes = result.tar_size;
    import->layer.layer.needs_lower = result.link_count > 0 || result.implied_count > 0;
    return 0;
}

static int make_layer(struct import *import, struct err *err) {
    struct stat status;
    struct layer *layer = &import->layer.layer;
    if (make_layer_dir(import, err) < 0) {
        return -1;
    }
    if (fstat(import->source_fd, &status) < 0) {
        return err_sys(err, "look at it");
    }
    if ((S_ISDIR(status.st_mode) ? take_tree(import, err) : take_tar(import, err)) < 0) {
        return -1;
    }
    memcpy(layer->key, layer->diff_id.hex, sizeof(layer->key));
    layer->fd = -1;
    import->layer.staged = staged_name;
    return layer_describe(layer, import->layer_fd, err);
}

// What is below the new layer, as its image has it: its layers are in the store, and stay as long as that image is open.
static int read_base(struct import *import, struct err *err) {
    const char *base = import->options->base;
    struct catalog_image image;
    if (!base) {
        return 0;
    }
    if (blob_read_config(import->store, base, import->arena, &import->below, err) < 0 ||
        catalog_get(import->store, base, import->arena, &image, err) < 0) {
        return err_in(err, "image %.19s", base);
    }
    import->below_layers = arena_array(import->arena, image.record.layers_count + 1, sizeof(*import->below_layers));
    import->below_count = image.record.layers_count;
    for (size_t i = 0; i < import->below_count; i++) {
        const struct image_record_layer *from = &image.record.layers[i];
        struct layer *layer = &import->below_layers[i].layer;
        *layer = (struct layer){.size_bytes = from->size_bytes, .opaque = from->opaque, .fd = -1};
        snprintf(layer->key, sizeof(layer->key), "%s", from->key);
    }
    return 0;
}

static void add_history(const struct import *import, const char *created, struct image_config *config) {
    const struct import_options *options = import->options;
    struct image_history *history = arena_array(import->arena, import->below.history_count + 1, sizeof(*history));
    if (import->below.history_count > 0) {
        memcpy(history, import->below.history, import->below.history_count * sizeof(*history));
    }
    history[import->below.history_count] = (struct image_history){
        .created = created,
        .created_by = options->created_by,
        .author = options->author,
        .comment = options->message || options->base ? options->message : arena_format(import->arena, "Imported from %s", options->source),
    };
    config->history = history;
    config->history_count = import->below.history_count + 1;
}

static void add_layers(const struct import *import, struct image_config *config) {
    char diff_id[DIGEST_TEXT_SIZE];
    size_t count = import->below.diff_ids_count;
    const char **diff_ids = arena_array(import->arena, count + 2, sizeof(*diff_ids));
    if (count > 0) {
        memcpy(diff_ids, import->below.diff_ids, count * sizeof(*diff_ids));
    }
    diff_ids[count] = arena_copy_string(import->arena, digest_format(&import->layer.layer.diff_id, diff_id));
    config->diff_ids = diff_ids;
    config->diff_ids_count = count + 1;
}

// The configuration is ours to write: a document with a digest, as any other.
static void make_config(const struct import *import, struct image_config *config, struct source_document *ret) {
    struct arena *arena = import->arena;
    const struct import_options *options = import->options;
    const struct image_platform *platform = options->platform ? options->platform : image_platform_of_host();
    char created[sizeof("9999-12-31T23:59:59Z")];
    time_t now = time(NULL);
    struct tm parts;
    gmtime_r(&now, &parts);
    strftime(created, sizeof(created), "%Y-%m-%dT%H:%M:%SZ", &parts);
    *config = import->below;
    config->created = arena_copy_string(arena, created);
    config->author = options->author ? options->author : config->author;
    config->settings = options->settings;
    if (!options->base) {
        config->architecture = platform->architecture;
        config->variant = options->platform ? platform->variant : NULL;
        config->os = platform->os;
    }
    add_layers(import, config);
    add_history(import, config->created, config);
    AUTO_BUF struct buf text = {0};
    struct json_writer writer = {.buf = &text};
    image_config_write(config, &writer, NULL);
    *ret = (struct source_document){.text = arena_copy(arena, text.data, text.size), .size = text.size};
    digest_of(DIGEST_SHA256, text.data, text.size, &ret->digest);
}

static const struct publish_layer **list_layers(const struct import *import) {
    const struct publish_layer **layers = arena_array(import->arena, import->below_count + 1, sizeof(*layers));
    for (size_t i = 0; i < import->below_count; i++) {
        layers[i] = &import->below_layers[i];
    }
    layers[import->below_count] = &import->layer;
    return layers;
}

int import_image(struct store *store, const struct import_options *options, struct arena *arena, const char **ret_id,
                 struct err *err) {
    AUTO(import_finish)
    struct import import = {.store = store, .options = options, .arena = arena, .source_fd = -1, .layer_fd = -1, .fs_fd = -1};
    if (staging_init(&import.staging, store, err) < 0 || read_base(&import, err) < 0 || open_source(&import, err) < 0) {
        return -1;
    }
    if (make_layer(&import, err) < 0) {
        return options->base ? -1 : err_in(err, "%s", options->source);
    }
    struct image_config config;
    struct source_document document;
    make_config(&import, &config, &document);
    const struct publish_image image = {
        .document = &document,
        .config = &config,
        .layers = list_layers(&import),
        .layers_count = import.below_count + 1,
        .names = options->name,
        .names_count = options->name ? 1 : 0,
    };
    if (publish_prepare(&import.staging, &image, err) < 0 || publish_images(store, &import.staging, &image, 1, err) < 0) {
        return -1;
    }
    char id[DIGEST_TEXT_SIZE];
    *ret_id = arena_copy_string(arena, digest_format(&document.digest, id));
    return 0;
}

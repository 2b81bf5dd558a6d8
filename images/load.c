#include "images/load.h"

#include "images/image_record.h"
#include "images/layer.h"
#include "images/load_layers.h"
#include "images/load_partials.h"
#include "images/publish.h"
#include "images/registry.h"
#include "images/staging.h"
#include "images/store.h"
#include "images/tags.h"
#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"

#include <string.h>

// All that one load has in hand.
struct load {
    struct store *store;
    const struct load_options *options;
    struct arena *arena;
    struct staging staging;
    struct source *source;
    struct source_image *images;
    size_t count;
    struct load_layers layers;
};

static void load_finish(struct load *load) {
    load_layers_finish(&load->layers);
    source_close(load->source);
    staging_finish(&load->staging);
}

// Of all that the source holds only the one that is to be repaired.
static int choose_image(struct load *load, const struct load_repair *repair, struct err *err) {
    char id[DIGEST_TEXT_SIZE];
    for (size_t i = 0; i < load->count; i++) {
        if (strcmp(digest_format(&load->images[i].document.digest, id), repair->id) == 0) {
            load->images += i;
            load->count = 1;
            return 0;
        }
    }
    return err_set(err, ERR_NOT_FOUND, "%s has not got image %s", load->options->source, repair->id);
}

static int open_source(struct load *load, struct err *err) {
    const struct load_options *options = load->options;
    if (staging_init(&load->staging, load->store, err) < 0) {
        return -1;
    }
    const struct source_request request = {
        .text = options->source,
        .registry = options->registry,
        .ref = options->ref,
        .input_fd = options->input_fd,
        .spool_fd = load->staging.fd,
        .platform = options->platform,
    };
    if (source_open(&request, &load->source, err) < 0 ||
        source_images(load->source, load->arena, &load->images, &load->count, err) < 0) {
        return -1;
    }
    if (options->repair && choose_image(load, options->repair, err) < 0) {
        return -1;
    }
    if (options->name && load->count > 1) {
        return err_set(err, ERR_INPUT, "%s holds %zu images; one name cannot stand for all of them", options->source, load->count);
    }
    return 0;
}

// It can be stored and looked at, though not run.
static void warn_of_platform(const struct load *load, const struct source_image *image) {
    const struct image_platform *wanted = load->options->platform ? load->options->platform : image_platform_of_host();
    const struct image_platform has = {
        .os = image->config.os ? image->config.os : "linux",
        .architecture = image->config.architecture ? image->config.architecture : wanted->architecture,
        .variant = image->config.variant,
    };
    if (image_platform_rank(&has, wanted) == 0) {
        log_warn("image sha256:%.12s is for %s/%s, not for %s/%s", image->document.digest.hex, has.os, has.architecture, wanted->os,
                 wanted->architecture);
    }
}

static void fill_image(struct load *load, const struct source_image *from, struct publish_image *to) {
    const struct publish_layer **layers = arena_array(load->arena, from->layers_count + 1, sizeof(*layers));
    const struct digest *below = NULL;
    struct digest chain;
    for (size_t i = 0; i < from->layers_count; i++) {
        layer_chain_id(below, &from->layers[i].diff_id, &chain);
        layers[i] = load_layers_get(&load->layers, &chain);
        below = &chain;
    }
    *to = (struct publish_image){
        .document = &from->document,
        .manifest = from->manifest.text ? &from->manifest : NULL,
        .config = &from->config,
        .layers = layers,
        .layers_count = from->layers_count,
        .names = load->options->name ? load->options->name : from->names,
        .names_count = load->options->repair ? 0
                       : load->options->name ? 1
                                             : from->names_count, // it keeps those it has
        .repair = load->options->repair,
    };
}

static int publish(struct load *load, struct err *err) {
    struct publish_image *images = arena_array(load->arena, load->count, sizeof(*images));
    for (size_t i = 0; i < load->count; i++) {
        fill_image(load, &load->images[i], &images[i]);
        if (publish_prepare(&load->staging, &images[i], err) < 0) {
            return -1;
        }
    }
    return publish_images(load->store, &load->staging, images, load->count, err);
}

static int run(struct load *load, struct err *err) {
    if (open_source(load, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < load->count; i++) {
        warn_of_platform(load, &load->images[i]);
        if (load_layers_add(&load->layers, &load->images[i], err) < 0) {
            return -1;
        }
    }
    if (load_layers_unpack(&load->layers, err) < 0) {
        return err_in(err, "%s", load->options->source);
    }
    for (size_t i = 0; i < load->count; i++) {
        if (load_layers_settle(&load->layers, &load->images[i], err) < 0) {
            return err_in(err, "%s", load->options->source);
        }
    }
    // A copy that was made of the source must not be written to the disk with the layers.
    source_close(load->source);
    load->source = NULL;
    if (publish(load, err) < 0) {
        return -1;
    }
    load_partials_remove(&load->layers);
    return 0;
}

int load_images(struct store *store, const struct load_options *options, struct arena *arena, struct load_image **ret_images,
                size_t *ret_count, struct err *err) {
    AUTO(load_finish) struct load load = {.store = store, .options = options, .arena = arena};
    load.layers =
        (struct load_layers){.store = store, .options = options, .staging = &load.staging, .arena = arena, .locks_fd = -1};
    if (run(&load, err) < 0) {
        return -1;
    }
    struct load_image *images = arena_array(arena, load.count, sizeof(*images));
    for (size_t i = 0; i < load.count; i++) {
        char id[DIGEST_TEXT_SIZE];
        images[i] = (struct load_image){
            .id = arena_copy_string(arena, digest_format(&load.images[i].document.digest, id)),
            .names = options->name ? options->name : load.images[i].names,
            .names_count = options->name ? 1 : load.images[i].names_count,
        };
    }
    *ret_images = images;
    *ret_count = load.count;
    return 0;
}

static int find_record(const struct store *store, const struct image_ref *ref, struct arena *arena, struct image_record *ret) {
    char path[TAG_PATH_SIZE];
    struct err ignored;
    return image_record_read(store, tag_path(ref, path), arena, ret, &ignored);
}

// An index stands for an image of each platform: the one here must be the very one that is wanted.
static bool is_for(const struct image_record *record, const struct image_platform *wanted) {
    const struct image_platform has = {
        .os = record->config.os, .architecture = record->config.architecture, .variant = record->config.variant};
    return has.os && has.architecture && image_platform_rank(&has, wanted) == image_platform_rank(wanted, wanted);
}

int load_is_current(struct store *store, const struct load_options *options, struct arena *arena, struct load_image *ret_image,
                    struct err *err) {
    struct registry_manifest manifest;
    struct image_record by_name, by_digest;
    struct image_ref ref = *options->ref;
    char text[DIGEST_TEXT_SIZE];
    if (find_record(store, &ref, arena, &by_name) < 0) {
        return 0;
    }
    if (!ref.digest) {
        if (registry_get_manifest(options->registry, &ref, true, arena, &manifest, err) < 0) {
            // One that does not know HEAD is asked for all of it.
            return err->kind == ERR_INPUT ? 0 : -1;
        }
        if (manifest.digest.algorithm == DIGEST_NONE) {
            return 0;
        }
        ref.digest = arena_copy_string(arena, digest_format(&manifest.digest, text));
    }
    ref.tag = NULL;
    const struct image_platform *wanted = options->platform ? options->platform : image_platform_of_host();
    if (find_record(store, &ref, arena, &by_digest) < 0 || strcmp(by_name.id, by_digest.id) != 0 || !is_for(&by_name, wanted)) {
        return 0;
    }
    *ret_image = (struct load_image){.id = by_name.id, .names = options->ref, .names_count = 1};
    return 1;
}

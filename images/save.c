#include "images/save.h"

#include "images/docker_archive.h"
#include "images/layout_archive.h"
#include "images/new_archive.h"
#include "images/source.h"
#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "specs/image_manifest_write.h"
#include "specs/json.h"

#include <string.h>

struct save {
    const struct save_options *options;
    struct new_archive file;
    struct docker_archive docker;
    struct layout_archive layout;
    struct arena arena;
};

// One image on its way.
struct saving {
    struct save *save;
    struct source *source;
    struct source_root root;
    struct image_manifest manifest;
    struct digest config;
    struct digest *diff_ids;
};

static void save_finish(struct save *save) {
    docker_archive_finish(&save->docker);
    layout_archive_finish(&save->layout);
    new_archive_finish(&save->file);
    arena_finish(&save->arena);
}

static void tell(const struct save *save, const struct image_descriptor *blob, enum copy_state state, uint64_t done) {
    if (save->options->progress) {
        save->options->progress(save->options->progress_context, blob->digest, state, done, (uint64_t)blob->size);
    }
}

// A layer's bytes, with what is done told.
struct passing {
    struct saving *saving;
    const struct image_descriptor *layer;
    struct source_stream *stream;
    uint64_t done;
};

static int next_piece(void *context, const uint8_t **ret_data, size_t *ret_size, struct err *err) {
    struct passing *passing = context;
    if (source_stream_next(passing->stream, ret_data, ret_size, err) < 0) {
        return -1;
    }
    passing->done += *ret_size;
    tell(passing->saving->save, passing->layer, COPY_SENDING, passing->done);
    return 0;
}

static bool is_docker(const struct saving *saving) {
    return saving->save->options->format == SAVE_DOCKER_ARCHIVE;
}

static bool has_layer(const struct saving *saving, const struct digest *diff_id) {
    return is_docker(saving) ? docker_archive_has_layer(&saving->save->docker, diff_id)
                             : layout_archive_has(&saving->save->layout, diff_id);
}

static int put_layer(struct saving *saving, size_t index, struct err *err) {
    const struct image_descriptor *layer = &saving->manifest.layers[index];
    const struct digest *diff_id = &saving->diff_ids[index];
    struct passing passing = {.saving = saving, .layer = layer};
    if (has_layer(saving, diff_id)) {
        tell(saving->save, layer, COPY_PRESENT, (uint64_t)layer->size);
        return 0;
    }
    passing.stream = source_stream_open(saving->source, layer, err);
    if (!passing.stream) {
        return -1;
    }
    const struct pieces pieces = {.next = next_piece, .context = &passing};
    uint64_t size = (uint64_t)layer->size;
    int result = is_docker(saving) ? docker_archive_add_layer(&saving->save->docker, diff_id, size, &pieces, err)
                                   : layout_archive_add(&saving->save->layout, diff_id, size, &pieces, err);
    source_stream_close(passing.stream);
    if (result == 0) {
        tell(saving->save, layer, COPY_SENT, (uint64_t)layer->size);
    }
    return result;
}

static int put_layers(struct saving *saving, struct err *err) {
    struct arena *arena = &saving->save->arena;
    size_t count = saving->manifest.layers_count;
    saving->diff_ids = arena_array(arena, count + 1, sizeof(*saving->diff_ids));
    for (size_t i = 0; i < count; i++) {
        const char *digest = saving->manifest.layers[i].digest;
        if (digest_parse(digest, &saving->diff_ids[i], err) < 0 || put_layer(saving, i, err) < 0) {
            return strstr(err->text, digest) ? -1 : err_in(err, "layer %s", digest);
        }
    }
    return 0;
}

static int list_docker(struct saving *saving, const struct source_document *config, struct err *err) {
    struct save *save = saving->save;
    struct image_ref ref = {0};
    bool named = saving->root.reference != NULL;
    if ((named && image_ref_parse(&save->arena, saving->root.reference, &ref, err) < 0) ||
        docker_archive_add_config(&save->docker, &config->digest, config->text, config->size, err) < 0) {
        return -1;
    }
    const struct docker_archive_image image = {
        .config = config->digest,
        .diff_ids = saving->diff_ids,
        .layers_count = saving->manifest.layers_count,
        .names = &ref,
        .names_count = named ? 1 : 0,
    };
    docker_archive_add_image(&save->docker, &image);
    return 0;
}

// A tag alone names one image, among several it takes the whole name.
static int list_layout(struct saving *saving, const struct source_document *config, struct err *err) {
    struct save *save = saving->save;
    const struct source_document *manifest = &saving->root.document;
    if (layout_archive_add_text(&save->layout, &config->digest, config->text, config->size, err) < 0 ||
        layout_archive_add_text(&save->layout, &manifest->digest, manifest->text, manifest->size, err) < 0) {
        return -1;
    }
    layout_archive_list(&save->layout, IMAGE_OCI_MANIFEST, &manifest->digest, manifest->size,
                        save->options->names_count > 1 ? saving->root.reference : saving->root.name);
    return 0;
}

static int save_source(struct saving *saving, struct err *err) {
    struct arena *arena = &saving->save->arena;
    struct source_document config;
    if (source_root(saving->source, arena, &saving->root, err) < 0) {
        return -1;
    }
    const struct json_document json = {
        .name = "the manifest", .text = saving->root.document.text, .size = saving->root.document.size};
    if (image_manifest_decode(&json, NULL, arena, &saving->manifest, err) < 0 ||
        source_document(saving->source, &saving->manifest.config, arena, &config, err) < 0 || put_layers(saving, err) < 0) {
        return -1;
    }
    return is_docker(saving) ? list_docker(saving, &config, err) : list_layout(saving, &config, err);
}

static int save_one(struct save *save, const char *name, struct err *err) {
    const struct source_request request = {
        .text = name, .store = save->options->store, .input_fd = -1, .spool_fd = save->options->spool_fd};
    AUTO_SOURCE struct source *source = NULL;
    if (source_open(&request, &source, err) < 0) {
        return -1;
    }
    struct saving saving = {.save = save, .source = source};
    return save_source(&saving, err) < 0 ? err_in(err, "save %s", name) : 0;
}

static int begin(struct save *save, struct err *err) {
    if (new_archive_open(&save->file, save->options->path, save->options->output_fd, err) < 0) {
        return -1;
    }
    if (save->options->format == SAVE_OCI_ARCHIVE) {
        return layout_archive_init(&save->layout, save->file.fd, err);
    }
    docker_archive_init(&save->docker, save->file.fd, save->options->spool_fd);
    return 0;
}

int save_images(const struct save_options *options, struct err *err) {
    AUTO(save_finish) struct save save = {.options = options, .file = {.fd = -1, .dir_fd = -1, .file.fd = -1}};
    if (begin(&save, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < options->names_count; i++) {
        if (save_one(&save, options->names[i], err) < 0) {
            return -1;
        }
    }
    int result =
        options->format == SAVE_OCI_ARCHIVE ? layout_archive_end(&save.layout, err) : docker_archive_end(&save.docker, err);
    return result < 0 ? err_in(err, "%s", options->path) : new_archive_done(&save.file, err);
}

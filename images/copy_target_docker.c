// An archive of `docker save`: layers become plain tars. Compressed ones are unpacked by a program of its own that can do nothing
// else (images/plain_worker.h), and held against their diff ids here: these prove what is written, whatever that program did.
#include "images/copy_target.h"
#include "images/docker_archive.h"
#include "images/new_archive.h"
#include "images/plain_worker.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/quote.h"
#include "specs/image_config.h"
#include "specs/image_manifest.h"
#include "specs/json.h"

#include <string.h>
#include <unistd.h>

enum { MAX_LAYERS = 500 }; // more nobody can mount

struct state {
    struct new_archive file;
    struct docker_archive archive;
    const struct image_manifest *manifest;
    bool has_config;
    struct docker_archive_image image; // diff ids in the target's arena
};

// "FILE[:REFERENCE]": a reference has colons, so the first one counts, but in the name of a file that is there.
static void split_reference(struct copy_target *target, const char *rest) {
    char *path = arena_copy_string(&target->arena, rest);
    char *colon = strchr(path, ':');
    if (colon && colon > path && access(path, F_OK) < 0) {
        *colon = '\0';
        target->reference = colon + 1;
    }
    target->path = path;
}

static int check_reference(struct copy_target *target, struct err *err) {
    struct image_ref ref;
    if (!target->reference) {
        return 0;
    }
    if (image_ref_parse(&target->arena, target->reference, &ref, err) < 0) {
        return -1;
    }
    return ref.tag ? 0 : err_set(err, ERR_INPUT, "%s: expected a name with a tag: an archive has no digests", target->reference);
}

static int open_archive(struct copy_target *target, const char *rest, struct err *err) {
    struct state *state = arena_alloc(&target->arena, sizeof(*state));
    state->file = (struct new_archive){.fd = -1, .dir_fd = -1, .file.fd = -1};
    target->state = state;
    split_reference(target, rest);
    if (check_reference(target, err) < 0 || new_archive_open(&state->file, target->path, target->options->output_fd, err) < 0) {
        return -1;
    }
    docker_archive_init(&state->archive, state->file.fd, target->options->spool_fd);
    return 0;
}

static int begin(struct copy_target *target, const struct image_manifest *manifest, struct err *err) {
    struct state *state = target->state;
    enum image_layer_kind kind;
    char quoted[QUOTE_SIZE];
    if (!image_media_type_is_config(manifest->config.media_type)) {
        return err_set(err, ERR_UNSUPPORTED, "it is no image of a container: config.mediaType is %s",
                       quote_text(manifest->config.media_type, quoted));
    }
    if (manifest->layers_count > MAX_LAYERS) {
        return err_set(err, ERR_UNSUPPORTED, "the image has %zu layers; at most %d can be mounted", manifest->layers_count,
                       MAX_LAYERS);
    }
    for (size_t i = 0; i < manifest->layers_count; i++) {
        if (!image_media_type_is_layer(manifest->layers[i].media_type, &kind)) {
            return err_set(err, ERR_UNSUPPORTED, "layers[%zu]: mediaType %s is of no kind of layer that can be unpacked", i,
                           quote_text(manifest->layers[i].media_type, quoted));
        }
    }
    state->manifest = manifest;
    return 0;
}

// One blob can be several layers, but then of one diff id.
static int find_layer(const struct state *state, const struct copy_part *part, size_t *ret, struct err *err) {
    const struct image_manifest *manifest = state->manifest;
    size_t found = manifest->layers_count;
    for (size_t i = manifest->layers_count; i-- > 0;) {
        if (strcmp(manifest->layers[i].digest, part->descriptor->digest) != 0) {
            continue;
        }
        if (found < manifest->layers_count && !digest_equal(&state->image.diff_ids[i], &state->image.diff_ids[found])) {
            return err_set(err, ERR_INPUT, "the configuration has two diff ids for it");
        }
        found = i;
    }
    *ret = found;
    return found < manifest->layers_count ? 0 : err_set(err, ERR_INPUT, "the manifest does not list it");
}

static int has(struct copy_target *target, const struct copy_part *part, enum copy_state *ret_state, struct err *err) {
    const struct state *state = target->state;
    size_t at;
    *ret_state = COPY_PRESENT;
    if (!state->has_config) {
        return 0;
    }
    return find_layer(state, part, &at, err) < 0 ? -1 : docker_archive_has_layer(&state->archive, &state->image.diff_ids[at]);
}

static int put_config(struct copy_target *target, struct copy_part *part, struct err *err) {
    struct state *state = target->state;
    struct source_document document;
    struct image_config config;
    if (source_document(part->source, part->descriptor, &target->arena, &document, err) < 0) {
        return -1;
    }
    const struct json_document json = {.name = part->descriptor->digest, .text = document.text, .size = document.size};
    if (image_config_decode(&json, &target->arena, &config, err) < 0) {
        return -1;
    }
    size_t count = state->manifest->layers_count;
    if (config.diff_ids_count != count) {
        return err_set(err, ERR_INPUT, "rootfs.diff_ids: expected one of each of the %zu layers, found %zu", count,
                       config.diff_ids_count);
    }
    struct digest *diff_ids = arena_array(&target->arena, count + 1, sizeof(*diff_ids));
    for (size_t i = 0; i < count; i++) {
        if (digest_parse(config.diff_ids[i], &diff_ids[i], err) < 0) {
            return err_in(err, "rootfs.diff_ids[%zu]", i);
        }
    }
    state->image = (struct docker_archive_image){.config = document.digest, .diff_ids = diff_ids, .layers_count = count};
    state->has_config = true;
    return docker_archive_add_config(&state->archive, &document.digest, document.text, document.size, err);
}

static int put_plain(struct state *state, struct copy_part *part, const struct digest *diff_id, struct err *err) {
    struct pieces pieces;
    if (copy_part_open(part, &pieces, err) < 0) {
        return -1;
    }
    int result = docker_archive_add_layer(&state->archive, diff_id, part->size, &pieces, err);
    copy_part_close(part);
    return result;
}

static int unpack(struct state *state, const struct plain_request *request, const struct digest *diff_id, struct err *err) {
    struct plain_worker *worker = plain_worker_create(request, err);
    if (!worker) {
        return -1;
    }
    const struct pieces pieces = plain_worker_pieces(worker);
    int result = docker_archive_add_layer(&state->archive, diff_id, PIECES_ANY_SIZE, &pieces, err);
    plain_worker_destroy(worker);
    return result;
}

static int put_compressed(struct state *state, struct copy_part *part, const struct digest *diff_id, enum compression compression,
                          struct err *err) {
    struct source_blob window;
    AUTO_FD int pipe_end = -1;
    struct source_stream *stream = source_stream_open(part->source, part->descriptor, err);
    if (!stream) {
        return -1;
    }
    source_stream_give(stream, &window, &pipe_end);
    const struct plain_request request = {
        .input_fd = pipe_end >= 0 ? pipe_end : window.fd,
        .offset = window.offset,
        .length = window.size,
        .feed = pipe_end >= 0 ? stream : NULL,
        .compression = compression,
        .progress = copy_part_tell,
        .progress_context = part,
    };
    int result = unpack(state, &request, diff_id, err);
    source_stream_close(stream);
    return result;
}

static int put(struct copy_target *target, struct copy_part *part, struct err *err) {
    static const enum compression compressions[] = {
        [IMAGE_LAYER_TAR] = COMPRESSION_NONE,
        [IMAGE_LAYER_GZIP] = COMPRESSION_GZIP,
        [IMAGE_LAYER_ZSTD] = COMPRESSION_ZSTD,
    };
    struct state *state = target->state;
    enum image_layer_kind kind;
    size_t at;
    if (!state->has_config) {
        return put_config(target, part, err);
    }
    if (find_layer(state, part, &at, err) < 0) {
        return -1;
    }
    if (!image_media_type_is_layer(part->descriptor->media_type, &kind)) {
        return err_set(err, ERR_UNSUPPORTED, "it is of no kind of layer that can be unpacked");
    }
    return kind == IMAGE_LAYER_TAR ? put_plain(state, part, &state->image.diff_ids[at], err)
                                   : put_compressed(state, part, &state->image.diff_ids[at], compressions[kind], err);
}

static int put_document(struct copy_target *target, const char *media_type, const struct source_document *document, bool is_root,
                        struct err *err) {
    (void)target, (void)media_type, (void)document, (void)is_root, (void)err;
    return 0; // it has no place in the archive
}

static int end(struct copy_target *target, struct digest *digest, struct err *err) {
    struct state *state = target->state;
    struct image_ref ref;
    struct err ignored;
    if (target->reference && image_ref_parse(&target->arena, target->reference, &ref, &ignored) == 0 && ref.tag) {
        ref.digest = NULL;
        state->image.names = &ref;
        state->image.names_count = 1;
    }
    docker_archive_add_image(&state->archive, &state->image);
    *digest = state->image.config;
    if (docker_archive_end(&state->archive, err) < 0) {
        return err_in(err, "%s", state->file.path);
    }
    return new_archive_done(&state->file, err);
}

static void finish(struct copy_target *target) {
    struct state *state = target->state;
    docker_archive_finish(&state->archive);
    new_archive_finish(&state->file);
}

const struct copy_target_ops copy_target_docker = {
    .prefix = "docker-archive:",
    .one_image = true,
    .open = open_archive,
    .begin = begin,
    .has = has,
    .put = put,
    .put_document = put_document,
    .end = end,
    .finish = finish,
};

#include "images/push.h"

#include "images/blob.h"
#include "images/catalog.h"
#include "images/pack.h"
#include "images/registry.h"
#include "images/sender.h"
#include "images/source.h"
#include "images/store.h"
#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "specs/image_manifest_write.h"
#include "specs/json.h"
#include "specs/json_write.h"

#include <string.h>
#include <sys/mman.h>

struct push {
    const struct push_options *options;
    struct catalog_image image;
    struct image_manifest manifest; // as it will be there
    bool is_new;                    // it is not the one in the store
    bool *away;                     // of the image's names: its registry does not answer, or not to us
    struct sender sender;
    struct arena arena;
};

static void push_finish(struct push *push) {
    sender_finish(&push->sender);
    arena_finish(&push->arena);
}

static void tell(const struct push *push, const struct image_descriptor *blob, enum copy_state state, uint64_t done) {
    if (push->options->progress) {
        push->options->progress(push->options->progress_context, blob->digest, state, done, (uint64_t)blob->size);
    }
}

// 1: it has it.
static int is_there(const struct push *push, const struct image_descriptor *blob, const struct digest *digest, struct err *err) {
    uint64_t size;
    int found = registry_has_blob(push->options->registry, push->options->to, digest, &size, err);
    if (found > 0) {
        tell(push, blob, COPY_PRESENT, (uint64_t)blob->size);
    }
    return found;
}

// Whether a name before it is of the same repository: an image may have many tags and digests in one.
static bool is_repeated(const struct push *push, size_t at) {
    for (size_t i = 0; i < at; i++) {
        if (strcmp(push->image.tags[i].ref.name, push->image.tags[at].ref.name) == 0) {
            return true;
        }
    }
    return strcmp(push->image.tags[at].ref.name, push->options->to->name) == 0;
}

// From another repository of the same registry that the image has a name in. 1: done.
static int try_mount(const struct push *push, const struct image_descriptor *blob, const struct digest *digest, struct err *err) {
    const struct image_ref *to = push->options->to;
    for (size_t i = 0; i < push->image.tags_count; i++) {
        const struct image_ref *from = &push->image.tags[i].ref;
        if (strcmp(from->registry, to->registry) != 0 || is_repeated(push, i)) {
            continue;
        }
        int mounted = registry_mount_blob(push->options->registry, to, digest, from->repository, err);
        if (mounted != 0) {
            if (mounted > 0) {
                tell(push, blob, COPY_MOUNTED, (uint64_t)blob->size);
            }
            return mounted;
        }
    }
    return 0;
}

// From where the image came from, by way of a file without a name. 1: done, 0: it is nowhere.
static int try_bring_over(struct push *push, const struct image_descriptor *blob, const struct digest *digest, struct err *err) {
    for (size_t i = 0; i < push->image.tags_count; i++) {
        const struct image_ref *from = &push->image.tags[i].ref;
        AUTO_SOURCE struct source *source = NULL;
        struct source_blob bytes;
        struct err why;
        const struct source_request request = {.registry = push->options->others,
                                               .ref = from,
                                               .beside = push->options->registry,
                                               .input_fd = -1,
                                               .spool_fd = push->options->spool_fd};
        if (push->away[i] || is_repeated(push, i)) {
            continue;
        }
        if (source_open(&request, &source, &why) < 0 || source_blob(source, blob, &bytes, &why) < 0) {
            log_info("%s", why.text);
            push->away[i] = why.kind != ERR_NOT_FOUND && why.kind != ERR_CORRUPT; // another layer it may have
            continue;
        }
        return sender_add(&push->sender, digest, &bytes, err) < 0 ? -1 : 1;
    }
    return 0;
}

struct packing {
    const struct push *push;
    const char *name;
};

static void tell_packed(void *context, uint64_t done, uint64_t size) {
    const struct packing *packing = context;
    const struct push_options *options = packing->push->options;
    if (options->progress) {
        options->progress(options->progress_context, packing->name, COPY_PACKING, done, size);
    }
}

// Packs it anew. What the registry has of exactly that, from a push before, is not sent again.
static int pack_and_send(struct push *push, size_t index, struct err *err) {
    struct image_descriptor *layer = &push->manifest.layers[index], packed;
    struct packing packing = {.push = push, .name = push->image.record.config.diff_ids[index]};
    struct source_blob bytes;
    struct digest digest;
    const struct pack_request request = {
        .store = push->options->store,
        .key = push->image.record.layers[index].key,
        .spool_fd = push->options->spool_fd,
        .compression = push->options->compression,
        .manifest_type = push->manifest.media_type,
        .beside = push->options->registry,
        .progress = tell_packed,
        .progress_context = &packing,
    };
    if (pack_layer(&request, &push->arena, &packed, &bytes, err) < 0) {
        return -1;
    }
    AUTO_FD int fd = bytes.fd;
    tell_packed(&packing, (uint64_t)packed.size, (uint64_t)packed.size);
    push->is_new = push->is_new || strcmp(layer->digest, packed.digest) != 0;
    packed.annotations = layer->annotations;
    packed.annotations_count = layer->annotations_count;
    *layer = packed;
    if (digest_parse(packed.digest, &digest, err) < 0 || sender_settle(&push->sender, &digest, err) < 0) {
        return -1;
    }
    int there = is_there(push, layer, &digest, err);
    return there != 0 ? there : sender_add(&push->sender, &digest, &bytes, err);
}

static int push_layer(struct push *push, size_t index, struct err *err) {
    const struct image_descriptor *layer = &push->manifest.layers[index];
    struct digest digest;
    if (image_descriptor_is_foreign(layer)) {
        tell(push, layer, COPY_FOREIGN, (uint64_t)layer->size);
        return 0;
    }
    if (!layer->digest || push->options->pack_all) {
        return pack_and_send(push, index, err) < 0 ? -1 : 0;
    }
    if (digest_parse(layer->digest, &digest, err) < 0 || sender_settle(&push->sender, &digest, err) < 0) {
        return -1;
    }
    int there = is_there(push, layer, &digest, err);
    there = there == 0 ? try_mount(push, layer, &digest, err) : there;
    there = there == 0 ? try_bring_over(push, layer, &digest, err) : there;
    there = there == 0 ? pack_and_send(push, index, err) : there;
    return there < 0 ? -1 : 0;
}

static int push_config(struct push *push, const struct image_descriptor *config, struct err *err) {
    struct digest digest;
    if (digest_parse(config->digest, &digest, err) < 0) {
        return -1;
    }
    int there = is_there(push, config, &digest, err);
    if (there != 0) {
        return there < 0 ? -1 : 0;
    }
    struct source_document document;
    if (blob_read(push->options->store, config->digest, &push->arena, &document, err) < 0) {
        return -1;
    }
    AUTO_FD int fd = memfd_create("configuration", MFD_CLOEXEC);
    if (fd < 0 || fd_write_all(fd, document.text, document.size) < 0) {
        return err_sys(err, "write down %s", config->digest);
    }
    return sender_add(&push->sender, &digest, &(struct source_blob){.fd = fd, .size = document.size}, err);
}

// Of an image that came without one: what its configuration and its layers make. Layers without a digest are packed.
static int make_manifest(struct push *push, struct err *err) {
    const struct image_record *record = &push->image.record;
    struct source_document document;
    if (blob_read(push->options->store, record->id, &push->arena, &document, err) < 0) {
        return -1;
    }
    push->is_new = true;
    push->manifest = (struct image_manifest){
        .kind = IMAGE_MANIFEST,
        .media_type = IMAGE_OCI_MANIFEST,
        .config = {.media_type = IMAGE_OCI_CONFIG, .digest = record->id, .size = (int64_t)document.size},
        .layers = arena_array(&push->arena, record->layers_count + 1, sizeof(struct image_descriptor)),
        .layers_count = record->layers_count,
    };
    return 0;
}

static int read_manifest(struct push *push, struct source_document *ret_root, struct err *err) {
    const struct image_record *record = &push->image.record;
    if (!record->manifest) {
        return make_manifest(push, err);
    }
    if (blob_read(push->options->store, record->manifest, &push->arena, ret_root, err) < 0) {
        return -1;
    }
    const struct json_document document = {.name = record->manifest, .text = ret_root->text, .size = ret_root->size};
    if (image_manifest_decode(&document, NULL, &push->arena, &push->manifest, err) < 0) {
        return -1;
    }
    if (push->manifest.layers_count != record->layers_count || record->config.diff_ids_count != record->layers_count) {
        return err_set(err, ERR_CORRUPT, "%s: the manifest has %zu layers, the image %zu", push->options->name,
                       push->manifest.layers_count, record->layers_count);
    }
    push->manifest.media_type = push->manifest.media_type ? push->manifest.media_type : IMAGE_OCI_MANIFEST;
    return 0;
}

static int check_request(const struct push *push, struct err *err) {
    const struct push_options *options = push->options;
    const char *manifest = push->image.record.manifest;
    if (options->to->digest && (!manifest || strcmp(options->to->digest, manifest) != 0)) {
        return err_set(err, ERR_INPUT, "%s: the image's digest is %s", options->to->name,
                       manifest ? manifest : "not known before it is pushed");
    }
    if (!pack_media_type(push->manifest.media_type, options->compression)) {
        return err_set(err, ERR_UNSUPPORTED, "%s: its manifest is docker's, which knows no layers of %s; take gzip", options->name,
                       compression_name(options->compression));
    }
    return 0;
}

static int put_new_manifest(struct push *push, struct digest *ret_digest, struct err *err) {
    const struct push_options *options = push->options;
    AUTO_BUF struct buf text = {0};
    struct json_writer writer = {.buf = &text};
    char digest[DIGEST_TEXT_SIZE];
    if (options->to->digest) {
        return err_set(err, ERR_INPUT, "%s: a layer was packed anew, so that the image has another digest now; push it by a tag",
                       options->to->name);
    }
    image_manifest_write(&writer, &push->manifest);
    if (registry_put_manifest(options->registry, options->to, push->manifest.media_type, text.data, text.size, ret_digest, err) <
        0) {
        return -1;
    }
    if (push->image.record.manifest) {
        log_warn("%s: some layers were nowhere to be had and were packed anew: its digest there is %s, its id is the same",
                 options->to->name, digest_format(ret_digest, digest));
    }
    return 0;
}

int push_image(const struct push_options *options, struct digest *ret_digest, struct err *err) {
    AUTO(push_finish)
    struct push push = {
        .options = options,
        .sender = {.registry = options->registry,
                   .to = options->to,
                   .progress = options->progress,
                   .progress_context = options->progress_context},
    };
    struct source_document root = {0};
    if (catalog_get(options->store, options->name, &push.arena, &push.image, err) < 0) {
        return -1;
    }
    push.away = arena_array(&push.arena, push.image.tags_count + 1, sizeof(*push.away));
    if (read_manifest(&push, &root, err) < 0 || check_request(&push, err) < 0 ||
        push_config(&push, &push.manifest.config, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < push.manifest.layers_count; i++) {
        if (push_layer(&push, i, err) < 0) {
            return -1;
        }
    }
    if (sender_wait(&push.sender, err) < 0) {
        return -1;
    }
    if (push.is_new) {
        return put_new_manifest(&push, ret_digest, err);
    }
    return registry_put_manifest(options->registry, options->to, push.manifest.media_type, root.text, root.size, ret_digest, err);
}

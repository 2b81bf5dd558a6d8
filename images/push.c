#include "images/push.h"

#include "images/blob.h"
#include "images/catalog.h"
#include "images/registry.h"
#include "images/source.h"
#include "images/store.h"
#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "specs/image_manifest.h"
#include "specs/json.h"

#include <string.h>
#include <sys/mman.h>

struct push {
    const struct push_options *options;
    struct catalog_image image;
    struct arena arena;
};

static void push_finish(struct push *push) {
    arena_finish(&push->arena);
}

static void tell(const struct push *push, const struct image_descriptor *blob, enum copy_state state, uint64_t done) {
    if (push->options->progress) {
        push->options->progress(push->options->progress_context, blob->digest, state, done, (uint64_t)blob->size);
    }
}

// What is told of an upload on its way.
struct sending {
    const struct push *push;
    const struct image_descriptor *blob;
};

static void tell_sent(void *context, uint64_t sent) {
    const struct sending *sending = context;
    tell(sending->push, sending->blob, COPY_SENDING, sent);
}

static int send(const struct push *push, const struct image_descriptor *blob, const struct digest *digest,
                const struct source_blob *bytes, struct err *err) {
    struct sending sending = {.push = push, .blob = blob};
    const struct registry_content content = {
        .fd = bytes->fd, .offset = bytes->offset, .size = bytes->size, .progress = tell_sent, .context = &sending};
    if (registry_put_blob(push->options->registry, push->options->to, digest, &content, err) < 0) {
        return -1;
    }
    tell(push, blob, COPY_SENT, (uint64_t)blob->size);
    return 0;
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
static int try_bring_over(const struct push *push, const struct image_descriptor *blob, const struct digest *digest,
                          struct err *err) {
    for (size_t i = 0; i < push->image.tags_count; i++) {
        const struct image_ref *from = &push->image.tags[i].ref;
        AUTO_SOURCE struct source *source = NULL;
        struct source_blob bytes;
        struct err why;
        const struct source_request request = {
            .registry = push->options->others, .ref = from, .input_fd = -1, .spool_fd = push->options->spool_fd};
        if (is_repeated(push, i)) {
            continue;
        }
        if (source_open(&request, &source, &why) < 0 || source_blob(source, blob, &bytes, &why) < 0) {
            log_info("%s", why.text);
            continue;
        }
        return send(push, blob, digest, &bytes, err) < 0 ? -1 : 1;
    }
    return 0;
}

static int push_layer(const struct push *push, const struct image_descriptor *layer, struct err *err) {
    struct digest digest;
    if (digest_parse(layer->digest, &digest, err) < 0) {
        return -1;
    }
    int there = is_there(push, layer, &digest, err);
    there = there == 0 ? try_mount(push, layer, &digest, err) : there;
    there = there == 0 ? try_bring_over(push, layer, &digest, err) : there;
    if (there == 0) {
        return err_set(
            err, ERR_UNSUPPORTED,
            "%s: layer %s is kept unpacked only, and no registry that the image has a name in has it; copy the image from "
            "where it came from (coffer copy)",
            push->options->to->name, layer->digest);
    }
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
    return send(push, config, &digest, &(struct source_blob){.fd = fd, .size = document.size}, err);
}

static int check_digest(const struct push *push, const struct image_ref *to, struct err *err) {
    const char *manifest = push->image.record.manifest;
    if (!manifest) {
        return err_set(
            err, ERR_UNSUPPORTED,
            "%s: came into the store without a manifest (an import, or an archive of docker save), and its layers are kept "
            "unpacked only; push it from where it came from",
            push->options->name);
    }
    if (to->digest && strcmp(to->digest, manifest) != 0) {
        return err_set(err, ERR_INPUT, "%s: the image's digest is %s", to->name, manifest);
    }
    return 0;
}

int push_image(const struct push_options *options, struct digest *ret_digest, struct err *err) {
    AUTO(push_finish) struct push push = {.options = options};
    struct image_manifest manifest;
    struct source_document root;
    if (catalog_get(options->store, options->name, &push.arena, &push.image, err) < 0 ||
        check_digest(&push, options->to, err) < 0 ||
        blob_read(options->store, push.image.record.manifest, &push.arena, &root, err) < 0) {
        return -1;
    }
    const struct json_document document = {.name = push.image.record.manifest, .text = root.text, .size = root.size};
    if (image_manifest_decode(&document, NULL, &push.arena, &manifest, err) < 0 || push_config(&push, &manifest.config, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < manifest.layers_count; i++) {
        if (push_layer(&push, &manifest.layers[i], err) < 0) {
            return -1;
        }
    }
    const char *type = manifest.media_type ? manifest.media_type : "application/vnd.oci.image.manifest.v1+json";
    return registry_put_manifest(options->registry, options->to, type, root.text, root.size, ret_digest, err);
}

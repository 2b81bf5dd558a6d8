// An image of a registry. (OCI distribution-spec v1.1.) The client has held every document against its digest; sizes are held
// against the descriptors here.
#include "images/registry.h"
#include "images/source_state.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "specs/json.h"

int source_registry_read(struct source *source, const struct image_descriptor *descriptor, const struct digest *digest,
                         struct arena *arena, struct source_document *ret, struct err *err) {
    enum image_manifest_kind kind;
    char text[DIGEST_TEXT_SIZE];
    if (descriptor->size > JSON_MAX_BYTES) {
        return err_set(err, ERR_INPUT, "%s: is larger than %d bytes", descriptor->digest, JSON_MAX_BYTES);
    }
    if (source_count(source, descriptor->digest, (uint64_t)descriptor->size, err) < 0) {
        return -1;
    }
    if (image_media_type_is_manifest(descriptor->media_type, &kind)) {
        struct image_ref ref = *source->ref;
        struct registry_manifest manifest;
        ref.tag = NULL;
        ref.digest = arena_copy_string(arena, digest_format(digest, text));
        if (registry_get_manifest(source->registry, &ref, false, arena, &manifest, err) < 0) {
            return -1;
        }
        *ret = (struct source_document){.text = manifest.text, .size = manifest.size, .digest = *digest};
    } else {
        const char *bytes;
        if (registry_get_blob(source->registry, source->ref, digest, (uint64_t)descriptor->size, arena, &bytes, err) < 0) {
            return -1;
        }
        *ret = (struct source_document){.text = bytes, .size = (size_t)descriptor->size, .digest = *digest};
    }
    if (ret->size != (size_t)descriptor->size) {
        return err_set(err, ERR_CORRUPT, "%s: expected %lld bytes, found %zu", descriptor->digest, (long long)descriptor->size,
                       ret->size);
    }
    return 0;
}

// It is called what was asked for, and by the digest that this stood for: that of an index, where it was one.
static void name_image(struct source *source, struct source_list *list, const struct digest *digest) {
    struct source_image *image = &list->images[list->count - 1];
    char text[DIGEST_TEXT_SIZE];
    image->names = arena_array(list->arena, 2, sizeof(*image->names));
    if (source->ref->tag) {
        image->names[image->names_count] = *source->ref;
        image->names[image->names_count++].digest = NULL;
    }
    image->names[image->names_count] = *source->ref;
    image->names[image->names_count].tag = NULL;
    image->names[image->names_count++].digest = arena_copy_string(list->arena, digest_format(digest, text));
}

int source_registry_wait(struct source *source, struct registry_download *download, struct err *err) {
    while (!registry_download_ended(download)) {
        if (registry_wait_beside(source->registry, source->beside, -1, -1, err) < 0) {
            return -1;
        }
    }
    return registry_download_result(download, err);
}

int source_registry_blob(struct source *source, const struct digest *digest, uint64_t size, struct source_blob *ret,
                         struct err *err) {
    struct registry_download *download;
    struct digest found;
    char wanted[DIGEST_TEXT_SIZE], text[DIGEST_TEXT_SIZE];
    AUTO_FD int fd = source_spool(source, err);
    const struct registry_blob blob = {.digest = digest, .size = size, .out_fd = fd};
    if (fd < 0 || registry_download_start(source->registry, source->ref, &blob, &download, err) < 0) {
        return -1;
    }
    int result = source_registry_wait(source, download, err);
    registry_download_end(download);
    digest_format(digest, wanted);
    if (result < 0 || digest_of_file(fd, 0, size, digest->algorithm, wanted, &found, err) < 0) {
        return -1;
    }
    if (!digest_equal(digest, &found)) {
        return err_set(err, ERR_CORRUPT, "%s: its digest is %s", wanted, digest_format(&found, text));
    }
    *ret = (struct source_blob){.fd = fd, .size = size};
    source_keep(source, fd_take(&fd));
    return 0;
}

int source_registry_root(struct source *source, struct arena *arena, struct source_root *ret, struct err *err) {
    struct registry_manifest manifest;
    if (registry_get_manifest(source->registry, source->ref, false, arena, &manifest, err) < 0 ||
        source_count(source, source->path, manifest.size, err) < 0) {
        return -1;
    }
    *ret = (struct source_root){
        .document = {.text = manifest.text, .size = manifest.size, .digest = manifest.digest},
        .media_type = manifest.media_type,
        .name = source->ref->tag,
        .reference = source->ref->tag ? arena_format(arena, "%s:%s", source->ref->name, source->ref->tag) : NULL,
    };
    return 0;
}

int source_registry_images(struct source *source, struct source_list *list, struct err *err) {
    struct source_root root;
    char name[DIGEST_TEXT_SIZE];
    if (source_registry_root(source, list->arena, &root, err) < 0) {
        return -1;
    }
    const char *digest = arena_copy_string(list->arena, digest_format(&root.document.digest, name));
    if (source_take_document(source, list, digest, root.media_type, &root.document, 0, err) < 0) {
        return -1;
    }
    name_image(source, list, &root.document.digest);
    return 0;
}

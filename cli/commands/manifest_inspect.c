#include "cli/commands/all.h"
#include "cli/commands/manifest.h"
#include "cli/commands/store.h"
#include "cli/context.h"
#include "cli/output.h"
#include "images/blob.h"
#include "images/digest.h"
#include "images/registry.h"
#include "images/source.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "specs/image_manifest_write.h"
#include "specs/json.h"
#include "specs/json_write.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct inspect_request {
    bool verbose;
    struct registry_flags registry;
};

// What is looked at: a document, where it is, and who has what it lists.
struct inspected {
    struct context *context;
    struct registry_session session;
    struct image_ref ref;
    bool has_list;
    struct list list;
    struct buf text;
    const char *media_type; // NULL: nobody says
    struct image_manifest manifest;
};

static void inspected_finish(struct inspected *inspected) {
    registry_session_finish(&inspected->session);
    buf_finish(&inspected->text);
}

static int decode(struct inspected *inspected, struct err *err) {
    const struct json_document document = {.name = image_ref_familiar(&inspected->context->arena, &inspected->ref),
                                           .text = inspected->text.data,
                                           .size = inspected->text.size};
    return image_manifest_decode(&document, inspected->media_type, &inspected->context->arena, &inspected->manifest, err);
}

// A list of the store; where there is none of the name, the registry's word for it.
static int look(struct inspected *inspected, struct err *err) {
    struct context *context = inspected->context;
    const struct inspect_request *request = context->request;
    struct registry_manifest manifest;
    const char *word = context->operands[0], *text = registry_reference(word);
    if (image_ref_parse(&context->arena, text, &inspected->ref, err) < 0) {
        return -1;
    }
    if (text == word && !inspected->ref.digest) {
        struct err wrong = {0};
        inspected->has_list = manifest_read(context, &inspected->ref, &inspected->list, &wrong) == 0;
        if (!inspected->has_list && wrong.kind != ERR_NOT_FOUND) {
            *err = wrong;
            return -1;
        }
    }
    struct registry_flags flags = request->registry;
    flags.late = true;
    if (registry_session_open(context, &flags, inspected->ref.registry, &inspected->session, err) < 0) {
        return -1;
    }
    if (inspected->has_list) {
        return list_render(&inspected->list, LIST_OCI, &inspected->text, err) < 0 ? -1 : decode(inspected, err);
    }
    if (registry_get_manifest(inspected->session.registry, &inspected->ref, false, &context->arena, &manifest, err) < 0) {
        return -1;
    }
    buf_add(&inspected->text, manifest.text, manifest.size);
    inspected->media_type = manifest.media_type;
    return decode(inspected, err);
}

// --- as docker's --verbose has it ---

static int read_item(struct inspected *inspected, const struct store *store, size_t index, struct source_document *ret,
                     struct image_ref *ret_ref, struct err *err) {
    struct context *context = inspected->context;
    const struct image_descriptor *descriptor = &inspected->manifest.manifests[index];
    const struct list_item *item = inspected->has_list ? &inspected->list.items[index] : NULL;
    struct registry_manifest manifest;
    struct image_ref ref = inspected->ref;
    struct err ignored;
    if (item && image_ref_parse(&context->arena, item->name, &ref, &ignored) < 0) {
        ref = inspected->ref;
    }
    ref.tag = NULL;
    ref.digest = descriptor->digest;
    *ret_ref = ref;
    if (item && item->image) {
        return blob_read(store, descriptor->digest, &context->arena, ret, err);
    }
    if (registry_get_manifest(inspected->session.registry, &ref, false, &context->arena, &manifest, err) < 0) {
        return -1;
    }
    *ret = (struct source_document){.text = manifest.text, .size = manifest.size};
    return 0;
}

// The member that docker has for each kind of document, which stands there as it is.
static void write_entry(struct json_writer *writer, const char *name, const struct image_descriptor *descriptor, const char *text) {
    static const struct {
        const char *media_type, *member;
    } members[] = {
        {IMAGE_DOCKER_MANIFEST, "SchemaV2Manifest"},
        {IMAGE_DOCKER_LIST, "ManifestList"},
        {IMAGE_OCI_INDEX, "OCIIndex"},
        {NULL, "OCIManifest"},
    };
    size_t i = 0;
    while (members[i].media_type && strcmp(members[i].media_type, descriptor->media_type) != 0) {
        i++;
    }
    json_write_open(writer, NULL, '{');
    json_write_string(writer, "Ref", name);
    image_descriptor_write(writer, "Descriptor", descriptor);
    json_write_literal(writer, members[i].member, text);
    json_write_close(writer, '}');
}

static int write_items(struct inspected *inspected, const struct store *store, struct json_writer *writer, struct err *err) {
    struct context *context = inspected->context;
    json_write_open(writer, NULL, '[');
    for (size_t i = 0; i < inspected->manifest.manifests_count; i++) {
        struct image_descriptor *item = &inspected->manifest.manifests[i];
        struct source_document document;
        struct image_manifest manifest;
        struct image_ref ref;
        if (read_item(inspected, store, i, &document, &ref, err) < 0) {
            return -1;
        }
        const struct json_document json = {.name = item->digest, .text = document.text, .size = document.size};
        if (image_manifest_decode(&json, item->media_type, &context->arena, &manifest, err) < 0) {
            return -1;
        }
        write_entry(writer, image_ref_full(&context->arena, &ref), item, document.text);
    }
    json_write_close(writer, ']');
    return 0;
}

static int write_verbose(struct inspected *inspected, struct buf *text, struct err *err) {
    AUTO_STORE struct store *store = NULL;
    struct context *context = inspected->context;
    struct json_writer writer = {.buf = text, .indent = "  "};
    struct digest digest;
    char digest_text[DIGEST_TEXT_SIZE];
    if (inspected->manifest.kind == IMAGE_INDEX) {
        return (inspected->has_list && store_of(context, &store, NULL, err) < 0) || write_items(inspected, store, &writer, err) < 0
                   ? -1
                   : 0;
    }
    digest_of(DIGEST_SHA256, inspected->text.data, inspected->text.size, &digest);
    const char *type = inspected->manifest.media_type ? inspected->manifest.media_type : inspected->media_type;
    const struct image_descriptor descriptor = {
        .media_type = type ? type : IMAGE_OCI_MANIFEST,
        .digest = digest_format(&digest, digest_text),
        .size = (int64_t)inspected->text.size,
    };
    write_entry(&writer, image_ref_full(&context->arena, &inspected->ref), &descriptor, inspected->text.data);
    return 0;
}

static int run(struct context *context, struct err *err) {
    const struct inspect_request *request = context->request;
    AUTO(inspected_finish) struct inspected inspected = {.context = context};
    AUTO_BUF struct buf verbose = {0};
    if (look(&inspected, err) < 0) {
        return -1;
    }
    if (!request->verbose) {
        return output_write_json(&inspected.text, err);
    }
    return write_verbose(&inspected, &verbose, err) < 0 ? -1 : output_write_json(&verbose, err);
}

static const struct option_row options[] = {
    OPTION_FLAG("verbose", 'v', struct inspect_request, verbose, "Show the manifests of all images that are listed, too"),
    REGISTRY_OPTIONS(struct inspect_request, registry),
    {0},
};

const struct command command_manifest_inspect = {
    .name = "inspect",
    .usage = "LIST",
    .summary = "Show a list, or what a registry has, byte for byte",
    .description =
        "Of a list of the store: the index as it would be pushed. Else LIST is a name in its registry, of an index or an image; "
        "\"docker://\" in front of it says so.",
    .examples = "coffer manifest inspect app:1\ncoffer manifest inspect alpine",
    .group = COMMAND_GROUP_IMAGES,
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .request_size = sizeof(struct inspect_request),
    .run = run,
};

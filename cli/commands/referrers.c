#include "cli/commands/all.h"
#include "cli/context.h"
#include "cli/output.h"
#include "cli/registry_session.h"
#include "images/registry.h"
#include "images/source.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "specs/image_manifest.h"
#include "specs/json.h"

#include <stddef.h>

struct referrers_request {
    const char *artifact_type;
    const char *platform;
    struct list_options list;
    struct registry_flags registry;
};

enum { COLUMN_DIGEST, COLUMN_TYPE, COLUMN_SIZE, COLUMN_MEDIA_TYPE, COLUMN_ANNOTATIONS };

static const struct table_column columns[] = {
    [COLUMN_DIGEST] = {"Digest", "DIGEST", TABLE_QUIET},
    [COLUMN_TYPE] = {"ArtifactType", "ARTIFACT TYPE"},
    [COLUMN_SIZE] = {"Size", "SIZE", TABLE_RIGHT},
    [COLUMN_MEDIA_TYPE] = {"MediaType", "MEDIA TYPE", TABLE_HIDDEN},
    [COLUMN_ANNOTATIONS] = {"Annotations", "ANNOTATIONS", TABLE_HIDDEN},
    {0},
};

// Of an index, the image for the platform.
static int choose(struct context *context, struct registry *registry, struct image_ref *ref, struct err *err) {
    const struct referrers_request *request = context->request;
    AUTO_SOURCE struct source *source = NULL;
    struct image_platform platform;
    struct source_root root;
    struct image_manifest manifest;
    char digest[DIGEST_TEXT_SIZE];
    if (image_platform_parse(&context->arena, request->platform, &platform, err) < 0) {
        return -1;
    }
    const struct source_request wanted = {.registry = registry, .ref = ref, .input_fd = -1, .spool_fd = -1, .platform = &platform};
    if (source_open(&wanted, &source, err) < 0 || source_root(source, &context->arena, &root, err) < 0) {
        return -1;
    }
    const struct json_document document = {
        .name = image_ref_familiar(&context->arena, ref), .text = root.document.text, .size = root.document.size};
    if (image_manifest_decode(&document, root.media_type, &context->arena, &manifest, err) < 0) {
        return -1;
    }
    ref->digest = arena_copy_string(&context->arena, digest_format(&root.document.digest, digest));
    if (manifest.kind == IMAGE_INDEX) {
        const struct image_descriptor *best = source_choose(source, manifest.manifests, manifest.manifests_count, err);
        if (!best) {
            return err_in(err, "%s", document.name);
        }
        struct digest checked;
        if (digest_parse(best->digest, &checked, err) < 0) {
            return err_in(err, "%s", document.name);
        }
        ref->digest = best->digest;
    }
    return 0;
}

// What the name stands for; a server may keep its digest to itself.
static int find_digest(struct context *context, struct registry *registry, struct image_ref *ref, struct err *err) {
    struct registry_manifest manifest;
    char digest[DIGEST_TEXT_SIZE];
    if (ref->digest) {
        return 0;
    }
    if (registry_get_manifest(registry, ref, true, &context->arena, &manifest, err) < 0 ||
        (manifest.digest.algorithm == DIGEST_NONE &&
         registry_get_manifest(registry, ref, false, &context->arena, &manifest, err) < 0)) {
        return -1;
    }
    ref->digest = arena_copy_string(&context->arena, digest_format(&manifest.digest, digest));
    return 0;
}

static void add_row(struct table *table, const struct image_descriptor *item) {
    AUTO_BUF struct buf annotations = {0};
    char size[OUTPUT_HUMAN_SIZE];
    for (size_t i = 0; i < item->annotations_count; i++) {
        buf_add_format(&annotations, "%s%s=%s", i == 0 ? "" : ",", item->annotations[i].name, item->annotations[i].value);
    }
    table_row(table);
    table_set(table, COLUMN_DIGEST, "%s", item->digest);
    table_set(table, COLUMN_TYPE, "%s", item->artifact_type ? item->artifact_type : "");
    table_set(table, COLUMN_SIZE, "%s", output_human_size(item->size, size));
    table_set(table, COLUMN_MEDIA_TYPE, "%s", item->media_type);
    table_set(table, COLUMN_ANNOTATIONS, "%s", buf_string(&annotations));
}

static int run(struct context *context, struct err *err) {
    const struct referrers_request *request = context->request;
    AUTO_REGISTRY_SESSION struct registry_session session = {0};
    AUTO_TABLE struct table table = {.columns = columns};
    struct image_ref ref;
    struct image_descriptor *items;
    size_t count;
    if (image_ref_parse(&context->arena, registry_reference(context->operands[0]), &ref, err) < 0 ||
        registry_session_open(context, &request->registry, ref.registry, &session, err) < 0 ||
        (request->platform ? choose(context, session.registry, &ref, err) : find_digest(context, session.registry, &ref, err)) <
            0 ||
        registry_list_referrers(session.registry, &ref, request->artifact_type, &context->arena, &items, &count, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        add_row(&table, &items[i]);
    }
    return table_print(&table, &request->list, err);
}

static const struct option_row options[] = {
    OPTION_STRING("artifact-type", 0, "TYPE", struct referrers_request, artifact_type, "Show only what is of this type"),
    OPTION_STRING("platform", 0, "OS/ARCH[/VARIANT]", struct referrers_request, platform,
                  "Of an index, show what refers to the image for this platform [default: to the index]"),
    OPTION_ROWS(list_option_rows, struct referrers_request, list, struct list_options),
    REGISTRY_OPTIONS(struct referrers_request, registry),
    {0},
};

const struct command command_referrers = {
    .name = "referrers",
    .usage = "IMAGE",
    .summary = "Show what a registry has that refers to an image: signatures, bills of material",
    .description =
        "IMAGE is a name in its registry. Registries that do not know the question are asked for the tag that stands in for "
        "the answer, sha256-HEX. What is found can be shown with \"coffer manifest inspect REPOSITORY@DIGEST\".",
    .examples = "coffer referrers registry.example.com/team/app:1\n"
                "coffer referrers --artifact-type application/spdx+json -q registry.example.com/team/app:1",
    .group = COMMAND_GROUP_IMAGES,
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .request_size = sizeof(struct referrers_request),
    .run = run,
};

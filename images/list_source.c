#include "images/list_source.h"

#include "images/blob.h"
#include "images/catalog.h"
#include "images/digest.h"
#include "images/image.h"
#include "images/source.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/base/quote.h"
#include "specs/image_manifest_write.h"
#include "specs/json.h"

#include <string.h>

enum { MAX_NESTING = 4, MAX_WORD = 128, MAX_DOCUMENTS = 2 * LIST_MAX_ITEMS };

// An image on its way into a list.
struct finding {
    const struct list_source_options *options;
    struct source *source; // of a registry
    const char *name;      // what its items are kept as
    struct arena *arena;
    struct list_item *items;
    size_t count, room;
    unsigned documents; // fetched: indexes may list indexes that list nothing
};

static void finding_finish(struct finding *finding) {
    source_close(finding->source);
    mem_cleanup(&finding->items);
}

// --- platforms ---

// Words of Go's and versions of systems; whoever prints a list prints them.
static int check_word(const char *what, const char *word, struct err *err) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-";
    char quoted[QUOTE_SIZE];
    if (word && (strlen(word) > MAX_WORD || word[strspn(word, letters)])) {
        return err_set(err, ERR_INPUT, "%s: expected a word of letters, digits and \"._+-\", found %s", what,
                       quote_text(word, quoted));
    }
    return 0;
}

static int check_words(const char *what, const char *const *words, size_t count, struct err *err) {
    for (size_t i = 0; i < count; i++) {
        if (check_word(what, words[i], err) < 0) {
            return -1;
        }
    }
    return 0;
}

int list_platform_check(const struct image_platform *platform, struct err *err) {
    return check_word("os", platform->os, err) < 0 || check_word("architecture", platform->architecture, err) < 0 ||
                   check_word("variant", platform->variant, err) < 0 || check_word("os.version", platform->os_version, err) < 0 ||
                   check_words("os.features", platform->os_features, platform->os_features_count, err) < 0 ||
                   check_words("features", platform->features, platform->features_count, err) < 0
               ? -1
               : 0;
}

static bool is_empty(const char *text) {
    return !text || !text[0];
}

static void replace_word(const char **word, const char *with) {
    *word = with ? with : *word;
}

static void describe_platform(struct image_platform *platform, const struct image_platform *said) {
    replace_word(&platform->os, said->os);
    replace_word(&platform->architecture, said->architecture);
    replace_word(&platform->variant, said->variant);
    replace_word(&platform->os_version, said->os_version);
    if (said->os_features_count > 0) {
        platform->os_features = said->os_features;
        platform->os_features_count = said->os_features_count;
    }
    if (said->features_count > 0) {
        platform->features = said->features;
        platform->features_count = said->features_count;
    }
}

static void set_pair(struct text_pair *pairs, size_t *count, const struct text_pair *pair) {
    size_t i = 0;
    while (i < *count && strcmp(pairs[i].name, pair->name) != 0) {
        i++;
    }
    pairs[i] = *pair;
    *count += i == *count;
}

void list_describe(struct list_item *item, const struct list_details *details, struct arena *arena) {
    struct image_descriptor *descriptor = &item->descriptor;
    struct image_platform *platform = arena_alloc(arena, sizeof(*platform));
    if (descriptor->platform) {
        *platform = *descriptor->platform;
    }
    describe_platform(platform, &details->platform);
    if (descriptor->platform || platform->os || platform->architecture) {
        descriptor->platform = platform;
    }
    struct text_pair *pairs = arena_array(arena, descriptor->annotations_count + details->annotations_count + 1, sizeof(*pairs));
    size_t count = descriptor->annotations_count;
    if (count > 0) { // each name is there once: what was decoded has no name twice
        memcpy(pairs, descriptor->annotations, count * sizeof(*pairs));
    }
    for (size_t i = 0; i < details->annotations_count; i++) {
        set_pair(pairs, &count, &details->annotations[i]);
    }
    descriptor->annotations = pairs;
    descriptor->annotations_count = count;
}

// --- items ---

// Puts down an item, once it is known for what it is.
static int add(struct finding *finding, const struct list_item *item, struct err *err) {
    if (finding->count == LIST_MAX_ITEMS) {
        return err_set(err, ERR_INPUT, "more than %d images; at most %d can be listed", LIST_MAX_ITEMS, LIST_MAX_ITEMS);
    }
    if (finding->count == finding->room) {
        finding->room = finding->room ? 2 * finding->room : 16;
        finding->items = mem_resize(finding->items, finding->room, sizeof(*finding->items));
    }
    struct list_item *added = &finding->items[finding->count++];
    *added = *item;
    list_describe(added, &finding->options->details, finding->arena);
    const struct image_platform *platform = added->descriptor.platform;
    if (!platform || is_empty(platform->os) || is_empty(platform->architecture)) {
        return err_set(err, ERR_INPUT,
                       "%s: its configuration does not say for which platform it is; add it by itself, with --os and --arch",
                       added->descriptor.digest);
    }
    return list_platform_check(platform, err) < 0 ? err_in(err, "%s: platform", added->descriptor.digest) : 0;
}

static const char *text_or_null(const char *text) {
    return is_empty(text) ? NULL : text;
}

static struct image_platform *platform_of(const struct image_config *config, struct arena *arena) {
    struct image_platform *platform = arena_alloc(arena, sizeof(*platform));
    *platform = (struct image_platform){
        .os = text_or_null(config->os),
        .architecture = text_or_null(config->architecture),
        .variant = text_or_null(config->variant),
        .os_version = text_or_null(config->os_version),
    };
    return platform;
}

static int decode_config(const struct source_document *text, const char *digest, struct arena *arena, struct image_platform **ret,
                         struct err *err) {
    struct image_config config;
    const struct json_document document = {.name = digest, .text = text->text, .size = text->size};
    if (image_config_decode(&document, arena, &config, err) < 0) {
        return -1;
    }
    *ret = platform_of(&config, arena);
    return 0;
}

// What a manifest is in a list, but for its platform.
static struct list_item item_of(const struct finding *finding, const char *media_type, const struct source_document *document,
                                const struct image_manifest *manifest) {
    char digest[DIGEST_TEXT_SIZE];
    const char *type = manifest->media_type ? manifest->media_type : media_type;
    bool is_artifact = !image_media_type_is_config(manifest->config.media_type);
    return (struct list_item){.name = finding->name,
                              .descriptor = {
                                  .media_type = type ? type : IMAGE_OCI_MANIFEST,
                                  .digest = arena_copy_string(finding->arena, digest_format(&document->digest, digest)),
                                  .size = (int64_t)document->size,
                                  .artifact_type = manifest->artifact_type ? manifest->artifact_type
                                                   : is_artifact           ? manifest->config.media_type
                                                                           : NULL,
                              }};
}

static int add_document(struct finding *finding, const char *media_type, const struct source_document *document, unsigned depth,
                        struct err *err);

// What is listed with its platform is taken over as it is; of the rest, and of indexes, the document says more.
static int add_listed(struct finding *finding, const struct image_descriptor *listed, unsigned depth, struct err *err) {
    struct source_document document;
    struct digest digest;
    enum image_manifest_kind kind;
    char quoted[QUOTE_SIZE];
    const struct image_platform *platform = listed->platform;
    if (digest_parse(listed->digest, &digest, err) < 0) {
        return -1;
    }
    if (!image_media_type_is_manifest(listed->media_type, &kind)) {
        return err_set(err, ERR_UNSUPPORTED, "%s is no image: its mediaType is %s", listed->digest,
                       quote_text(listed->media_type, quoted));
    }
    if (kind == IMAGE_MANIFEST && platform && !is_empty(platform->os) && !is_empty(platform->architecture)) {
        struct list_item item = {.name = finding->name, .descriptor = *listed};
        item.descriptor.data = NULL; // nobody has held it against the digest
        return add(finding, &item, err);
    }
    if (++finding->documents > MAX_DOCUMENTS) {
        return err_set(err, ERR_INPUT, "what it lists would have to be looked up in more than %d manifests", MAX_DOCUMENTS);
    }
    if (source_document(finding->source, listed, finding->arena, &document, err) < 0) {
        return -1;
    }
    return add_document(finding, listed->media_type, &document, depth, err);
}

static int add_index(struct finding *finding, const struct image_manifest *index, unsigned depth, struct err *err) {
    if (depth >= MAX_NESTING) {
        return err_set(err, ERR_INPUT, "indexes are nested more than %d deep", MAX_NESTING);
    }
    if (!finding->options->all) {
        const struct image_descriptor *best = source_choose(finding->source, index->manifests, index->manifests_count, err);
        return best ? add_listed(finding, best, depth + 1, err) : -1;
    }
    if (index->manifests_count > LIST_MAX_ITEMS) {
        return err_set(err, ERR_INPUT, "it lists %zu images; at most %d can be listed", index->manifests_count, LIST_MAX_ITEMS);
    }
    for (size_t i = 0; i < index->manifests_count; i++) {
        if (add_listed(finding, &index->manifests[i], depth + 1, err) < 0) {
            return err_in(err, "manifests[%zu]", i);
        }
    }
    return 0;
}

static int add_document(struct finding *finding, const char *media_type, const struct source_document *document, unsigned depth,
                        struct err *err) {
    struct image_manifest manifest;
    struct source_document config;
    char name[DIGEST_TEXT_SIZE];
    const struct json_document json = {
        .name = digest_format(&document->digest, name), .text = document->text, .size = document->size};
    if (image_manifest_decode(&json, media_type, finding->arena, &manifest, err) < 0) {
        return -1;
    }
    if (manifest.kind == IMAGE_INDEX) {
        return add_index(finding, &manifest, depth, err);
    }
    struct list_item item = item_of(finding, media_type, document, &manifest);
    if (image_media_type_is_config(manifest.config.media_type) &&
        (source_document(finding->source, &manifest.config, finding->arena, &config, err) < 0 ||
         decode_config(&config, manifest.config.digest, finding->arena, &item.descriptor.platform, err) < 0)) {
        return -1;
    }
    return add(finding, &item, err);
}

// --- where it is ---

static int find_in_registry(struct finding *finding, const struct image_ref *ref, bool sought_in_store, struct err *err) {
    const struct list_source_options *options = finding->options;
    struct source_root root;
    struct image_platform wanted = *image_platform_of_host();
    const struct image_platform *said = &options->details.platform;
    if (said->os || said->architecture || said->variant) {
        wanted = (struct image_platform){
            .os = said->os ? said->os : wanted.os,
            .architecture = said->architecture ? said->architecture : wanted.architecture,
            .variant = said->variant        ? said->variant
                       : said->architecture ? NULL
                                            : wanted.variant,
        };
    }
    const struct source_request request = {
        .registry = options->registry, .ref = ref, .input_fd = -1, .spool_fd = options->spool_fd, .platform = &wanted};
    finding->name = image_ref_full(finding->arena, ref);
    if (source_open(&request, &finding->source, err) < 0) {
        return -1;
    }
    const char *name = image_ref_familiar(finding->arena, ref);
    if (source_root(finding->source, finding->arena, &root, err) < 0) {
        return sought_in_store && err->kind == ERR_NOT_FOUND ? err_in(err, "image %s is not in the store", name) : -1;
    }
    return add_document(finding, root.media_type, &root.document, 0, err) < 0 ? err_in(err, "%s", name) : 0;
}

static int find_in_store(struct finding *finding, const char *text, struct err *err) {
    const struct store *store = finding->options->store;
    struct catalog_image image;
    struct source_document document, config;
    struct image_manifest manifest;
    const char *path;
    struct image_ref ref;
    if (image_find(store, text, finding->arena, &path, &ref, err) < 0 ||
        catalog_get(store, text, finding->arena, &image, err) < 0) {
        return -1;
    }
    const char *digest = image.record.manifest;
    if (!digest) {
        return err_set(err, ERR_UNSUPPORTED,
                       "image %s came into the store without a manifest (an import, or an archive of docker save), which a list "
                       "would name it by; push it, and add it from there (docker://...)",
                       text);
    }
    if (blob_read(store, digest, finding->arena, &document, err) < 0 ||
        blob_read(store, image.record.id, finding->arena, &config, err) < 0) {
        return err_in(err, "image %s", text);
    }
    const struct json_document json = {.name = digest, .text = document.text, .size = document.size};
    if (image_manifest_decode(&json, NULL, finding->arena, &manifest, err) < 0) {
        return err_in(err, "image %s", text);
    }
    finding->name = ref.name ? image_ref_full(finding->arena, &ref) : image.record.id;
    struct list_item item = item_of(finding, NULL, &document, &manifest);
    item.image = image.record.id;
    return decode_config(&config, image.record.id, finding->arena, &item.descriptor.platform, err) < 0 ||
                   add(finding, &item, err) < 0
               ? err_in(err, "image %s", text)
               : 0;
}

static int find(struct finding *finding, const char *image, struct err *err) {
    static const char scheme[] = "docker://";
    struct image_ref ref;
    struct err wrong = {0};
    bool only_registry = strncmp(image, scheme, sizeof(scheme) - 1) == 0;
    if (only_registry) {
        image += sizeof(scheme) - 1;
    } else if (find_in_store(finding, image, &wrong) == 0) {
        return 0;
    } else if (wrong.kind != ERR_NOT_FOUND) {
        *err = wrong;
        return -1;
    }
    return image_ref_parse(finding->arena, image, &ref, err) < 0 ? -1 : find_in_registry(finding, &ref, !only_registry, err);
}

int list_source_find(const struct list_source_options *options, const char *image, struct arena *arena,
                     struct list_item **ret_items, size_t *ret_count, struct err *err) {
    AUTO(finding_finish) struct finding finding = {.options = options, .arena = arena};
    if (find(&finding, image, err) < 0) {
        return -1;
    }
    struct list_item *items = arena_array(arena, finding.count + 1, sizeof(*items));
    if (finding.count > 0) {
        memcpy(items, finding.items, finding.count * sizeof(*items));
    }
    *ret_items = items;
    *ret_count = finding.count;
    return 0;
}

#include "cli/commands/manifest.h"

#include "cli/commands/store.h"
#include "cli/context.h"
#include "cli/copy_progress.h"
#include "cli/output.h"
#include "images/digest.h"
#include "images/store.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/quote.h"

#include <string.h>

const struct option_row manifest_detail_rows[] = {
    OPTION_GROUP("What is said of the image"),
    OPTION_STRING("os", 0, "NAME", struct manifest_details, os, "Its operating system [default: what its configuration says]"),
    OPTION_STRING("arch", 0, "NAME", struct manifest_details, architecture,
                  "Its architecture, by Go's names: amd64, arm64 [default: what its configuration says]"),
    OPTION_STRING("variant", 0, "NAME", struct manifest_details, variant, "The architecture's variant: v7, v8"),
    OPTION_STRING("os-version", 0, "VERSION", struct manifest_details, os_version, "The version of the operating system it needs"),
    OPTION_LIST("os-features", 0, "NAME", struct manifest_details, os_features,
                "What it needs of the operating system; several by commas or one by one"),
    OPTION_LIST("features", 0, "NAME", struct manifest_details, features,
                "What it needs of the processor; several by commas or one by one"),
    OPTION_LIST("annotation", 0, "NAME=VALUE", struct manifest_details, annotations, "Give it this annotation in the list"),
    {0},
};

int manifest_annotations(struct context *context, const struct strv *words, struct text_pair **ret, size_t *ret_count,
                         struct err *err) {
    struct text_pair *pairs = arena_array(&context->arena, words->count + 1, sizeof(*pairs));
    char quoted[QUOTE_SIZE];
    size_t count = 0;
    for (size_t i = 0; i < words->count; i++) {
        char *name = arena_copy_string(&context->arena, words->items[i]), *equals = strchr(name, '=');
        if (!equals || equals == name) {
            return err_set(err, ERR_INPUT, "--annotation: expected NAME=VALUE, found %s", quote_text(name, quoted));
        }
        *equals = '\0';
        size_t at = 0;
        while (at < count && strcmp(pairs[at].name, name) != 0) {
            at++;
        }
        pairs[at] = (struct text_pair){.name = name, .value = equals + 1};
        count += at == count;
    }
    *ret = pairs;
    *ret_count = count;
    return 0;
}

// "a,b" and "c": a, b, c.
static const char **split(struct context *context, const struct strv *words, size_t *ret_count) {
    size_t room = 0, count = 0;
    for (size_t i = 0; i < words->count; i++) {
        room += strlen(words->items[i]) / 2 + 1;
    }
    const char **list = arena_array(&context->arena, room + 1, sizeof(*list));
    for (size_t i = 0; i < words->count; i++) {
        char *copy = arena_copy_string(&context->arena, words->items[i]), *rest;
        for (char *word = strtok_r(copy, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
            list[count++] = word;
        }
    }
    *ret_count = count;
    return list;
}

static const char *given(const char *word) {
    return word && word[0] ? word : NULL;
}

int manifest_details_take(struct context *context, const struct manifest_details *details, struct list_details *ret,
                          struct err *err) {
    struct list_details taken = {.platform = {.os = given(details->os),
                                              .architecture = given(details->architecture),
                                              .variant = given(details->variant),
                                              .os_version = given(details->os_version)}};
    taken.platform.os_features = split(context, &details->os_features, &taken.platform.os_features_count);
    taken.platform.features = split(context, &details->features, &taken.platform.features_count);
    if (list_platform_check(&taken.platform, err) < 0 ||
        manifest_annotations(context, &details->annotations, &taken.annotations, &taken.annotations_count, err) < 0) {
        return -1;
    }
    *ret = taken;
    return 0;
}

int manifest_session_open(struct context *context, const struct registry_flags *flags, char *const *words,
                          struct registry_session *ret, struct err *err) {
    AUTO_REGISTRY_SESSION struct registry_session session = {0};
    struct registry_flags late = *flags;
    const char *host = NULL;
    late.late = true;
    for (; *words; words++) {
        const char *text = registry_reference(*words);
        struct image_ref ref;
        struct err ignored;
        if ((text == *words && store_has_image(context, text, NULL)) || image_ref_parse(&context->arena, text, &ref, &ignored) < 0) {
            continue; // what is wrong with it is said when it is looked for
        }
        if (host && flags->creds && strcmp(host, ref.registry) != 0) {
            return err_set(err, ERR_INPUT, "--creds: there are two registries, %s and %s; log in to them (coffer login)", host,
                           ref.registry);
        }
        if (host ? registry_session_expect(context, &session, ref.registry, err) < 0
                 : registry_session_open(context, &late, ref.registry, &session, err) < 0) {
            return -1;
        }
        host = ref.registry;
    }
    if (!host && registry_session_open(context, &late, "docker.io", &session, err) < 0) {
        return -1;
    }
    *ret = session;
    session = (struct registry_session){0};
    return 0;
}

int manifest_read(struct context *context, const struct image_ref *ref, struct list *ret, struct err *err) {
    AUTO_STORE struct store *store = NULL;
    if (store_open(context->store_dir, context->rootless ? STORE_USER_XATTR : 0, &store, err) < 0) {
        return err->kind == ERR_NOT_FOUND ? list_not_found(&context->arena, ref, err) : -1;
    }
    return list_read(store, ref, &context->arena, ret, err);
}

int manifest_find_items(struct context *context, const struct list_source_options *options, char *const *words,
                        struct list_item **ret_items, size_t *ret_count, struct err *err) {
    struct list_source_options wishes = *options;
    struct list_item *all = NULL;
    size_t all_count = 0;
    AUTO_FD int spool = copy_open_spool(err);
    if (spool < 0) {
        return -1;
    }
    wishes.spool_fd = spool;
    for (; *words; words++) {
        struct list_item *items;
        size_t count;
        if (list_source_find(&wishes, *words, &context->arena, &items, &count, err) < 0) {
            return -1;
        }
        struct list_item *more = arena_array(&context->arena, all_count + count + 1, sizeof(*more));
        if (all_count > 0) {
            memcpy(more, all, all_count * sizeof(*more));
        }
        if (count > 0) {
            memcpy(more + all_count, items, count * sizeof(*more));
        }
        all = more;
        all_count += count;
    }
    *ret_items = all;
    *ret_count = all_count;
    return 0;
}

int manifest_tell_digest(const struct list *list, struct err *err) {
    AUTO_BUF struct buf text = {0};
    AUTO_BUF struct buf line = {0};
    struct digest digest;
    char digest_text[DIGEST_TEXT_SIZE];
    if (list_render(list, LIST_OCI, &text, err) < 0) {
        return -1;
    }
    digest_of(DIGEST_SHA256, text.data, text.size, &digest);
    buf_add_format(&line, "%s\n", digest_format(&digest, digest_text));
    return output_write(&line, err);
}

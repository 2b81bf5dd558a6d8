#include "images/copy.h"
#include "cli/commands/all.h"
#include "cli/commands/store.h"
#include "cli/context.h"
#include "cli/copy_progress.h"
#include "cli/registry_session.h"
#include "images/image.h"
#include "images/push.h"
#include "images/ref.h"
#include "images/source.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "specs/image_manifest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct copy_request {
    bool all;
    bool quiet;
    const char *platform;
    const char *digest_file;
    const char *source_creds, *target_creds;
    struct registry_flags registry;
};

// "store:NAME": an image of coffer's own store. An image of docker.io that is called "store" is docker.io/library/store.
static const char *in_store(const char *text) {
    static const char prefix[] = "store:";
    return strncmp(text, prefix, sizeof(prefix) - 1) == 0 ? text + sizeof(prefix) - 1 : NULL;
}

static bool is_registry(const char *text) {
    return !source_is_file(text) && !in_store(text);
}

// A password is for one registry: of two, the one that is named with it.
static int check_logins(const struct context *context, struct err *err) {
    const struct copy_request *request = context->request;
    bool from_file = !is_registry(context->operands[0]), to_file = !is_registry(context->operands[1]);
    if (request->registry.creds && !from_file && !to_file) {
        return err_set(err, ERR_INPUT, "--creds: there are two registries; give --src-creds or --dest-creds");
    }
    if ((request->source_creds && from_file) || (request->target_creds && to_file)) {
        return err_set(err, ERR_INPUT, "%s is for a registry, and %s is none",
                       request->source_creds && from_file ? "--src-creds" : "--dest-creds",
                       context->operands[request->source_creds && from_file ? 0 : 1]);
    }
    return 0;
}

// An end that is a reference gets a session.
static int open_end(struct context *context, bool is_target, struct registry_session *session, struct copy_end *ret,
                    struct err *err) {
    const struct copy_request *request = context->request;
    const char *text = context->operands[is_target], *creds = is_target ? request->target_creds : request->source_creds;
    struct registry_flags flags = request->registry;
    flags.creds = creds ? creds : flags.creds;
    if (!is_registry(text)) {
        ret->text = in_store(text) ? in_store(text) : text;
        return 0;
    }
    struct image_ref *ref = arena_alloc(&context->arena, sizeof(*ref));
    if (image_ref_parse(&context->arena, registry_reference(text), ref, err) < 0 ||
        registry_session_open(context, &flags, ref->registry, session, err) < 0) {
        return -1;
    }
    ret->ref = ref;
    ret->registry = session->registry;
    return 0;
}

// Whether the image itself goes there, whatever name it goes by: then no word of ours may.
static bool is_standard_output(const char *target) {
    static const char ending[] = "-archive";
    const char *colon = strchr(target, ':');
    size_t ending_length = sizeof(ending) - 1;
    struct stat output, file;
    if (!source_is_file(target) || !colon || (size_t)(colon - target) < ending_length ||
        strncmp(colon - ending_length, ending, ending_length) != 0) {
        return false;
    }
    size_t length = strcspn(colon + 1, ":");
    if (length == 1 && colon[1] == '-') {
        return true;
    }
    AUTO_FREE char *path = mem_format("%.*s", (int)length, colon + 1);
    return fstat(STDOUT_FILENO, &output) == 0 && stat(path, &file) == 0 && !S_ISREG(file.st_mode) && !S_ISDIR(file.st_mode) &&
           output.st_dev == file.st_dev && output.st_ino == file.st_ino;
}

// Into the store: what `pull` and `load` do.
static int copy_into_store(struct context *context, struct err *err) {
    const struct copy_request *request = context->request;
    const char *source = context->operands[0], *name = in_store(context->operands[1]);
    AUTO_REGISTRY_SESSION struct registry_session session = {0};
    struct copy_end from = {0};
    if (in_store(source)) {
        return err_set(err, ERR_INPUT, "%s: it is in the store already; coffer tag gives it another name", source);
    }
    if (request->all) {
        return err_set(err, ERR_INPUT, "--all: the store holds images for one platform each; choose one with --platform");
    }
    if (check_logins(context, err) < 0 || open_end(context, false, &session, &from, err) < 0) {
        return -1;
    }
    const struct store_load load = {
        .source = source,
        .registry = from.registry,
        .ref = from.ref,
        .name = *name ? name : NULL,
        .platform = request->platform,
        .quiet = request->quiet,
    };
    return store_load(context, &load, err);
}

// Out of the store to a registry: what `push` does.
static int push_from_store(struct context *context, const struct copy_options *copy, struct store *store, struct digest *ret_digest,
                           struct err *err) {
    const struct copy_request *request = context->request;
    const struct registry_flags plain = {.authfile = request->registry.authfile, .late = true};
    AUTO_REGISTRY_SESSION struct registry_session others = {0};
    if (registry_session_open(context, &plain, copy->to.ref->registry, &others, err) < 0) {
        return -1;
    }
    const struct push_options push = {
        .store = store,
        .name = copy->from.text,
        .registry = copy->to.registry,
        .others = others.registry,
        .to = copy->to.ref,
        .spool_fd = copy->spool_fd,
        .compression = COMPRESSION_GZIP,
        .progress = copy->progress,
        .progress_context = copy->progress_context,
    };
    return push_image(&push, ret_digest, err);
}

// The store has an image for one platform only: another one cannot be had from it.
static int check_stored_platform(const struct context *context, struct store *store, const char *name, struct err *err) {
    const struct copy_request *request = context->request;
    AUTO_IMAGE struct image *image = NULL;
    if (!request->platform) {
        return 0;
    }
    return image_look(store, name, &image, err) < 0 ? -1 : image_check_platform(image, request->platform, err);
}

static int copy_as_it_is(struct context *context, struct copy_options *copy, struct digest *ret_digest, struct err *err) {
    AUTO_STORE struct store *store = NULL;
    if (!in_store(context->operands[0])) {
        return copy_image(copy, ret_digest, err);
    }
    if (store_of(context, &store, NULL, err) < 0 || check_stored_platform(context, store, copy->from.text, err) < 0) {
        return -1;
    }
    if (copy->to.registry) {
        return push_from_store(context, copy, store, ret_digest, err);
    }
    copy->from.store = store;
    return copy_image(copy, ret_digest, err);
}

static int run(struct context *context, struct err *err) {
    const struct copy_request *request = context->request;
    if (in_store(context->operands[1])) {
        return copy_into_store(context, err);
    }
    AUTO_REGISTRY_SESSION struct registry_session from = {0};
    AUTO_REGISTRY_SESSION struct registry_session to = {0};
    AUTO_COPY_PROGRESS struct copy_progress shown = {0};
    struct copy_options copy = {.all = request->all, .input_fd = STDIN_FILENO, .output_fd = STDOUT_FILENO};
    struct image_platform platform;
    struct digest digest;
    if (check_logins(context, err) < 0) {
        return -1;
    }
    if (request->platform) {
        if (request->all) {
            return err_set(err, ERR_INPUT, "both --all and --platform: which of them?");
        }
        if (image_platform_parse(&context->arena, request->platform, &platform, err) < 0) {
            return -1;
        }
        copy.platform = &platform;
    }
    AUTO_FD int spool = copy_open_spool(err);
    if (spool < 0) {
        return -1;
    }
    copy.spool_fd = spool;
    if (open_end(context, false, &from, &copy.from, err) < 0 || open_end(context, true, &to, &copy.to, err) < 0) {
        return -1;
    }
    if (!request->quiet) {
        copy_progress_begin(&shown);
        copy.progress = copy_progress_show;
        copy.progress_context = &shown;
    }
    if (copy_as_it_is(context, &copy, &digest, err) < 0) {
        return -1;
    }
    return is_standard_output(context->operands[1]) ? copy_write_digest(&digest, request->digest_file, err)
                                                    : copy_tell_digest(&digest, request->digest_file, err);
}

static const struct option_row options[] = {
    OPTION_FLAG("all", 'a', struct copy_request, all, "Copy the images for all platforms"),
    OPTION_STRING("platform", 0, "OS/ARCH[/VARIANT]", struct copy_request, platform,
                  "Copy the image for this platform [default: the host's]"),
    OPTION_STRING("digestfile", 0, "FILE", struct copy_request, digest_file, "Write the digest to FILE", .complete = COMPLETE_FILE),
    OPTION_FLAG("quiet", 'q', struct copy_request, quiet, "Do not show how far it is"),
    OPTION_STRING("src-creds", 0, "USER:PASSWORD", struct copy_request, source_creds,
                  "Log in to the source's registry as this user"),
    OPTION_STRING("dest-creds", 0, "USER:PASSWORD", struct copy_request, target_creds,
                  "Log in to the target's registry as this user"),
    REGISTRY_OPTIONS(struct copy_request, registry),
    {0},
};

const struct command command_copy = {
    .name = "copy",
    .usage = "SOURCE TARGET",
    .summary = "Copy an image between registries, archives and directories",
    .description =
        "SOURCE and TARGET are images' names in their registries, or files: oci:DIR[:TAG] and oci-archive:FILE[:TAG] with an OCI "
        "layout, docker-archive:FILE[:REFERENCE] as docker save writes it, dir:DIR as skopeo has it, and store:NAME, an image of "
        "the "
        "store, whose layers become the plain tars that they were. FILE may be -, "
        "standard input or output; one that is there is replaced when the new one is whole. The bytes stay what they are, "
        "and so do all digests; blobs that the target has are not sent again, and to a registry up to four are sent side by side. "
        "Only in a docker-archive layers are unpacked, "
        "and there is no manifest. "
        "Prints the digest that the target's name stands for, of a docker-archive the image's id, and nothing when the "
        "image itself goes to standard output.",
    .examples = "coffer copy alpine registry.example.com/mirror/alpine:3\ncoffer copy --all debian oci:debian:bookworm\n"
                "coffer copy -q alpine docker-archive:- | ssh host docker load",
    .group = COMMAND_GROUP_IMAGES,
    .min_operands = 2,
    .max_operands = 2,
    .options = options,
    .request_size = sizeof(struct copy_request),
    .run = run,
};

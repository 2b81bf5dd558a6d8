#include "images/copy_target.h"

#include "runtime/base/err.h"

#include <string.h>
#include <unistd.h>

static const struct copy_target_ops *const kinds[] = {
    &copy_target_layout,
    &copy_target_archive,
    &copy_target_docker,
    &copy_target_dir,
};

void copy_target_split_tag(struct copy_target *target, const char *rest) {
    char *path = arena_copy_string(&target->arena, rest);
    char *colon = strrchr(path, ':');
    if (colon && colon > path && image_tag_valid(colon + 1) && access(path, F_OK) < 0) {
        *colon = '\0';
        target->tag = colon + 1;
    }
    target->path = path;
}

static int open_kind(struct copy_target *target, const char *text, struct err *err) {
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        size_t length = strlen(kinds[i]->prefix);
        if (strncmp(text, kinds[i]->prefix, length) == 0 && text[length]) {
            if (target->options->all && kinds[i]->one_image) {
                return err_set(err, ERR_INPUT, "--all: %s holds one image and no index; choose one with --platform", text);
            }
            target->ops = kinds[i];
            return kinds[i]->open(target, text + length, err);
        }
    }
    return err_set(err, ERR_INPUT,
                   "%s: expected a target of the form REGISTRY/REPOSITORY:TAG, oci:DIR[:TAG], oci-archive:FILE[:TAG], "
                   "docker-archive:FILE[:REFERENCE] or dir:DIR",
                   text);
}

int copy_target_init(struct copy_target *target, const struct copy_options *options, struct err *err) {
    *target = (struct copy_target){.options = options};
    if (options->to.registry) {
        target->ops = &copy_target_registry;
        return target->ops->open(target, NULL, err);
    }
    return open_kind(target, options->to.text, err);
}

void copy_target_finish(struct copy_target *target) {
    if (target->ops && target->ops->finish) {
        target->ops->finish(target);
    }
    arena_finish(&target->arena);
    *target = (struct copy_target){0};
}

void copy_part_tell(void *context, uint64_t done) {
    const struct copy_part *part = context;
    const struct copy_options *options = part->options;
    if (options->progress) {
        options->progress(options->progress_context, part->descriptor->digest, COPY_SENDING, done, part->size);
    }
}

static int next_piece(void *context, const uint8_t **ret_data, size_t *ret_size, struct err *err) {
    struct copy_part *part = context;
    if (source_stream_next(part->stream, ret_data, ret_size, err) < 0) {
        return -1;
    }
    part->done += *ret_size;
    copy_part_tell(part, part->done);
    return 0;
}

int copy_part_open(struct copy_part *part, struct pieces *ret, struct err *err) {
    part->done = 0;
    part->stream = source_stream_open(part->source, part->descriptor, err);
    *ret = (struct pieces){.next = next_piece, .context = part};
    return part->stream ? 0 : -1;
}

void copy_part_close(struct copy_part *part) {
    source_stream_close(part->stream);
    part->stream = NULL;
}

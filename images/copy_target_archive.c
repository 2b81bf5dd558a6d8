// An OCI layout in a tar archive.
#include "images/copy_target.h"
#include "images/layout_archive.h"
#include "images/new_archive.h"
#include "runtime/base/err.h"

struct state {
    struct new_archive file;
    struct layout_archive archive;
};

static int open_archive(struct copy_target *target, const char *rest, struct err *err) {
    struct state *state = arena_alloc(&target->arena, sizeof(*state));
    state->file = (struct new_archive){.fd = -1, .dir_fd = -1, .file.fd = -1};
    target->state = state;
    copy_target_split_tag(target, rest);
    if (new_archive_open(&state->file, target->path, target->options->output_fd, err) < 0) {
        return -1;
    }
    return layout_archive_init(&state->archive, state->file.fd, err) < 0 ? err_in(err, "%s", state->file.path) : 0;
}

static int has(struct copy_target *target, const struct copy_part *part, enum copy_state *ret_state, struct err *err) {
    const struct state *state = target->state;
    (void)err;
    *ret_state = COPY_PRESENT;
    return layout_archive_has(&state->archive, &part->digest);
}

static int put(struct copy_target *target, struct copy_part *part, struct err *err) {
    struct state *state = target->state;
    struct pieces pieces;
    if (copy_part_open(part, &pieces, err) < 0) {
        return -1;
    }
    int result = layout_archive_add(&state->archive, &part->digest, part->size, &pieces, err);
    copy_part_close(part);
    return result;
}

static int put_document(struct copy_target *target, const char *media_type, const struct source_document *document, bool is_root,
                        struct err *err) {
    struct state *state = target->state;
    if (layout_archive_add_text(&state->archive, &document->digest, document->text, document->size, err) < 0) {
        return err_in(err, "%s", state->file.path);
    }
    if (is_root) {
        layout_archive_list(&state->archive, media_type, &document->digest, document->size, target->tag);
    }
    return 0;
}

static int end(struct copy_target *target, struct digest *digest, struct err *err) {
    struct state *state = target->state;
    (void)digest;
    if (layout_archive_end(&state->archive, err) < 0) {
        return err_in(err, "%s", state->file.path);
    }
    return new_archive_done(&state->file, err);
}

static void finish(struct copy_target *target) {
    struct state *state = target->state;
    layout_archive_finish(&state->archive);
    new_archive_finish(&state->file);
}

const struct copy_target_ops copy_target_archive = {
    .prefix = "oci-archive:",
    .keeps_urls = true,
    .open = open_archive,
    .has = has,
    .put = put,
    .put_document = put_document,
    .end = end,
    .finish = finish,
};

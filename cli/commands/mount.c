#include "cli/commands/all.h"
#include "cli/commands/store.h"
#include "cli/context.h"
#include "cli/output.h"
#include "images/catalog.h"
#include "images/image_record.h"
#include "images/mounts.h"
#include "images/ref.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"

#include <stddef.h>

struct mount_request {
    struct list_options list;
    bool all;
};

struct unmount_request {
    bool all;
    bool force;
};

enum { COLUMN_ID, COLUMN_NAMES, COLUMN_POINT, COLUMN_COUNT };

static const struct table_column columns[] = {
    [COLUMN_ID] = {"ID", "IMAGE ID", TABLE_QUIET, .cut = 12},
    [COLUMN_NAMES] = {"Repositories", "IMAGE"},
    [COLUMN_POINT] = {"Mountpoint", "MOUNT POINT"},
    [COLUMN_COUNT] = {"Count", "COUNT", TABLE_HIDDEN},
    {0},
};

// The store, and what is mounted of it, both open.
struct session {
    struct store *store;
    struct mounts mounts;
};

static void session_finish(struct session *session) {
    store_close(session->store);
    mounts_finish(&session->mounts);
}

static int session_open(const struct context *context, struct session *session, struct err *err) {
    if (context->rootless) {
        return err_set(
            err, ERR_STATE,
            "an ordinary user mounts images in a user namespace of his own; call \"coffer unshare\", and this command in its "
            "shell");
    }
    return store_of(context, &session->store, NULL, err) < 0 || mounts_open(context->mounts_dir, &session->mounts, err) < 0 ? -1
                                                                                                                            : 0;
}

// The names of an image whose record cannot be read are none.
static const char *names_of(struct context *context, const struct session *session, const char *id) {
    struct catalog_image image;
    struct err unread = {0};
    AUTO_BUF struct buf names = {0};
    if (catalog_get(session->store, id, &context->arena, &image, &unread) < 0) {
        return "<none>";
    }
    for (size_t i = 0; i < image.tags_count; i++) {
        if (image.tags[i].ref.tag) {
            buf_add_format(&names, "%s%s", names.size ? ", " : "", image_ref_familiar(&context->arena, &image.tags[i].ref));
        }
    }
    return names.size ? arena_copy_string(&context->arena, buf_string(&names)) : "<none>";
}

static int list(struct context *context, const struct session *session, struct err *err) {
    const struct mount_request *request = context->request;
    AUTO_TABLE struct table table = {.columns = columns};
    struct image_mount *found;
    size_t count;
    if (mounts_list(&session->mounts, &context->arena, &found, &count, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        table_row(&table);
        table_set(&table, COLUMN_ID, "%s", found[i].id);
        table_set(&table, COLUMN_NAMES, "%s", names_of(context, session, found[i].id));
        table_set(&table, COLUMN_POINT, "%s", found[i].path);
        table_set(&table, COLUMN_COUNT, "%u", found[i].count);
    }
    return table_print(&table, &request->list, err);
}

// All images' ids, as operands.
static int take_all(struct context *context, const struct session *session, struct err *err) {
    struct catalog_image *images;
    size_t count;
    if (catalog_list(session->store, &context->arena, &images, &count, err) < 0) {
        return -1;
    }
    context->operands = arena_array(&context->arena, count + 1, sizeof(*context->operands));
    for (size_t i = 0; i < count; i++) {
        context->operands[i] = arena_copy_string(&context->arena, images[i].record.id);
    }
    context->operand_count = (int)count;
    return 0;
}

// What was done is printed, whether all was or not; the first error is the one that is told.
static int finish(const struct buf *buf, int result, struct err *err) {
    struct err unwritten = {0};
    if (output_write(buf, &unwritten) < 0 && result == 0) {
        *err = unwritten;
        result = -1;
    }
    return result;
}

static void keep_first(int *result, const struct err *wrong, struct err *err) {
    if (*result == 0) {
        *err = *wrong;
        *result = -1;
    }
}

static int run_mount(struct context *context, struct err *err) {
    const struct mount_request *request = context->request;
    AUTO(session_finish) struct session session = {.mounts = {.fd = -1, .lock_fd = -1}};
    AUTO_BUF struct buf buf = {0};
    int result = 0;
    if (request->all && context->operand_count > 0) {
        return err_set(err, ERR_INPUT, "--all: expected no IMAGE beside it");
    }
    if (session_open(context, &session, err) < 0 || (request->all && take_all(context, &session, err) < 0)) {
        return -1;
    }
    if (context->operand_count == 0) {
        return request->all ? 0 : list(context, &session, err);
    }
    bool alone = context->operand_count == 1 && !request->all;
    for (int i = 0; i < context->operand_count; i++) {
        struct image_mount mount;
        struct err wrong = {0};
        if (mounts_add(&session.mounts, session.store, context->operands[i], &context->arena, &mount, &wrong) < 0) {
            keep_first(&result, &wrong, err);
        } else {
            buf_add_format(&buf, "%s%s%s\n", alone ? "" : context->operands[i], alone ? "" : " ", mount.path);
        }
    }
    return finish(&buf, result, err);
}

static int unmount_one(const struct context *context, const struct session *session, const char *name, struct arena *arena,
                       const char **ret_id, struct err *err) {
    const struct unmount_request *request = context->request;
    struct catalog_image image;
    if (catalog_get(session->store, name, arena, &image, err) < 0) {
        return -1;
    }
    *ret_id = image.record.id;
    return mounts_drop(&session->mounts, image_record_hex(image.record.id), request->force, err) < 0
               ? err_in(err, "unmount image %s", name)
               : 0;
}

static int unmount_all(struct context *context, const struct session *session, struct buf *buf, struct err *err) {
    const struct unmount_request *request = context->request;
    struct image_mount *found;
    size_t count;
    int result = 0;
    if (mounts_list(&session->mounts, &context->arena, &found, &count, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        struct err wrong = {0};
        if (mounts_drop(&session->mounts, found[i].id, request->force, &wrong) < 0) {
            err_in(&wrong, "unmount image %.12s", found[i].id);
            keep_first(&result, &wrong, err);
        } else {
            buf_add_format(buf, "sha256:%s\n", found[i].id);
        }
    }
    return result;
}

static int run_unmount(struct context *context, struct err *err) {
    const struct unmount_request *request = context->request;
    AUTO(session_finish) struct session session = {.mounts = {.fd = -1, .lock_fd = -1}};
    AUTO_BUF struct buf buf = {0};
    int result = 0;
    if (request->all == (context->operand_count > 0)) {
        return err_set(err, ERR_INPUT, request->all ? "--all: expected no IMAGE beside it" : "expected an IMAGE, or --all");
    }
    if (session_open(context, &session, err) < 0) {
        return -1;
    }
    if (request->all) {
        result = unmount_all(context, &session, &buf, err);
    }
    for (int i = 0; i < context->operand_count; i++) {
        struct err wrong = {0};
        const char *id;
        if (unmount_one(context, &session, context->operands[i], &context->arena, &id, &wrong) < 0) {
            keep_first(&result, &wrong, err);
        } else {
            buf_add_format(&buf, "%s\n", id);
        }
    }
    return finish(&buf, result, err);
}

static const struct option_row mount_options[] = {
    OPTION_FLAG("all", 'a', struct mount_request, all, "Mount all images"),
    OPTION_ROWS(list_option_rows, struct mount_request, list, struct list_options),
    {0},
};

static const struct option_row unmount_options[] = {
    OPTION_FLAG("all", 'a', struct unmount_request, all, "Unmount all images"),
    OPTION_FLAG(
        "force", 'f', struct unmount_request, force,
        "However many times it was mounted, and though its files are in use, which they may be for as long as the image is there"),
    {0},
};

const struct command command_mount = {
    .name = "mount",
    .usage = "[IMAGE...]",
    .summary = "Mount images to look into, and say where; without IMAGE, list what is mounted",
    .description =
        "The image's files are shown as a container sees them, read-only, without set-user-id and device files taking effect, in "
        "the "
        "mount namespace of the caller. For several images each line is IMAGE and its directory.\n\nEach call counts: an image "
        "that was "
        "mounted twice is unmounted by the second \"coffer image unmount\". A mounted image is not removed. A reboot unmounts "
        "all.\n\nAn ordinary user mounts images within \"coffer unshare\", and sees them there.",
    .examples =
        "ls \"$(coffer image mount alpine)/etc\"\ncoffer image unmount alpine\ncoffer unshare sh -c 'cp -r \"$(coffer image mount "
        "alpine)/etc\" .'",
    .group = COMMAND_GROUP_IMAGES,
    .max_operands = COMMAND_ANY_COUNT,
    .operands = COMPLETE_IMAGE,
    .options = mount_options,
    .request_size = sizeof(struct mount_request),
    .run = run_mount,
};

const struct command command_unmount = {
    .name = "unmount",
    .aliases = "umount",
    .usage = "[IMAGE...]",
    .summary = "Unmount images",
    .description = "Takes back one \"coffer image mount\"; with the last one the image is unmounted.",
    .group = COMMAND_GROUP_IMAGES,
    .max_operands = COMMAND_ANY_COUNT,
    .operands = COMPLETE_IMAGE,
    .options = unmount_options,
    .request_size = sizeof(struct unmount_request),
    .run = run_unmount,
};

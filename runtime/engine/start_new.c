// A new container: its record and its writable layer.
#include "runtime/engine/start.h"

#include "images/image.h"
#include "images/store.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/timestamp.h"
#include "runtime/engine/cdi.h"
#include "runtime/engine/cid_file.h"
#include "runtime/engine/engine.h"
#include "runtime/engine/idrange.h"
#include "runtime/engine/image_wishes.h"
#include "runtime/engine/request_check.h"
#include "runtime/engine/request_json.h"
#include "runtime/engine/volume_ids.h"
#include "runtime/engine/volume_store.h"
#include "runtime/engine/volume_use.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *shown_command(struct start *start) {
    const struct image_settings *image = &start->image->config.settings;
    AUTO_BUF struct buf text = {0};
    for (size_t i = 0; i < image->entrypoint_count && !start->request->entrypoint; i++) {
        buf_add_format(&text, "%s%s", text.size ? " " : "", image->entrypoint[i]);
    }
    if (start->request->entrypoint) {
        buf_add_string(&text, start->request->entrypoint);
    }
    bool own = start->request->command_count > 0;
    size_t count = own ? start->request->command_count : image->cmd_count;
    for (size_t i = 0; i < count; i++) {
        buf_add_format(&text, "%s%s", text.size ? " " : "", own ? start->request->command[i] : image->cmd[i]);
    }
    return arena_copy_string(&start->arena, buf_string(&text));
}

static const char *named_user(struct start *start) {
    const char *image = start->image->config.settings.user;
    return arena_copy_string(&start->arena, start->request->user ? start->request->user : image && *image ? image : "0");
}

static const char *request_text(struct start *start) {
    AUTO_BUF struct buf text = {0};
    request_write_json(start->request, &text);
    return arena_copy_string(&start->arena, buf_string(&text));
}

// With the volumes that it names, so that nobody removes one between: see volume_store.h.
static int write_record(struct start *start, struct err *err) {
    const struct image_settings *image = &start->image->config.settings;
    AUTO_FD int volumes_fd = -1;
    if (!mount_list_has_volumes(&start->mounts, start->request, image)) {
        start->record.mounts = mount_list_write(&start->mounts, &start->arena);
        return record_write(&start->dir, &start->record, err);
    }
    volumes_fd = volumes_open(&start->home, err);
    if (volumes_fd < 0 || volumes_lock(&start->home, volumes_fd, err) < 0 ||
        mount_list_complete(&start->home, start->request, image, &start->arena, &start->mounts, err) < 0) {
        return -1;
    }
    start->record.mounts = mount_list_write(&start->mounts, &start->arena);
    return record_write(&start->dir, &start->record, err) < 0
               ? -1
               : volume_use_take(&start->home, volumes_fd, start->record.remove, &start->arena, &start->mounts, err);
}

// Of its own, or that of the container whose namespaces it joins.
static int take_range(struct start *start, bool shares, uint32_t shared_first, struct err *err) {
    struct record *record = &start->record;
    if (shares) {
        record->first_id = shared_first;
        record->has_range = true;
        return idrange_share(start->home.store_fd, start->dir.id, shared_first, err);
    }
    if (!start->user_namespace || start->home.rootless) {
        return 0;
    }
    record->has_range = true;
    return idrange_take(start->home.store_fd, start->dir.id, &record->first_id, err);
}

// What is recorded is the request with what names in it stand for now, and what the image adds.
static int complete_request(struct start *start, bool *ret_shares, uint32_t *ret_first, struct err *err) {
    start->stored = *start->request;
    start->request = &start->stored;
    return joined_settle(&start->home, &start->stored, &start->arena, ret_shares, ret_first, err) < 0
               ? -1
               : image_wishes_add(&start->image->config.settings, &start->arena, &start->stored, err);
}

static int check_ids(const struct start *start, struct err *err) {
    const struct volume_ids ids = {
        .user = start->record.user,
        .user_namespace = start->user_namespace,
        .range = &start->range,
        .rootless = start->home.rootless,
    };
    return volume_ids_check(&ids, &start->mounts, err);
}

// The record is written when all it names has been taken, and before anything runs.
static int make_record(struct start *start, struct err *err) {
    const char *name;
    bool shares;
    uint32_t shared_first = 0;
    if (complete_request(start, &shares, &shared_first, err) < 0) {
        return -1;
    }
    start_set_ids(start);
    if (request_check(start->request, start->user_namespace, err) < 0 || start_read_log_options(start, err) < 0 ||
        start_read_health_check(start, err) < 0 ||
        mount_list_parse(start->request, &start->arena, &start->mounts, err) < 0 ||
        image_mounts_settle(start->store, &start->arena, &start->mounts, err) < 0 ||
        attachment_list_parse(start->request, &start->arena, &start->attachments, err) < 0 ||
        record_create(&start->home, &start->arena, start->request->name, &start->dir, &name, err) < 0) {
        return -1;
    }
    start->networks = attachment_list_write(&start->attachments, false, &start->arena);
    int64_t now_ns = timestamp_now();
    start->record = (struct record){
        .name = name,
        .networks = start->networks,
        .image = start->request->image,
        .image_id = arena_copy_string(&start->arena, start->image->id),
        .command = shown_command(start),
        .user = named_user(start),
        .request = request_text(start),
        .created_s = now_ns / 1000000000,
        .created_ns = now_ns % 1000000000,
        .remove = start->request->remove,
    };
    snprintf(start->record.id, sizeof(start->record.id), "%s", start->dir.id);
    if (take_range(start, shares, shared_first, err) < 0) {
        return -1;
    }
    start_set_ids(start);
    if (write_record(start, err) < 0 || check_ids(start, err) < 0) {
        return -1;
    }
    start_announce(start, "create", NULL, NULL);
    return 0;
}

// Its root has the attributes of the image's root directory, shifted into the container's range.
static int give_upper(const struct start *start, struct err *err) {
    struct stat status = {.st_mode = 0755};
    if (start->image->lower_count > 0 &&
        fstatat(start->store->layers_fd, start->image->lower[0], &status, AT_SYMLINK_NOFOLLOW) < 0) {
        return err_sys(err, "look at the image's topmost layer");
    }
    uint32_t base = start->record.has_range ? start->record.first_id : 0;
    if (!start->home.rootless && (base || status.st_uid || status.st_gid) &&
        fchownat(start->dir.fd, "upper", base + status.st_uid, base + status.st_gid, AT_SYMLINK_NOFOLLOW) < 0) {
        if (errno == EINVAL && base) {
            return err_set(
                err, ERR_UNSUPPORTED,
                "user id %u does not exist in this user namespace, so the container can have no range of its own; run it "
                "outside of \"coffer unshare\", or use --userns host",
                base);
        }
        return err_sys(err, "make the writable layer");
    }
    return fchmodat(start->dir.fd, "upper", status.st_mode & 07777, 0) < 0 ? err_sys(err, "make the writable layer") : 0;
}

static int make_upper(const struct start *start, struct err *err) {
    return mkdirat(start->dir.fd, "upper", 0755) < 0 ? err_sys(err, "make the writable layer") : give_upper(start, err);
}

static int make_new(struct start *start, struct err *err) {
    const char *path = start->request->cid_file;
    AUTO_FD int cid_fd = -1;
    if (cid_file_make(path, &cid_fd, err) < 0) {
        return -1;
    }
    if (make_record(start, err) < 0 || make_upper(start, err) < 0 || start_fill_volumes(start, err) < 0 ||
        cid_file_write(path, cid_fd, start->dir.id, err) < 0) {
        cid_file_remove(path);
        return -1;
    }
    return 0;
}

static bool has_described_devices(const struct run_request *request) {
    bool found = request->gpus;
    for (size_t i = 0; i < request->devices.count && !found; i++) {
        found = cdi_is_name(request->devices.items[i]);
    }
    return found;
}

int start_new(struct start *start, const struct engine *engine, const struct run_request *request, const char *verb,
              struct err *err) {
    start->request = request;
    start->is_new = true;
    if (start_begin(start, engine, err) < 0 || start_open_image(start, request->image, err) < 0 ||
        (request->platform && image_check_platform(start->image, request->platform, err) < 0)) {
        return -1;
    }
    if (make_new(start, err) == 0) {
        start_take_stop_signal(start);
        // What is odd about CDI files is told while there is somebody to hear it.
        return has_described_devices(request) ? start_check(start, verb, err) : 0;
    }
    if (start->dir.fd >= 0) {
        start_remove_all(start, true);
    }
    return err_in(err, "%s %s", verb, request->image);
}

int start_check(struct start *start, const char *verb, struct err *err) {
    struct oci_config *config;
    if (start_make_config(start, &config, err) == 0) {
        return 0;
    }
    cid_file_remove(start->request->cid_file);
    start_remove_all(start, true);
    return err_in(err, "%s %s", verb, start->request->image);
}


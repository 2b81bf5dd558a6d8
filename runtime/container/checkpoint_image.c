#include "runtime/container/checkpoint_image.h"

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/quote.h"
#include "runtime/container/checkpoint.h"
#include "runtime/kernel/criu.h"
#include "specs/oci_config.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>

enum { LOG_LEVEL = 4 };

void checkpoint_image_finish(struct checkpoint_image *image) {
    fd_close(&image->images);
    fd_close(&image->work);
}

static int open_folder(const char *what, const char *path, bool make, struct err *err) {
    if (make && mkdir(path, 0700) < 0 && errno != EEXIST) {
        return err_sys(err, "make the %s folder %s", what, path);
    }
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? err_sys(err, "open the %s folder %s", what, path) : fd;
}

int checkpoint_image_open(const struct checkpoint_options *checkpoint, bool make, const char *log, struct checkpoint_image *ret,
                          struct err *err) {
    AUTO_CHECKPOINT_IMAGE struct checkpoint_image image = CHECKPOINT_IMAGE_NONE;
    image.log = log;
    image.images = open_folder("image", checkpoint->image_path, make, err);
    if (image.images < 0) {
        return -1;
    }
    if (checkpoint->work_path && (image.work = open_folder("work", checkpoint->work_path, true, err)) < 0) {
        return -1;
    }
    *ret = image;
    image.images = image.work = -1;
    return 0;
}

// Engines set the annotation, or leave what holds for all containers in a file of the name that every runtime reads. Where there is none,
// criu goes without.
static const char *config_file(const struct oci_config *config) {
    for (size_t i = 0; config && i < config->annotations_count; i++) {
        if (strcmp(config->annotations[i].name, "org.criu.config") == 0) {
            return config->annotations[i].value;
        }
    }
    return "/etc/criu/runc.conf";
}

void checkpoint_image_options(const struct checkpoint_image *image, const struct checkpoint_options *checkpoint,
                              const struct oci_config *config, struct buf *options) {
    const char *file = config_file(config);
    criu_put_number(options, CRIU_IMAGES_DIR_FD, (uint64_t)image->images);
    if (image->work >= 0) {
        criu_put_number(options, CRIU_WORK_DIR_FD, (uint64_t)image->work);
    }
    criu_put_number(options, CRIU_LOG_LEVEL, LOG_LEVEL);
    criu_put_string(options, CRIU_LOG_FILE, image->log);
    if (*file) {
        criu_put_string(options, CRIU_CONFIG_FILE, file);
    }
    criu_put_flag(options, CRIU_NOTIFY_SCRIPTS, true);
    criu_put_flag(options, CRIU_ORPHAN_PTS_MASTER, true);
    criu_put_flag(options, CRIU_TCP_ESTABLISHED, checkpoint->tcp_established);
    criu_put_flag(options, CRIU_EXT_UNIX_SK, checkpoint->ext_unix_sk);
    criu_put_flag(options, CRIU_SHELL_JOB, checkpoint->shell_job);
    criu_put_flag(options, CRIU_FILE_LOCKS, checkpoint->file_locks);
    criu_put_flag(options, CRIU_AUTO_DEDUP, checkpoint->auto_dedup);
    criu_put_flag(options, CRIU_LAZY_PAGES, checkpoint->lazy_pages);
    criu_put_number(options, CRIU_MANAGE_CGROUPS_MODE, checkpoint->cgroups);
    if (checkpoint->empty_network) {
        criu_put_number(options, CRIU_EMPTY_NS, CLONE_NEWNET);
    }
    if (checkpoint->network_lock != CHECKPOINT_LOCK_DEFAULT) {
        criu_put_number(options, CRIU_NETWORK_LOCK, checkpoint->network_lock);
    }
}

int checkpoint_image_failed(const struct criu_reply *reply, struct err *err) {
    char room[QUOTE_SIZE];
    err_set(err, ERR_SYSTEM, "criu failed%s%s%s%s", reply->errnum ? ": " : "", reply->errnum ? strerror(reply->errnum) : "",
            reply->text[0] ? ": " : "", reply->text[0] ? quote_text(reply->text, room) : "");
    err->errnum = reply->errnum;
    return -1;
}

int checkpoint_image_explain(const struct checkpoint_image *image, const struct checkpoint_options *checkpoint, struct err *err) {
    AUTO_BUF struct buf lines = {0};
    const char *folder = checkpoint->work_path ? checkpoint->work_path : checkpoint->image_path;
    if (!criu_last_errors(image->work >= 0 ? image->work : image->images, image->log, &lines)) {
        return -1;
    }
    struct err before = *err;
    // The log says the same and more.
    char *said = lines.size > 0 ? strstr(before.text, ": \"") : NULL;
    if (said) {
        *said = '\0';
    }
    err_set(err, before.kind, "%.256s; the log %s/%s %s%s", before.text, folder, image->log,
            lines.size > 0 ? "ends in " : "tells of no error", buf_string(&lines));
    err->errnum = before.errnum;
    return -1;
}

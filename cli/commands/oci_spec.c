#include "cli/commands/all.h"
#include "cli/context.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "specs/oci_default.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

struct spec_request {
    const char *bundle;
    const char *file;
    bool rootless;
};

static int run(struct context *context, struct err *err) {
    const struct spec_request *request = context->request;
    const char *bundle = request->bundle ? request->bundle : ".";
    AUTO_FD int dir = open(bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) {
        return err_sys(err, "bundle %s", bundle);
    }
    const struct oci_default wish = {.rootless = request->rootless, .uid = geteuid(), .gid = getegid()};
    AUTO_BUF struct buf text = {0};
    oci_config_default_text(&wish, &text);
    // A name that was given may be that of a file that is there, or of a device: the caller knows what it is.
    const char *name = request->file ? request->file : "config.json";
    AUTO_FD int file = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC | (request->file ? O_TRUNC : O_EXCL), 0666);
    if (file < 0) {
        return errno == EEXIST ? err_set(err, ERR_EXISTS, "%s/%s exists already; remove it first", bundle, name)
                               : err_sys(err, "create %s/%s", bundle, name);
    }
    return fd_write_all(file, text.data, text.size) < 0 ? err_sys(err, "write %s/%s", bundle, name) : 0;
}

static const struct option_row options[] = {
    OPTION_STRING("bundle", 'b', "DIR", struct spec_request, bundle, "The bundle's folder [default: the current one]",
                  .complete = COMPLETE_DIRECTORY),
    OPTION_STRING("file", 'f', "FILE", struct spec_request, file,
                  "Write to FILE, in the bundle's folder when it is relative, over what is there [default config.json]",
                  .complete = COMPLETE_FILE),
    OPTION_FLAG("rootless", 0, struct spec_request, rootless, "For an ordinary user: with a user namespace"),
    {0},
};

const struct command command_oci_spec = {
    .name = "spec",
    .summary = "Write a config.json to start from",
    .flags = COMMAND_STATELESS,
    .options = options,
    .request_size = sizeof(struct spec_request),
    .run = run,
};

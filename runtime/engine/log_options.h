// What --log-driver and --log-opt ask for: where the output of a container is kept, and how much of it.
#ifndef COFFER_ENGINE_LOG_OPTIONS_H
#define COFFER_ENGINE_LOG_OPTIONS_H

#include "runtime/base/attr.h"

#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;
struct strv;

enum log_driver {
    LOG_DRIVER_K8S_FILE, // text as the CRI has it: the default, and what docker's "local" gets
    LOG_DRIVER_JSON_FILE,
    LOG_DRIVER_JOURNALD,
    LOG_DRIVER_NONE,
    LOG_DRIVER_COUNT
};

enum {
    LOG_DEFAULT_SIZE_BYTES = 10 << 20,
    LOG_DEFAULT_FILES = 3,
    LOG_MOST_FILES = 500,
    LOG_TAG_SIZE = 256, // of an expanded tag
};

struct log_options {
    enum log_driver driver;
    int64_t max_size_bytes; // of a file, when the next one is begun; 0: never
    int max_files;          // this one and those before it
    const char *path;       // of the file; NULL: in the container's folder
    const char *tag;        // template; NULL: none was given
};

// driver: NULL is the default. options: NAME=VALUE each, of a name given twice the last counts. Strings live in the arena. Errors
// are of kind ERR_INPUT and begin with the flag.
int log_options_parse(struct arena *arena, const char *driver, const struct strv *options, struct log_options *ret,
                      struct err *err) MUST_CHECK;

const char *log_driver_name(enum log_driver driver);

// Of whom a log is: what tags and the journal's fields say.
struct log_owner {
    const char *id; // whole
    const char *name;
    const char *image;    // as the user named it
    const char *image_id; // sha256:...
};

// The tag for this container, {{.ID}} and the like filled in; its name where no tag was given. It lives in the arena, and is cut
// where it is too long.
const char *log_options_tag(const struct log_options *options, const struct log_owner *owner, struct arena *arena);

#endif

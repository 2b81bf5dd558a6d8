#include "cli/commands/store.h"

#include "cli/commands/image_events.h"
#include "cli/commands/load_view.h"
#include "cli/context.h"
#include "cli/output.h"
#include "cli/registry_session.h"
#include "images/catalog.h"
#include "images/gc.h"
#include "images/image.h"
#include "images/load.h"
#include "images/ref.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/kernel/process.h"
#include "runtime/kernel/userns.h"
#include "specs/image_manifest.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

// A pull that has waited so long for the line, and has as long to wait: what it gets is kept.
enum { PARTIAL_AFTER_MS = 10 * 1000 };

static int open_store(const struct context *context, unsigned flags, struct store **ret_store, bool *ret_single_id,
                      struct err *err) {
    bool single_id = false;
    if (!context->rootless && !userns_is_initial()) { // "coffer unshare": we are inside already
        flags |= STORE_USER_XATTR;
        single_id = userns_has_single_id();
    }
    if (context->rootless) {
        flags |= STORE_USER_XATTR;
        if (store_enter_user_namespace(&single_id, err) < 0) {
            return -1;
        }
    }
    if (ret_single_id) {
        *ret_single_id = single_id;
    }
    if (store_open(context->store_dir, flags, ret_store, err) < 0) {
        return -1;
    }
    store_set_mounts(*ret_store, context->mounts_dir);
    return 0;
}

int store_of(const struct context *context, struct store **ret_store, bool *ret_single_id, struct err *err) {
    if (open_store(context, STORE_CREATE, ret_store, ret_single_id, err) < 0) {
        return -1;
    }
    gc_sweep(*ret_store); // behind commands that were killed
    return 0;
}

int store_to_look_at(const struct context *context, struct store **ret_store, struct err *err) {
    return open_store(context, STORE_CREATE, ret_store, NULL, err);
}

int store_to_examine(const struct context *context, struct store **ret_store, bool *ret_single_id, struct err *err) {
    return open_store(context, STORE_AS_IT_IS, ret_store, ret_single_id, err);
}

void store_set_created(struct table *table, unsigned since, unsigned at, const char *created) {
    struct tm parts;
    char text[OUTPUT_HUMAN_SIZE];
    int64_t created_s;
    if (!catalog_time(created, &created_s) || !gmtime_r(&(time_t){created_s}, &parts)) {
        table_set(table, since, "N/A");
        table_set(table, at, "N/A");
        return;
    }
    int64_t age = time(NULL) - created_s;
    table_set(table, since, "%s ago", output_human_duration(age > 0 ? age : 0, text));
    table_set(table, at, "%04d-%02d-%02d %02d:%02d:%02d +0000 UTC", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
              parts.tm_hour, parts.tm_min, parts.tm_sec);
}

static int print_loaded(const struct load_image *images, size_t count, bool only_ids, struct arena *arena, struct err *err) {
    AUTO_BUF struct buf text = {0};
    for (size_t i = 0; i < count; i++) {
        for (size_t name = 0; name < images[i].names_count && !only_ids; name++) {
            buf_add_format(&text, "Loaded image: %s\n", image_ref_familiar(arena, &images[i].names[name]));
        }
        if (only_ids || images[i].names_count == 0) {
            buf_add_format(&text, "%s%s\n", only_ids ? "" : "Loaded image ID: ", images[i].id);
        }
    }
    return output_write(&text, err);
}

// As docker has it: what is asked for is the last word, in full where nothing else is said.
static int print_pulled(const struct load_options *options, bool quiet, bool is_current, struct arena *arena, struct err *err) {
    const struct image_ref *ref = options->name ? options->name : options->ref;
    AUTO_BUF struct buf text = {0};
    if (!quiet) {
        buf_add_format(&text, "%s: %s\n", is_current ? "Image is up to date" : "Pulled image", image_ref_familiar(arena, ref));
    } else {
        buf_add_format(&text, "%s\n", image_ref_full(arena, ref));
    }
    return output_write(&text, err);
}

static int print_events(const struct load_image *images, size_t count, struct arena *arena) {
    for (size_t i = 0; i < count; i++) {
        load_view_image(&images[i], arena);
    }
    return 0;
}

void store_raise_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit); // what is not granted may not be needed
    }
}

static void announce(struct context *context, const struct store_load *load, const struct load_image *images, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const char *name = images[i].names_count > 0 ? image_ref_familiar(&context->arena, &images[i].names[0]) : NULL;
        image_announce(context, load->registry ? "pull" : "load", load->registry && name ? name : images[i].id, name);
    }
}

int store_load(struct context *context, const struct store_load *load, struct err *err) {
    AUTO_STORE struct store *store = NULL;
    AUTO_LOAD_VIEW struct load_view view = {0};
    struct image_ref name;
    struct image_platform platform;
    struct load_image *images;
    size_t count;
    struct load_options options = {
        .source = load->source,
        .input_fd = STDIN_FILENO,
        .registry = load->registry,
        .ref = load->ref,
        .partial_after_ms = load->partial_after.set ? load->partial_after.value : PARTIAL_AFTER_MS,
    };
    if (load->name) {
        if (image_ref_parse(&context->arena, load->name, &name, err) < 0) {
            return -1;
        }
        options.name = &name;
    }
    if (load->platform) {
        if (image_platform_parse(&context->arena, load->platform, &platform, err) < 0) {
            return -1;
        }
        options.platform = &platform;
    }
    if (store_of(context, &store, &options.single_id, err) < 0) {
        return -1;
    }
    struct load_image current;
    int is_current = load->registry && !load->name ? load_is_current(store, &options, &context->arena, &current, err) : 0;
    if (is_current < 0) {
        return -1;
    }
    if (is_current > 0) {
        return load->no_words ? 0
               : load->events ? print_events(&current, 1, &context->arena)
                              : print_pulled(&options, load->quiet, true, &context->arena, err);
    }
    store_raise_descriptor_limit();
    options.devices = context->rootless ? UNPACK_DEVICES_REFUSE : UNPACK_DEVICES_MAKE;
    if (!load->quiet) {
        load_view_init(&view, load->events ? LOAD_VIEW_EVENTS : LOAD_VIEW_LINES, &options);
    }
    if (load_images(store, &options, &context->arena, &images, &count, err) < 0) {
        return -1;
    }
    announce(context, load, images, count);
    return load->no_words   ? 0
           : load->events   ? print_events(images, count, &context->arena)
           : load->registry ? print_pulled(&options, load->quiet, false, &context->arena, err)
                            : print_loaded(images, count, load->only_ids, &context->arena, err);
}

static int bring(struct context *context, const struct store_wish *wish, struct err *err) {
    static const struct registry_flags flags;
    AUTO_REGISTRY_SESSION struct registry_session session = {0};
    struct image_ref ref;
    if (image_ref_parse(&context->arena, wish->image, &ref, err) < 0 ||
        registry_session_open(context, &flags, ref.registry, &session, err) < 0) {
        return -1;
    }
    const struct store_load load = {
        .source = wish->image,
        .registry = session.registry,
        .ref = &ref,
        .platform = wish->platform,
        .quiet = wish->quiet,
        .no_words = true,
    };
    return store_load(context, &load, err);
}

bool store_has_image(const struct context *context, const char *image, const char *platform) {
    AUTO_STORE struct store *store = NULL;
    AUTO_IMAGE struct image *found = NULL;
    struct err ignored;
    AUTO_ARENA struct arena arena = {0};
    const char *path;
    struct image_ref ref;
    if (store_open(context->store_dir, context->rootless ? STORE_USER_XATTR : 0, &store, &ignored) < 0 ||
        image_find(store, image, &arena, &path, &ref, &ignored) < 0) {
        return false;
    }
    return !platform || (image_look(store, image, &found, &ignored) == 0 &&
                         image_check_platform(found, platform, &ignored) == 0);
}

int store_bring(struct context *context, const struct store_wish *wish, struct err *err) {
    struct err failure = {0};
    int pipes[2];
    if (pipe2(pipes, O_CLOEXEC) < 0) {
        return err_sys(err, "make a pipe");
    }
    AUTO_FD int from = pipes[0];
    AUTO_FD int to = pipes[1];
    AUTO_FD int pidfd = -1;
    pid_t pid = process_clone(0, -1, &pidfd);
    if (pid == 0) {
        // What it has set up goes with it; only why it failed is left.
        fd_close(&from);
        bool failed = prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || bring(context, wish, &failure) < 0;
        (void)!(failed && fd_write_all(to, &failure, sizeof(failure)) < 0);
        _exit(failed ? 1 : 0);
    }
    fd_close(&to);
    if (pid < 0) {
        return err_sys(err, "start a process that pulls %s", wish->image);
    }
    bool failed = fd_read_full(from, &failure, sizeof(failure)) == sizeof(failure);
    siginfo_t end;
    process_reap(pidfd, &end);
    if (failed && failure.kind != ERR_NONE) {
        *err = failure;
        return err_in(err, "pull %s", wish->image);
    }
    return end.si_code == CLD_EXITED && end.si_status == 0
               ? 0
               : err_set(err, ERR_STATE, "pull %s: the process that did it was killed", wish->image);
}

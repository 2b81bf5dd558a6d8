#include "cli/commands/store.h"

#include "cli/context.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "images/load.h"
#include "images/ref.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "specs/image_manifest.h"

#include <unistd.h>

int command_open_store(const struct context *context, struct store **ret_store, bool *ret_single_id, struct err *err) {
    unsigned flags = STORE_CREATE | STORE_SWEEP;
    bool single_id = false;
    if (context->rootless) {
        flags |= STORE_USER_XATTR;
        if (store_enter_user_namespace(&single_id, err) < 0) {
            return -1;
        }
    }
    if (ret_single_id) {
        *ret_single_id = single_id;
    }
    return store_open(context->store_dir, flags, ret_store, err);
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

int command_load(struct context *context, const struct load_command *load, struct err *err) {
    AUTO_STORE struct store *store = NULL;
    AUTO_PROGRESS struct progress progress = {0};
    struct image_ref name;
    struct image_platform platform;
    struct load_image *images;
    size_t count;
    struct load_options options = {.source = load->source, .input_fd = STDIN_FILENO};
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
    if (command_open_store(context, &store, &options.single_id, err) < 0) {
        return -1;
    }
    options.devices = context->rootless ? UNPACK_DEVICES_REFUSE : UNPACK_DEVICES_MAKE;
    if (!load->quiet) {
        progress_init(&progress, STDERR_FILENO);
        options.progress = progress_update;
        options.progress_context = &progress;
    }
    if (load_images(store, &options, &context->arena, &images, &count, err) < 0) {
        return -1;
    }
    progress_finish(&progress);
    return print_loaded(images, count, load->only_ids, &context->arena, err);
}

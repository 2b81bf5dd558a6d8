// What a volume of the driver "local" may be besides a folder of the store: a directory of the host (docker's type none, o=bind).
#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/strv.h"
#include "runtime/engine/home.h"
#include "runtime/engine/volume.h"
#include "runtime/engine/volume_store.h"

#include <string.h>

static const char *const names[] = {"type", "device", "o"};

const char *volume_option(const struct stored_volume *volume, const char *name) {
    for (size_t i = 0; i < volume->options_count; i++) {
        if (strcmp(volume->options[i].name, name) == 0) {
            return volume->options[i].value;
        }
    }
    return NULL;
}

static int split(struct arena *arena, const char *word, struct stored_volume *volume, struct err *err) {
    char *name = arena_copy_string(arena, word), *value = strchr(name, '=');
    bool known = false;
    if (value) {
        *value++ = '\0';
    }
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        known = known || strcmp(name, names[i]) == 0;
    }
    if (!known || !value) {
        return err_set(err, ERR_INPUT, "--opt \"%s\": expected type=none, device=DIRECTORY or o=bind", word);
    }
    if (volume_option(volume, name)) {
        return err_set(err, ERR_INPUT, "--opt \"%s\": %s is there twice", word, name);
    }
    volume->options[volume->options_count++] = (struct text_pair){name, value};
    return 0;
}

// The words of "o": bind or rbind, and what the mount is to be like. What is mounted below comes along in any case: a user namespace
// may not leave it out.
static int read_words(struct arena *arena, const char *text, struct volume *volume, bool *ret_bind, struct err *err) {
    char *rest = arena_copy_string(arena, text);
    for (char *word = strsep(&rest, ","); word; word = strsep(&rest, ",")) {
        *ret_bind = *ret_bind || strcmp(word, "bind") == 0 || strcmp(word, "rbind") == 0;
        if (volume_add_word(volume, word, text, err) < 0) {
            return -1;
        }
    }
    return 0;
}

int volume_check_options(struct arena *arena, const struct strv *words, struct stored_volume *volume, struct err *err) {
    struct volume mount;
    bool binds = false;
    volume->options = arena_array(arena, ARRAY_LEN(names), sizeof(*volume->options));
    for (size_t i = 0; i < words->count; i++) {
        if (split(arena, words->items[i], volume, err) < 0) {
            return -1;
        }
    }
    const char *type = volume_option(volume, "type"), *device = volume_option(volume, "device"), *o = volume_option(volume, "o");
    if (volume->options_count == 0) {
        return 0;
    }
    if (type && strcmp(type, "tmpfs") == 0) {
        return err_set(err, ERR_UNSUPPORTED,
                       "--opt type=tmpfs: nothing lives on between containers to keep a tmpfs that they share; give each its own "
                       "with --tmpfs or --mount type=tmpfs");
    }
    if (type && strcmp(type, "none") != 0 && strcmp(type, "bind") != 0) {
        return err_set(err, ERR_UNSUPPORTED,
                       "--opt type=%s: only directories of this host can be volumes; mount it yourself and give type=none, o=bind "
                       "and device=DIRECTORY", type);
    }
    volume_start(arena, &mount, VOLUME_BIND);
    if (o && read_words(arena, o, &mount, &binds, err) < 0) {
        return err_in(err, "--opt o");
    }
    if (!binds || !device || device[0] != '/') {
        return err_set(err, ERR_INPUT, "--opt: expected type=none, o=bind and device=DIRECTORY, an absolute path, all three");
    }
    return 0;
}

const char *volume_path(const struct home *home, struct arena *arena, const struct stored_volume *volume) {
    const char *device = volume_option(volume, "device");
    return device ? device : arena_format(arena, "%s/volumes/%s/_data", home->store, volume->name);
}

void volume_apply_options(const struct home *home, struct arena *arena, const struct stored_volume *stored, struct volume *volume) {
    const char *o = volume_option(stored, "o");
    struct volume more;
    struct err checked; // when the volume was made
    bool binds = false;
    volume->path = volume_path(home, arena, stored);
    volume_start(arena, &more, VOLUME_BIND);
    if (!o || read_words(arena, o, &more, &binds, &checked) < 0) {
        return;
    }
    const char **options = arena_array(arena, volume->options_count + more.options_count + 2, sizeof(*options));
    memcpy(options, volume->options, volume->options_count * sizeof(*options));
    memcpy(options + volume->options_count, more.options, more.options_count * sizeof(*options));
    volume->options = options;
    volume->options_count += more.options_count;
    volume->swaps_owner = volume->swaps_owner || more.swaps_owner;
    if (more.read_only && !volume->read_only) {
        options[volume->options_count++] = "rro";
    }
}

#include "runtime/engine/volume.h"

#include "runtime/base/arena.h"
#include "runtime/base/err.h"

#include <string.h>

enum { OPTIONS_MAX = 32 };

static int add_option(struct volume *volume, const char *option, const char *text, struct err *err) {
    if (volume->option_count == OPTIONS_MAX) {
        return err_set(err, ERR_INPUT, "\"%s\": more than %d options", text, OPTIONS_MAX);
    }
    volume->options[volume->option_count++] = option;
    return 0;
}

static void start(struct arena *arena, struct volume *volume, enum volume_kind kind) {
    *volume = (struct volume){.kind = kind};
    volume->options = arena_array(arena, OPTIONS_MAX + 1, sizeof(*volume->options));
}

static int check_target(const char *text, const char *target, struct err *err) {
    if (!target || target[0] != '/') {
        return err_set(err, ERR_INPUT, "\"%s\": expected an absolute path in the container, found \"%s\"", text, target ? target : "");
    }
    if (strspn(target, "/") == strlen(target)) {
        return err_set(err, ERR_INPUT, "\"%s\": nothing can be mounted on the container's root", text);
    }
    return 0;
}

// A path, or the name of a volume: docker tells them apart by the first character.
static int set_source(struct arena *arena, const char *text, const char *source, const char *cwd, struct volume *volume,
                      struct err *err) {
    if (source[0] == '/') {
        volume->source = source;
    } else if (source[0] == '.') {
        volume->source = arena_format(arena, "%s/%s", cwd, source);
    } else if (source[0] == '~') {
        return err_set(err, ERR_INPUT, "\"%s\": the shell has left ~ as it is; write $HOME", text);
    } else {
        return err_set(err, ERR_UNSUPPORTED, "\"%s\": named volumes are not supported by this version; give a path, such as ./%s", text,
                       source);
    }
    return 0;
}

// One option of a bind. Those of SELinux labels and of consistency mean nothing here and are accepted, as docker does.
static int add_bind_option(struct volume *volume, const char *option, const char *text, struct err *err) {
    static const char *const passed[] = {"private", "rprivate", "shared", "rshared", "slave", "rslave", "nosuid", "nodev", "noexec"};
    static const char *const ignored[] = {"rw", "z", "Z", "nocopy", "cached", "delegated", "consistent", "rbind", "bind"};
    if (strcmp(option, "ro") == 0 || strcmp(option, "readonly") == 0) {
        volume->read_only = true;
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(passed); i++) {
        if (strcmp(option, passed[i]) == 0) {
            return add_option(volume, passed[i], text, err);
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(ignored); i++) {
        if (strcmp(option, ignored[i]) == 0) {
            return 0;
        }
    }
    return err_set(err, ERR_INPUT, "\"%s\": unknown option \"%s\"; expected ro, rw, nosuid, nodev, noexec, [r]private, [r]shared or "
                   "[r]slave", text, option);
}

static int finish_bind(struct volume *volume, const char *text, struct err *err) {
    if (add_option(volume, "rbind", text, err) < 0) {
        return -1;
    }
    bool has_propagation = false;
    for (size_t i = 0; i < volume->option_count; i++) {
        has_propagation = has_propagation || strstr(volume->options[i], "private") || strstr(volume->options[i], "shared") ||
                          strstr(volume->options[i], "slave");
    }
    if (!has_propagation && add_option(volume, "rprivate", text, err) < 0) {
        return -1;
    }
    // Read-only all the way down: what is mounted below the source too.
    return volume->read_only ? add_option(volume, "rro", text, err) : 0;
}

int volume_parse_short(struct arena *arena, const char *text, const char *cwd, struct volume *ret, struct err *err) {
    char *rest = arena_copy_string(arena, text);
    char *source = strsep(&rest, ":");
    char *target = strsep(&rest, ":");
    struct volume volume;
    start(arena, &volume, VOLUME_BIND);
    if (!target) {
        return err_set(err, ERR_UNSUPPORTED, "\"%s\": anonymous volumes are not supported by this version; expected SOURCE:TARGET[:OPTIONS]",
                       text);
    }
    if (!*source || check_target(text, target, err) < 0) {
        return *source ? -1 : err_set(err, ERR_INPUT, "\"%s\": expected SOURCE:TARGET[:OPTIONS]", text);
    }
    volume.target = target;
    volume.make_source = true;
    if (set_source(arena, text, source, cwd, &volume, err) < 0) {
        return -1;
    }
    for (char *option = strsep(&rest, ","); option; option = strsep(&rest, ",")) {
        if (add_bind_option(&volume, option, text, err) < 0) {
            return -1;
        }
    }
    if (finish_bind(&volume, text, err) < 0) {
        return -1;
    }
    *ret = volume;
    return 0;
}

struct long_form {
    const char *type, *source, *target, *propagation, *size, *mode;
    bool read_only;
};

static bool is_one_of(const char *name, const char *a, const char *b, const char *c) {
    return strcmp(name, a) == 0 || strcmp(name, b) == 0 || strcmp(name, c) == 0;
}

static int read_field(struct long_form *form, const char *name, const char *value, const char *text, struct err *err) {
    if (is_one_of(name, "readonly", "ro", "readonly")) {
        form->read_only = !value || strcmp(value, "true") == 0 || strcmp(value, "1") == 0;
        return 0;
    }
    const char **place = strcmp(name, "type") == 0                                     ? &form->type
                         : is_one_of(name, "source", "src", "source")                  ? &form->source
                         : is_one_of(name, "target", "dst", "destination")             ? &form->target
                         : is_one_of(name, "bind-propagation", "propagation", "bind-propagation") ? &form->propagation
                         : strcmp(name, "tmpfs-size") == 0                             ? &form->size
                         : strcmp(name, "tmpfs-mode") == 0                             ? &form->mode
                                                                                       : NULL;
    if (!place) {
        return err_set(err, ERR_INPUT, "\"%s\": unknown field \"%s\"; expected type, source, target, readonly, bind-propagation, "
                       "tmpfs-size or tmpfs-mode", text, name);
    }
    if (!value || !*value) {
        return err_set(err, ERR_INPUT, "\"%s\": field \"%s\" needs a value", text, name);
    }
    *place = value;
    return 0;
}

static int make_long_tmpfs(struct arena *arena, const struct long_form *form, const char *text, struct volume *volume, struct err *err) {
    if (form->source) {
        return err_set(err, ERR_INPUT, "\"%s\": a tmpfs has no source", text);
    }
    const char *options[] = {"nosuid", "nodev", "noexec", form->read_only ? "ro" : NULL,
                             form->size ? arena_format(arena, "size=%s", form->size) : NULL,
                             form->mode ? arena_format(arena, "mode=%s", form->mode) : NULL};
    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        if (options[i] && add_option(volume, options[i], text, err) < 0) {
            return -1;
        }
    }
    return 0;
}

int volume_parse_long(struct arena *arena, const char *text, const char *cwd, struct volume *ret, struct err *err) {
    struct long_form form = {.type = "volume"};
    char *rest = arena_copy_string(arena, text);
    for (char *name = strsep(&rest, ","); name; name = strsep(&rest, ",")) {
        char *value = strchr(name, '=');
        if (value) {
            *value++ = '\0';
        }
        if (read_field(&form, name, value, text, err) < 0) {
            return -1;
        }
    }
    bool is_tmpfs = strcmp(form.type, "tmpfs") == 0;
    struct volume volume;
    start(arena, &volume, is_tmpfs ? VOLUME_TMPFS : VOLUME_BIND);
    volume.target = form.target;
    volume.read_only = form.read_only;
    if (check_target(text, form.target, err) < 0) {
        return -1;
    }
    if (is_tmpfs) {
        if (make_long_tmpfs(arena, &form, text, &volume, err) < 0) {
            return -1;
        }
    } else if (strcmp(form.type, "bind") == 0) {
        if (!form.source) {
            return err_set(err, ERR_INPUT, "\"%s\": a bind mount needs a source", text);
        }
        if (set_source(arena, text, form.source, cwd, &volume, err) < 0 ||
            (form.propagation && add_bind_option(&volume, form.propagation, text, err) < 0) || finish_bind(&volume, text, err) < 0) {
            return -1;
        }
    } else {
        return err_set(err, ERR_UNSUPPORTED, "\"%s\": type \"%s\" is not supported by this version; expected bind or tmpfs", text,
                       form.type);
    }
    *ret = volume;
    return 0;
}

int volume_parse_tmpfs(struct arena *arena, const char *text, struct volume *ret, struct err *err) {
    char *rest = arena_copy_string(arena, text);
    struct volume volume;
    start(arena, &volume, VOLUME_TMPFS);
    volume.target = strsep(&rest, ":");
    if (check_target(text, volume.target, err) < 0 || add_option(&volume, "nosuid", text, err) < 0 ||
        add_option(&volume, "nodev", text, err) < 0 || add_option(&volume, "noexec", text, err) < 0) {
        return -1;
    }
    for (char *option = strsep(&rest, ","); option; option = strsep(&rest, ",")) {
        if (*option && add_option(&volume, option, text, err) < 0) {
            return -1;
        }
    }
    *ret = volume;
    return 0;
}

// --mount: fields by name, each of one kind of mount or of all.
#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/quantity.h"
#include "runtime/base/strv.h"
#include "runtime/engine/volume.h"
#include "runtime/engine/volume_store.h"

#include <string.h>

enum { WORDS_MAX = 16 };

// Fields that may be there several times.
struct words {
    const char *items[WORDS_MAX];
    size_t count;
};

struct long_form {
    const char *type, *source, *target, *ignored;
    const char *propagation, *recursive;
    const char *sub_path, *driver, *image_part;
    const char *size, *mode, *map;
    bool read_only, non_recursive, no_copy, swaps_owner;
    struct words options, labels;
};

struct field {
    const char *name;
    const char *type; // the only one that has it; NULL: any
    size_t offset;
    bool is_flag;
};

#define TEXT(name, type, member) {name, type, offsetof(struct long_form, member), false}
#define FLAG(name, type, member) {name, type, offsetof(struct long_form, member), true}

// clang-format off
static const struct field fields[] = {
    TEXT("type", NULL, type),
    TEXT("source", NULL, source), TEXT("src", NULL, source),
    TEXT("target", NULL, target), TEXT("dst", NULL, target), TEXT("destination", NULL, target),
    FLAG("readonly", NULL, read_only), FLAG("ro", NULL, read_only),
    TEXT("consistency", NULL, ignored),
    FLAG("U", NULL, swaps_owner), FLAG("chown", NULL, swaps_owner),
    TEXT("bind-propagation", "bind", propagation), TEXT("propagation", "bind", propagation),
    TEXT("bind-recursive", "bind", recursive), FLAG("bind-nonrecursive", "bind", non_recursive),
    TEXT("volume-subpath", "volume", sub_path), FLAG("volume-nocopy", "volume", no_copy),
    TEXT("volume-driver", "volume", driver),
    TEXT("image-subpath", "image", image_part), TEXT("subpath", "image", image_part),
    TEXT("tmpfs-size", "tmpfs", size), TEXT("tmpfs-mode", "tmpfs", mode),
};
// clang-format on

static const struct field *find_field(const char *name) {
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        if (strcmp(fields[i].name, name) == 0) {
            return &fields[i];
        }
    }
    return NULL;
}

static int unknown_field(const char *name, const char *text, struct err *err) {
    static const char *const types[] = {"bind", "volume", "tmpfs", "image"};
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (strcmp(name, types[i]) == 0) {
            return err_set(err, ERR_INPUT, "\"%s\": expected type=%s, found \"%s\"", text, name, name);
        }
    }
    return err_set(err, ERR_INPUT,
                   "\"%s\": unknown field \"%s\"; expected type, source, target, readonly, bind-propagation, bind-recursive, "
                   "bind-nonrecursive, U, idmap, volume-nocopy, volume-subpath, volume-opt, volume-label, image-subpath, "
                   "tmpfs-size or tmpfs-mode", text, name);
}

static struct words *find_words(struct long_form *form, const char *name) {
    return strcmp(name, "volume-opt") == 0 ? &form->options : strcmp(name, "volume-label") == 0 ? &form->labels : NULL;
}

static int add_word(struct words *words, const char *name, const char *value, const char *text, struct err *err) {
    if (!value || !*value) {
        return err_set(err, ERR_INPUT, "\"%s\": field \"%s\" needs a value", text, name);
    }
    if (words->count == WORDS_MAX) {
        return err_set(err, ERR_INPUT, "\"%s\": field \"%s\" is there more than %d times", text, name, WORDS_MAX);
    }
    words->items[words->count++] = value;
    return 0;
}

static int read_flag(const struct field *field, const char *value, bool *place, const char *text, struct err *err) {
    bool yes = !value || strcmp(value, "true") == 0 || strcmp(value, "1") == 0;
    if (!yes && strcmp(value, "false") != 0 && strcmp(value, "0") != 0) {
        return err_set(err, ERR_INPUT, "\"%s\": field \"%s\": expected true or false, found \"%s\"", text, field->name, value);
    }
    *place = yes;
    return 0;
}

static int read_field(struct long_form *form, char *word, const char *text, struct err *err) {
    if (volume_is_map(word)) {
        form->map = word; // with its value, if it has one
        return 0;
    }
    char *value = strchr(word, '=');
    if (value) {
        *value++ = '\0';
    }
    struct words *words = find_words(form, word);
    if (words) {
        return add_word(words, word, value, text, err);
    }
    const struct field *field = find_field(word);
    if (!field) {
        return unknown_field(word, text, err);
    }
    if (field->is_flag) {
        return read_flag(field, value, (bool *)((char *)form + field->offset), text, err);
    }
    // An empty source is that of a volume of the container's own.
    if (!value || (!*value && field->offset != offsetof(struct long_form, source))) {
        return err_set(err, ERR_INPUT, "\"%s\": field \"%s\" needs a value", text, word);
    }
    const char **place = (const char **)(void *)((char *)form + field->offset);
    if (*place) {
        return err_set(err, ERR_INPUT, "\"%s\": field \"%s\" is there twice", text, word);
    }
    *place = value;
    return 0;
}

// Takes the next field of the line, in quotes or not; NULL at the end. A quote that is not closed is an error.
static int next_word(char **rest, char **ret, const char *text, struct err *err) {
    char *from = *rest;
    *ret = from;
    if (!from) {
        return 0;
    }
    if (*from != '"') {
        *ret = strsep(rest, ",");
        return 0;
    }
    char *to = from++;
    while (*from && (*from != '"' || from[1] == '"')) {
        from += *from == '"';
        *to++ = *from++;
    }
    if (*from != '"' || (from[1] && from[1] != ',')) {
        return err_set(err, ERR_INPUT, "\"%s\": expected a quote at the end of the field, and a comma or nothing behind it", text);
    }
    *rest = from[1] ? from + 2 : NULL;
    *to = '\0';
    return 0;
}

// A field of a kind of mount that it is not: better refused than not done.
static int check_fields(const struct long_form *form, const char *text, struct err *err) {
    if (form->options.count + form->labels.count > 0 && strcmp(form->type, "volume") != 0) {
        return err_set(err, ERR_INPUT, "\"%s\": field \"%s\" is of type volume, and this is type %s", text,
                       form->options.count > 0 ? "volume-opt" : "volume-label", form->type);
    }
    if ((form->swaps_owner || form->map) && strcmp(form->type, "bind") != 0 && strcmp(form->type, "volume") != 0) {
        return err_set(err, ERR_INPUT, "\"%s\": field \"%s\" is of types bind and volume, and this is type %s", text,
                       form->map ? "idmap" : "U", form->type);
    }
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        const char *place = (const char *)form + fields[i].offset;
        bool given = fields[i].is_flag ? *(const bool *)place : *(const char *const *)(const void *)place != NULL;
        if (given && fields[i].type && strcmp(fields[i].type, form->type) != 0) {
            return err_set(err, ERR_INPUT, "\"%s\": field \"%s\" is of type %s, and this is type %s", text, fields[i].name,
                           fields[i].type, form->type);
        }
    }
    return 0;
}

// --- kinds ---

struct making {
    struct arena *arena;
    const struct long_form *form;
    const struct volume_place *place;
    const char *text;
};

static int make_tmpfs(const struct making *making, struct volume *volume, struct err *err) {
    const struct long_form *form = making->form;
    int64_t bytes = 0;
    if (form->source && *form->source) {
        return err_set(err, ERR_INPUT, "\"%s\": a tmpfs has no source", making->text);
    }
    if (form->size && (quantity_bytes(form->size, &bytes) < 0 || bytes < 0)) {
        return err_set(err, ERR_INPUT, "\"%s\": tmpfs-size: expected a number of bytes such as 64m, found \"%s\"", making->text,
                       form->size);
    }
    if (form->mode && (strspn(form->mode, "01234567") != strlen(form->mode) || strlen(form->mode) > 5)) {
        return err_set(err, ERR_INPUT, "\"%s\": tmpfs-mode: expected octal digits such as 1770, found \"%s\"", making->text,
                       form->mode);
    }
    const char *options[] = {"nosuid", "nodev", "noexec", form->read_only ? "ro" : NULL,
                             form->size ? arena_format(making->arena, "size=%lld", (long long)bytes) : NULL,
                             form->mode ? arena_format(making->arena, "mode=%s", form->mode) : NULL};
    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        if (options[i] && volume_add_option(volume, options[i], making->text, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int read_recursion(const struct making *making, enum volume_recursion *ret, struct err *err) {
    static const struct {
        const char *word;
        enum volume_recursion recursion;
    } words[] = {{"enabled", VOLUME_ALL}, {"readonly", VOLUME_ALL}, {"writable", VOLUME_ALL_WRITABLE}, {"disabled", VOLUME_TOP_ALONE}};
    const char *word = making->form->recursive;
    *ret = making->form->non_recursive ? VOLUME_TOP_ALONE : VOLUME_ALL;
    if (!word) {
        return 0;
    }
    if (strcmp(word, "readonly") == 0 && !making->form->read_only) {
        return err_set(err, ERR_INPUT, "\"%s\": bind-recursive=readonly needs the field readonly", making->text);
    }
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (strcmp(word, words[i].word) == 0) {
            *ret = words[i].recursion;
            return 0;
        }
    }
    return err_set(err, ERR_INPUT, "\"%s\": bind-recursive: expected enabled, disabled, writable or readonly, found \"%s\"",
                   making->text, word);
}

static int check_propagation(const struct making *making, struct err *err) {
    static const char *const known[] = {"private", "rprivate", "shared", "rshared", "slave", "rslave"};
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (strcmp(making->form->propagation, known[i]) == 0) {
            return 0;
        }
    }
    return err_set(err, ERR_INPUT, "\"%s\": bind-propagation: expected [r]private, [r]shared or [r]slave, found \"%s\"", making->text,
                   making->form->propagation);
}

static int make_bind(const struct making *making, struct volume *volume, struct err *err) {
    const struct long_form *form = making->form;
    enum volume_recursion recursion;
    if (!form->source || !*form->source) {
        return err_set(err, ERR_INPUT, "\"%s\": a bind mount needs a source", making->text);
    }
    if (!strchr("/.~", form->source[0])) {
        return err_set(err, ERR_INPUT, "\"%s\": expected a path as source, such as ./%s", making->text, form->source);
    }
    if (volume_set_path(making->arena, making->text, form->source, making->place, volume, err) < 0 ||
        read_recursion(making, &recursion, err) < 0 ||
        (form->propagation &&
         (check_propagation(making, err) < 0 || volume_add_option(volume, form->propagation, making->text, err) < 0))) {
        return -1;
    }
    return volume_finish(volume, recursion, making->text, err);
}

static const char **copy_words(struct arena *arena, const struct words *words, size_t *ret_count) {
    const char **copy = arena_array(arena, words->count + 1, sizeof(*copy));
    memcpy(copy, words->items, words->count * sizeof(*copy));
    *ret_count = words->count;
    return copy;
}

// Whether a volume could be made so.
static int check_wish(struct arena *arena, const struct long_form *form, struct err *err) {
    AUTO_STRV struct strv labels = {0};
    AUTO_STRV struct strv options = {0};
    struct stored_volume ignored = {0};
    for (size_t i = 0; i < form->labels.count; i++) {
        strv_add(&labels, form->labels.items[i]);
    }
    for (size_t i = 0; i < form->options.count; i++) {
        strv_add(&options, form->options.items[i]);
    }
    const struct volume_wish wish = {.labels = &labels, .options = &options};
    return volume_describe(arena, &wish, &ignored, err);
}

static int make_named(const struct making *making, struct volume *volume, struct err *err) {
    const struct long_form *form = making->form;
    volume->no_copy = form->no_copy;
    volume->anonymous = !form->source || !*form->source;
    volume->source = volume->anonymous ? NULL : form->source;
    if (form->driver && strcmp(form->driver, "local") != 0) {
        return err_set(err, ERR_UNSUPPORTED, "\"%s\": volume-driver %s: there are no drivers of volumes but local", making->text,
                       form->driver);
    }
    if (volume->source && volume_check_name(volume->source, err) < 0) {
        return err_in(err, "\"%s\"", making->text);
    }
    if (check_wish(making->arena, form, err) < 0) {
        return err_in(err, "\"%s\"", making->text);
    }
    volume->create_options = copy_words(making->arena, &form->options, &volume->create_options_count);
    volume->create_labels = copy_words(making->arena, &form->labels, &volume->create_labels_count);
    volume->sub_path = form->sub_path;
    if (form->sub_path && form->sub_path[0] == '/') {
        return err_set(err, ERR_INPUT, "\"%s\": volume-subpath: expected a path without / in front, found \"%s\"", making->text,
                       form->sub_path);
    }
    return volume_finish(volume, VOLUME_ALL, making->text, err);
}

// Always read-only: its files are other containers' too.
static int make_image(const struct making *making, struct volume *volume, struct err *err) {
    const struct long_form *form = making->form;
    if (!form->source || !*form->source) {
        return err_set(err, ERR_INPUT, "\"%s\": source: expected an image's name", making->text);
    }
    if (form->source[0] == '/') {
        return err_set(err, ERR_INPUT, "\"%s\": source: expected an image's name, found the path \"%s\"; type=bind takes paths", making->text,
                       form->source);
    }
    if (form->image_part && form->image_part[0] == '/') {
        return err_set(err, ERR_INPUT, "\"%s\": image-subpath: expected a path without / in front, found \"%s\"", making->text,
                       form->image_part);
    }
    volume->source = form->source;
    volume->sub_path = form->image_part;
    volume->read_only = true;
    return volume_finish(volume, VOLUME_ALL, making->text, err);
}

static const struct {
    const char *name;
    enum volume_kind kind;
    int (*make)(const struct making *making, struct volume *volume, struct err *err);
} kinds[] = {
    {"bind", VOLUME_BIND, make_bind},
    {"volume", VOLUME_NAMED, make_named},
    {"tmpfs", VOLUME_TMPFS, make_tmpfs},
    {"image", VOLUME_IMAGE, make_image},
};

int volume_parse_long(struct arena *arena, const char *text, const struct volume_place *place, struct volume *ret,
                      struct err *err) {
    struct long_form form = {0};
    char *rest = arena_copy_string(arena, text), *word;
    for (;;) {
        if (next_word(&rest, &word, text, err) < 0) {
            return -1;
        }
        if (!word) {
            break;
        }
        if (read_field(&form, word, text, err) < 0) {
            return -1;
        }
    }
    form.type = form.type ? form.type : "volume";
    const struct making making = {.arena = arena, .form = &form, .place = place, .text = text};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct volume volume;
        if (strcmp(kinds[i].name, form.type) != 0) {
            continue;
        }
        if (!form.target) {
            return err_set(err, ERR_INPUT, "\"%s\": expected target=PATH, where it is to be in the container", text);
        }
        volume_start(arena, &volume, kinds[i].kind);
        volume.read_only = form.read_only;
        volume.swaps_owner = form.swaps_owner;
        if (volume_set_target(arena, text, form.target, &volume, err) < 0 || check_fields(&form, text, err) < 0 ||
            (form.map && volume_add_option(&volume, form.map, text, err) < 0) || kinds[i].make(&making, &volume, err) < 0) {
            return -1;
        }
        *ret = volume;
        return 0;
    }
    return err_set(err, ERR_UNSUPPORTED, "\"%s\": type \"%s\" is not supported by this version; expected bind, volume, tmpfs or image", text,
                   form.type);
}

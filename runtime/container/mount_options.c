#include "runtime/container/mount_options.h"

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/kernel/sys.h"

#include <stdlib.h>
#include <string.h>

enum option_kind {
    ATTRIBUTE,      // set in or cleared from the mount, alone or with the tree (an "r" in front)
    TIME,           // one of the kinds of access time, which exclude each other
    PROPAGATION,    // set on the mount, or with "r" on the tree
    BIND,           // the rest: one flag of struct mount_options
    BIND_TREE,
    REMOUNT,
    COPY_UP,
    COPY_SYMLINK,
    NOFOLLOW_TARGET,
    NOFOLLOW_SOURCE,
    IDMAP,
    IDMAP_TREE,
    SUPERBLOCK, // a flag of the file system, given to it by this name
    SUPERBLOCK_OFF, // takes such a flag back; its name is what stands behind so many letters
    NOTHING,    // a default, or a word for mount(8) only
};

struct option_row {
    const char *name;
    enum option_kind kind;
    uint64_t value; // MOUNT_ATTR_* or MS_*
    bool clears;
};

// clang-format off
static const struct option_row rows[] = {
    {"ro",            ATTRIBUTE,   MOUNT_ATTR_RDONLY,      false}, {"rw",        ATTRIBUTE, MOUNT_ATTR_RDONLY,      true},
    {"nosuid",        ATTRIBUTE,   MOUNT_ATTR_NOSUID,      false}, {"suid",      ATTRIBUTE, MOUNT_ATTR_NOSUID,      true},
    {"nodev",         ATTRIBUTE,   MOUNT_ATTR_NODEV,       false}, {"dev",       ATTRIBUTE, MOUNT_ATTR_NODEV,       true},
    {"noexec",        ATTRIBUTE,   MOUNT_ATTR_NOEXEC,      false}, {"exec",      ATTRIBUTE, MOUNT_ATTR_NOEXEC,      true},
    {"nodiratime",    ATTRIBUTE,   MOUNT_ATTR_NODIRATIME,  false}, {"diratime",  ATTRIBUTE, MOUNT_ATTR_NODIRATIME,  true},
    {"nosymfollow",   ATTRIBUTE,   MOUNT_ATTR_NOSYMFOLLOW, false}, {"symfollow", ATTRIBUTE, MOUNT_ATTR_NOSYMFOLLOW, true},
    {"noatime",       TIME,        MOUNT_ATTR_NOATIME,     false}, {"atime",     TIME,      MOUNT_ATTR_NOATIME,     true},
    {"relatime",      TIME,        MOUNT_ATTR_RELATIME,    false}, {"norelatime", TIME,     MOUNT_ATTR_RELATIME,    true},
    {"strictatime",   TIME,        MOUNT_ATTR_STRICTATIME, false}, {"nostrictatime", TIME,  MOUNT_ATTR_STRICTATIME, true},
    {"private",       PROPAGATION, MS_PRIVATE,             false}, {"shared",    PROPAGATION, MS_SHARED,            false},
    {"slave",         PROPAGATION, MS_SLAVE,               false}, {"unbindable", PROPAGATION, MS_UNBINDABLE,       false},
    {"bind",          BIND,            0, false}, {"rbind",           BIND_TREE,       0, false}, {"remount",   REMOUNT,    0, false},
    {"tmpcopyup",     COPY_UP,         0, false}, {"copy-symlink",    COPY_SYMLINK,    0, false},
    {"dest-nofollow", NOFOLLOW_TARGET, 0, false}, {"src-nofollow",    NOFOLLOW_SOURCE, 0, false},
    {"idmap",         IDMAP,           0, false}, {"ridmap",          IDMAP_TREE,      0, false},
    {"sync",          SUPERBLOCK,      0, false}, {"dirsync",         SUPERBLOCK,      0, false}, {"lazytime",  SUPERBLOCK, 0, false},
    {"mand",          SUPERBLOCK,      0, false}, {"async",           SUPERBLOCK_OFF,  1, false}, {"nomand", SUPERBLOCK_OFF, 2, false},
    {"nolazytime",    SUPERBLOCK_OFF,  2, false}, {"loud",            NOTHING,         0, false}, {"silent",    NOTHING,    0, false},
    {"defaults",      NOTHING,         0, false},
    // Since Linux 6.6 every file system that counts versions always does, and none can be told by fsconfig(2).
    {"iversion",      NOTHING,         0, false}, {"noiversion",      NOTHING,         0, false},
};
// clang-format on

static const struct option_row *find(const char *name) {
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (strcmp(rows[i].name, name) == 0) {
            return &rows[i];
        }
    }
    return NULL;
}

static void set_attribute(uint64_t value, bool clears, uint64_t *set, uint64_t *clear) {
    *(clears ? clear : set) |= value;
    *(clears ? set : clear) &= ~value;
}

// crun's "idmap=uids=0-1-10;gids=0-1-10".
static bool take_idmap(const char *name, struct mount_options *options) {
    const char *equals = strchr(name, '=');
    size_t length = equals ? (size_t)(equals - name) : 0;
    if (length == strlen("idmap") && strncmp(name, "idmap", length) == 0) {
        options->idmap = true;
    } else if (length == strlen("ridmap") && strncmp(name, "ridmap", length) == 0) {
        options->idmap_tree = true;
    } else {
        return false;
    }
    options->idmap_text = equals + 1;
    return true;
}

// The kinds of access time are values of one field: to set one, the field is cleared (mount_setattr(2)). "no" of one is relatime,
// the kernel's default.
static void set_time(uint64_t value, bool clears, uint64_t *set, uint64_t *clear) {
    if (clears && (*clear & MOUNT_ATTR__ATIME) && (*set & MOUNT_ATTR__ATIME) != value) {
        return; // another one was asked for
    }
    *set &= ~(uint64_t)MOUNT_ATTR__ATIME;
    *set |= clears ? MOUNT_ATTR_RELATIME : value;
    *clear |= MOUNT_ATTR__ATIME;
}

static void take_back(const char *flag, struct mount_options *options) {
    size_t kept = 0;
    for (size_t i = 0; i < options->flag_count; i++) {
        if (strcmp(options->flags[i], flag) != 0) {
            options->flags[kept++] = options->flags[i];
        }
    }
    options->flag_count = kept;
}

static void apply(const struct option_row *row, bool tree, struct mount_options *options) {
    uint64_t *set = tree ? &options->tree_set : &options->set;
    uint64_t *clear = tree ? &options->tree_clear : &options->clear;
    switch (row->kind) {
    case ATTRIBUTE:
        set_attribute(row->value, row->clears, set, clear);
        break;
    case TIME:
        set_time(row->value, row->clears, set, clear);
        break;
    case PROPAGATION:
        *(tree ? &options->tree_propagation : &options->propagation) = row->value;
        break;
    case BIND:
        options->bind = true;
        break;
    case BIND_TREE:
        options->bind = options->recursive_bind = true;
        break;
    case REMOUNT:
        options->remount = true;
        break;
    case COPY_UP:
        options->copy_up = true;
        break;
    case NOFOLLOW_TARGET:
        options->nofollow_target = true;
        break;
    case NOFOLLOW_SOURCE:
        options->nofollow_source = true;
        break;
    case IDMAP:
        options->idmap = true;
        break;
    case IDMAP_TREE:
        options->idmap_tree = true;
        break;
    case COPY_SYMLINK:
        options->copy_symlink = true;
        break;
    case SUPERBLOCK:
        options->flags[options->flag_count++] = row->name;
        break;
    case SUPERBLOCK_OFF:
        take_back(row->name + row->value, options);
        break;
    case NOTHING:
        break;
    }
}

static bool takes_tree_form(enum option_kind kind) {
    return kind == ATTRIBUTE || kind == TIME || kind == PROPAGATION;
}

int mount_options_read(struct arena *arena, const char *const *options, size_t count, struct mount_options *ret, struct err *err) {
    struct mount_options read = {
        .flags = arena_array(arena, count + 1, sizeof(*read.flags)),
        .data = arena_array(arena, count + 1, sizeof(*read.data)),
    };
    for (size_t i = 0; i < count; i++) {
        const char *name = options[i];
        const struct option_row *row = find(name);
        bool tree = false;
        if (!row && name[0] == 'r') {
            row = find(name + 1);
            tree = row && takes_tree_form(row->kind);
            if (!tree) {
                row = NULL;
            }
        }
        if (row) {
            apply(row, tree, &read);
        } else if (*name && !take_idmap(name, &read)) {
            read.data[read.data_count++] = name;
        }
    }
    if (read.idmap && read.idmap_tree) {
        return err_set(err, ERR_INPUT, "options: idmap and ridmap exclude each other");
    }
    *ret = read;
    return 0;
}

static int by_name(const void *a, const void *b) {
    const char *const *left = a, *const *right = b;
    return strcmp(*left, *right);
}

const char *const *mount_options_names(struct arena *arena, size_t *ret_count) {
    const char **names = arena_array(arena, 2 * ARRAY_LEN(rows), sizeof(*names));
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        names[count++] = rows[i].name;
        if (takes_tree_form(rows[i].kind)) {
            names[count++] = arena_format(arena, "r%s", rows[i].name);
        }
    }
    qsort(names, count, sizeof(*names), by_name);
    *ret_count = count;
    return names;
}

#include "images/verify_expected.h"

#include "images/inflate.h"
#include "images/input.h"
#include "images/unpack.h"
#include "images/unpack_path.h"
#include "images/unpack_state.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/base/quote.h"

#include <stdlib.h>
#include <string.h>

void expected_finish(struct expected_tree *tree) {
    arena_finish(&tree->arena);
    free(tree->items);
    *tree = (struct expected_tree){0};
}

static struct expected *add(struct expected_tree *tree, const char *path, enum expected_kind kind) {
    if (tree->count == tree->room) {
        tree->room = tree->room ? 2 * tree->room : 256;
        tree->items = mem_resize(tree->items, tree->room, sizeof(*tree->items));
    }
    struct expected *expected = &tree->items[tree->count];
    *expected = (struct expected){.path = arena_copy_string(&tree->arena, path), .kind = kind, .order = tree->count};
    tree->count++;
    return expected;
}

// What the reader points to lives until the next entry only.
static void keep_entry(struct expected_tree *tree, struct expected *expected, const struct tar_entry *entry) {
    struct arena *arena = &tree->arena;
    struct tar_xattr *xattrs = arena_array(arena, entry->xattr_count + 1, sizeof(*xattrs));
    for (size_t i = 0; i < entry->xattr_count; i++) {
        xattrs[i] = (struct tar_xattr){
            .name = arena_copy_string(arena, entry->xattrs[i].name),
            .value = arena_copy(arena, entry->xattrs[i].value, entry->xattrs[i].size),
            .size = entry->xattrs[i].size,
        };
    }
    expected->entry = *entry;
    expected->entry.name = expected->path;
    expected->entry.link = entry->type == TAR_SYMLINK ? arena_copy_string(arena, entry->link) : "";
    expected->entry.xattrs = xattrs;
}

static int add_link(struct expected_tree *tree, const char *path, const struct tar_entry *entry, struct err *err) {
    char target[PATH_MAX];
    if (unpack_path_clean(entry->link, "its link target", target, err) < 0) {
        return -1;
    }
    struct expected *expected = add(tree, path, EXPECTED_LINK);
    expected->entry.type = TAR_HARDLINK;
    expected->entry.link = arena_copy_string(&tree->arena, target);
    add(tree, target, EXPECTED_BELOW); // counts where the layer itself has no such entry
    return 0;
}

static int add_marker(struct expected_tree *tree, const char *path, struct err *err) {
    char subject[PATH_MAX];
    bool is_opaque;
    if (!unpack_marker_subject(path, subject, &is_opaque)) {
        return 0;
    }
    if (unpack_marker_check(path, err) < 0) {
        return -1;
    }
    add(tree, subject, is_opaque ? EXPECTED_OPAQUE : EXPECTED_WHITEOUT)->opaque = is_opaque;
    return 0;
}

// The bodies that are not in the record are those that the unpacker took: see one_entry() in repack.c. They cost nothing to leave
// out, so that a record that is rubbish could go on for ever.
static int pass_body(struct expected_tree *tree, struct tar_reader *tar, const struct tar_entry *entry, struct err *err) {
    struct tar_piece piece = {.size = 1};
    while (entry->type == TAR_FILE && entry->size > 0 && piece.size > 0) {
        if (tar_data(tar, &piece, err) < 0) {
            return -1;
        }
        tree->data_bytes += piece.size;
        if (tree->data_bytes > UNPACK_MAX_BYTES) {
            return err_set(err, ERR_INPUT, "is beyond the limit of %llu bytes in files", (unsigned long long)UNPACK_MAX_BYTES);
        }
    }
    return 0;
}

static int add_entry(struct expected_tree *tree, struct tar_reader *tar, const struct tar_entry *entry, struct err *err) {
    char path[PATH_MAX];
    if (unpack_path_clean(entry->name, "its name", path, err) < 0) {
        return -1;
    }
    if (unpack_is_marker(path)) {
        return add_marker(tree, path, err);
    }
    if (entry->type == TAR_HARDLINK) {
        return add_link(tree, path, entry, err);
    }
    keep_entry(tree, add(tree, path, EXPECTED_ENTRY), entry);
    return pass_body(tree, tar, entry, err);
}

static int compare(const void *a, const void *b) {
    const struct expected *left = a, *right = b;
    int order = strcmp(left->path, right->path);
    return order != 0 ? order : left->order < right->order ? -1 : left->order > right->order;
}

static bool is_directory(const struct expected *expected) {
    return expected->kind == EXPECTED_OPAQUE || (expected->kind == EXPECTED_ENTRY && expected->entry.type == TAR_DIRECTORY);
}

// All that the tar says of one path becomes one: what counts most, and of equals the last.
static struct expected merge(const struct expected *items, size_t count) {
    struct expected merged = items[0];
    bool opaque = false, whiteout = false;
    size_t entries = 0;
    for (size_t i = 0; i < count; i++) {
        merged = items[i].kind >= merged.kind ? items[i] : merged;
        opaque = opaque || items[i].opaque;
        whiteout = whiteout || items[i].kind == EXPECTED_WHITEOUT;
        entries += items[i].kind == EXPECTED_ENTRY;
    }
    merged.repeated = entries > 1;
    merged.opaque = is_directory(&merged) && (opaque || whiteout);
    return merged;
}

// A whiteout in the place of a directory that only what lies in it makes one.
static void merge_implied(struct expected_tree *tree) {
    for (size_t i = 0; i < tree->count; i++) {
        if (tree->items[i].kind == EXPECTED_WHITEOUT && expected_has_below(tree, tree->items[i].path)) {
            tree->items[i].kind = EXPECTED_OPAQUE;
            tree->items[i].opaque = true;
        }
    }
}

static void sort(struct expected_tree *tree) {
    size_t kept = 0;
    if (tree->count == 0) {
        return;
    }
    qsort(tree->items, tree->count, sizeof(*tree->items), compare);
    for (size_t i = 0, end; i < tree->count; i = end) {
        for (end = i + 1; end < tree->count && strcmp(tree->items[i].path, tree->items[end].path) == 0; end++) {
        }
        tree->items[kept++] = merge(tree->items + i, end - i);
    }
    tree->count = kept;
    merge_implied(tree);
}

static int read_entries(struct expected_tree *tree, struct tar_reader *tar, struct err *err) {
    struct tar_entry entry;
    uint64_t count = 0;
    int more;
    while ((more = tar_next(tar, &entry, err)) > 0) {
        if (++count > UNPACK_MAX_ENTRIES) {
            return err_set(err, ERR_INPUT, "its record has more than the limit of %llu entries",
                           (unsigned long long)UNPACK_MAX_ENTRIES);
        }
        if (add_entry(tree, tar, &entry, err) < 0) {
            char quoted[QUOTE_SIZE];
            return err_in(err, "entry %s", quote_text(entry.name, quoted));
        }
    }
    return more;
}

int expected_read(struct input *record, enum compression compression, struct expected_tree *ret_tree, struct err *err) {
    AUTO_EXPECTED struct expected_tree tree = {0};
    const struct inflate_options options = {.declared = compression, .max_bytes = UNPACK_MAX_BYTES, .any_ratio = true};
    struct inflate inflate;
    struct tar_reader tar;
    inflate_init(&inflate, record, &options);
    tar_init(&tar, &inflate);
    tar.bodiless = true;
    int failed = read_entries(&tree, &tar, err);
    tar_finish(&tar);
    inflate_finish(&inflate);
    if (failed < 0) {
        return -1;
    }
    sort(&tree);
    *ret_tree = tree;
    tree = (struct expected_tree){0};
    return 0;
}

// The first item that does not come before the path.
static size_t lower_bound(const struct expected_tree *tree, const char *path) {
    size_t low = 0, high = tree->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(tree->items[middle].path, path) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct expected *expected_find(const struct expected_tree *tree, const char *path) {
    size_t at = lower_bound(tree, path);
    return at < tree->count && strcmp(tree->items[at].path, path) == 0 ? &tree->items[at] : NULL;
}

bool expected_has_below(const struct expected_tree *tree, const char *path) {
    char prefix[PATH_MAX + 1];
    size_t length = strlen(path);
    if (length >= PATH_MAX) {
        return false;
    }
    memcpy(prefix, path, length);
    memcpy(prefix + length, "/", 2);
    size_t at = lower_bound(tree, prefix);
    return at < tree->count && strncmp(tree->items[at].path, prefix, length + 1) == 0;
}

#include "images/unpack.h"

#include "images/input.h"
#include "images/unpack_state.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/base/quote.h"
#include "runtime/kernel/sys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    MAX_LISTED = 1 << 20,         // implied directories, opaque ones, links: each
    REPORT_EVERY_BYTES = 1 << 20, // compressed
};

void unpack_result_finish(struct unpack_result *result) {
    arena_finish(&result->arena);
    *result = (struct unpack_result){0};
}

// Lists in the arena grow by doubling: what is left behind is as much again, and gone with the arena.
static void *grow(struct arena *arena, const void *items, size_t count, size_t size) {
    if (count != 0 && (count & (count - 1)) != 0) {
        return NULL; // still room
    }
    void *larger = arena_array(arena, count ? 2 * count : 1, size);
    if (count > 0) {
        memcpy(larger, items, count * size);
    }
    return larger;
}

static int check_list(size_t count, const char *what, struct err *err) {
    return count < MAX_LISTED ? 0 : err_set(err, ERR_INPUT, "is one of more than %d %s", MAX_LISTED, what);
}

int unpack_add_opaque(struct unpack_state *state, const char *path, struct err *err) {
    struct unpack_result *result = state->result;
    if (check_list(result->opaque_count, "opaque directories", err) < 0) {
        return -1;
    }
    const char **larger = grow(&result->arena, result->opaque_dirs, result->opaque_count, sizeof(*larger));
    result->opaque_dirs = larger ? larger : result->opaque_dirs;
    result->opaque_dirs[result->opaque_count++] = arena_copy_string(&result->arena, path);
    return 0;
}

int unpack_add_link(struct unpack_state *state, const char *path, const char *target, struct err *err) {
    struct unpack_result *result = state->result;
    if (check_list(result->link_count, "hard links into lower layers", err) < 0) {
        return -1;
    }
    struct unpack_link *larger = grow(&result->arena, result->links, result->link_count, sizeof(*larger));
    result->links = larger ? larger : result->links;
    result->links[result->link_count++] = (struct unpack_link){
        .name = arena_copy_string(&result->arena, path),
        .target = arena_copy_string(&result->arena, target),
    };
    return 0;
}

void unpack_add_dir(struct unpack_state *state, const char *path, const struct tar_entry *entry, bool implied) {
    if (state->dir_count == state->dir_room) {
        state->dir_room = state->dir_room ? 2 * state->dir_room : 256;
        state->dirs = mem_resize(state->dirs, state->dir_room, sizeof(*state->dirs));
    }
    state->dirs[state->dir_count] = (struct unpack_dir){
        .path = arena_copy_string(&state->result->arena, path),
        .mode = implied ? 0755 : entry->mode,
        .implied = implied,
        .order = (uint32_t)state->dir_count,
        .atime = entry->atime,
        .mtime = entry->mtime,
    };
    state->dir_count++;
}

void unpack_report(struct unpack_state *state) {
    const struct unpack_options *options = state->options;
    uint64_t in_bytes = state->inflate.input->bytes;
    if (options->progress && in_bytes - state->progress_at >= REPORT_EVERY_BYTES) {
        state->progress_at = in_bytes;
        options->progress(options->progress_context, in_bytes, state->inflate.bytes);
    }
}

// A component of the way to an entry that is not an ordinary directory: missing, deleted by this layer, or a mistake.
static int make_component(struct unpack_state *state, const char *path, const struct unpack_target *target, struct err *err) {
    struct unpack_parent parent;
    const char *name;
    struct stat status;
    char quoted[QUOTE_SIZE];
    if (unpack_parents_open(&state->parents, path, &parent, &name) < 0) {
        return err_sys(err, "open the parent directory of %s", quote_text(path, quoted));
    }
    bool was_whiteout = false;
    if (fstatat(parent.fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0) {
        if (S_ISDIR(status.st_mode)) {
            return 0;
        }
        was_whiteout = unpack_replace_whiteout(parent.fd, name);
        if (!was_whiteout) {
            return err_set(err, ERR_INPUT, "its parent %s is %s, not a directory", quote_text(path, quoted),
                           S_ISLNK(status.st_mode) ? "a symbolic link" : "a file");
        }
    }
    if (mkdirat(parent.fd, name, 0755) < 0) {
        return err_sys(err, "make its parent directory %s", quote_text(path, quoted));
    }
    if (parent.other_group && !state->options->single_id &&
        fchownat(parent.fd, name, state->uid, state->gid, AT_SYMLINK_NOFOLLOW) < 0) {
        return err_sys(err, "set the owner of its parent directory %s", quote_text(path, quoted));
    }
    unpack_add_dir(state, path, target->entry, true);
    return was_whiteout ? unpack_add_opaque(state, path, err) : 0;
}

int unpack_open_parent(struct unpack_state *state, const char *path, struct unpack_target *target, struct err *err) {
    target->path = path;
    if (unpack_parents_open(&state->parents, path, &target->parent, &target->name) == 0) {
        return 0;
    }
    if (errno != ENOENT && errno != ELOOP && errno != ENOTDIR) {
        return err_sys(err, "open its parent directory");
    }
    char prefix[PATH_MAX];
    for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        memcpy(prefix, path, (size_t)(slash - path));
        prefix[slash - path] = '\0';
        if (make_component(state, prefix, target, err) < 0) {
            return -1;
        }
    }
    if (unpack_parents_open(&state->parents, path, &target->parent, &target->name) < 0) {
        return err_sys(err, "open its parent directory");
    }
    return 0;
}

static int one_entry(struct unpack_state *state, const struct tar_entry *entry, struct err *err) {
    char path[PATH_MAX];
    if (unpack_path_clean(entry->name, "its name", path, err) < 0) {
        return -1;
    }
    if (strcmp(path, ".") == 0) {
        return unpack_root_entry(state, entry, err);
    }
    if (unpack_is_marker(path)) {
        return unpack_marker(state, path, entry, err);
    }
    struct unpack_target target = {.entry = entry};
    if (unpack_open_parent(state, path, &target, err) < 0) {
        return -1;
    }
    return unpack_entry(state, &target, err);
}

static int all_entries(struct unpack_state *state, struct err *err) {
    uint64_t max_entries = state->options->max_entries ? state->options->max_entries : UNPACK_MAX_ENTRIES;
    struct tar_entry entry;
    int more;
    while ((more = tar_next(&state->tar, &entry, err)) > 0) {
        if (++state->result->entries > max_entries) {
            return err_set(err, ERR_INPUT, "tar has more than the limit of %llu entries", (unsigned long long)max_entries);
        }
        if (one_entry(state, &entry, err) < 0) {
            char quoted[QUOTE_SIZE];
            return err_in(err, "entry %s", quote_text(entry.name, quoted));
        }
        unpack_report(state);
    }
    return more;
}

static int compare_dirs(const void *a, const void *b) {
    const struct unpack_dir *left = a, *right = b;
    int order = strcmp(left->path, right->path);
    return order != 0 ? order : left->order < right->order ? -1 : left->order > right->order;
}

static int finish_dir(struct unpack_state *state, const struct unpack_dir *dir, struct err *err) {
    struct unpack_parent parent;
    const char *name;
    char quoted[QUOTE_SIZE];
    if (unpack_parents_open(&state->parents, dir->path, &parent, &name) < 0) {
        return err_sys(err, "open the parent directory of %s", quote_text(dir->path, quoted));
    }
    // The change of mode is last but for the times: a directory that its owner may not enter is entered by nobody but root.
    if ((dir->mode & S_ISGID) && fchmodat(parent.fd, name, dir->mode, 0) < 0) {
        return err_sys(err, "set the mode of %s", quote_text(dir->path, quoted));
    }
    const struct timespec times[2] = {dir->atime, dir->mtime};
    if (utimensat(parent.fd, name, times, AT_SYMLINK_NOFOLLOW) < 0) {
        return err_sys(err, "set the times of %s", quote_text(dir->path, quoted));
    }
    return 0;
}

// Sorted, directories of one parent stand together and pay for one walk; among those of one path the last entry counts, and a
// directory is implied when none of them was an entry. Setting times changes nobody else's, so the order is free.
static int finish_dirs(struct unpack_state *state, struct err *err) {
    struct unpack_result *result = state->result;
    if (state->dir_count == 0) {
        return 0;
    }
    qsort(state->dirs, state->dir_count, sizeof(*state->dirs), compare_dirs);
    result->implied_dirs = arena_array(&result->arena, state->dir_count + 1, sizeof(*result->implied_dirs));
    for (size_t i = 0; i < state->dir_count; i++) {
        const struct unpack_dir *dir = &state->dirs[i];
        if (i + 1 < state->dir_count && strcmp(dir->path, state->dirs[i + 1].path) == 0) {
            continue;
        }
        if (dir->implied) { // it can only be made once, so that every other entry of its path came later
            result->implied_dirs[result->implied_count++] = dir->path;
        }
        if (finish_dir(state, dir, err) < 0) {
            return -1;
        }
    }
    return 0;
}

// The root's attributes are what a tar without an entry for it gives every missing directory.
static int prepare_root(struct unpack_state *state, struct err *err) {
    struct stat status;
    if (fstat(state->root_fd, &status) < 0 || ((status.st_mode & 07777) != 0755 && fchmod(state->root_fd, 0755) < 0)) {
        return err_sys(err, "prepare the layer's directory");
    }
    return 0;
}

static int run(struct unpack_state *state, struct err *err) {
    if (prepare_root(state, err) < 0 || all_entries(state, err) < 0) {
        return -1;
    }
    if (!state->root_seen) {
        unpack_add_dir(state, ".", &(struct tar_entry){0}, true);
    }
    if (finish_dirs(state, err) < 0 || tar_record_end(&state->record, err) < 0) {
        return -1;
    }
    struct unpack_result *result = state->result;
    result->size = state->inflate.input->bytes;
    result->tar_size = state->inflate.bytes;
    input_digest(state->inflate.input, &result->digest);
    inflate_digest(&state->inflate, &result->diff_id);
    return 0;
}

int unpack_layer(struct input *input, int dir_fd, const struct unpack_options *options, struct unpack_result *ret_result,
                 struct err *err) {
    struct unpack_result result = {0};
    struct unpack_state state = {
        .options = options,
        .root_fd = dir_fd,
        .uid = geteuid(),
        .gid = getegid(),
        .result = &result,
    };
    const struct inflate_options inflate_options = {
        .declared = options->compression,
        .max_bytes = options->max_bytes ? options->max_bytes : UNPACK_MAX_BYTES,
    };
    mode_t umask_before = umask(0);
    inflate_init(&state.inflate, input, &inflate_options);
    tar_init(&state.tar, &state.inflate);
    tar_record_init(&state.record, options->has_record ? options->record_fd : -1);
    state.tar.seen = options->has_record ? tar_record_add : NULL;
    state.tar.seen_context = &state.record;
    unpack_parents_init(&state.parents, dir_fd, state.gid);
    int failed = run(&state, err);
    unpack_parents_finish(&state.parents);
    tar_finish(&state.tar);
    tar_record_finish(&state.record);
    inflate_finish(&state.inflate);
    free(state.dirs);
    umask(umask_before);
    if (failed < 0) {
        unpack_result_finish(&result);
        return -1;
    }
    *ret_result = result;
    return 0;
}

#include "images/archive.h"

#include "images/inflate.h"
#include "images/input.h"
#include "images/tar.h"
#include "images/unpack_path.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/base/quote.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct collector {
    struct archive *archive;
    size_t room;
    uint64_t file_size;
};

static int add_member(struct collector *collector, const struct archive_member *member, struct err *err) {
    struct archive *archive = collector->archive;
    if (archive->count == ARCHIVE_MAX_MEMBERS) {
        return err_set(err, ERR_INPUT, "the archive has more than %d members", ARCHIVE_MAX_MEMBERS);
    }
    if (archive->count == collector->room) {
        collector->room = collector->room ? 2 * collector->room : 64;
        archive->members = mem_resize(archive->members, collector->room, sizeof(*archive->members));
    }
    archive->members[archive->count] = *member;
    archive->members[archive->count].order = archive->count;
    archive->count++;
    return 0;
}

// A symbolic link leads on from its own directory, within the archive; a hard link's target is a name from the top. Where a
// symbolic link climbs out or is absolute it leads nowhere: nothing is there.
static const char *link_target(struct arena *arena, const char *name, const struct tar_entry *entry) {
    char target[PATH_MAX];
    struct err ignored;
    if (entry->type == TAR_HARDLINK) {
        return unpack_path_clean(entry->link, "its link target", target, &ignored) < 0 ? "" : arena_copy_string(arena, target);
    }
    const char *slash = strrchr(name, '/'), *link = entry->link;
    size_t length = slash ? (size_t)(slash - name) : 0;
    for (; strncmp(link, "../", 3) == 0 && length > 0; link += 3) {
        while (length > 0 && name[length - 1] != '/') {
            length--;
        }
        length -= length > 0;
    }
    AUTO_FREE char *joined = mem_format("%.*s/%s", (int)length, name, link);
    if (*link == '/' || unpack_path_clean(joined, "its link target", target, &ignored) < 0) {
        return "";
    }
    return arena_copy_string(arena, target);
}

static int take_entry(struct collector *collector, const struct tar_entry *entry, uint64_t offset, struct err *err) {
    char name[PATH_MAX], quoted[QUOTE_SIZE];
    struct arena *arena = &collector->archive->arena;
    if (unpack_path_clean(entry->name, "its name", name, err) < 0) {
        return err_in(err, "member %s", quote_text(entry->name, quoted));
    }
    struct archive_member member = {.name = arena_copy_string(arena, name), .offset = offset};
    switch (entry->type) {
    case TAR_FILE:
        if (entry->sparse) {
            return err_set(err, ERR_UNSUPPORTED, "member %s is sparse", quote_text(name, quoted));
        }
        if (entry->size > collector->file_size || offset > collector->file_size - entry->size) {
            return err_set(err, ERR_CORRUPT, "the archive ends in the middle of member %s", quote_text(name, quoted));
        }
        member.size = entry->size;
        break;
    case TAR_SYMLINK:
    case TAR_HARDLINK:
        member.link = link_target(arena, name, entry);
        break;
    default:
        member.is_directory = true; // or whatever else has no data
        break;
    }
    return add_member(collector, &member, err);
}

// Reads the headers of one member from `at` on. 1: *ret_next is where the next one begins; 0: the end.
static int scan_member(struct collector *collector, uint64_t at, uint64_t *ret_next, struct err *err) {
    struct input input;
    struct inflate inflate;
    struct tar_reader tar;
    struct tar_entry entry;
    input_init_file(&input, collector->archive->fd, at, INPUT_TO_END, DIGEST_NONE);
    const struct inflate_options options = {.declared = COMPRESSION_NONE};
    inflate_init(&inflate, &input, &options);
    tar_init(&tar, &inflate);
    int more = tar_next(&tar, &entry, err);
    if (more < 0) {
        err_in(err, "at byte %llu", (unsigned long long)at);
    }
    if (more > 0) {
        *ret_next = at + tar.position + tar.data_left + tar.padding;
        more = take_entry(collector, &entry, at + tar.position, err) < 0 ? -1 : 1;
    }
    tar_finish(&tar);
    inflate_finish(&inflate);
    input_finish(&input);
    return more;
}

static int compare(const void *a, const void *b) {
    const struct archive_member *one = a, *other = b;
    int order = strcmp(one->name, other->name);
    return order ? order : one->order < other->order ? 1 : -1; // the last of a name first
}

static void keep_last_ones(struct archive *archive) {
    size_t kept = 0;
    if (archive->count > 0) {
        qsort(archive->members, archive->count, sizeof(*archive->members), compare);
    }
    for (size_t i = 0; i < archive->count; i++) {
        if (kept == 0 || strcmp(archive->members[i].name, archive->members[kept - 1].name) != 0) {
            archive->members[kept++] = archive->members[i];
        }
    }
    archive->count = kept;
}

int archive_init(struct archive *archive, int fd, struct err *err) {
    *archive = (struct archive){.fd = fd};
    struct stat status;
    if (fstat(fd, &status) < 0) {
        return err_sys(err, "look at the archive");
    }
    struct collector collector = {.archive = archive, .file_size = (uint64_t)status.st_size};
    uint64_t at = 0;
    int more;
    while ((more = scan_member(&collector, at, &at, err)) > 0) {
    }
    if (more < 0) {
        archive_finish(archive);
        return -1;
    }
    keep_last_ones(archive);
    return 0;
}

void archive_finish(struct archive *archive) {
    free(archive->members);
    arena_finish(&archive->arena);
    *archive = (struct archive){.fd = -1};
}

static int compare_name(const void *key, const void *item) {
    return strcmp(key, ((const struct archive_member *)item)->name);
}

const struct archive_member *archive_find(const struct archive *archive, const char *name) {
    for (int i = 0; i <= ARCHIVE_MAX_LINKS && archive->count > 0; i++) {
        const struct archive_member *member =
            bsearch(name, archive->members, archive->count, sizeof(*archive->members), compare_name);
        if (!member || member->is_directory) {
            return NULL;
        }
        if (!member->link) {
            return member;
        }
        name = member->link;
    }
    return NULL;
}

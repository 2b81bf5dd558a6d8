#include "images/layout_archive.h"

#include "images/input.h"
#include "images/layout_index.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"

#include <stdio.h>
#include <string.h>

enum { PATH_SIZE = sizeof("blobs/sha256/") + DIGEST_HEX_MAX };

static int add_directory(struct layout_archive *archive, const char *name, struct err *err) {
    const struct tar_entry entry = {.type = TAR_DIRECTORY, .name = name, .mode = 0755};
    return tar_writer_entry(&archive->tar, &entry, err);
}

int layout_archive_init(struct layout_archive *archive, int fd, struct err *err) {
    *archive = (struct layout_archive){0};
    tar_writer_init_fd(&archive->tar, fd);
    return tar_writer_add_text(&archive->tar, "oci-layout", layout_version_text, strlen(layout_version_text), err) < 0 ||
                   add_directory(archive, "blobs", err) < 0 || add_directory(archive, "blobs/sha256", err) < 0
               ? -1
               : 0;
}

void layout_archive_finish(struct layout_archive *archive) {
    tar_writer_finish(&archive->tar);
    digest_set_finish(&archive->blobs);
    arena_finish(&archive->arena);
}

bool layout_archive_has(const struct layout_archive *archive, const struct digest *digest) {
    return digest_set_has(&archive->blobs, digest);
}

int layout_archive_add(struct layout_archive *archive, const struct digest *digest, uint64_t size, const struct pieces *pieces,
                       struct err *err) {
    char name[PATH_SIZE];
    snprintf(name, sizeof(name), "blobs/%s/%s", digest_algorithm_name(digest->algorithm), digest->hex);
    const struct tar_entry entry = {.type = TAR_FILE, .name = name, .mode = 0644, .size = size};
    const struct sink sink = tar_writer_sink(&archive->tar);
    if (tar_writer_entry(&archive->tar, &entry, err) < 0 || pieces_pass(pieces, &sink, digest, size, NULL, err) < 0) {
        return -1;
    }
    digest_set_add(&archive->blobs, digest);
    return 0;
}

int layout_archive_add_text(struct layout_archive *archive, const struct digest *digest, const void *text, size_t size,
                            struct err *err) {
    struct input input;
    if (layout_archive_has(archive, digest)) {
        return 0;
    }
    input_init_memory(&input, text, size, DIGEST_NONE);
    const struct pieces pieces = pieces_of_input(&input);
    int result = layout_archive_add(archive, digest, size, &pieces, err);
    input_finish(&input);
    return result;
}

void layout_archive_list(struct layout_archive *archive, const char *media_type, const struct digest *digest, uint64_t size,
                         const char *name) {
    struct arena *arena = &archive->arena;
    char text[DIGEST_TEXT_SIZE];
    if (archive->images_count == archive->images_room) {
        size_t room = archive->images_room ? 2 * archive->images_room : 8;
        struct image_descriptor *larger = arena_array(arena, room, sizeof(*larger));
        memcpy(larger, archive->images ? archive->images : larger, archive->images_count * sizeof(*larger));
        archive->images = larger;
        archive->images_room = room;
    }
    struct text_pair *pair = arena_alloc(arena, sizeof(*pair));
    *pair = (struct text_pair){.name = LAYOUT_REF_ANNOTATION, .value = name ? arena_copy_string(arena, name) : NULL};
    archive->images[archive->images_count++] = (struct image_descriptor){
        .media_type = arena_copy_string(arena, media_type),
        .digest = arena_copy_string(arena, digest_format(digest, text)),
        .size = (int64_t)size,
        .annotations = pair,
        .annotations_count = name ? 1 : 0,
    };
}

int layout_archive_end(struct layout_archive *archive, struct err *err) {
    AUTO_BUF struct buf text = {0};
    layout_index_write(archive->images, archive->images_count, &text);
    return tar_writer_add_text(&archive->tar, "index.json", text.data, text.size, err) < 0 ? -1
                                                                                           : tar_writer_end(&archive->tar, err);
}

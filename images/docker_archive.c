#include "images/docker_archive.h"

#include "images/input.h"
#include "images/new_file.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "specs/json_write.h"

#include <stdio.h>
#include <string.h>

enum { NAME_SIZE = DIGEST_HEX_MAX + sizeof(".json") };

static const char *name_of(const struct digest *digest, const char *ending, char name[NAME_SIZE]) {
    snprintf(name, NAME_SIZE, "%s%s", digest->hex, ending);
    return name;
}

void docker_archive_init(struct docker_archive *archive, int fd, int spool_fd) {
    *archive = (struct docker_archive){.spool_fd = spool_fd};
    tar_writer_init_fd(&archive->tar, fd);
}

void docker_archive_finish(struct docker_archive *archive) {
    tar_writer_finish(&archive->tar);
    digest_set_finish(&archive->layers);
    digest_set_finish(&archive->configs);
    arena_finish(&archive->arena);
}

bool docker_archive_has_layer(const struct docker_archive *archive, const struct digest *diff_id) {
    return digest_set_has(&archive->layers, diff_id);
}

static int add_sized(struct docker_archive *archive, struct tar_entry *entry, const struct digest *diff_id, uint64_t size,
                     const struct pieces *pieces, struct err *err) {
    const struct sink sink = tar_writer_sink(&archive->tar);
    entry->size = size;
    return tar_writer_entry(&archive->tar, entry, err) < 0 ? -1 : pieces_pass(pieces, &sink, diff_id, size, NULL, err);
}

static int add_unsized(struct docker_archive *archive, const struct tar_entry *entry, const struct digest *diff_id,
                       const struct pieces *pieces, struct err *err) {
    const struct sink sink = tar_writer_sink(&archive->tar);
    return tar_writer_begin_unsized(&archive->tar, entry, err) < 0 ||
                   pieces_pass(pieces, &sink, diff_id, PIECES_ANY_SIZE, NULL, err) < 0
               ? -1
               : tar_writer_end_unsized(&archive->tar, err);
}

static int add_spooled(struct docker_archive *archive, struct tar_entry *entry, const struct digest *diff_id,
                       const struct pieces *pieces, struct err *err) {
    AUTO_FD int fd = new_file_nameless(archive->spool_fd, err);
    struct input input;
    uint64_t size;
    if (fd < 0) {
        return -1;
    }
    const struct sink sink = sink_to_fd(&fd);
    if (pieces_pass(pieces, &sink, diff_id, PIECES_ANY_SIZE, &size, err) < 0) {
        return -1;
    }
    input_init_file(&input, fd, 0, size, DIGEST_NONE);
    const struct pieces again = pieces_of_input(&input);
    int result = add_sized(archive, entry, diff_id, size, &again, err);
    input_finish(&input);
    return result;
}

int docker_archive_add_layer(struct docker_archive *archive, const struct digest *diff_id, uint64_t size,
                             const struct pieces *pieces, struct err *err) {
    char name[NAME_SIZE];
    struct tar_entry entry = {.type = TAR_FILE, .name = name_of(diff_id, ".tar", name), .mode = 0644};
    int result = size != PIECES_ANY_SIZE              ? add_sized(archive, &entry, diff_id, size, pieces, err)
                 : tar_writer_can_seek(&archive->tar) ? add_unsized(archive, &entry, diff_id, pieces, err)
                                                      : add_spooled(archive, &entry, diff_id, pieces, err);
    if (result == 0) {
        digest_set_add(&archive->layers, diff_id);
    }
    return result;
}

int docker_archive_add_config(struct docker_archive *archive, const struct digest *digest, const void *text, size_t size,
                              struct err *err) {
    char name[NAME_SIZE];
    if (digest_set_has(&archive->configs, digest)) {
        return 0;
    }
    digest_set_add(&archive->configs, digest);
    return tar_writer_add_text(&archive->tar, name_of(digest, ".json", name), text, size, err);
}

void docker_archive_add_image(struct docker_archive *archive, const struct docker_archive_image *image) {
    struct arena *arena = &archive->arena;
    if (archive->images_count == archive->images_room) {
        size_t room = archive->images_room ? 2 * archive->images_room : 8;
        struct docker_archive_image *larger = arena_array(arena, room, sizeof(*larger));
        memcpy(larger, archive->images ? archive->images : larger, archive->images_count * sizeof(*larger));
        archive->images = larger;
        archive->images_room = room;
    }
    struct digest *diff_ids = arena_array(arena, image->layers_count + 1, sizeof(*diff_ids));
    struct image_ref *names = arena_array(arena, image->names_count + 1, sizeof(*names));
    for (size_t i = 0; i < image->layers_count; i++) {
        diff_ids[i] = image->diff_ids[i];
    }
    for (size_t i = 0; i < image->names_count; i++) {
        names[i] = (struct image_ref){
            .name = arena_copy_string(arena, image->names[i].name),
            .tag = arena_copy_string(arena, image->names[i].tag),
        };
    }
    archive->images[archive->images_count] = *image;
    archive->images[archive->images_count].diff_ids = diff_ids;
    archive->images[archive->images_count++].names = names;
}

static void write_item(struct docker_archive *archive, struct json_writer *writer, const struct docker_archive_image *image) {
    char name[NAME_SIZE];
    json_write_open(writer, NULL, '{');
    json_write_string(writer, "Config", name_of(&image->config, ".json", name));
    json_write_open(writer, "RepoTags", '['); // the full names: podman takes a short one for one of its own
    for (size_t i = 0; i < image->names_count; i++) {
        json_write_string(writer, NULL, image_ref_full(&archive->arena, &image->names[i]));
    }
    json_write_close(writer, ']');
    json_write_open(writer, "Layers", '[');
    for (size_t i = 0; i < image->layers_count; i++) {
        json_write_string(writer, NULL, name_of(&image->diff_ids[i], ".tar", name));
    }
    json_write_close(writer, ']');
    json_write_close(writer, '}');
}

static int add_manifest(struct docker_archive *archive, struct err *err) {
    AUTO_BUF struct buf text = {0};
    struct json_writer writer = {.buf = &text};
    json_write_open(&writer, NULL, '[');
    for (size_t i = 0; i < archive->images_count; i++) {
        write_item(archive, &writer, &archive->images[i]);
    }
    json_write_close(&writer, ']');
    return tar_writer_add_text(&archive->tar, "manifest.json", text.data, text.size, err);
}

struct repository {
    const struct image_ref *ref;
    const struct docker_archive_image *image;
};

// The tags of one repository stand together, so each is looked for from where it is first named.
static void write_repository(struct json_writer *writer, const struct repository *all, size_t count, size_t at) {
    const char *name = all[at].ref->name;
    for (size_t i = 0; i < at; i++) {
        if (strcmp(all[i].ref->name, name) == 0) {
            return;
        }
    }
    json_write_open(writer, name, '{');
    for (size_t i = at; i < count; i++) {
        if (strcmp(all[i].ref->name, name) == 0) {
            json_write_string(writer, all[i].ref->tag, all[i].image->diff_ids[all[i].image->layers_count - 1].hex);
        }
    }
    json_write_close(writer, '}');
}

static int add_repositories(struct docker_archive *archive, struct err *err) {
    AUTO_BUF struct buf text = {0};
    struct json_writer writer = {.buf = &text};
    size_t count = 0, room = 0;
    for (size_t i = 0; i < archive->images_count; i++) {
        room += archive->images[i].names_count;
    }
    struct repository *all = arena_array(&archive->arena, room + 1, sizeof(*all));
    for (size_t i = 0; i < archive->images_count; i++) {
        const struct docker_archive_image *image = &archive->images[i];
        for (size_t k = 0; k < image->names_count && image->layers_count > 0; k++) {
            all[count++] = (struct repository){.ref = &image->names[k], .image = image};
        }
    }
    if (count == 0) {
        return 0;
    }
    json_write_open(&writer, NULL, '{');
    for (size_t i = 0; i < count; i++) {
        write_repository(&writer, all, count, i);
    }
    json_write_close(&writer, '}');
    return tar_writer_add_text(&archive->tar, "repositories", text.data, text.size, err);
}

int docker_archive_end(struct docker_archive *archive, struct err *err) {
    return add_manifest(archive, err) < 0 || add_repositories(archive, err) < 0 ? -1 : tar_writer_end(&archive->tar, err);
}

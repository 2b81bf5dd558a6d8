#include "images/source.h"

#include "images/input.h"
#include "images/new_file.h"
#include "images/source_state.h"
#include "images/unpack_path.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/base/quote.h"
#include "runtime/kernel/root.h"
#include "specs/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { COPY_SIZE = 1 << 20 };

static const struct {
    const char *prefix;
    enum source_kind kind;
    bool is_archive;
} transports[] = {
    {"oci:", SOURCE_LAYOUT, false},
    {"oci-archive:", SOURCE_LAYOUT, true},
    {"docker-archive:", SOURCE_DOCKER, true},
    {"dir:", SOURCE_DIR, false},
};

bool source_is_file(const char *text) {
    static const char *const beginnings[] = {"/", "./", "../"};
    for (size_t i = 0; i < ARRAY_LEN(transports); i++) {
        if (strncmp(text, transports[i].prefix, strlen(transports[i].prefix)) == 0) {
            return true;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(beginnings); i++) {
        if (strncmp(text, beginnings[i], strlen(beginnings[i])) == 0) {
            return true;
        }
    }
    return strcmp(text, "-") == 0;
}

static bool path_exists(const char *path) {
    return access(path, F_OK) == 0;
}

// "PATH[:TAG]": a path may have colons itself, and a reference too; the longest path that exists counts.
static void split_path(struct source *source, const char *rest) {
    char *path = arena_copy_string(&source->arena, rest);
    source->path = path;
    if (path_exists(path)) {
        return;
    }
    for (char *at = path + strlen(path); at > path; at--) {
        if (*at == ':') {
            *at = '\0';
            if (path_exists(path)) {
                source->wanted = at + 1;
                return;
            }
            *at = ':';
        }
    }
    // Nothing there: the error shall name the path without what looks like a tag.
    char *colon = strrchr(path, ':');
    if (colon && image_tag_valid(colon + 1)) {
        *colon = '\0';
        source->wanted = colon + 1;
    }
}

// Returns whether it may only be an archive.
static bool parse_text(struct source *source, const char *text) {
    for (size_t i = 0; i < ARRAY_LEN(transports); i++) {
        size_t length = strlen(transports[i].prefix);
        if (strncmp(text, transports[i].prefix, length) == 0) {
            source->kind = transports[i].kind;
            if (source->kind == SOURCE_DIR) { // which has no names
                source->path = arena_copy_string(&source->arena, text + length);
            } else {
                split_path(source, text + length);
            }
            return transports[i].is_archive;
        }
    }
    source->path = arena_copy_string(&source->arena, text);
    return false;
}

int source_spool(const struct source *source, struct err *err) {
    return new_file_nameless(source->spool_fd, err);
}

static int spool_pipe(int fd, const struct source *source, struct err *err) {
    AUTO_FD int spool = source_spool(source, err);
    if (spool < 0) {
        return -1;
    }
    AUTO_FREE char *room = mem_resize(NULL, COPY_SIZE, 1);
    for (;;) {
        ssize_t got = read(fd, room, COPY_SIZE);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return err_sys(err, "read the archive");
        }
        if (got == 0) {
            return fd_take(&spool);
        }
        if (fd_write_all(spool, room, (size_t)got) < 0) {
            return err_sys(err, "write the archive to the store");
        }
    }
}

static int spool_plain(struct inflate *inflate, const struct source *source, struct err *err) {
    AUTO_FD int spool = source_spool(source, err);
    const uint8_t *data;
    size_t size = 1;
    while (spool >= 0 && size > 0) {
        if (inflate_next(inflate, &data, &size, err) < 0) {
            return -1;
        }
        if (fd_write_all(spool, data, size) < 0) {
            return err_sys(err, "write the archive to the store");
        }
    }
    return fd_take(&spool);
}

enum compression source_compression(int fd, uint64_t offset) {
    static const unsigned char gzip[] = {0x1f, 0x8b}, zstd[] = {0x28, 0xb5, 0x2f, 0xfd};
    unsigned char start[4] = {0};
    if (pread(fd, start, sizeof(start), (off_t)offset) != sizeof(start)) {
        return COMPRESSION_NONE;
    }
    return memcmp(start, gzip, sizeof(gzip)) == 0   ? COMPRESSION_GZIP
           : memcmp(start, zstd, sizeof(zstd)) == 0 ? COMPRESSION_ZSTD
                                                    : COMPRESSION_NONE;
}

static int decompress(int fd, const struct source *source, struct err *err) {
    struct input input;
    struct inflate inflate;
    const struct inflate_options options = {.max_bytes = UINT64_C(1) << 40};
    input_init_file(&input, fd, 0, INPUT_TO_END, DIGEST_NONE);
    inflate_init(&inflate, &input, &options);
    int spool = spool_plain(&inflate, source, err);
    inflate_finish(&inflate);
    input_finish(&input);
    return spool;
}

// Turns source->fd, just opened, into an archive that can be read in place.
static int open_archive(struct source *source, struct err *err) {
    if (lseek(source->fd, 0, SEEK_CUR) < 0) {
        int spool = spool_pipe(source->fd, source, err);
        fd_close(&source->fd);
        source->fd = spool;
    }
    if (source->fd >= 0 && source_compression(source->fd, 0) != COMPRESSION_NONE) {
        int spool = decompress(source->fd, source, err);
        fd_close(&source->fd);
        source->fd = spool;
    }
    if (source->fd < 0 || archive_init(&source->archive, source->fd, err) < 0) {
        return -1;
    }
    source->is_archive = true;
    return 0;
}

static int open_path(struct source *source, const struct source_request *request, struct err *err) {
    bool standard_input = strcmp(source->path, "-") == 0;
    source->path = standard_input ? "standard input" : source->path;
    source->fd = standard_input ? fcntl(request->input_fd, F_DUPFD_CLOEXEC, 3) : open(source->path, O_RDONLY | O_CLOEXEC);
    if (source->fd < 0) {
        int reason = errno;
        err_sys(err, "open %s", source->path);
        err->kind = reason == ENOENT ? ERR_NOT_FOUND : ERR_SYSTEM;
        return -1;
    }
    return 0;
}

// What has both index.json and manifest.json, as newer docker saves it, is read as a layout: that has digests for everything. A
// directory of skopeo's has a manifest.json of another kind, and a file that says so.
static int find_kind(struct source *source, struct err *err) {
    struct source_blob blob;
    int directory = source->kind == SOURCE_DIR                         ? 1
                    : source->kind != SOURCE_ANY || source->is_archive ? 0
                                                                       : source_find(source, "version", &blob, err);
    if (directory < 0) {
        return -1;
    }
    int layout = source->kind == SOURCE_DOCKER || source->kind == SOURCE_DIR ? 0 : source_find(source, "index.json", &blob, err);
    if (layout < 0) {
        return -1;
    }
    int docker = layout || source->kind == SOURCE_LAYOUT ? 0 : source_find(source, "manifest.json", &blob, err);
    if (docker < 0) {
        return -1;
    }
    if (!layout && !docker) {
        const char *missing = source->kind == SOURCE_LAYOUT ? "no index.json"
                              : source->kind == SOURCE_DOCKER || source->kind == SOURCE_DIR
                                  ? "no manifest.json"
                                  : "neither index.json nor manifest.json";
        return err_set(err, ERR_INPUT, "it is no image: it has %s", missing);
    }
    source->kind = layout ? SOURCE_LAYOUT : directory ? SOURCE_DIR : SOURCE_DOCKER;
    return 0;
}

static int open_all(struct source *source, bool only_archive, struct err *err) {
    struct stat status;
    if (fstat(source->fd, &status) < 0) {
        return err_sys(err, "look at it");
    }
    if (S_ISDIR(status.st_mode) && only_archive) {
        return err_set(err, ERR_INPUT, "expected an archive, found a directory");
    }
    if (!S_ISDIR(status.st_mode) && source->kind == SOURCE_DIR) {
        return err_set(err, ERR_INPUT, "expected a directory, found a file");
    }
    if (!S_ISDIR(status.st_mode) && open_archive(source, err) < 0) {
        return -1;
    }
    return find_kind(source, err);
}

int source_open(const struct source_request *request, struct source **ret_source, struct err *err) {
    AUTO_SOURCE struct source *source = mem_alloc(sizeof(*source));
    *source = (struct source){
        .fd = -1, .spool_fd = request->spool_fd, .platform = request->platform ? request->platform : image_platform_of_host()};
    source->archive.fd = -1;
    source->record_fd = -1;
    if (request->store) {
        source->store = request->store;
        if (source_store_open(source, request->text, err) < 0) {
            return -1;
        }
        *ret_source = source;
        source = NULL;
        return 0;
    }
    if (request->registry) {
        source->kind = SOURCE_REGISTRY;
        source->registry = request->registry;
        source->beside = request->beside;
        source->ref = request->ref;
        source->path = image_ref_full(&source->arena, request->ref); // as the registry's client names it in its errors
        *ret_source = source;
        source = NULL;
        return 0;
    }
    bool only_archive = parse_text(source, request->text);
    if (open_path(source, request, err) < 0) {
        return -1;
    }
    if (open_all(source, only_archive, err) < 0) {
        return err_in(err, "%s", source->path);
    }
    *ret_source = source;
    source = NULL;
    return 0;
}

void source_close(struct source *source) {
    if (!source) {
        return;
    }
    for (size_t i = 0; i < source->blob_count; i++) {
        fd_close(&source->blob_fds[i]);
    }
    free(source->blob_fds);
    archive_finish(&source->archive);
    fd_close(&source->fd);
    fd_close(&source->record_fd);
    arena_finish(&source->arena);
    free(source);
}

void source_cleanup(struct source **source) {
    source_close(*source);
    *source = NULL;
}

void source_keep(struct source *source, int give_fd) {
    if (source->blob_count == source->blob_room) {
        source->blob_room = source->blob_room ? 2 * source->blob_room : 16;
        source->blob_fds = mem_resize(source->blob_fds, source->blob_room, sizeof(*source->blob_fds));
    }
    source->blob_fds[source->blob_count++] = give_fd;
}

// A layout is somebody else's directory: its links lead nowhere outside of it.
static int find_file(struct source *source, const char *path, struct source_blob *ret, struct err *err) {
    AUTO_FD int fd = root_try_open(source->fd, path, O_RDONLY | O_NOCTTY | O_NONBLOCK);
    struct stat status;
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
        return 0;
    }
    if (fd < 0 || fstat(fd, &status) < 0) {
        return err_sys(err, "open %s", path);
    }
    if (!S_ISREG(status.st_mode)) {
        return err_set(err, ERR_INPUT, "%s is no file", path);
    }
    *ret = (struct source_blob){.fd = fd, .size = (uint64_t)status.st_size};
    source_keep(source, fd_take(&fd));
    return 1;
}

int source_find(struct source *source, const char *path, struct source_blob *ret_blob, struct err *err) {
    if (!source->is_archive) {
        return find_file(source, path, ret_blob, err);
    }
    char clean[PATH_MAX];
    struct err ignored;
    const struct archive_member *member =
        unpack_path_clean(path, "its name", clean, &ignored) < 0 ? NULL : archive_find(&source->archive, clean);
    if (member) {
        *ret_blob = (struct source_blob){.fd = source->fd, .offset = member->offset, .size = member->size};
    }
    return member != NULL;
}

int source_count(struct source *source, const char *name, uint64_t bytes, struct err *err) {
    source->document_bytes += bytes;
    if (source->document_bytes > SOURCE_MAX_DOCUMENT_BYTES) {
        return err_set(err, ERR_INPUT, "%s: all documents together are larger than %d bytes", name, SOURCE_MAX_DOCUMENT_BYTES);
    }
    return 0;
}

int source_read(struct source *source, const char *path, struct arena *arena, struct source_document *ret, struct err *err) {
    struct source_blob blob;
    int found = source_find(source, path, &blob, err);
    if (found <= 0) {
        return found < 0 ? -1 : err_set(err, ERR_INPUT, "%s is missing", path);
    }
    if (blob.size > JSON_MAX_BYTES) {
        return err_set(err, ERR_INPUT, "%s: is larger than %d bytes", path, JSON_MAX_BYTES);
    }
    if (source_count(source, path, blob.size, err) < 0) {
        return -1;
    }
    char *text = arena_alloc(arena, blob.size + 1);
    size_t done = 0;
    while (done < blob.size) {
        ssize_t got = pread(blob.fd, text + done, blob.size - done, (off_t)(blob.offset + done));
        if (got < 0 && errno != EINTR) {
            return err_sys(err, "read %s", path);
        }
        if (got == 0) {
            return err_set(err, ERR_CORRUPT, "%s: became shorter while it was read", path);
        }
        done += got > 0 ? (size_t)got : 0;
    }
    *ret = (struct source_document){.text = text, .size = blob.size};
    digest_of(DIGEST_SHA256, text, blob.size, &ret->digest);
    return 0;
}

struct source_image *source_list_add(struct source_list *list) {
    if (list->count == list->room) {
        size_t room = list->room ? 2 * list->room : 8;
        struct source_image *images = arena_array(list->arena, room, sizeof(*images));
        if (list->count > 0) {
            memcpy(images, list->images, list->count * sizeof(*images));
        }
        list->images = images;
        list->room = room;
    }
    struct source_image *image = &list->images[list->count++];
    *image = (struct source_image){0};
    return image;
}

int source_take_config(struct source_list *list, struct source_image *image, const char *name, struct err *err) {
    const struct json_document document = {.name = name, .text = image->document.text, .size = image->document.size};
    if (image_config_decode(&document, list->arena, &image->config, err) < 0) {
        return -1;
    }
    if (image->config.diff_ids_count != image->layers_count) {
        return err_set(err, ERR_INPUT, "%s: rootfs.diff_ids: expected one of each of the %zu layers, found %zu", name,
                       image->layers_count, image->config.diff_ids_count);
    }
    if (image->layers_count > SOURCE_MAX_LAYERS) {
        return err_set(err, ERR_UNSUPPORTED, "%s: the image has %zu layers; at most %d can be mounted", name, image->layers_count,
                       SOURCE_MAX_LAYERS);
    }
    for (size_t i = 0; i < image->layers_count; i++) {
        if (digest_parse(image->config.diff_ids[i], &image->layers[i].diff_id, err) < 0) {
            return err_in(err, "%s: rootfs.diff_ids[%zu]", name, i);
        }
    }
    return 0;
}

// The registry's client names what it was asked for itself.
static int name_source(const struct source *source, struct err *err) {
    size_t length = strlen(source->path);
    bool is_named = source->kind == SOURCE_REGISTRY && strncmp(err->text, source->path, length) == 0 && err->text[length] == ':';
    return is_named ? -1 : err_in(err, "%s", source->path);
}

static const struct {
    int (*images)(struct source *source, struct source_list *list, struct err *err);
    int (*root)(struct source *source, struct arena *arena, struct source_root *ret, struct err *err);
} readers[] = {
    [SOURCE_LAYOUT] = {source_layout_images, source_layout_root},
    [SOURCE_DOCKER] = {source_docker_images, source_docker_root},
    [SOURCE_DIR] = {source_dir_images, source_dir_root},
    [SOURCE_REGISTRY] = {source_registry_images, source_registry_root},
    [SOURCE_STORE] = {NULL, source_store_root}, // what is there need not be loaded
};

int source_say_elsewhere(const char *url, struct err *err) {
    char quoted[QUOTE_SIZE];
    return err_set(
        err, ERR_NOT_FOUND,
        "is not with the image: its manifest says that it is at %s, and such addresses are not followed, since a manifest "
        "could name any; take the image from a registry that has all its layers",
        quote_text(url, quoted));
}

int source_images(struct source *source, struct arena *arena, struct source_image **ret_images, size_t *ret_count,
                  struct err *err) {
    struct source_list list = {.arena = arena};
    if (readers[source->kind].images(source, &list, err) < 0) {
        return name_source(source, err);
    }
    *ret_images = list.images;
    *ret_count = list.count;
    return 0;
}

int source_root(struct source *source, struct arena *arena, struct source_root *ret, struct err *err) {
    *ret = (struct source_root){0};
    return readers[source->kind].root(source, arena, ret, err) < 0 ? name_source(source, err) : 0;
}

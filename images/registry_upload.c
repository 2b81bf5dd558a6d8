// Blobs and manifests into a registry (distribution-spec, "Push"): a session is opened by POST, filled by PATCH in pieces, and
// closed by PUT with the digest. The place to go on at comes with each answer. When a piece fails, the registry is asked how much
// it has.
#include "images/registry_state.h"

#include "runtime/base/buf.h"
#include "runtime/base/mem.h"
#include "runtime/base/quantity.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { CHUNK_BYTES = 16 << 20, MAX_CHUNK_BYTES = 1 << 30 };

struct upload {
    struct registry *registry;
    const struct image_ref *ref;
    const char *what;
    int fd;
    uint64_t offset, size; // of the window
    uint64_t done;         // bytes the registry has
    uint64_t chunk;        // bytes of a piece
    const char *url;       // where it goes on
    void (*progress)(void *context, uint64_t sent);
    void *context;
    uint64_t told; // to progress; it never goes back
    struct arena arena;
};

static void upload_finish(struct upload *upload) {
    arena_finish(&upload->arena);
}

static struct exchange_request plain_request(const char *method, const char *what) {
    return (struct exchange_request){.method = method, .actions = "pull,push", .what = what, .body_fd = -1, .out_fd = -1};
}

// The place named by Location, relative to where the answer came from. A downgrade to http is refused as a redirect is.
static int take_location(const struct exchange *exchange, struct arena *arena, const char **ret_url, struct err *err) {
    const char *location = fetch_header(exchange_answer(exchange), "location");
    struct url url;
    if (!location) {
        return err_set(err, ERR_INPUT, "%s: %s does not say where the upload goes on", exchange->request.what,
                       exchange->url.authority);
    }
    if (url_resolve(arena, &exchange->url, location, &url, err) < 0) {
        return err_in(err, "%s: where %s lets the upload go on", exchange->request.what, exchange->url.authority);
    }
    if (exchange->url.tls && !url.tls && !exchange->host->insecure) {
        return err_set(err, ERR_INPUT, "%s: %s, reached by https, lets the upload go on by plain http, which is refused",
                       exchange->request.what, exchange->url.authority);
    }
    *ret_url = url.text;
    return 0;
}

// Bytes the registry has, of "0-1234" in Range. "0-0" is nothing: no piece is one byte long, unless the blob is.
static uint64_t range_end(const struct fetch_answer *answer, uint64_t otherwise) {
    const char *text = fetch_header(answer, "range");
    int64_t last;
    if (!text) {
        return otherwise;
    }
    text += strncasecmp(text, "bytes=", 6) == 0 ? 6 : 0;
    if (strncmp(text, "0-", 2) != 0 || quantity_int(text + 2, &last) < 0 || last < 0) {
        return otherwise;
    }
    return last == 0 ? 0 : (uint64_t)last + 1;
}

// --- opening ---

static void forget_left_upload(struct registry *registry) {
    free(registry->upload_name);
    free(registry->upload_url);
    registry->upload_name = registry->upload_url = NULL;
}

// One that a mount has opened, or a new one.
static int open_upload(struct upload *upload, struct err *err) {
    struct registry *registry = upload->registry;
    AUTO_EXCHANGE struct exchange exchange = {0};
    struct exchange_request request = plain_request("POST", upload->what);
    int64_t least;
    upload->done = 0;
    if (registry->upload_name && strcmp(registry->upload_name, upload->ref->name) == 0) {
        upload->url = arena_copy_string(&upload->arena, registry->upload_url);
        forget_left_upload(registry);
        return 0;
    }
    request.path = "/blobs/uploads/";
    exchange_start(&exchange, registry, upload->ref, &request);
    if (exchange_wait(&exchange, NULL, NULL, err) < 0) {
        return -1;
    }
    const struct fetch_answer *answer = exchange_answer(&exchange);
    if (answer->status != 202) {
        return exchange_refused(&exchange, err);
    }
    const char *wish = fetch_header(answer, "oci-chunk-min-length");
    if (wish && quantity_int(wish, &least) == 0 && least > CHUNK_BYTES && least <= MAX_CHUNK_BYTES) {
        upload->chunk = (uint64_t)least;
    }
    return take_location(&exchange, &upload->arena, &upload->url, err);
}

// --- filling ---

static void tick(void *context, uint64_t sent) {
    struct upload *upload = context;
    uint64_t all = upload->done + sent;
    if (upload->progress && all > upload->told && all <= upload->size) {
        upload->told = all;
        upload->progress(upload->context, all);
    }
}

// How much the registry has: 1, or 0 when it does not know the upload any more.
static int ask_status(struct upload *upload, struct err *err) {
    AUTO_EXCHANGE struct exchange exchange = {0};
    struct exchange_request request = plain_request("GET", upload->what);
    request.url = upload->url;
    exchange_start(&exchange, upload->registry, upload->ref, &request);
    if (exchange_wait(&exchange, NULL, NULL, err) < 0) {
        return -1;
    }
    const struct fetch_answer *answer = exchange_answer(&exchange);
    if (answer->status == 404 || answer->status == 400 || answer->status == 405) {
        return 0;
    }
    if (answer->status != 204 && answer->status != 202 && answer->status != 200) {
        return exchange_refused(&exchange, err);
    }
    uint64_t done = range_end(answer, 0);
    if (done > upload->size) {
        return 0; // not ours
    }
    upload->done = done;
    return !fetch_header(answer, "location") || take_location(&exchange, &upload->arena, &upload->url, err) == 0 ? 1 : -1;
}

// One piece. 1: it is there; 0: it failed in a way that asking helps, with err; -1.
static int send_chunk(struct upload *upload, struct err *err) {
    AUTO_EXCHANGE struct exchange exchange = {0};
    struct exchange_request request = plain_request("PATCH", upload->what);
    uint64_t left = upload->size - upload->done, length = left < upload->chunk ? left : upload->chunk, before = upload->done;
    request.url = upload->url;
    request.body_fd = upload->fd;
    request.body_offset = upload->offset + upload->done;
    request.body_length = length;
    request.once = true;
    request.headers[0] = "Content-Type: application/octet-stream";
    // What goes in one piece is sent as docker does it: some registries know no other way.
    if (length < upload->size) {
        request.headers[1] = arena_format(&exchange.arena, "Content-Range: %llu-%llu", (unsigned long long)before,
                                          (unsigned long long)(before + length - 1));
    }
    exchange_start(&exchange, upload->registry, upload->ref, &request);
    if (exchange_wait(&exchange, tick, upload, err) < 0) {
        return exchange.transient ? 0 : -1;
    }
    const struct fetch_answer *answer = exchange_answer(&exchange);
    if (answer->status == 202 || answer->status == 204) {
        uint64_t done = range_end(answer, before + length);
        upload->done = done >= before && done <= before + length ? done : before + length;
        return take_location(&exchange, &upload->arena, &upload->url, err) < 0 ? -1 : 1;
    }
    exchange_refused(&exchange, err);
    bool may_pass = answer->status == 416 || answer->status == 429 || answer->status >= 500 || answer->status == 404;
    return may_pass ? 0 : -1;
}

// Waits before it is tried again, while the session goes on.
static int wait_again(struct upload *upload, unsigned failures, struct err *err) {
    struct registry *registry = upload->registry;
    registry_notice(registry, "%s", err->text);
    return registry_wait(registry, (int64_t)500 << failures, err);
}

// All that is missing; an upload that is lost is begun anew.
static int fill(struct upload *upload, struct err *err) {
    for (unsigned failures = 0; upload->done < upload->size;) {
        uint64_t before = upload->done;
        int sent = send_chunk(upload, err);
        if (sent < 0) {
            return -1;
        }
        if (sent > 0 && upload->done > before) {
            failures = 0;
            continue;
        }
        if (sent > 0) {
            err_set(err, ERR_STATE, "%s: the registry takes pieces of the upload, but keeps none of them", upload->what);
        }
        if (++failures >= REGISTRY_MAX_TRIES) {
            return -1;
        }
        struct err ignored;
        if (wait_again(upload, failures - 1, err) < 0) {
            return -1;
        }
        int known = ask_status(upload, &ignored);
        if (known <= 0 && open_upload(upload, err) < 0) {
            return -1;
        }
        failures = upload->done > before ? 0 : failures;
    }
    return 0;
}

// --- closing ---

static int close_upload(struct upload *upload, const struct digest *digest, struct err *err) {
    AUTO_EXCHANGE struct exchange exchange = {0};
    struct exchange_request request = plain_request("PUT", upload->what);
    char text[DIGEST_TEXT_SIZE];
    struct url url;
    if (url_parse(&exchange.arena, upload->url, &url, err) < 0 ||
        url_resolve(&exchange.arena, &url, url_with_parameter(&exchange.arena, url.path, "digest", digest_format(digest, text)),
                    &url, err) < 0) {
        return -1;
    }
    request.url = url.text;
    request.once = true;
    request.headers[0] = "Content-Type: application/octet-stream";
    exchange_start(&exchange, upload->registry, upload->ref, &request);
    int result = exchange_wait(&exchange, NULL, NULL, err);
    if (result == 0 && exchange_answer(&exchange)->status / 100 == 2) {
        return 0;
    }
    if (result == 0) {
        exchange_refused(&exchange, err);
    }
    // The answer may have been lost, not the blob.
    struct err ignored;
    uint64_t size = 0;
    bool may_be_there = result < 0 ? exchange.transient : exchange_answer(&exchange)->status >= 404;
    return may_be_there && registry_has_blob(upload->registry, upload->ref, digest, &size, &ignored) == 1 && size == upload->size
               ? 0
               : -1;
}

int registry_put_blob(struct registry *registry, const struct image_ref *ref, const struct digest *digest,
                      const struct registry_content *content, struct err *err) {
    char text[DIGEST_TEXT_SIZE];
    struct upload upload __attribute__((cleanup(upload_finish))) = {
        .registry = registry,
        .ref = ref,
        .fd = content->fd,
        .offset = content->offset,
        .size = content->size,
        .chunk = CHUNK_BYTES,
        .progress = content->progress,
        .context = content->context,
    };
    upload.what = arena_format(&upload.arena, "%s: blob %s", ref->name, digest_format(digest, text));
    if (open_upload(&upload, err) < 0 || fill(&upload, err) < 0 || close_upload(&upload, digest, err) < 0) {
        return -1;
    }
    if (upload.progress) {
        upload.progress(upload.context, upload.size);
    }
    return 0;
}

// --- blobs that may be there ---

int registry_has_blob(struct registry *registry, const struct image_ref *ref, const struct digest *digest, uint64_t *ret_size,
                      struct err *err) {
    AUTO_EXCHANGE struct exchange exchange = {0};
    char text[DIGEST_TEXT_SIZE];
    int64_t size;
    digest_format(digest, text);
    struct exchange_request request = plain_request("HEAD", arena_format(&exchange.arena, "%s: blob %s", ref->name, text));
    request.path = arena_format(&exchange.arena, "/blobs/%s", text);
    exchange_start(&exchange, registry, ref, &request);
    if (exchange_wait(&exchange, NULL, NULL, err) < 0) {
        return -1;
    }
    const struct fetch_answer *answer = exchange_answer(&exchange);
    if (answer->status == 404) {
        return 0;
    }
    if (answer->status != 200) {
        return exchange_refused(&exchange, err);
    }
    const char *length = fetch_header(answer, "content-length");
    *ret_size = length && quantity_int(length, &size) == 0 && size >= 0 ? (uint64_t)size : 0;
    return 1;
}

int registry_mount_blob(struct registry *registry, const struct image_ref *ref, const struct digest *digest,
                        const char *from_repository, struct err *err) {
    AUTO_EXCHANGE struct exchange exchange = {0};
    char text[DIGEST_TEXT_SIZE];
    digest_format(digest, text);
    struct exchange_request request = plain_request("POST", arena_format(&exchange.arena, "%s: blob %s", ref->name, text));
    const char *path = url_with_parameter(&exchange.arena, "/blobs/uploads/", "mount", text);
    request.path = url_with_parameter(&exchange.arena, path, "from", from_repository);
    request.more_scope = arena_format(&exchange.arena, "repository:%s:pull", from_repository);
    exchange_start(&exchange, registry, ref, &request);
    if (exchange_wait(&exchange, NULL, NULL, err) < 0) {
        return -1;
    }
    int status = exchange_answer(&exchange)->status;
    if (status == 201) {
        return 1;
    }
    if (status == 202) { // not granted, and an upload opened instead
        const char *url;
        if (take_location(&exchange, &exchange.arena, &url, err) < 0) {
            return -1;
        }
        forget_left_upload(registry);
        registry->upload_name = mem_copy_string(ref->name);
        registry->upload_url = mem_copy_string(url);
        return 0;
    }
    return status >= 400 && status < 500 && status != 429 ? 0 : exchange_refused(&exchange, err);
}

// --- manifests ---

int registry_put_manifest(struct registry *registry, const struct image_ref *ref, const char *media_type, const void *text,
                          size_t size, struct digest *ret_digest, struct err *err) {
    AUTO_EXCHANGE struct exchange exchange = {0};
    char ours_text[DIGEST_TEXT_SIZE], said_text[DIGEST_TEXT_SIZE];
    struct digest ours, wanted, said;
    enum digest_algorithm algorithm = DIGEST_SHA256;
    if (ref->digest) {
        if (digest_parse(ref->digest, &wanted, err) < 0) {
            return -1;
        }
        algorithm = wanted.algorithm;
    }
    digest_of(algorithm, text, size, &ours);
    digest_format(&ours, ours_text);
    if (ref->digest && !digest_equal(&ours, &wanted)) {
        return err_set(err, ERR_CORRUPT, "%s: the manifest to push is %s, not %s", ref->name, ours_text, ref->digest);
    }
    const char *place = ref->tag ? ref->tag : ours_text;
    struct exchange_request request =
        plain_request("PUT", arena_format(&exchange.arena, "%s%s%s", ref->name, ref->tag ? ":" : "@", place));
    request.path = arena_format(&exchange.arena, "/manifests/%s", place);
    request.headers[0] = arena_format(&exchange.arena, "Content-Type: %s", media_type);
    request.body = text;
    request.body_size = size;
    exchange_start(&exchange, registry, ref, &request);
    if (exchange_wait(&exchange, NULL, NULL, err) < 0) {
        return -1;
    }
    if (exchange_answer(&exchange)->status / 100 != 2) {
        return exchange_refused(&exchange, err);
    }
    const char *header = fetch_header(exchange_answer(&exchange), "docker-content-digest");
    if (header && digest_parse(header, &said, err) < 0) {
        return err_in(err, "%s: %s says of the manifest", request.what, exchange.url.authority);
    }
    if (header && said.algorithm == ours.algorithm && !digest_equal(&said, &ours)) {
        return err_set(err, ERR_CORRUPT, "%s: the manifest pushed is %s, but the registry says %s", request.what, ours_text,
                       digest_format(&said, said_text));
    }
    *ret_digest = ours;
    return 0;
}

int registry_delete_manifest(struct registry *registry, const struct image_ref *ref, struct err *err) {
    AUTO_EXCHANGE struct exchange exchange = {0};
    const char *place = ref->digest ? ref->digest : ref->tag;
    struct exchange_request request =
        plain_request("DELETE", arena_format(&exchange.arena, "%s%s%s", ref->name, ref->digest ? "@" : ":", place));
    request.path = arena_format(&exchange.arena, "/manifests/%s", place);
    request.actions = "delete";
    exchange_start(&exchange, registry, ref, &request);
    if (exchange_wait(&exchange, NULL, NULL, err) < 0) {
        return -1;
    }
    int status = exchange_answer(&exchange)->status;
    if (status == 405) {
        return err_set(err, ERR_UNSUPPORTED, "%s: the registry does not let %s be deleted", request.what,
                       ref->digest ? "manifests" : "tags");
    }
    return status / 100 == 2 ? 0 : exchange_refused(&exchange, err);
}

// Blobs and manifests into a registry (distribution-spec, "Push"): a session is opened by POST, filled by PATCH in pieces, and
// closed by PUT with the digest. The place to go on at comes with each answer. When a piece fails, the registry is asked how much
// it has. An upload is a state machine over exchanges, driven by registry_step(), so that many go on side by side.
#include "images/registry_state.h"

#include "runtime/base/clock.h"
#include "runtime/base/mem.h"
#include "runtime/base/quantity.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { CHUNK_BYTES = 16 << 20, MAX_CHUNK_BYTES = 1 << 30, FIRST_WAIT_MS = 500, TICK_MS = 200 };

enum phase { UPLOAD_OPENS, UPLOAD_FILLS, UPLOAD_WAITS, UPLOAD_ASKS, UPLOAD_CLOSES, UPLOAD_LOOKS, UPLOAD_DONE, UPLOAD_FAILED };

struct registry_upload {
    struct registry *registry;
    struct registry_upload *next; // of those under way
    const struct image_ref *ref;
    struct digest digest;
    struct registry_content content;
    const char *what;
    enum phase phase;
    struct exchange exchange; // of all phases but UPLOAD_WAITS and the last two
    uint64_t done;            // bytes the registry has
    uint64_t before;          // the same, when the piece under way was sent
    uint64_t most;            // the most it ever had: one that keeps losing all makes no progress
    uint64_t length;          // of that piece
    uint64_t chunk;           // bytes of a piece, at most
    const char *url;          // where it goes on
    unsigned failures;        // without progress in between
    int64_t due_ms;           // of UPLOAD_WAITS
    uint64_t told;            // to progress; it never goes back
    struct err err;           // of UPLOAD_FAILED, or what it may come to
    struct arena arena;
};

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

static void fail(struct registry_upload *upload) {
    exchange_finish(&upload->exchange);
    upload->phase = UPLOAD_FAILED;
}

// The next request. It may have ended already, by not even beginning.
static void send(struct registry_upload *upload, enum phase phase, const struct exchange_request *request) {
    upload->phase = phase;
    exchange_start(&upload->exchange, upload->registry, upload->ref, request);
}

// --- opening ---

static void forget_left_upload(struct registry *registry) {
    free(registry->upload_name);
    free(registry->upload_url);
    registry->upload_name = registry->upload_url = NULL;
}

static void begin_close(struct registry_upload *upload);
static void begin_piece(struct registry_upload *upload);

static void go_on(struct registry_upload *upload) {
    if (upload->done < upload->content.size) {
        begin_piece(upload);
    } else {
        begin_close(upload);
    }
}

// One that a mount has opened, or a new one.
static void begin_open(struct registry_upload *upload) {
    struct registry *registry = upload->registry;
    struct exchange_request request = plain_request("POST", upload->what);
    exchange_finish(&upload->exchange);
    upload->done = 0;
    if (registry->upload_name && strcmp(registry->upload_name, upload->ref->name) == 0) {
        upload->url = arena_copy_string(&upload->arena, registry->upload_url);
        forget_left_upload(registry);
        go_on(upload);
        return;
    }
    request.path = "/blobs/uploads/";
    send(upload, UPLOAD_OPENS, &request);
}

static void take_open(struct registry_upload *upload) {
    const struct exchange *exchange = &upload->exchange;
    int64_t least;
    if (exchange->phase == EXCHANGE_FAILED) {
        upload->err = exchange->err;
        fail(upload);
        return;
    }
    const struct fetch_answer *answer = exchange_answer(exchange);
    if (answer->status != 202) {
        exchange_refused(exchange, &upload->err);
        fail(upload);
        return;
    }
    const char *wish = fetch_header(answer, "oci-chunk-min-length");
    if (wish && quantity_int(wish, &least) == 0 && least > CHUNK_BYTES && least <= MAX_CHUNK_BYTES) {
        upload->chunk = (uint64_t)least;
    }
    if (take_location(exchange, &upload->arena, &upload->url, &upload->err) < 0) {
        fail(upload);
        return;
    }
    go_on(upload);
}

// --- filling ---

static void tell(struct registry_upload *upload, uint64_t all) {
    if (upload->content.progress && all > upload->told && all <= upload->content.size) {
        upload->told = all;
        upload->content.progress(upload->content.context, all);
    }
}

static void begin_piece(struct registry_upload *upload) {
    struct exchange_request request = plain_request("PATCH", upload->what);
    const uint64_t left = upload->content.size - upload->done;
    exchange_finish(&upload->exchange);
    upload->before = upload->done;
    upload->length = left < upload->chunk ? left : upload->chunk;
    request.url = upload->url;
    request.body_fd = upload->content.fd;
    request.body_offset = upload->content.offset + upload->done;
    request.body_length = upload->length;
    request.once = true;
    request.headers[0] = "Content-Type: application/octet-stream";
    // What goes in one piece is sent as docker does it: some registries know no other way.
    if (upload->length < upload->content.size) {
        request.headers[1] = arena_format(&upload->exchange.arena, "Content-Range: %llu-%llu", (unsigned long long)upload->before,
                                          (unsigned long long)(upload->before + upload->length - 1));
    }
    send(upload, UPLOAD_FILLS, &request);
}

// 1: it is there; 0: it failed in a way that asking helps, with err; -1.
static int piece_result(struct registry_upload *upload, struct err *err) {
    const struct exchange *exchange = &upload->exchange;
    if (exchange->phase == EXCHANGE_FAILED) {
        *err = exchange->err;
        return exchange->transient ? 0 : -1;
    }
    const struct fetch_answer *answer = exchange_answer(exchange);
    if (answer->status == 202 || answer->status == 204) {
        uint64_t all = upload->before + upload->length, done = range_end(answer, all);
        upload->done = done >= upload->before && done <= all ? done : all;
        return take_location(exchange, &upload->arena, &upload->url, err) < 0 ? -1 : 1;
    }
    exchange_refused(exchange, err);
    bool may_pass = answer->status == 416 || answer->status == 429 || answer->status >= 500 || answer->status == 404;
    return may_pass ? 0 : -1;
}

static void note_progress(struct registry_upload *upload) {
    if (upload->done > upload->most) {
        upload->most = upload->done;
        upload->failures = 0;
    }
}

static void take_piece(struct registry_upload *upload) {
    int sent = piece_result(upload, &upload->err);
    if (sent < 0) {
        fail(upload);
        return;
    }
    if (sent > 0 && upload->done > upload->before) {
        note_progress(upload);
        go_on(upload);
        return;
    }
    if (sent > 0) {
        err_set(&upload->err, ERR_STATE, "%s: the registry takes pieces of the upload, but keeps none of them", upload->what);
    }
    if (++upload->failures >= REGISTRY_MAX_TRIES) {
        fail(upload);
        return;
    }
    exchange_finish(&upload->exchange);
    registry_notice(upload->registry, "%s", upload->err.text);
    upload->due_ms = clock_now_ms() + ((int64_t)FIRST_WAIT_MS << (upload->failures - 1));
    upload->phase = UPLOAD_WAITS;
}

static void begin_ask(struct registry_upload *upload) {
    struct exchange_request request = plain_request("GET", upload->what);
    request.url = upload->url;
    send(upload, UPLOAD_ASKS, &request);
}

// Whether the registry knows the upload still, and how much of it it has.
static bool take_status(struct registry_upload *upload) {
    const struct exchange *exchange = &upload->exchange;
    struct err ignored;
    const struct fetch_answer *answer = exchange->phase == EXCHANGE_DONE ? exchange_answer(exchange) : NULL;
    if (!answer || (answer->status != 204 && answer->status != 202 && answer->status != 200)) {
        return false;
    }
    uint64_t done = range_end(answer, 0);
    if (done > upload->content.size) {
        return false; // not ours
    }
    upload->done = done;
    return !fetch_header(answer, "location") || take_location(exchange, &upload->arena, &upload->url, &ignored) == 0;
}

// One that is lost is begun anew.
static void take_asked(struct registry_upload *upload) {
    if (!take_status(upload)) {
        begin_open(upload);
        return;
    }
    note_progress(upload);
    go_on(upload);
}

// --- closing ---

static void begin_close(struct registry_upload *upload) {
    struct exchange_request request = plain_request("PUT", upload->what);
    char text[DIGEST_TEXT_SIZE];
    struct url url;
    exchange_finish(&upload->exchange);
    struct arena *arena = &upload->exchange.arena;
    if (url_parse(arena, upload->url, &url, &upload->err) < 0 ||
        url_resolve(arena, &url, url_with_parameter(arena, url.path, "digest", digest_format(&upload->digest, text)), &url,
                    &upload->err) < 0) {
        fail(upload);
        return;
    }
    request.url = url.text;
    request.once = true;
    request.headers[0] = "Content-Type: application/octet-stream";
    send(upload, UPLOAD_CLOSES, &request);
}

static void begin_look(struct registry_upload *upload) {
    struct exchange_request request = plain_request("HEAD", upload->what);
    char text[DIGEST_TEXT_SIZE];
    exchange_finish(&upload->exchange);
    request.path = arena_format(&upload->exchange.arena, "/blobs/%s", digest_format(&upload->digest, text));
    send(upload, UPLOAD_LOOKS, &request);
}

static void end_well(struct registry_upload *upload) {
    exchange_finish(&upload->exchange);
    upload->phase = UPLOAD_DONE;
    if (upload->content.progress) {
        upload->content.progress(upload->content.context, upload->content.size);
    }
}

static void take_close(struct registry_upload *upload) {
    const struct exchange *exchange = &upload->exchange;
    bool failed = exchange->phase == EXCHANGE_FAILED;
    if (!failed && exchange_answer(exchange)->status / 100 == 2) {
        end_well(upload);
        return;
    }
    if (failed) {
        upload->err = exchange->err;
    } else {
        exchange_refused(exchange, &upload->err);
    }
    // The answer may have been lost, not the blob.
    bool may_be_there = failed ? exchange->transient : exchange_answer(exchange)->status >= 404;
    if (may_be_there) {
        begin_look(upload);
    } else {
        fail(upload);
    }
}

// Its size as Content-Length says it; 0 where it does not.
static uint64_t size_said(const struct fetch_answer *answer) {
    const char *length = fetch_header(answer, "content-length");
    int64_t size;
    return length && quantity_int(length, &size) == 0 && size >= 0 ? (uint64_t)size : 0;
}

static void take_look(struct registry_upload *upload) {
    const struct exchange *exchange = &upload->exchange;
    const struct fetch_answer *answer = exchange->phase == EXCHANGE_DONE ? exchange_answer(exchange) : NULL;
    if (answer && answer->status == 200 && size_said(answer) == upload->content.size) {
        end_well(upload);
    } else {
        fail(upload);
    }
}

// --- its life ---

void upload_step(struct registry_upload *upload) {
    static void (*const takes[])(struct registry_upload * upload) = {
        [UPLOAD_OPENS] = take_open,   [UPLOAD_FILLS] = take_piece, [UPLOAD_ASKS] = take_asked,
        [UPLOAD_CLOSES] = take_close, [UPLOAD_LOOKS] = take_look,
    };
    if (upload->phase == UPLOAD_WAITS && clock_now_ms() >= upload->due_ms) {
        begin_ask(upload);
    }
    while (upload->phase < UPLOAD_DONE && takes[upload->phase] && exchange_ended(&upload->exchange)) {
        takes[upload->phase](upload);
    }
    if (upload->phase == UPLOAD_FILLS && upload->exchange.phase == EXCHANGE_RUNS) {
        tell(upload, upload->before + fetch_sent(upload->exchange.fetch));
    }
}

int64_t upload_due_ms(const struct registry_upload *upload) {
    return upload->phase == UPLOAD_WAITS ? upload->due_ms : INT64_MAX;
}

struct registry_upload *upload_next(const struct registry_upload *upload) {
    return upload->next;
}

struct registry_upload *registry_upload_start(struct registry *registry, const struct image_ref *ref, const struct digest *digest,
                                              const struct registry_content *content) {
    struct registry_upload *upload = mem_alloc(sizeof(*upload));
    char text[DIGEST_TEXT_SIZE];
    *upload = (struct registry_upload){
        .registry = registry,
        .next = registry->uploads,
        .ref = ref,
        .digest = *digest,
        .content = *content,
        .chunk = CHUNK_BYTES,
    };
    upload->what = arena_format(&upload->arena, "%s: blob %s", ref->name, digest_format(digest, text));
    registry->uploads = upload;
    begin_open(upload);
    upload_step(upload);
    return upload;
}

void registry_upload_end(struct registry_upload *upload) {
    if (!upload) {
        return;
    }
    struct registry_upload **at = &upload->registry->uploads;
    while (*at != upload) {
        at = &(*at)->next;
    }
    *at = upload->next;
    exchange_finish(&upload->exchange);
    arena_finish(&upload->arena);
    free(upload);
}

bool registry_upload_ended(const struct registry_upload *upload) {
    return upload->phase >= UPLOAD_DONE;
}

int registry_upload_result(const struct registry_upload *upload, struct err *err) {
    if (upload->phase == UPLOAD_FAILED) {
        *err = upload->err;
        return -1;
    }
    return 0;
}

int registry_put_blob(struct registry *registry, const struct image_ref *ref, const struct digest *digest,
                      const struct registry_content *content, struct err *err) {
    struct registry_upload *upload = registry_upload_start(registry, ref, digest, content);
    int result = 0;
    while (result == 0 && !registry_upload_ended(upload)) {
        result = registry_wait_beside(registry, NULL, -1, TICK_MS, err);
    }
    if (result == 0) {
        result = registry_upload_result(upload, err);
    }
    registry_upload_end(upload);
    return result;
}

// --- blobs that may be there ---

int registry_has_blob(struct registry *registry, const struct image_ref *ref, const struct digest *digest, uint64_t *ret_size,
                      struct err *err) {
    AUTO_EXCHANGE struct exchange exchange = {0};
    char text[DIGEST_TEXT_SIZE];
    digest_format(digest, text);
    struct exchange_request request = plain_request("HEAD", arena_format(&exchange.arena, "%s: blob %s", ref->name, text));
    request.path = arena_format(&exchange.arena, "/blobs/%s", text);
    exchange_start(&exchange, registry, ref, &request);
    if (exchange_wait(&exchange, err) < 0) {
        return -1;
    }
    const struct fetch_answer *answer = exchange_answer(&exchange);
    if (answer->status == 404) {
        return 0;
    }
    if (answer->status != 200) {
        return exchange_refused(&exchange, err);
    }
    *ret_size = size_said(answer);
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
    if (exchange_wait(&exchange, err) < 0) {
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
    if (exchange_wait(&exchange, err) < 0) {
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
    if (exchange_wait(&exchange, err) < 0) {
        return -1;
    }
    int status = exchange_answer(&exchange)->status;
    if (status == 405) {
        return err_set(err, ERR_UNSUPPORTED, "%s: the registry does not let %s be deleted", request.what,
                       ref->digest ? "manifests" : "tags");
    }
    return status / 100 == 2 ? 0 : exchange_refused(&exchange, err);
}

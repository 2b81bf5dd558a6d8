#include "images/registry.h"

#include "images/registry_state.h"
#include "runtime/base/clock.h"
#include "runtime/base/mem.h"
#include "runtime/base/quote.h"
#include "specs/image_manifest_write.h"
#include "specs/json.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

// --- the session ---

int registry_open(const struct registry_options *options, struct registry **ret, struct err *err) {
    struct registry *registry = mem_alloc(sizeof(*registry));
    *registry = (struct registry){.options = *options};
    if (!options->late && fetcher_create(options->environment, &registry->fetcher, err) < 0) {
        free(registry);
        return -1;
    }
    *ret = registry;
    return 0;
}

int registry_fetch(struct registry *registry, const struct fetch_request *request, struct fetch **ret, struct err *err) {
    if (!registry->fetcher && fetcher_create(registry->options.environment, &registry->fetcher, err) < 0) {
        return -1;
    }
    return fetch_start(registry->fetcher, request, ret, err);
}

void registry_close(struct registry *registry) {
    if (!registry) {
        return;
    }
    registry_tokens_finish(registry);
    fetcher_destroy(registry->fetcher);
    arena_finish(&registry->arena);
    free(registry->upload_name);
    free(registry->upload_url);
    free(registry);
}

void registry_cleanup(struct registry **registry) {
    registry_close(*registry);
    *registry = NULL;
}

int registry_fd(const struct registry *registry) {
    return registry->fetcher ? fetcher_fd(registry->fetcher) : -1; // poll(2) passes over that
}

int registry_timeout_ms(const struct registry *registry) {
    int64_t timeout = -1;
    for (const struct exchange *exchange = registry->exchanges; exchange; exchange = exchange->next) {
        if (exchange->phase == EXCHANGE_WAITS) {
            int64_t left = exchange->due_ms - clock_now_ms();
            left = left < 0 ? 0 : left;
            timeout = timeout < 0 || left < timeout ? left : timeout;
        }
    }
    for (const struct registry_upload *upload = registry->uploads; upload; upload = upload_next(upload)) {
        int64_t due_ms = upload_due_ms(upload);
        int64_t left = due_ms == INT64_MAX ? INT64_MAX : due_ms - clock_now_ms();
        if (left < INT64_MAX && (timeout < 0 || left < timeout)) {
            timeout = left < 0 ? 0 : left;
        }
    }
    return timeout > INT_MAX ? INT_MAX : (int)timeout;
}

int registry_step(struct registry *registry, struct err *err) {
    if (registry->fetcher && fetcher_step(registry->fetcher, err) < 0) {
        for (struct exchange *exchange = registry->exchanges; exchange; exchange = exchange->next) {
            if (!exchange_ended(exchange)) {
                exchange_fail(exchange, err);
            }
        }
        return -1;
    }
    for (struct exchange *exchange = registry->exchanges; exchange; exchange = exchange->next) {
        exchange_step(exchange);
    }
    for (struct registry_upload *upload = registry->uploads; upload; upload = upload_next(upload)) {
        upload_step(upload);
    }
    return 0;
}

static int earlier(int a_ms, int b_ms) { // -1: never
    return a_ms < 0 || (b_ms >= 0 && b_ms < a_ms) ? b_ms : a_ms;
}

int registry_wait_beside(struct registry *registry, struct registry *beside, int fd, int most_ms, struct err *err) {
    struct registry *const both[] = {registry, beside};
    struct pollfd polls[ARRAY_LEN(both) + 1] = {{.fd = fd, .events = POLLIN}};
    int timeout_ms = most_ms;
    for (size_t i = 0; i < ARRAY_LEN(both); i++) {
        polls[i + 1] = (struct pollfd){.fd = both[i] ? registry_fd(both[i]) : -1, .events = POLLIN};
        timeout_ms = both[i] ? earlier(timeout_ms, registry_timeout_ms(both[i])) : timeout_ms;
    }
    if (poll(polls, ARRAY_LEN(polls), timeout_ms) < 0 && errno != EINTR) {
        return err_sys(err, "wait for the registry");
    }
    for (size_t i = 0; i < ARRAY_LEN(both); i++) {
        if (both[i] && registry_step(both[i], err) < 0) {
            return -1;
        }
    }
    return 0;
}

// The host's own beside them: a folder of certs.d adds, as with the system's.
static void take_authorities(struct registry *registry, struct fetch_tls *tls) {
    const char *all = registry->options.authorities;
    if (all) {
        tls->ca_pem = tls->ca_pem ? arena_format(&registry->arena, "%s\n%s", all, tls->ca_pem) : all;
        tls->ca_alone = true;
    }
}

int registry_host_of(struct registry *registry, const struct registry_endpoint *endpoint, struct registry_host **ret,
                     struct err *err) {
    for (struct registry_host *host = registry->hosts; host; host = host->next) {
        if (strcmp(host->name, endpoint->host) == 0) {
            *ret = host;
            return 0;
        }
    }
    struct registry_host *host = arena_alloc(&registry->arena, sizeof(*host));
    host->name = arena_copy_string(&registry->arena, endpoint->host);
    if (registries_certificates(registry->options.registries, host->name, &registry->arena, &host->tls, err) < 0) {
        return -1;
    }
    host->insecure = registry->options.insecure || endpoint->insecure;
    host->tls.insecure = host->insecure;
    // On this host http comes first: a library for TLS reads its certificates for longer than such a registry takes to answer.
    // Whoever has given it a certificate wants it verified.
    bool has_certificates = host->tls.ca_pem || host->tls.cert_pem;
    host->plain = url_host_is_loopback(host->name) && !has_certificates;
    host->may_be_plain = host->insecure || host->plain;
    take_authorities(registry, &host->tls);
    host->next = registry->hosts;
    registry->hosts = host;
    *ret = host;
    return 0;
}

// --- manifests ---

static const char accept[] = "Accept: " IMAGE_OCI_INDEX ", " IMAGE_OCI_MANIFEST ", " IMAGE_DOCKER_LIST ", " IMAGE_DOCKER_MANIFEST;

// The type without parameters. What is said of any JSON says nothing.
static const char *media_type_of(const struct fetch_answer *answer, struct arena *arena) {
    static const char *const vague[] = {"", "application/json", "application/octet-stream", "binary/octet-stream", "text/plain"};
    const char *text = fetch_header(answer, "content-type");
    if (!text) {
        return NULL;
    }
    char *type = arena_copy(arena, text, strcspn(text, "; \t"));
    for (size_t i = 0; i < ARRAY_LEN(vague); i++) {
        if (strcasecmp(type, vague[i]) == 0) {
            return NULL;
        }
    }
    return type;
}

struct schema {
    struct opt_i64 version;
};

static const struct json_row schema_rows[] = {
    ROW_OPT_I64("schemaVersion", struct schema, version, 0),
};
static const struct json_table schema_table = JSON_TABLE(struct schema, schema_rows);

// Docker's first manifests name layers by digests that nobody signs together, and come in place of what was asked for from old
// registries.
static int refuse_schema_1(const char *what, const struct registry_manifest *manifest, struct arena *arena, struct err *err) {
    struct schema schema = {0};
    struct err ignored = {0};
    struct json_document document = {.name = what, .text = manifest->text, .size = manifest->size};
    bool first = manifest->media_type && strstr(manifest->media_type, "docker.distribution.manifest.v1+");
    if (!first && manifest->text && json_decode(&document, &schema_table, arena, &schema, &ignored) == 0) {
        first = schema.version.set && schema.version.value == 1;
    }
    if (!first) {
        return 0;
    }
    return err_set(err, ERR_UNSUPPORTED,
                   "%s: the registry has a manifest of docker's schema 1, whose content no digest vouches for; push the image anew "
                   "with a tool of today",
                   what);
}

static int check_type(const struct exchange *exchange, const struct registry_manifest *manifest, struct err *err) {
    char quoted[QUOTE_SIZE];
    if (manifest->media_type && strncasecmp(manifest->media_type, "text/", 5) == 0) {
        return err_set(err, ERR_INPUT, "%s: %s answers with %s where a manifest was asked for; is it a registry?",
                       exchange->request.what, exchange->url.authority, quote_text(manifest->media_type, quoted));
    }
    return 0;
}

// What the server says the digest is; DIGEST_NONE: nothing.
static int digest_said(const struct exchange *exchange, struct digest *ret, struct err *err) {
    const char *said = fetch_header(exchange_answer(exchange), "docker-content-digest");
    *ret = (struct digest){0};
    if (said && digest_parse(said, ret, err) < 0) {
        return err_in(err, "%s: %s says of the manifest", exchange->request.what, exchange->url.authority);
    }
    return 0;
}

static int check_digest(const char *what, const char *who, const struct digest *expected, const struct registry_manifest *manifest,
                        struct err *err) {
    char expected_text[DIGEST_TEXT_SIZE], found_text[DIGEST_TEXT_SIZE];
    struct digest found = manifest->digest;
    if (expected->algorithm == DIGEST_NONE) {
        return 0;
    }
    if (manifest->text) {
        digest_of(expected->algorithm, manifest->text, manifest->size, &found);
    }
    if (found.algorithm == DIGEST_NONE || digest_equal(&found, expected)) {
        return 0;
    }
    return err_set(err, ERR_CORRUPT, "%s: the manifest is %s, but %s %s", what, digest_format(&found, found_text), who,
                   digest_format(expected, expected_text));
}

static int take_manifest(const struct exchange *exchange, bool head, struct arena *arena, struct registry_manifest *ret,
                         struct err *err) {
    const struct fetch_answer *answer = exchange_answer(exchange);
    struct registry_manifest manifest = {.media_type = media_type_of(answer, arena)};
    struct digest said, wanted = {0};
    const char *what = exchange->request.what;
    if (!head) {
        manifest.text = arena_copy(arena, answer->body, answer->body_size);
        manifest.size = answer->body_size;
    }
    if (exchange->ref.digest && digest_parse(exchange->ref.digest, &wanted, err) < 0) {
        return -1;
    }
    if (check_type(exchange, &manifest, err) < 0 || refuse_schema_1(what, &manifest, arena, err) < 0 ||
        digest_said(exchange, &said, err) < 0) {
        return -1;
    }
    if (head) {
        manifest.digest = said;
    } else {
        enum digest_algorithm algorithm = wanted.algorithm != DIGEST_NONE ? wanted.algorithm : DIGEST_SHA256;
        digest_of(algorithm, manifest.text, manifest.size, &manifest.digest);
    }
    if (check_digest(what, "asked for was", &wanted, &manifest, err) < 0 ||
        check_digest(what, "the registry says", &said, &manifest, err) < 0) {
        return -1;
    }
    *ret = manifest;
    return 0;
}

int registry_get_manifest(struct registry *registry, const struct image_ref *ref, bool head, struct arena *arena,
                          struct registry_manifest *ret, struct err *err) {
    AUTO_EXCHANGE struct exchange exchange = {0};
    const struct exchange_request request = {
        .method = head ? "HEAD" : "GET",
        .path = arena_format(&exchange.arena, "/manifests/%s", ref->digest ? ref->digest : ref->tag),
        .actions = "pull",
        .what = image_ref_full(&exchange.arena, ref),
        .headers = {accept},
        .body_fd = -1,
        .out_fd = -1,
        .max_bytes = JSON_MAX_BYTES,
        .mirrors = true,
    };
    exchange_start(&exchange, registry, ref, &request);
    if (exchange_wait(&exchange, err) < 0) {
        return -1;
    }
    if (exchange_answer(&exchange)->status != 200) {
        return exchange_refused(&exchange, err);
    }
    return take_manifest(&exchange, head, arena, ret, err);
}

int registry_has_manifest(struct registry *registry, const struct image_ref *ref, struct err *err) {
    AUTO_EXCHANGE struct exchange exchange = {0};
    const struct exchange_request request = {
        .method = "HEAD",
        .path = arena_format(&exchange.arena, "/manifests/%s", ref->digest ? ref->digest : ref->tag),
        .actions = "pull,push",
        .what = image_ref_full(&exchange.arena, ref),
        .headers = {accept},
        .body_fd = -1,
        .out_fd = -1,
    };
    exchange_start(&exchange, registry, ref, &request);
    if (exchange_wait(&exchange, err) < 0) {
        return -1;
    }
    int status = exchange_answer(&exchange)->status;
    return status == 200 ? 1 : status == 404 ? 0 : exchange_refused(&exchange, err);
}

int registry_get_blob(struct registry *registry, const struct image_ref *ref, const struct digest *digest, uint64_t size,
                      struct arena *arena, const char **ret_text, struct err *err) {
    AUTO_EXCHANGE struct exchange exchange = {0};
    char text[DIGEST_TEXT_SIZE], found_text[DIGEST_TEXT_SIZE];
    struct digest found;
    digest_format(digest, text);
    const struct exchange_request request = {
        .method = "GET",
        .path = arena_format(&exchange.arena, "/blobs/%s", text),
        .actions = "pull",
        .what = arena_format(&exchange.arena, "%s: blob %s", ref->name, text),
        .body_fd = -1,
        .out_fd = -1,
        .max_bytes = size > 0 ? size : 1,
        .mirrors = true,
    };
    if (size > FETCH_MAX_BODY) {
        return err_set(err, ERR_INPUT, "%s: is %llu bytes long; at most %d are read into memory", request.what,
                       (unsigned long long)size, FETCH_MAX_BODY);
    }
    exchange_start(&exchange, registry, ref, &request);
    if (exchange_wait(&exchange, err) < 0) {
        return -1;
    }
    const struct fetch_answer *answer = exchange_answer(&exchange);
    if (answer->status != 200) {
        return exchange_refused(&exchange, err);
    }
    if (answer->body_size != size) {
        return err_set(err, ERR_CORRUPT, "%s: has %zu bytes, expected %llu", request.what, answer->body_size,
                       (unsigned long long)size);
    }
    digest_of(digest->algorithm, answer->body, answer->body_size, &found);
    if (!digest_equal(&found, digest)) {
        return err_set(err, ERR_CORRUPT, "%s: what came is %s", request.what, digest_format(&found, found_text));
    }
    *ret_text = arena_copy(arena, answer->body, answer->body_size);
    return 0;
}

int registry_ping(struct registry *registry, const char *host, struct err *err) {
    AUTO_EXCHANGE struct exchange exchange = {0};
    const struct image_ref ref = {.registry = host, .repository = "", .name = host};
    const struct exchange_request request = {
        .method = "GET",
        .path = "/v2/",
        .what = host,
        .body_fd = -1,
        .out_fd = -1,
        .bare = true,
    };
    exchange_start(&exchange, registry, &ref, &request);
    if (exchange_wait(&exchange, err) < 0) {
        return -1;
    }
    int status = exchange_answer(&exchange)->status;
    return status == 200 ? 0 : exchange_refused(&exchange, err);
}

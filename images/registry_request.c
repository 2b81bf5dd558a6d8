// Exchanges: see registry_state.h.
#include "images/registry_state.h"

#include "runtime/base/buf.h"
#include "runtime/base/clock.h"
#include "runtime/base/log.h"
#include "runtime/base/quantity.h"
#include "runtime/base/quote.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { FIRST_WAIT_MS = 500, MAX_RESUMPTIONS = 64 };

void registry_notice(const struct registry *registry, const char *format, ...) {
    char text[ERR_TEXT_SIZE];
    va_list args;
    if (!registry->options.notice) {
        return;
    }
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    registry->options.notice(registry->options.context, text);
}

void exchange_fail(struct exchange *exchange, const struct err *err) {
    exchange->err = *err;
    exchange->phase = EXCHANGE_FAILED;
}

static const char *host_of(const struct exchange *exchange) {
    return exchange->host->name;
}

// What the endpoint's token must allow, in docker's words: "repository:library/alpine:pull".
static void set_scope(struct exchange *exchange) {
    const struct exchange_request *request = &exchange->request;
    if (!request->actions) {
        exchange->scope = "";
    } else if (request->bare) {
        exchange->scope = request->actions;
    } else {
        exchange->scope =
            arena_format(&exchange->arena, "repository:%s:%s%s%s", exchange->endpoints[exchange->endpoint].repository,
                         request->actions, request->more_scope ? " " : "", request->more_scope ? request->more_scope : "");
    }
}

// The address of the request at the endpoint, before any redirect.
static int set_url(struct exchange *exchange, struct err *err) {
    const struct exchange_request *request = &exchange->request;
    const char *scheme = exchange->host->plain ? "http" : "https";
    const char *text = request->bare
                           ? arena_format(&exchange->arena, "%s://%s%s", scheme, host_of(exchange), request->path)
                           : arena_format(&exchange->arena, "%s://%s/v2/%s%s", scheme, host_of(exchange),
                                          exchange->endpoints[exchange->endpoint].repository, request->path ? request->path : "/");
    if (url_parse(&exchange->arena, text, &exchange->origin, err) < 0) {
        return -1;
    }
    exchange->url = exchange->origin;
    if (request->url && url_parse(&exchange->arena, request->url, &exchange->url, err) < 0) {
        return -1;
    }
    exchange->own = url_same_origin(&exchange->url, &exchange->origin);
    exchange->redirects = 0;
    return 0;
}

// From its endpoint's address on.
static void begin(struct exchange *exchange) {
    struct err err = {0};
    if (registry_host_of(exchange->registry, &exchange->endpoints[exchange->endpoint], &exchange->host, &err) < 0) {
        exchange_fail(exchange, &err);
        return;
    }
    uint64_t end = exchange->request.until ? exchange->request.until : exchange->request.size;
    if (exchange->received > 0 && exchange->received == end) {
        exchange->phase = EXCHANGE_DONE; // only its end was cut off
        return;
    }
    set_scope(exchange);
    if (set_url(exchange, &err) < 0) {
        err_in(&err, "%s", exchange->request.what);
        exchange_fail(exchange, &err);
        return;
    }
    exchange_send(exchange);
}

void exchange_send(struct exchange *exchange) {
    const struct exchange_request *request = &exchange->request;
    const char *headers[REGISTRY_MAX_HEADERS];
    size_t count = 0;
    struct fetch_tls tls = exchange->host->tls;
    for (size_t i = 0; i < ARRAY_LEN(request->headers) && request->headers[i]; i++) {
        headers[count++] = request->headers[i];
    }
    const struct registry_token *token = exchange->own ? registry_token_of(exchange->registry, exchange) : NULL;
    exchange->authorized = token;
    exchange->basic = token && token->is_basic;
    if (token) {
        headers[count++] = token->authorization;
        exchange->has_login = token->has_login;
        exchange->login_given = token->login_given;
    }
    if (!exchange->own) { // our certificate is for the registry
        tls.cert_pem = tls.key_pem = NULL;
    }
    const struct fetch_request fetch = {
        .method = request->method,
        .url = exchange->url.text,
        .headers = headers,
        .headers_count = count,
        .tls = &tls,
        .body = request->body,
        .body_size = request->body_size,
        .body_fd = request->body_fd,
        .body_offset = request->body_offset,
        .body_length = request->body_length,
        .out_fd = request->out_fd,
        .resume_at = exchange->received,
        .until = request->until,
        .max_bytes = request->max_bytes,
        .keeps = request->keeps && exchange->keep_errnum == 0,
        .keep_fd = request->keep_fd,
    };
    struct err err = {0};
    fetch_end(exchange->fetch);
    exchange->fetch = NULL;
    exchange->started_at = exchange->received;
    // Without the query: storage's URLs carry signatures there.
    log_debug("%s %.*s%s", request->method, (int)strcspn(exchange->url.text, "?"), exchange->url.text,
              token ? " (authorised)" : "");
    if (registry_fetch(exchange->registry, &fetch, &exchange->fetch, &err) < 0) {
        exchange_fail(exchange, &err);
        return;
    }
    exchange->phase = EXCHANGE_RUNS;
}

// --- again, and elsewhere ---

static bool next_endpoint(struct exchange *exchange, const char *why) {
    if (exchange->endpoint + 1 >= exchange->endpoints_count) {
        return false;
    }
    registry_notice(exchange->registry, "%s: mirror %s is passed over: %s", exchange->request.what, host_of(exchange), why);
    exchange->endpoint++;
    exchange->tries = exchange->tokens = 0;
    exchange->refusal = NULL;
    exchange->has_login = exchange->login_given = false; // they were that host's
    begin(exchange);
    return true;
}

// Waits, twice as long each time and a little more or less, so that those who were refused together do not come back together.
static bool wait_and_retry(struct exchange *exchange, int64_t at_least_ms, const char *why) {
    bool mirror_away = exchange->endpoint + 1 < exchange->endpoints_count && exchange->received == exchange->request.start;
    if (exchange->request.once || mirror_away || ++exchange->tries >= REGISTRY_MAX_TRIES) {
        return false;
    }
    int64_t now = clock_now_ms(), wait = (int64_t)FIRST_WAIT_MS << (exchange->tries - 1);
    wait += (now ^ (int64_t)(uintptr_t)exchange >> 6) % (wait / 4);
    wait = wait < at_least_ms ? at_least_ms : wait;
    registry_notice(exchange->registry, "%s: try again in %lld.%lld s: %s", exchange->request.what, (long long)wait / 1000,
                    (long long)wait % 1000 / 100, why);
    fetch_end(exchange->fetch);
    exchange->fetch = NULL;
    exchange->due_ms = now + wait;
    exchange->phase = EXCHANGE_WAITS;
    return true;
}

// What helps against a server that TLS does not come about with.
static void advise(const struct exchange *exchange, struct err *err) {
    const struct err before = *err;
    if (!exchange->own || exchange->phase == EXCHANGE_TOKEN) {
        return;
    }
    if (strstr(before.text, "certificate")) {
        err_set(err, before.kind, "%s; put its authority's certificate into /etc/containers/certs.d/%s, or give --cert-dir",
                before.text, exchange->host->name);
    } else if (strstr(before.text, "wrong version number")) {
        err_set(err, before.kind, "%s; if it speaks plain http only, give --tls-verify=false", before.text);
    }
}

// No answer came, or not all of one.
static void failed_here(struct exchange *exchange, bool transient, struct err *err) {
    exchange->transient = transient;
    if (transient && wait_and_retry(exchange, 0, err->text)) {
        return;
    }
    if (exchange->endpoint + 1 < exchange->endpoints_count) {
        exchange->host->dead = exchange->host->dead || (exchange->received == exchange->request.start && !exchange->host->known);
    }
    if (!next_endpoint(exchange, err->text)) {
        err_in(err, "%s", exchange->request.what);
        advise(exchange, err);
        exchange_fail(exchange, err);
    }
}

// A registry that may do without TLS is asked in both ways, once, until it has answered in one.
static bool try_other_way(struct exchange *exchange, const char *why) {
    struct registry_host *host = exchange->host;
    if (!host->may_be_plain || host->known || host->other_way || !exchange->own || exchange->phase == EXCHANGE_TOKEN) {
        return false;
    }
    host->plain = !host->plain;
    host->other_way = true;
    host->first_way = why ? arena_copy_string(&exchange->registry->arena, why) : NULL;
    log_debug("%s: no registry by %s; trying %s", host->name, host->plain ? "https" : "http", host->plain ? "http" : "https");
    begin(exchange);
    return true;
}

// Neither way led to a registry. What spoke no TLS said in the first what is wrong with it; what could not be reached says it
// twice.
static void say_first_way(const struct exchange *exchange, struct err *err) {
    const char *first = exchange->host->first_way;
    if (first && strstr(err->text, "wrong version number")) {
        err_set(err, err->kind, "%s", first);
    }
}

// What a server that expects TLS says to plain http: 400, and not as a registry says it.
static bool expects_tls(const struct exchange *exchange, const struct fetch_answer *answer) {
    const char *type = fetch_header(answer, "content-type");
    return exchange->host->plain && answer->status == 400 && !fetch_header(answer, "docker-distribution-api-version") &&
           !(type && strstr(type, "json"));
}

// What of the answer counts for the next request. A server that sends all in spite of Range has begun the whole body.
static void note_answer(struct exchange *exchange) {
    const struct fetch_answer *answer = fetch_answer(exchange->fetch);
    if (exchange->phase == EXCHANGE_RUNS && answer && answer->status == 200) {
        exchange->request.until = 0;
    }
    if (exchange->phase == EXCHANGE_RUNS && fetch_keep_errnum(exchange->fetch)) {
        exchange->keep_errnum = fetch_keep_errnum(exchange->fetch);
    }
}

static void take_failure(struct exchange *exchange, bool transient, struct err *err) {
    bool answered = fetch_answer(exchange->fetch);
    note_answer(exchange);
    uint64_t received = fetch_bytes(exchange->fetch);
    if (!answered && try_other_way(exchange, err->text)) {
        return;
    }
    if (!answered && exchange->host->other_way && !exchange->host->known) { // it may have been away altogether
        say_first_way(exchange, err);
        exchange->host->plain = !exchange->host->plain;
        exchange->host->other_way = false;
    }
    if (answered && exchange->phase == EXCHANGE_RUNS && exchange->request.out_fd >= 0 && received > exchange->received) {
        exchange->received = received;
        if (exchange->resumed++ < MAX_RESUMPTIONS) {
            exchange->tries = 0; // it gets on
        }
    }
    failed_here(exchange, transient, err);
}

// Seconds, or a date (RFC 9110, 10.2.3). 0: not said.
static int64_t retry_after_ms(const struct fetch_answer *answer) {
    const char *text = fetch_header(answer, "retry-after");
    struct tm parts = {0};
    int64_t seconds;
    if (!text) {
        return 0;
    }
    if (quantity_int(text, &seconds) < 0) {
        const char *end = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
        seconds = end && !*end ? timegm(&parts) - time(NULL) : 0;
    }
    return seconds <= 0 ? 0 : seconds > 1000 * 1000 ? 1000 * 1000 * 1000 : seconds * 1000;
}

static bool passes(int status) {
    return status == 408 || status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
}

// An answer that says "not now".
static void take_not_now(struct exchange *exchange, const struct fetch_answer *answer) {
    int64_t wait = retry_after_ms(answer);
    AUTO_BUF struct buf why = {0};
    buf_add_format(&why, "%s answers %d", exchange->url.authority, answer->status);
    registry_add_words(answer, &why);
    if (wait <= REGISTRY_MAX_WAIT_MS && wait_and_retry(exchange, wait, buf_string(&why))) {
        return;
    }
    if (!next_endpoint(exchange, buf_string(&why))) {
        exchange->phase = EXCHANGE_DONE;
    }
}

// --- redirects ---

static bool is_redirect(const struct exchange *exchange, const struct fetch_answer *answer) {
    int status = answer->status;
    return (status == 301 || status == 302 || status == 303 || status == 307 || status == 308) &&
           fetch_header(answer, "location") && exchange->phase == EXCHANGE_RUNS;
}

static int check_redirect(const struct exchange *exchange, const struct url *to, int status, struct err *err) {
    const char *what = exchange->request.what, *method = exchange->request.method;
    char quoted[QUOTE_SIZE];
    bool reads = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
    if (exchange->redirects >= REGISTRY_MAX_REDIRECTS) {
        return err_set(err, ERR_INPUT, "%s: %s redirects more than %d times", what, exchange->url.authority,
                       REGISTRY_MAX_REDIRECTS);
    }
    if (!reads && status != 307 && status != 308) {
        return err_set(err, ERR_INPUT, "%s: %s answers a %s with a redirect (%d), which only 307 and 308 may do", what,
                       exchange->url.authority, method, status);
    }
    if (exchange->url.tls && !to->tls && !exchange->host->insecure) {
        return err_set(err, ERR_INPUT, "%s: %s redirects from https to %s, which is refused", what, exchange->url.authority,
                       quote_text(to->text, quoted));
    }
    return 0;
}

static void take_redirect(struct exchange *exchange, const struct fetch_answer *answer) {
    struct err err = {0};
    struct url to;
    if (url_resolve(&exchange->arena, &exchange->url, fetch_header(answer, "location"), &to, &err) < 0) {
        err_in(&err, "%s: %s redirects badly", exchange->request.what, exchange->url.authority);
    } else if (check_redirect(exchange, &to, answer->status, &err) == 0) {
        exchange->redirects++;
        exchange->own = exchange->own && url_same_origin(&to, &exchange->origin);
        exchange->url = to;
        exchange_send(exchange);
        return;
    }
    if (!next_endpoint(exchange, err.text)) {
        exchange_fail(exchange, &err);
    }
}

// --- answers ---

static void take_answer(struct exchange *exchange) {
    const struct fetch_answer *answer = fetch_answer(exchange->fetch);
    note_answer(exchange);
    if (!exchange->host->known && expects_tls(exchange, answer) && try_other_way(exchange, NULL)) {
        return;
    }
    exchange->host->known = exchange->host->known || exchange->own;
    if (is_redirect(exchange, answer)) {
        take_redirect(exchange, answer);
        return;
    }
    if (passes(answer->status)) {
        take_not_now(exchange, answer);
        return;
    }
    if (answer->status == 401 && exchange->own && exchange_authorize(exchange)) {
        return;
    }
    if (answer->status >= 400 && exchange->endpoint + 1 < exchange->endpoints_count) {
        struct err err = {0};
        exchange_refused(exchange, &err);
        next_endpoint(exchange, err.text);
        return;
    }
    exchange->phase = EXCHANGE_DONE;
}

void exchange_step(struct exchange *exchange) {
    struct err err = {0};
    bool transient = false;
    if (exchange->phase == EXCHANGE_WAITS && clock_now_ms() >= exchange->due_ms) {
        begin(exchange);
        return;
    }
    if ((exchange->phase != EXCHANGE_RUNS && exchange->phase != EXCHANGE_TOKEN) || !fetch_ended(exchange->fetch)) {
        return;
    }
    if (fetch_result(exchange->fetch, &transient, &err) < 0) {
        take_failure(exchange, transient, &err);
    } else if (exchange->phase == EXCHANGE_TOKEN && passes(fetch_answer(exchange->fetch)->status)) {
        take_not_now(exchange, fetch_answer(exchange->fetch));
    } else if (exchange->phase == EXCHANGE_TOKEN) {
        exchange_take_token(exchange);
    } else {
        take_answer(exchange);
    }
}

// Mirrors that could not be reached are not tried twice, and none is written to.
static void pick_endpoints(struct exchange *exchange) {
    struct err err;
    while (exchange->endpoint + 1 < exchange->endpoints_count) {
        struct registry_host *host;
        const struct registry_endpoint *endpoint = &exchange->endpoints[exchange->endpoint];
        bool usable = exchange->request.mirrors && registry_host_of(exchange->registry, endpoint, &host, &err) == 0 && !host->dead;
        if (usable) {
            return;
        }
        exchange->endpoint++;
    }
}

static void copy_ref(struct arena *arena, const struct image_ref *ref, struct image_ref *ret) {
    *ret = (struct image_ref){
        .registry = arena_copy_string(arena, ref->registry),
        .repository = arena_copy_string(arena, ref->repository),
        .name = arena_copy_string(arena, ref->name),
        .tag = ref->tag ? arena_copy_string(arena, ref->tag) : NULL,
        .digest = ref->digest ? arena_copy_string(arena, ref->digest) : NULL,
    };
}

static int find_endpoints(struct exchange *exchange, struct err *err) {
    const struct registries *registries = exchange->registry->options.registries;
    if (!exchange->request.bare) {
        return registries_endpoints(registries, &exchange->ref, &exchange->arena, &exchange->endpoints, &exchange->endpoints_count,
                                    err);
    }
    struct registry_endpoint *endpoint = arena_alloc(&exchange->arena, sizeof(*endpoint));
    exchange->endpoints = endpoint;
    exchange->endpoints_count = 1;
    return registries_host(registries, exchange->ref.registry, &exchange->arena, endpoint, err);
}

void exchange_start(struct exchange *exchange, struct registry *registry, const struct image_ref *ref,
                    const struct exchange_request *request) {
    struct err err = {0};
    exchange->registry = registry;
    exchange->request = *request;
    exchange->received = request->start;
    copy_ref(&exchange->arena, ref, &exchange->ref);
    exchange->next = registry->exchanges;
    registry->exchanges = exchange;
    if (find_endpoints(exchange, &err) < 0) {
        exchange_fail(exchange, &err);
        return;
    }
    pick_endpoints(exchange);
    begin(exchange);
}

void exchange_keep(struct exchange *exchange, int keep_fd) {
    exchange->request.keeps = true;
    exchange->request.keep_fd = keep_fd;
    if (exchange->phase == EXCHANGE_RUNS && exchange->fetch) {
        fetch_keep(exchange->fetch, keep_fd);
    }
}

int exchange_keep_errnum(const struct exchange *exchange) {
    bool runs = exchange->phase == EXCHANGE_RUNS && exchange->fetch;
    return runs && fetch_keep_errnum(exchange->fetch) ? fetch_keep_errnum(exchange->fetch) : exchange->keep_errnum;
}

void exchange_finish(struct exchange *exchange) {
    struct exchange **at = exchange->registry ? &exchange->registry->exchanges : NULL;
    while (at && *at && *at != exchange) {
        at = &(*at)->next;
    }
    if (at && *at) {
        *at = exchange->next;
    }
    exchange_wish_finish(exchange);
    fetch_end(exchange->fetch);
    arena_finish(&exchange->arena);
    *exchange = (struct exchange){0};
}

const struct fetch_answer *exchange_answer(const struct exchange *exchange) {
    return fetch_answer(exchange->fetch);
}

int exchange_wait(struct exchange *exchange, struct err *err) {
    while (!exchange_ended(exchange)) {
        if (registry_wait_beside(exchange->registry, NULL, -1, -1, err) < 0) {
            return -1;
        }
    }
    if (exchange->phase == EXCHANGE_FAILED) {
        *err = exchange->err;
        return -1;
    }
    return 0;
}

// A registry's session and the exchanges in it. Private to the room.
//
// An exchange is one thing wished of a registry ("this manifest"), over as many requests as it takes: to one endpoint after the
// other, with a token got in between, along redirects, and again when it failed in a way that may pass. It is a state machine that
// exchange_step() drives, so that many go on side by side; it waits by being due at a time, never by sleeping.
//
// What a request carries is decided in one place, registry_request.c: Authorization goes to the endpoint's own scheme, host and
// port only, and once a redirect has led away it is not taken up again.
#ifndef COFFER_IMAGES_REGISTRY_STATE_H
#define COFFER_IMAGES_REGISTRY_STATE_H

#include "images/auth_challenge.h"
#include "images/fetch.h"
#include "images/registries.h"
#include "images/registry.h"
#include "images/url.h"
#include "runtime/base/arena.h"
#include "runtime/base/err.h"

enum {
    REGISTRY_MAX_REDIRECTS = 5,
    REGISTRY_MAX_TRIES = 4,       // of one endpoint, without progress in between
    REGISTRY_MAX_TOKENS = 2,      // got in one exchange
    REGISTRY_MAX_WAIT_MS = 60000, // that a server may ask for by Retry-After
    REGISTRY_MAX_HEADERS = 8,
    REGISTRY_PAGE = 1000, // names asked for in one page of a list
    REGISTRY_MAX_PAGES = 10 * 1000,
    REGISTRY_MAX_NAMES = 1000 * 1000,
};

// A host as this session knows it.
struct registry_host {
    const char *name;      // with its port
    bool insecure;         // asked for: certificates are not verified
    bool may_be_plain;     // http will do
    bool plain;            // asked by http
    bool other_way;        // both were tried
    const char *first_way; // why the first led to no registry; NULL: it wanted the other
    bool known;            // it has answered
    bool dead;             // a mirror that could not be reached
    struct fetch_tls tls;
    struct registry_host *next;
};

// What to send to a host for a scope; scope: as asked for, not as the server named it.
struct registry_token {
    const struct registry_host *host;
    const char *scope;
    char *authorization; // the whole header line
    bool is_basic;
    bool has_login, login_given; // it was got by one; namely by one of the command line
    int64_t expires_ms;          // INT64_MAX: never
    struct registry_token *next;
};

struct registry {
    struct registry_options options;
    struct fetcher *fetcher; // NULL: nothing has been asked for yet
    struct arena arena;      // of hosts
    struct registry_host *hosts;
    struct registry_token *tokens;
    struct exchange *exchanges; // those under way
    struct registry_upload *uploads;
    // An upload begun by a mount that the registry did not grant: the next blob for the same repository goes there.
    char *upload_name, *upload_url;
};

struct exchange_request {
    const char *method;
    const char *path;       // below /v2/REPOSITORY: "/manifests/latest"
    const char *url;        // instead of path: where an upload goes on
    const char *actions;    // on the repository, for the token: "pull", "pull,push"
    const char *more_scope; // of another repository; NULL: none
    const char *what;       // for messages, with the repository: "localhost:5000/app:1"
    const char *headers[4];
    const void *body;
    size_t body_size;
    int body_fd; // -1: none
    uint64_t body_offset, body_length;
    int out_fd;            // -1: memory
    uint64_t size;         // of a body for out_fd
    uint64_t start, until; // of it: what is wanted; until 0: to its end. A server that sends all makes that of it
    bool keeps;            // what comes is appended to keep_fd, too (fetch_keep())
    int keep_fd;
    uint64_t max_bytes;
    bool mirrors; // may take part
    bool once;    // is not to be tried again: the caller does
    bool bare;    // path is the whole of it ("/v2/"), whatever the repository
};

enum exchange_phase { EXCHANGE_RUNS, EXCHANGE_TOKEN, EXCHANGE_WAITS, EXCHANGE_DONE, EXCHANGE_FAILED };

struct exchange {
    struct registry *registry;
    struct exchange_request request;
    struct image_ref ref;
    struct arena arena; // may hold the request's strings before the start
    struct exchange *next;

    const struct registry_endpoint *endpoints;
    size_t endpoints_count, endpoint;
    struct registry_host *host;
    const char *scope;
    struct url origin;   // of the endpoint
    struct url url;      // asked now
    bool own;            // not led away from origin by a redirect
    bool authorized;     // the request under way carries Authorization
    bool basic;          // namely Basic
    bool has_login;      // credentials were found for the host
    bool login_given;    // on the command line
    const char *refusal; // why no more was tried after a 401; NULL: nothing to say
    unsigned redirects, tries, tokens;
    unsigned resumed; // times that a body went on after a cut

    enum exchange_phase phase;
    struct fetch *fetch;          // of EXCHANGE_RUNS, EXCHANGE_TOKEN; its answer when EXCHANGE_DONE
    int64_t due_ms;               // of EXCHANGE_WAITS
    uint64_t started_at;          // body bytes there when the request was sent
    uint64_t received;            // up to there, from the body's beginning
    int keep_errnum;              // why nothing is kept any more
    struct auth_token_wish *wish; // of EXCHANGE_TOKEN: registry_token.c
    struct err err;               // of EXCHANGE_FAILED
    bool transient;               // namely in a way that may pass
};

// Starts a transfer, and the fetcher with the first one.
int registry_fetch(struct registry *registry, const struct fetch_request *request, struct fetch **ret, struct err *err) MUST_CHECK;
void registry_notice(const struct registry *registry, const char *format, ...) PRINTF_LIKE(2, 3);

// Looks up or adds the host of an endpoint. Strings of the endpoint are copied.
int registry_host_of(struct registry *registry, const struct registry_endpoint *endpoint, struct registry_host **ret,
                     struct err *err) MUST_CHECK;

// --- exchanges: registry_request.c ---
// Starts one that is zeroed but for its arena. What the request points to stays the caller's until it is finished; ref is copied. A
// failure to begin is one of the exchange.
void exchange_start(struct exchange *exchange, struct registry *registry, const struct image_ref *ref,
                    const struct exchange_request *request);
void exchange_step(struct exchange *exchange);
void exchange_finish(struct exchange *exchange); // of one under way, too; zeroed is fine
#define AUTO_EXCHANGE AUTO(exchange_finish)

static inline bool exchange_ended(const struct exchange *exchange) {
    return exchange->phase >= EXCHANGE_DONE;
}

// Waits for the end while everything else of the session goes on. -1: no answer; else any status, but for those dealt with on the
// way.
int exchange_wait(struct exchange *exchange, struct err *err) MUST_CHECK;
const struct fetch_answer *exchange_answer(const struct exchange *exchange); // of EXCHANGE_DONE
void exchange_fail(struct exchange *exchange, const struct err *err);
void exchange_send(struct exchange *exchange); // the request, again: with a token there now

// Keeps what comes from now on.
void exchange_keep(struct exchange *exchange, int keep_fd);
int exchange_keep_errnum(const struct exchange *exchange); // 0: all is kept

// --- pages: registry_list.c ---
// Where a list goes on, at the same registry; in the arena. NULL: it ends here.
const char *exchange_next_page(const struct exchange *exchange, struct arena *arena);

// --- uploads: registry_upload.c ---
void upload_step(struct registry_upload *upload);
int64_t upload_due_ms(const struct registry_upload *upload); // INT64_MAX: not by itself
struct registry_upload *upload_next(const struct registry_upload *upload);

// --- authorisation: registry_token.c ---
// The header line for the exchange's host and scope, NULL: none is known.
const struct registry_token *registry_token_of(struct registry *registry, const struct exchange *exchange);
void registry_tokens_finish(struct registry *registry);
// After a 401: true when the exchange goes on by itself (with a token, or waiting for one, or failed); false: the 401 is the
// answer.
bool exchange_authorize(struct exchange *exchange);
void exchange_take_token(struct exchange *exchange); // the fetch of EXCHANGE_TOKEN has ended with an answer
void exchange_wish_finish(struct exchange *exchange);

// Whom `coffer login` would be for: the endpoint's host, docker.io by the name that people know it by.
const char *exchange_login_host(const struct exchange *exchange);

// --- messages: registry_error.c ---
// The sentence for an answer that is not what was wanted. Returns -1; kind ERR_NOT_FOUND for a 404.
int exchange_refused(const struct exchange *exchange, struct err *err);
// Appends what the server says in its body: " (\"manifest unknown\")", or nothing.
void registry_add_words(const struct fetch_answer *answer, struct buf *text);

#endif

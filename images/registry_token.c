// Authorisation: what a 401 asks for, tokens, and which are kept how long. (docker's "Token Authentication Specification" and
// "OAuth2 Token Authentication".)
//
// Secrets go to two places only: Basic to the registry's own scheme, host and port; for Bearer to the realm that the registry
// names, which must be https unless the registry itself speaks plain http, or he who could change the registry's answer could have
// the password in the clear.
#include "images/registry_state.h"

#include "images/credentials.h"
#include "runtime/base/buf.h"
#include "runtime/base/clock.h"
#include "runtime/base/mem.h"
#include "runtime/base/quote.h"
#include "runtime/base/secret.h"
#include "specs/json.h"

#include <nettle/base64.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_LIFE_S = 60, MAX_LIFE_S = 24 * 3600, EARLY_S = 5, TOKEN_MAX = 32 << 10 };

// A token asked for. Holds secrets.
struct auth_token_wish {
    struct auth_challenge challenge;
    struct url realm;
    struct credential login;
    bool has_login;
    bool by_post;
    int64_t asked_ms;
    struct arena arena;
};

void exchange_wish_finish(struct exchange *exchange) {
    struct auth_token_wish *wish = exchange->wish;
    if (wish) {
        secret_wipe(wish->login.password);
        secret_wipe(wish->login.identity_token);
        arena_finish(&wish->arena);
        free(wish);
    }
    exchange->wish = NULL;
}

// --- what is kept ---

static void token_destroy(struct registry_token *token) {
    secret_wipe(token->authorization);
    free(token->authorization);
    free(token);
}

void registry_tokens_finish(struct registry *registry) {
    while (registry->tokens) {
        struct registry_token *token = registry->tokens;
        registry->tokens = token->next;
        token_destroy(token);
    }
}

static struct registry_token **find(struct registry *registry, const struct exchange *exchange) {
    struct registry_token **at = &registry->tokens;
    while (*at && ((*at)->host != exchange->host || strcmp((*at)->scope, exchange->scope) != 0)) {
        at = &(*at)->next;
    }
    return at;
}

static void forget(struct exchange *exchange) {
    struct registry_token **at = find(exchange->registry, exchange), *token = *at;
    if (token) {
        *at = token->next;
        token_destroy(token);
    }
}

const struct registry_token *registry_token_of(struct registry *registry, const struct exchange *exchange) {
    const struct registry_token *token = *find(registry, exchange);
    return token && token->expires_ms > clock_now_ms() ? token : NULL;
}

// authorization: "Authorization: ...", copied.
static void keep(struct exchange *exchange, const char *authorization, bool is_basic, int64_t expires_ms) {
    struct registry *registry = exchange->registry;
    forget(exchange);
    struct registry_token *token = mem_alloc(sizeof(*token));
    *token = (struct registry_token){
        .host = exchange->host,
        .scope = arena_copy_string(&registry->arena, exchange->scope),
        .authorization = mem_copy_string(authorization),
        .is_basic = is_basic,
        .has_login = exchange->has_login,
        .login_given = exchange->login_given,
        .expires_ms = expires_ms,
        .next = registry->tokens,
    };
    registry->tokens = token;
}

// "Authorization: Basic ..." of a login.
static void add_basic(struct buf *line, const struct credential *login) {
    AUTO_SECRET struct buf plain = {0};
    buf_add_format(&plain, "%s:%s", login->user ? login->user : "", login->password ? login->password : "");
    size_t size = BASE64_ENCODE_RAW_LENGTH(plain.size);
    buf_add_string(line, "Authorization: Basic ");
    base64_encode_raw(buf_reserve(line, size), plain.size, (const uint8_t *)plain.data);
    line->size += size;
    line->data[line->size] = '\0';
}

// --- the challenge ---

const char *exchange_login_host(const struct exchange *exchange) {
    const char *host = exchange->host->name;
    return strcmp(host, "registry-1.docker.io") == 0 ? "docker.io" : host;
}

static int find_login(struct exchange *exchange, struct auth_token_wish *wish, struct err *err) {
    const struct credentials *credentials = exchange->registry->options.credentials;
    const struct registry_endpoint *endpoint = &exchange->endpoints[exchange->endpoint];
    if (!credentials) {
        return 0;
    }
    int found = credentials_find(credentials, exchange->host->name, exchange->request.bare ? NULL : endpoint->repository,
                                 &wish->arena, &wish->login, err);
    wish->has_login = found > 0;
    exchange->has_login = wish->has_login;
    exchange->login_given = found > 0 && wish->login.given;
    return found < 0 ? -1 : 0;
}

// The first Bearer, else the first Basic, of all lines. 1: found.
static int pick_challenge(struct exchange *exchange, struct auth_challenge *ret, struct err *err) {
    const struct fetch_answer *answer = exchange_answer(exchange);
    int found = 0;
    exchange->refusal = "the registry wants a login, but does not say which kind";
    for (size_t i = 0; i < answer->headers_count; i++) {
        struct auth_challenge *challenges;
        size_t count;
        if (strcmp(answer->headers[i].name, "www-authenticate") != 0) {
            continue;
        }
        if (auth_challenges_parse(answer->headers[i].value, &exchange->arena, &challenges, &count, err) < 0) {
            return err_in(err, "%s", exchange->request.what);
        }
        for (size_t j = 0; j < count; j++) {
            if (challenges[j].scheme != AUTH_OTHER && (!found || challenges[j].scheme > ret->scheme)) {
                *ret = challenges[j];
                found = 1;
            }
        }
        exchange->refusal = "the registry wants an authorisation that coffer does not know; it knows Basic and Bearer";
    }
    if (found) {
        exchange->refusal = NULL;
    }
    return found;
}

static bool authorize_basic(struct exchange *exchange, struct auth_token_wish *wish) {
    if (exchange->authorized && exchange->basic) {
        return false; // it was not taken
    }
    if (!wish->has_login) {
        return false;
    }
    if (!wish->login.password) {
        exchange->refusal = "the registry wants a password, but only a token is kept for it; run coffer login again";
        return false;
    }
    AUTO_SECRET struct buf line = {0};
    add_basic(&line, &wish->login);
    keep(exchange, line.data, true, INT64_MAX);
    exchange_wish_finish(exchange);
    exchange_send(exchange);
    return true;
}

static int check_realm(const struct exchange *exchange, struct auth_token_wish *wish, struct err *err) {
    char quoted[QUOTE_SIZE];
    const char *what = exchange->request.what, *realm = wish->challenge.realm;
    if (!realm) {
        return err_set(err, ERR_INPUT, "%s: %s wants a token, but names no realm to get one from", what, exchange->host->name);
    }
    if (url_parse(&wish->arena, realm, &wish->realm, err) < 0) {
        return err_in(err, "%s: the realm that %s names", what, exchange->host->name);
    }
    if (exchange->origin.tls && !wish->realm.tls) {
        return err_set(err, ERR_INPUT, "%s: %s, reached by https, wants a token from %s, which is not; refused", what,
                       exchange->host->name, quote_text(realm, quoted));
    }
    return 0;
}

// --- the token's request ---

static void add_parameter(struct buf *body, const char *name, const char *value) {
    if (value) {
        buf_add_format(body, "%s%s=", body->size > 0 ? "&" : "", name);
        url_add_escaped(body, value);
    }
}

// "repository:a:pull repository:b:pull": a parameter each when asked by GET, one with blanks by POST.
static const char *with_scopes(struct auth_token_wish *wish, const char *path, const char *scopes) {
    for (const char *at = scopes; at && *at;) {
        size_t length = strcspn(at, " ");
        if (length > 0) {
            path = url_with_parameter(&wish->arena, path, "scope", arena_copy(&wish->arena, at, length));
        }
        at += length;
        at += strspn(at, " ");
    }
    return path;
}

static const char *scopes_of(const struct exchange *exchange) {
    const char *asked = exchange->wish->challenge.scope;
    return asked && *asked ? asked : exchange->scope;
}

static void send_wish(struct exchange *exchange, const char *url, const char *const *headers, size_t headers_count,
                      const struct buf *body) {
    struct auth_token_wish *wish = exchange->wish;
    struct err err = {0};
    struct fetch_tls tls = exchange->host->tls;
    if (!url_same_origin(&wish->realm, &exchange->origin)) {
        tls.cert_pem = tls.key_pem = NULL;
    }
    const struct fetch_request request = {
        .method = body->size > 0 ? "POST" : "GET",
        .url = url,
        .headers = headers,
        .headers_count = headers_count,
        .tls = &tls,
        .body = body->size > 0 ? body->data : NULL,
        .body_size = body->size,
        .body_fd = -1,
        .out_fd = -1,
    };
    fetch_end(exchange->fetch);
    exchange->fetch = NULL;
    wish->asked_ms = clock_now_ms();
    if (registry_fetch(exchange->registry, &request, &exchange->fetch, &err) < 0) {
        exchange_fail(exchange, &err);
        return;
    }
    exchange->phase = EXCHANGE_TOKEN;
}

static void ask_by_post(struct exchange *exchange) {
    struct auth_token_wish *wish = exchange->wish;
    const struct credential *login = &wish->login;
    AUTO_SECRET struct buf body = {0};
    static const char *const headers[] = {"Content-Type: application/x-www-form-urlencoded", "Accept: application/json"};
    wish->by_post = true;
    add_parameter(&body, "grant_type", login->identity_token ? "refresh_token" : "password");
    add_parameter(&body, "service", wish->challenge.service ? wish->challenge.service : "");
    add_parameter(&body, "client_id", "coffer");
    add_parameter(&body, "scope", scopes_of(exchange));
    if (login->identity_token) {
        add_parameter(&body, "refresh_token", login->identity_token);
    } else {
        add_parameter(&body, "username", login->user ? login->user : "");
        add_parameter(&body, "password", login->password ? login->password : "");
    }
    send_wish(exchange, wish->realm.text, headers, ARRAY_LEN(headers), &body);
}

static void ask_by_get(struct exchange *exchange) {
    struct auth_token_wish *wish = exchange->wish;
    AUTO_SECRET struct buf line = {0};
    const struct buf none = {0};
    const char *headers[2] = {"Accept: application/json"};
    const char *url = wish->realm.text;
    if (wish->challenge.service) {
        url = url_with_parameter(&wish->arena, url, "service", wish->challenge.service);
    }
    url = with_scopes(wish, url, scopes_of(exchange));
    if (wish->has_login) {
        url = url_with_parameter(&wish->arena, url, "account", wish->login.user ? wish->login.user : "");
        add_basic(&line, &wish->login);
        headers[1] = line.data;
    }
    send_wish(exchange, url, headers, wish->has_login ? 2 : 1, &none);
}

bool exchange_authorize(struct exchange *exchange) {
    struct err err = {0};
    struct auth_token_wish *wish = mem_alloc(sizeof(*wish));
    bool had_token = exchange->authorized;
    exchange_wish_finish(exchange);
    exchange->wish = wish;
    if (had_token) {
        forget(exchange); // it is not taken any more
    }
    int found = pick_challenge(exchange, &wish->challenge, &err);
    if (found <= 0 || find_login(exchange, wish, &err) < 0) {
        if (err.kind != ERR_NONE) {
            exchange_fail(exchange, &err);
        }
        exchange_wish_finish(exchange);
        return err.kind != ERR_NONE;
    }
    if (wish->challenge.scheme == AUTH_BASIC) {
        bool goes_on = authorize_basic(exchange, wish);
        exchange_wish_finish(exchange);
        return goes_on;
    }
    if (exchange->tokens >= REGISTRY_MAX_TOKENS || (exchange->tokens > 0 && had_token)) {
        exchange_wish_finish(exchange);
        return false; // one that was just made is not taken
    }
    if (check_realm(exchange, wish, &err) < 0) {
        exchange_fail(exchange, &err);
    } else if (wish->login.identity_token) {
        ask_by_post(exchange);
    } else {
        ask_by_get(exchange);
    }
    return true;
}

// --- the token's answer ---

struct token_answer {
    const char *token, *access_token;
    struct opt_i64 expires_in;
};

static const struct json_row token_rows[] = {
    ROW_STRING("token", struct token_answer, token, 0),
    ROW_STRING("access_token", struct token_answer, access_token, 0),
    ROW_OPT_I64("expires_in", struct token_answer, expires_in, 0),
};
static const struct json_table token_table = JSON_TABLE(struct token_answer, token_rows);

static int refused(const struct exchange *exchange, struct err *err) {
    const struct auth_token_wish *wish = exchange->wish;
    const struct fetch_answer *answer = exchange_answer(exchange);
    const char *what = exchange->request.what, *login = exchange_login_host(exchange);
    AUTO_BUF struct buf words = {0};
    registry_add_words(answer, &words);
    bool denied = answer->status == 401 || answer->status == 403 || (wish->by_post && answer->status == 400);
    if (denied && exchange->login_given) {
        return err_set(err, ERR_STATE, "%s: %s does not accept this user and password%s", what, wish->realm.authority,
                       buf_string(&words));
    }
    if (denied && wish->has_login) {
        return err_set(err, ERR_STATE, "%s: %s does not accept the login that is kept for %s%s; run coffer login %s", what,
                       wish->realm.authority, login, buf_string(&words), login);
    }
    if (denied) {
        return err_set(err, ERR_STATE, "%s: %s gives no token without a login%s; run coffer login %s", what, wish->realm.authority,
                       buf_string(&words), login);
    }
    return err_set(err, ERR_STATE, "%s: %s, asked for a token, answers %d%s", what, wish->realm.authority, answer->status,
                   buf_string(&words));
}

// It becomes a header line: RFC 6750's letters and no others.
static bool is_sound(const char *token) {
    size_t length = token ? strlen(token) : 0;
    return length > 0 && length <= TOKEN_MAX &&
           strspn(token, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~+/=:|!@#$%^&*,;") == length;
}

static int64_t expiry(const struct token_answer *decoded, int64_t asked_ms) {
    int64_t life = decoded->expires_in.set ? decoded->expires_in.value : DEFAULT_LIFE_S;
    life = life < 1 ? 1 : life > MAX_LIFE_S ? MAX_LIFE_S : life;
    return asked_ms + (life > 2 * EARLY_S ? life - EARLY_S : life) * 1000;
}

static int take_token(struct exchange *exchange, struct err *err) {
    const struct fetch_answer *answer = exchange_answer(exchange);
    const struct auth_token_wish *wish = exchange->wish;
    AUTO_ARENA struct arena arena = {0};
    struct token_answer decoded = {0};
    const struct json_document document = {.name = "token", .text = answer->body ? answer->body : "", .size = answer->body_size};
    if (answer->status != 200) {
        return refused(exchange, err);
    }
    struct err unsaid; // its text may show a part of the token
    if (json_decode(&document, &token_table, &arena, &decoded, &unsaid) < 0) {
        decoded = (struct token_answer){0};
    }
    const char *token = decoded.token && *decoded.token ? decoded.token : decoded.access_token;
    if (!is_sound(token)) {
        return err_set(err, ERR_INPUT, "%s: %s answers with %s", exchange->request.what, wish->realm.authority,
                       token ? "a token that cannot be one" : "no token");
    }
    AUTO_SECRET struct buf line = {0};
    buf_add_format(&line, "Authorization: Bearer %s", token);
    keep(exchange, line.data, false, expiry(&decoded, wish->asked_ms));
    secret_wipe(decoded.token);
    secret_wipe(decoded.access_token);
    return 0;
}

void exchange_take_token(struct exchange *exchange) {
    struct err err = {0};
    const struct auth_token_wish *wish = exchange->wish;
    int status = exchange_answer(exchange)->status;
    // Servers that know OAuth2 only have no GET.
    if ((status == 404 || status == 405) && wish->has_login && !wish->by_post) {
        ask_by_post(exchange);
        return;
    }
    if (take_token(exchange, &err) < 0) {
        exchange_fail(exchange, &err);
        return;
    }
    exchange_wish_finish(exchange);
    exchange->tokens++;
    exchange_send(exchange);
}

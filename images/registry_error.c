// What is said when a registry answers something else than was wanted.
#include "images/registry_state.h"

#include "runtime/base/buf.h"
#include "runtime/base/quantity.h"
#include "runtime/base/quote.h"
#include "specs/json.h"

#include <string.h>

struct server_error {
    const char *code, *message;
};

struct server_errors {
    struct server_error *errors;
    size_t errors_count;
    const char *message, *details, *error_description; // of token servers, and of others in front
};

static const struct json_row error_rows[] = {
    ROW_STRING("code", struct server_error, code, 0),
    ROW_STRING("message", struct server_error, message, 0),
};
static const struct json_table error_table = JSON_TABLE(struct server_error, error_rows);

static const struct json_row errors_rows[] = {
    ROW_LIST("errors", struct server_errors, errors, struct server_error, error_table, 0),
    ROW_STRING("details", struct server_errors, details, 0),
    ROW_STRING("message", struct server_errors, message, 0),
    ROW_STRING("error_description", struct server_errors, error_description, 0),
};
static const struct json_table errors_table = JSON_TABLE(struct server_errors, errors_rows);

static const char *words_of(const struct server_errors *errors) {
    for (size_t i = 0; i < errors->errors_count; i++) {
        const struct server_error *error = &errors->errors[i];
        if (error->message && *error->message) {
            return error->message;
        }
        if (error->code) {
            return error->code;
        }
    }
    return errors->details ? errors->details : errors->message ? errors->message : errors->error_description;
}

void registry_add_words(const struct fetch_answer *answer, struct buf *text) {
    AUTO_ARENA struct arena arena = {0};
    struct server_errors errors = {0};
    struct err ignored;
    char quoted[QUOTE_SIZE];
    const struct json_document document = {.name = "answer", .text = answer->body, .size = answer->body_size};
    if (!answer->body || answer->body_size == 0) {
        return;
    }
    const char *words = json_decode(&document, &errors_table, &arena, &errors, &ignored) == 0 ? words_of(&errors) : NULL;
    // Go's plain text: one short line.
    if (!words && answer->body_size < 200 && *answer->body != '<' && *answer->body != '{') {
        char *line = arena_copy(&arena, answer->body, strcspn(answer->body, "\r\n"));
        words = *line ? line : NULL;
    }
    if (words) {
        buf_add_format(text, " (%s)", quote_text(words, quoted));
    }
}

static int refused_401(const struct exchange *exchange, const char *words, struct err *err) {
    const char *what = exchange->request.what, *login = exchange_login_host(exchange);
    if (exchange->refusal) {
        return err_set(err, ERR_STATE, "%s: %s%s", what, exchange->refusal, words);
    }
    if (!exchange->own) {
        return err_set(err, ERR_STATE, "%s: %s, where the registry leads to, wants a login of its own%s", what,
                       exchange->url.authority, words);
    }
    if (exchange->login_given) {
        return err_set(err, ERR_STATE, "%s: the registry does not accept this user and password%s", what, words);
    }
    if (exchange->has_login) {
        return err_set(err, ERR_STATE, "%s: the registry refuses the login that is kept for it%s; run coffer login %s", what, words,
                       login);
    }
    return err_set(err, ERR_STATE, "%s: the registry wants a login, or has nothing of this name%s; run coffer login %s", what,
                   words, login);
}

// Retry-After has seconds, or a date.
static void add_wait(const struct fetch_answer *answer, struct buf *text) {
    const char *wait = fetch_header(answer, "retry-after");
    int64_t seconds;
    char quoted[QUOTE_SIZE];
    if (wait && quantity_int(wait, &seconds) == 0) {
        buf_add_format(text, "; it asks to wait %lld s", (long long)seconds);
    } else if (wait) {
        buf_add_format(text, "; it asks to wait until %s", quote_text(wait, quoted));
    }
}

int exchange_refused(const struct exchange *exchange, struct err *err) {
    const struct fetch_answer *answer = exchange_answer(exchange);
    const char *what = exchange->request.what, *host = exchange->url.authority;
    AUTO_BUF struct buf said = {0};
    registry_add_words(answer, &said);
    const char *words = buf_string(&said);
    switch (answer->status) {
    case 401:
        return refused_401(exchange, words, err);
    case 403:
        return err_set(err, ERR_STATE, "%s: the registry denies it%s%s%s", what, words,
                       exchange->has_login ? "" : "; perhaps it wants a login: run coffer login ",
                       exchange->has_login ? "" : exchange_login_host(exchange));
    case 404:
        return err_set(err, ERR_NOT_FOUND, "%s: %s has none%s", what, host, words);
    case 429:
        add_wait(answer, &said);
        return err_set(err, ERR_STATE, "%s: %s wants fewer requests%s; try again later", what, host, buf_string(&said));
    default:
        return err_set(err, answer->status >= 500 ? ERR_STATE : ERR_INPUT, "%s: %s answers %d%s%s", what, host, answer->status,
                       words, answer->status >= 500 ? "; try again later" : "");
    }
}

#include "images/auth_challenge.h"

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/quote.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

static const char token_letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~";
static const char token68_letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~+/";
static const char blanks[] = " \t";

struct reader {
    const char *text;
    const char *at;
    struct arena *arena;
};

static int wrong(const struct reader *reader, const char *expected, struct err *err) {
    char quoted[QUOTE_SIZE];
    return err_set(err, ERR_INPUT, "authorisation challenge %s: expected %s at column %zu", quote_text(reader->text, quoted),
                   expected, (size_t)(reader->at - reader->text) + 1);
}

static void skip_blanks(struct reader *reader) {
    reader->at += strspn(reader->at, blanks);
}

static const char *take_token(struct reader *reader) {
    size_t length = strspn(reader->at, token_letters);
    const char *token = length > 0 ? arena_copy(reader->arena, reader->at, length) : NULL;
    reader->at += length;
    return token;
}

// What stands between double quotes, where a backslash takes the next character as it is.
static int take_quoted(struct reader *reader, const char **ret, struct err *err) {
    char *value = arena_alloc(reader->arena, strlen(reader->at) + 1), *to = value;
    for (reader->at++; *reader->at != '"'; reader->at++) {
        if (*reader->at == '\\' && reader->at[1]) {
            reader->at++;
        }
        if (!*reader->at) {
            return wrong(reader, "a closing quote", err);
        }
        *to++ = *reader->at;
    }
    reader->at++;
    *ret = value;
    return 0;
}

// Behind the "=". Some servers do not quote what needs it (URLs): all up to a comma or blank is taken then.
static int take_value(struct reader *reader, const char **ret, struct err *err) {
    skip_blanks(reader);
    if (*reader->at == '"') {
        return take_quoted(reader, ret, err);
    }
    size_t length = strcspn(reader->at, ", \t\"");
    if (length == 0) {
        return wrong(reader, "a value", err);
    }
    *ret = arena_copy(reader->arena, reader->at, length);
    reader->at += length;
    return 0;
}

static void set_parameter(struct auth_challenge *challenge, const char *name, const char *value) {
    const struct {
        const char *name;
        const char **member;
    } known[] = {
        {"realm", &challenge->realm}, {"service", &challenge->service}, {"scope", &challenge->scope}, {"error", &challenge->error}};
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (name && strcasecmp(name, known[i].name) == 0 && !*known[i].member) {
            *known[i].member = value;
        }
    }
}

// Whether a parameter stands here: a token and "=". A token without is the next challenge's scheme.
static bool at_parameter(const struct reader *reader) {
    size_t length = strspn(reader->at, token_letters);
    return length > 0 && reader->at[length + strspn(reader->at + length, blanks)] == '=';
}

// "Negotiate YII=": letters and padding instead of parameters. They are of no use to us.
static bool skip_token68(struct reader *reader) {
    size_t length = strspn(reader->at, token68_letters);
    length += length > 0 ? strspn(reader->at + length, "=") : 0;
    size_t behind = length + strspn(reader->at + length, blanks);
    if (length == 0 || (reader->at[behind] && reader->at[behind] != ',')) {
        return false;
    }
    reader->at += length;
    return true;
}

static int take_parameters(struct reader *reader, struct auth_challenge *challenge, struct err *err) {
    if (skip_token68(reader)) {
        return 0;
    }
    while (at_parameter(reader)) {
        const char *name = take_token(reader), *value = NULL;
        skip_blanks(reader);
        reader->at++;
        if (take_value(reader, &value, err) < 0) {
            return -1;
        }
        set_parameter(challenge, name, value);
        skip_blanks(reader);
        if (*reader->at && *reader->at != ',') {
            return wrong(reader, "a comma", err);
        }
        const char *comma = reader->at;
        reader->at += strspn(reader->at, ", \t");
        if (!at_parameter(reader)) {
            reader->at = comma;
            return 0;
        }
    }
    return 0;
}

int auth_challenges_parse(const char *text, struct arena *arena, struct auth_challenge **ret, size_t *ret_count, struct err *err) {
    struct reader reader = {.text = text, .at = text, .arena = arena};
    struct auth_challenge *challenges = arena_array(arena, AUTH_MAX_CHALLENGES, sizeof(*challenges));
    size_t count = 0;
    reader.at += strspn(reader.at, ", \t");
    while (*reader.at) {
        if (count == AUTH_MAX_CHALLENGES) {
            return wrong(&reader, "at most 16 challenges, the last ending", err);
        }
        struct auth_challenge *challenge = &challenges[count++];
        challenge->name = take_token(&reader);
        if (!challenge->name) {
            return wrong(&reader, "the name of a scheme", err);
        }
        challenge->scheme = strcasecmp(challenge->name, "basic") == 0    ? AUTH_BASIC
                            : strcasecmp(challenge->name, "bearer") == 0 ? AUTH_BEARER
                                                                         : AUTH_OTHER;
        if (*reader.at && !strchr(", \t", *reader.at)) {
            return wrong(&reader, "a blank behind the scheme's name", err);
        }
        skip_blanks(&reader);
        if (take_parameters(&reader, challenge, err) < 0) {
            return -1;
        }
        skip_blanks(&reader);
        if (*reader.at && *reader.at != ',') {
            return wrong(&reader, "a comma", err);
        }
        reader.at += strspn(reader.at, ", \t");
    }
    *ret = challenges;
    *ret_count = count;
    return 0;
}

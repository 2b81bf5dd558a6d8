// WWW-Authenticate lines as registries send them, and as they should not.
#include "images/auth_challenge.h"
#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "tests/unit/check.h"

#include <stddef.h>

static const char *or_none(const char *text) {
    return text ? text : "-";
}

static const struct {
    const char *text;
    size_t count, at; // which of them is looked at
    enum auth_scheme scheme;
    const char *realm, *service, *scope, *error;
} sound[] = {
    {"Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\",scope=\"repository:a/b:pull,push\"", 1, 0,
     AUTH_BEARER, "https://auth.docker.io/token", "registry.docker.io", "repository:a/b:pull,push", NULL},
    {"Basic realm=\"Registry Realm\"", 1, 0, AUTH_BASIC, "Registry Realm", NULL, NULL, NULL},
    {"bearer Realm = \"r\" , SERVICE=s", 1, 0, AUTH_BEARER, "r", "s", NULL, NULL},
    {"Basic", 1, 0, AUTH_BASIC, NULL, NULL, NULL, NULL},
    {"Bearer realm=https://a/t?x=1,service=b", 1, 0, AUTH_BEARER, "https://a/t?x=1", "b", NULL, NULL},
    {"Bearer realm=\"a\\\"b\\\\c\"", 1, 0, AUTH_BEARER, "a\"b\\c", NULL, NULL, NULL},
    {"Bearer realm=\"r\",error=\"invalid_token\"", 1, 0, AUTH_BEARER, "r", NULL, NULL, "invalid_token"},
    {"Bearer realm=\"first\",realm=\"second\"", 1, 0, AUTH_BEARER, "first", NULL, NULL, NULL},
    {"Basic realm=\"x, Bearer realm=y\"", 1, 0, AUTH_BASIC, "x, Bearer realm=y", NULL, NULL, NULL},
    {"Basic realm=\"a\", Bearer realm=\"b\",service=\"c\"", 2, 1, AUTH_BEARER, "b", "c", NULL, NULL},
    {"Bearer realm=\"b\", Basic realm=\"a\"", 2, 1, AUTH_BASIC, "a", NULL, NULL, NULL},
    {"Negotiate YIIx+/==, Basic realm=\"a\"", 2, 1, AUTH_BASIC, "a", NULL, NULL, NULL},
    {"Negotiate, , Basic realm=\"a\",", 2, 1, AUTH_BASIC, "a", NULL, NULL, NULL},
    {"Digest realm=\"a\", nonce=\"b\"", 1, 0, AUTH_OTHER, "a", NULL, NULL, NULL},
};

CASE(sound_challenges) {
    for (size_t i = 0; i < ARRAY_LEN(sound); i++) {
        AUTO_ARENA struct arena arena = {0};
        struct err err = {0};
        struct auth_challenge *challenges;
        size_t count;
        int parsed = auth_challenges_parse(sound[i].text, &arena, &challenges, &count, &err);
        CHECK_STR(err.text, "");
        if (parsed < 0 || count != sound[i].count) {
            printf("# %s\n", sound[i].text);
            CHECK(parsed == 0);
            CHECK_INT(count, sound[i].count);
            continue;
        }
        const struct auth_challenge *challenge = &challenges[sound[i].at];
        CHECK_INT(challenge->scheme, sound[i].scheme);
        CHECK_STR(or_none(challenge->realm), or_none(sound[i].realm));
        CHECK_STR(or_none(challenge->service), or_none(sound[i].service));
        CHECK_STR(or_none(challenge->scope), or_none(sound[i].scope));
        CHECK_STR(or_none(challenge->error), or_none(sound[i].error));
    }
}

CASE(nothing_is_no_challenge) {
    AUTO_ARENA struct arena arena = {0};
    struct err err = {0};
    struct auth_challenge *challenges;
    size_t count = 1;
    CHECK(auth_challenges_parse(" ,, ", &arena, &challenges, &count, &err) == 0);
    CHECK_INT(count, 0);
}

static const struct {
    const char *text, *message;
} wrong[] = {
    {"\"x\"", "authorisation challenge \"\\x22x\\x22\": expected the name of a scheme at column 1"},
    {"Bearer realm=\"x", "authorisation challenge \"Bearer realm=\\x22x\": expected a closing quote at column 16"},
    {"Bearer realm=\"x\\", "authorisation challenge \"Bearer realm=\\x22x\\x5c\": expected a closing quote at column 17"},
    {"Bearer realm=\"x\"service=\"y\"",
     "authorisation challenge \"Bearer realm=\\x22x\\x22service=\\x22y\\x22\": expected a comma at column 17"},
    {"Bearer realm=,service=x",
     "authorisation challenge \"Bearer realm=,service=x\": expected a blank behind the scheme's name at column 22"},
    {"Bearer(x)", "authorisation challenge \"Bearer(x)\": expected a blank behind the scheme's name at column 7"},
};

CASE(wrong_challenges) {
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        AUTO_ARENA struct arena arena = {0};
        struct err err = {0};
        struct auth_challenge *challenges;
        size_t count;
        CHECK(auth_challenges_parse(wrong[i].text, &arena, &challenges, &count, &err) < 0);
        CHECK_STR(err.text, wrong[i].message);
    }
}

CASE(their_number_is_bounded) {
    AUTO_ARENA struct arena arena = {0};
    struct err err = {0};
    struct auth_challenge *challenges;
    size_t count;
    CHECK(auth_challenges_parse("a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a", &arena, &challenges, &count, &err) == 0);
    CHECK_INT(count, AUTH_MAX_CHALLENGES);
    CHECK(auth_challenges_parse("a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a", &arena, &challenges, &count, &err) < 0);
}

int main(void) {
    RUN(sound_challenges);
    RUN(nothing_is_no_challenge);
    RUN(wrong_challenges);
    RUN(their_number_is_bounded);
    return check_done();
}

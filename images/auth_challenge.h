// What a server wants to know before it serves: the WWW-Authenticate lines of a 401 (RFC 9110, 11.6.1; the parameters of Bearer are
// those of docker's token specification). Pure: nothing is decided here.
#ifndef COFFER_IMAGES_AUTH_CHALLENGE_H
#define COFFER_IMAGES_AUTH_CHALLENGE_H

#include "runtime/base/attr.h"

#include <stddef.h>

struct arena;
struct err;

enum { AUTH_MAX_CHALLENGES = 16 }; // of one line

enum auth_scheme { AUTH_OTHER, AUTH_BASIC, AUTH_BEARER };

struct auth_challenge {
    enum auth_scheme scheme;
    const char *name;                            // of the scheme, as it was written
    const char *realm, *service, *scope, *error; // NULL: not given
};

// One line, which may hold several challenges. ERR_INPUT says where it stops being one. Strings in the arena.
int auth_challenges_parse(const char *text, struct arena *arena, struct auth_challenge **ret, size_t *ret_count,
                          struct err *err) MUST_CHECK;

#endif

// Programs docker-credential-NAME, which keep passwords in a keychain (docker-credential-helpers): `get`, `store`, `erase` and
// `list`, a question on standard input, the answer on standard output. They run as we do, without a shell; standard error is ours.
#ifndef COFFER_IMAGES_CREDENTIAL_HELPER_H
#define COFFER_IMAGES_CREDENTIAL_HELPER_H

#include "runtime/base/attr.h"

#include <stddef.h>

struct arena;
struct credential;
struct credentials_options;
struct err;
struct text_pair;

struct credential_helper {
    const char *name;                          // letters, digits and . _ -; checked here
    const struct credentials_options *options; // search_path, environment, helper_timeout_ms
};

// server: as the helper knows it. 1: found, 0: it knows none, -1. ERR_NOT_FOUND: there is no such program.
int credential_helper_get(const struct credential_helper *helper, const char *server, struct arena *arena, struct credential *ret,
                          struct err *err) MUST_CHECK;
int credential_helper_store(const struct credential_helper *helper, const char *server, const struct credential *credential,
                            struct err *err) MUST_CHECK;
int credential_helper_erase(const struct credential_helper *helper, const char *server, struct err *err) MUST_CHECK; // as get
// What it knows: servers and users' names.
int credential_helper_list(const struct credential_helper *helper, struct arena *arena, struct text_pair **ret, size_t *ret_count,
                           struct err *err) MUST_CHECK;

#endif

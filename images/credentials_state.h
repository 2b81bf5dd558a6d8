// What the files of credentials.h share: a file's contents, and the ways to name a host.
#ifndef COFFER_IMAGES_CREDENTIALS_STATE_H
#define COFFER_IMAGES_CREDENTIALS_STATE_H

#include "runtime/base/arena.h"
#include "runtime/base/attr.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct buf;
struct credentials_options;
struct err;
struct text_pair;

struct credential_entry {
    const char *key;  // of auths
    const char *name; // what it is the key of: credential_key()
    const char *auth; // base64 of USER:PASSWORD
    const char *user, *password;
    const char *identity_token;
    const char *registry_token;
};

struct credential_file {
    const char *path;
    struct credential_entry *entries;
    size_t entries_count;
    struct text_pair *helpers; // host, helper's name
    size_t helpers_count;
    const char *store; // the helper for all others
};

enum { CREDENTIALS_MAX_BYTES = 1 << 20 }; // of a file

// Decodes the text of a file. Everything is in the arena.
int credential_file_decode(const char *path, const char *text, size_t size, struct arena *arena, struct credential_file *ret,
                           struct err *err) MUST_CHECK;
void credential_file_wipe(struct credential_file *file); // its secrets

// The same name for all names of one host, without scheme and, of a URL, path: "https://index.docker.io/v1/" and docker.io are
// docker.io.
const char *credential_key(struct arena *arena, const char *text);
// The name under which a host is written down, and which helpers know.
const char *credential_server(const char *host);
// The helper for a host; NULL: none. *ret_own: it is for this host, not for all.
const char *credential_file_helper(const struct credential_file *file, const char *host, struct arena *arena, bool *ret_own);

// Cuts off what a message of the JSON reader shows of the text, which may be a secret. Returns -1.
int credentials_hush(struct err *err);

#endif

// Who we are at which registry: the files of docker (config.json) and of podman, skopeo and their like (auth.json), and the
// programs docker-credential-NAME that these files name.
//
// A file answers for a reference in this order: the helper of credHelpers for its host; the helper of credsStore; its auths, the
// longest key that is the host or "host/path" before the reference's repository first. The first file that knows an answer counts.
//
// Secrets: none is in an error's text, and none is logged; a helper gets it on its standard input. The texts of files and helpers
// and what was made of them are wiped when they are done with (the JSON reader's own copies are not); copies in a caller's arena
// are the caller's.
#ifndef COFFER_IMAGES_CREDENTIALS_H
#define COFFER_IMAGES_CREDENTIALS_H

#include "runtime/base/attr.h"

#include <stdbool.h>

struct arena;
struct credentials;
struct err;

enum {
    CREDENTIALS_MAX_FILES = 8,
    CREDENTIALS_MAX_SECRET = 64 << 10, // bytes of a user's name, of a password or of a token
};

struct credentials_options {
    const char *const *files;       // paths, NULL behind the last; one that is not there knows nothing
    bool first_needed;              // the first was asked for by name: that it is not there is an error
    const char *search_path;        // PATH, where helpers are looked for; NULL: none are
    const char *const *environment; // of helpers
    int helper_timeout_ms;          // 0: a minute

    // Given on the command line (--creds): for this host and no other, before all files. NULL: none.
    const char *given_host;
    const char *given; // "USER:PASSWORD"
};

// The files are read and checked here. *ret is freed with credentials_close().
int credentials_open(const struct credentials_options *options, struct credentials **ret, struct err *err) MUST_CHECK;
void credentials_close(struct credentials *credentials); // NULL is fine
void credentials_cleanup(struct credentials **credentials);
#define AUTO_CREDENTIALS AUTO(credentials_cleanup)

struct credential {
    const char *user, *password;
    const char *identity_token; // set: takes the place of the password ("refresh_token" of OAuth2), which is NULL; user may be, too
    bool given;                 // on the command line: no file holds it
};

// 1: found, 0: nobody, -1. host: "quay.io", "localhost:5000"; docker.io, index.docker.io and registry-1.docker.io are one.
// repository: NULL where a host is all there is (login). Strings in the arena. May run a helper, once for a host.
int credentials_find(const struct credentials *credentials, const char *host, const char *repository, struct arena *arena,
                     struct credential *ret, struct err *err) MUST_CHECK;

// Writes a login down, in the file at path: by its helper, where it has one for the host, else among its auths. The file is made
// where it is missing (0600, its folder 0700), and replaced whole; what else stands in it is kept. search_path, environment and
// helper_timeout_ms of the options are used. *ret_helper, where wanted: the helper's name in the arena, or NULL.
int credentials_store(const struct credentials_options *options, const char *path, const char *host,
                      const struct credential *credential, struct arena *arena, const char **ret_helper,
                      struct err *err) MUST_CHECK;

// Forgets it: 1, or 0 when the file knew none. host NULL: all of them.
int credentials_erase(const struct credentials_options *options, const char *path, const char *host, struct err *err) MUST_CHECK;

#endif

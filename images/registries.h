// Where references lead: registries.conf (version 2, containers-registries.conf(5)) and its folders registries.conf.d, with
// prefixes, mirrors, insecure and blocked registries; and the certificates of certs.d (containers-certs.d(5)).
//
// A [[registry]] of a later file replaces one of the same prefix; of those whose prefix fits a reference, the longest counts.
// Not followed, because coffer's short names always mean docker.io: unqualified-search-registries, short-name-mode and aliases.
// Keys that are not known are warned of.
#ifndef COFFER_IMAGES_REGISTRIES_H
#define COFFER_IMAGES_REGISTRIES_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct err;
struct fetch_tls; // images/fetch.h
struct image_ref;
struct registries;

enum {
    REGISTRIES_MAX_FILES = 256,           // of a folder
    REGISTRIES_MAX_CERTIFICATE = 1 << 20, // bytes of a file of certs.d
};

struct registries_options {
    const char *file; // alone, and its being missing is an error; NULL: the others
    // The first of the two files that is there, then all *.conf of the first folder, then of the second, sorted by their names; any
    // of them may be NULL.
    const char *user_file, *system_file;
    const char *system_folder, *user_folder;
    const char *const *certificate_folders; // of folders HOST[:PORT]; the first that has the host counts; NULL behind the last
    const char *certificate_folder;         // --cert-dir: holds *.crt, *.cert, *.key itself, for every host; NULL: none
};

// Freed with registries_close().
int registries_open(const struct registries_options *options, struct registries **ret, struct err *err) MUST_CHECK;
void registries_close(struct registries *registries); // NULL is fine
void registries_cleanup(struct registries **registries);
#define AUTO_REGISTRIES AUTO(registries_cleanup)

struct registry_endpoint {
    const char *host;       // to connect to, perhaps with a port: "registry-1.docker.io", "localhost:5000"
    const char *repository; // there
    bool insecure;          // certificates are not verified, plain http may be tried
    bool mirror;            // only for reading; tried before the last one, which is the registry itself
};

// The endpoints of a reference, in the order to try them: at least one, mirrors first, the registry itself last. Which mirrors take
// part may depend on ref being by digest or by tag. ERR_STATE: the registry is blocked; the text names file and prefix.
// registries NULL: no file says anything. Strings in the arena.
int registries_endpoints(const struct registries *registries, const struct image_ref *ref, struct arena *arena,
                         const struct registry_endpoint **ret, size_t *ret_count, struct err *err) MUST_CHECK;

// The same of a host alone, as `login` means it: how it is reached, no mirrors.
int registries_host(const struct registries *registries, const char *host, struct arena *arena, struct registry_endpoint *ret,
                    struct err *err) MUST_CHECK;

// The certificates for a host ("localhost:5000") as PEM text in the arena: ca_pem, cert_pem and key_pem, NULL where there are none.
// `insecure` is left false.
int registries_certificates(const struct registries *registries, const char *host, struct arena *arena, struct fetch_tls *ret,
                            struct err *err) MUST_CHECK;

#endif

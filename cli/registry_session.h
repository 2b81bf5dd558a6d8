// Registries as commands reach them: the options that all of these commands have, and what the environment says of logins and
// proxies.
#ifndef COFFER_CLI_REGISTRY_SESSION_H
#define COFFER_CLI_REGISTRY_SESSION_H

#include "cli/options.h"
#include "runtime/base/attr.h"

struct context;
struct credentials;
struct credentials_options;
struct err;
struct registries;
struct registry;

// A member of a command's request; its rows: REGISTRY_OPTIONS(struct X, registry).
struct registry_flags {
    const char *authfile; // NULL: the usual ones
    const char *creds;    // "USER:PASSWORD"
    const char *cert_dir;
    struct opt_bool tls_verify;
    bool late; // nothing may be asked of it
};
extern const struct option_row registry_option_rows[];
#define REGISTRY_OPTIONS(type, member)                                                                                             \
    OPTION_GROUP("The registry"), OPTION_ROWS(registry_option_rows, type, member, struct registry_flags)

struct registry_session {
    struct registries *registries;
    struct credentials *credentials;
    struct registry *registry;
};
void registry_session_finish(struct registry_session *session);
#define AUTO_REGISTRY_SESSION AUTO(registry_session_finish)

// An image's name as a command is given it, without the "docker://" that skopeo and podman put in front.
const char *registry_reference(const char *word);

// Opens all three. host: whom --creds is for, the registry's name as references have it.
int registry_session_open(struct context *context, const struct registry_flags *options, const char *host,
                          struct registry_session *ret, struct err *err) MUST_CHECK;

// Before another of its hosts is asked, and before the process changes its user namespace.
int registry_session_expect(struct context *context, const struct registry_session *session, const char *host,
                            struct err *err) MUST_CHECK;

// Where logins are looked for, the first first; strings in the context's arena. What is wrong with the options is found when the
// credentials are opened.
void registry_session_credentials(struct context *context, const struct registry_flags *options, const char *host,
                                  struct credentials_options *ret);

#endif

#include "cli/registry_session.h"

#include "cli/context.h"
#include "images/credentials.h"
#include "images/registries.h"
#include "images/registry.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { AUTHORITIES_MAX_BYTES = 8 << 20 };

const struct option_row registry_option_rows[] = {
    OPTION_STRING(
        "authfile", 0, "FILE", struct registry_flags, authfile,
        "Take logins from FILE alone [default: REGISTRY_AUTH_FILE, else auth.json of containers and docker's config.json]",
        .complete = COMPLETE_FILE),
    OPTION_STRING("cert-dir", 0, "DIR", struct registry_flags, cert_dir,
                  "Trust the registry by the *.crt in DIR, and show it *.cert and *.key [default: certs.d]",
                  .complete = COMPLETE_DIRECTORY),
    OPTION_STRING("creds", 0, "USER:PASSWORD", struct registry_flags, creds, "Log in as USER, without keeping it"),
    OPTION_OPT_FLAG("tls-verify", 0, struct registry_flags, tls_verify,
                    "Verify the registry's certificate; with =false http will do, too [default true]"),
    {0},
};

static const char *environment(const char *name) {
    const char *value = getenv(name);
    return value && value[0] ? value : NULL;
}

// The folder of a user's settings of tool NAME; NULL where nothing says who the user is.
static const char *settings_of(struct context *context, const char *name) {
    const char *config = environment("XDG_CONFIG_HOME"), *home = environment("HOME");
    return config ? arena_format(&context->arena, "%s/%s", config, name)
           : home ? arena_format(&context->arena, "%s/.config/%s", home, name)
                  : NULL;
}

// Docker's file, then those of the containers tools. One named is the only one.
static const char *const *credential_files(struct context *context, const char *named) {
    struct arena *arena = &context->arena;
    const char **files = arena_array(arena, CREDENTIALS_MAX_FILES + 1, sizeof(*files));
    const char *docker = environment("DOCKER_CONFIG"), *home = environment("HOME"), *runtime = environment("XDG_RUNTIME_DIR");
    const char *containers = settings_of(context, "containers");
    size_t count = 0;
    if (named) {
        files[0] = named;
        return files;
    }
    if (docker || home) {
        files[count++] =
            docker ? arena_format(arena, "%s/config.json", docker) : arena_format(arena, "%s/.docker/config.json", home);
    }
    files[count++] = runtime ? arena_format(arena, "%s/containers/auth.json", runtime)
                             : arena_format(arena, "/run/containers/%u/auth.json", (unsigned)getuid());
    if (containers) {
        files[count++] = arena_format(arena, "%s/auth.json", containers);
    }
    return files;
}

static void find_places(struct context *context, const struct registry_flags *options, struct registries_options *ret) {
    struct arena *arena = &context->arena;
    const char *containers = settings_of(context, "containers"), *docker = settings_of(context, "docker");
    const char **folders = arena_array(arena, 5, sizeof(*folders));
    size_t count = 0;
    if (containers) {
        folders[count++] = arena_format(arena, "%s/certs.d", containers);
        folders[count++] = arena_format(arena, "%s/certs.d", docker);
    }
    folders[count++] = "/etc/containers/certs.d";
    folders[count++] = "/etc/docker/certs.d";
    const char *file = environment("COFFER_REGISTRIES_CONF");
    *ret = (struct registries_options){
        .file = file ? file : environment("CONTAINERS_REGISTRIES_CONF"),
        .user_file = containers ? arena_format(arena, "%s/registries.conf", containers) : NULL,
        .user_folder = containers ? arena_format(arena, "%s/registries.conf.d", containers) : NULL,
        .system_file = "/etc/containers/registries.conf",
        .system_folder = "/etc/containers/registries.conf.d",
        .certificate_folders = folders,
        .certificate_folder = options->cert_dir,
    };
}

void registry_session_credentials(struct context *context, const struct registry_flags *options, const char *host,
                                  struct credentials_options *ret) {
    const char *named = options->authfile ? options->authfile : environment("REGISTRY_AUTH_FILE");
    *ret = (struct credentials_options){
        .files = credential_files(context, named),
        .first_needed = options->authfile,
        .search_path = environment("PATH"),
        .environment = (const char *const *)environ,
        .given_host = options->creds ? host : NULL,
        .given = options->creds,
    };
}

// What libcurl asks the environment for. It does not take HTTP_PROXY in capitals, which a web server's clients could set; nobody
// sets it here but the user.
static const char *const *proxies(struct context *context) {
    static const char *const names[] = {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy",
                                        "ALL_PROXY",  "no_proxy",    "NO_PROXY"};
    const char **list = arena_array(&context->arena, ARRAY_LEN(names) + 2, sizeof(*list));
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *value = environment(names[i]);
        if (value) {
            list[count++] = arena_format(&context->arena, "%s=%s", names[i], value);
        }
    }
    const char *capitals = environment("HTTP_PROXY");
    if (capitals && !environment("http_proxy")) {
        list[count++] = arena_format(&context->arena, "http_proxy=%s", capitals);
    }
    return list;
}

// SSL_CERT_FILE, as OpenSSL and Go have it. Read here: the fetcher is nobody.
static int read_authorities(struct context *context, const char **ret, struct err *err) {
    const char *path = environment("SSL_CERT_FILE");
    *ret = NULL;
    if (path && fd_read_file_into(&context->arena, path, 0, AUTHORITIES_MAX_BYTES, ret, err) < 0) {
        return err_in(err, "SSL_CERT_FILE");
    }
    return 0;
}

const char *registry_reference(const char *word) {
    static const char scheme[] = "docker://";
    return strncmp(word, scheme, sizeof(scheme) - 1) == 0 ? word + sizeof(scheme) - 1 : word;
}

void registry_session_finish(struct registry_session *session) {
    registry_close(session->registry);
    credentials_close(session->credentials);
    registries_close(session->registries);
    *session = (struct registry_session){0};
}

static void notice(void *context, const char *text) {
    (void)context;
    log_warn("%s", text);
}

// A credential helper talks to the user's keychain as the user. In the namespace of his layers, which the store's commands enter,
// he would be root to it; so what it says is asked for before.
static int ask_helper_early(const struct context *context, const struct credentials *credentials, const char *host,
                            struct err *err) {
    AUTO_ARENA struct arena arena = {0};
    struct credential known;
    return context->rootless && credentials_find(credentials, host, NULL, &arena, &known, err) < 0 ? -1 : 0;
}

int registry_session_expect(struct context *context, const struct registry_session *session, const char *host, struct err *err) {
    return ask_helper_early(context, session->credentials, host, err);
}

int registry_session_open(struct context *context, const struct registry_flags *options, const char *host,
                          struct registry_session *ret, struct err *err) {
    AUTO_REGISTRY_SESSION struct registry_session session = {0};
    struct registries_options places;
    struct credentials_options logins;
    const char *authorities;
    find_places(context, options, &places);
    registry_session_credentials(context, options, host, &logins);
    if (read_authorities(context, &authorities, err) < 0 || registries_open(&places, &session.registries, err) < 0 ||
        credentials_open(&logins, &session.credentials, err) < 0) {
        return -1;
    }
    const struct registry_options wishes = {
        .registries = session.registries,
        .credentials = session.credentials,
        .environment = proxies(context),
        .authorities = authorities,
        .late = options->late,
        .insecure = options->tls_verify.set && !options->tls_verify.value,
        .notice = notice,
    };
    if (ask_helper_early(context, session.credentials, host, err) < 0 || registry_open(&wishes, &session.registry, err) < 0) {
        return -1;
    }
    *ret = session;
    session.registry = NULL;
    session.credentials = NULL;
    session.registries = NULL;
    return 0;
}

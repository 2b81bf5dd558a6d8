#include "cli/commands/login.h"
#include "cli/ask.h"
#include "cli/commands/all.h"
#include "cli/context.h"
#include "cli/output.h"
#include "cli/registry_session.h"
#include "images/credentials.h"
#include "images/ref.h"
#include "images/registry.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/quote.h"

#include <string.h>
#include <unistd.h>

struct login_request {
    struct registry_flags registry;
    const char *user, *password;
    bool password_stdin;
};

int login_host(struct context *context, const char **ret, struct err *err) {
    static const char hub[] = "docker.io";
    const char *given = context->operand_count > 0 ? context->operands[0] : hub;
    const char *scheme = strstr(given, "://"), *host = given;
    char room[QUOTE_SIZE];
    if (scheme) { // as docker takes it: https://index.docker.io/v1/
        host = arena_copy(&context->arena, scheme + 3, strcspn(scheme + 3, "/"));
    }
    struct image_ref ref;
    struct err wrong;
    if (strchr(host, '/') || image_ref_parse(&context->arena, arena_format(&context->arena, "%s/x/y", host), &ref, &wrong) < 0 ||
        strcmp(ref.repository, "x/y") != 0) {
        return err_set(err, ERR_INPUT, "expected a registry as HOST[:PORT], with a dot or a port or localhost, found %s",
                       quote_text(given, room));
    }
    *ret = ref.registry;
    return 0;
}

static int read_password(struct context *context, const char **ret, struct err *err) {
    char *text = arena_alloc(&context->arena, CREDENTIALS_MAX_SECRET + 2);
    ssize_t size = fd_read_full(STDIN_FILENO, text, CREDENTIALS_MAX_SECRET + 2);
    if (size < 0) {
        return err_sys(err, "read the password from standard input");
    }
    if (size > CREDENTIALS_MAX_SECRET) {
        return err_set(err, ERR_INPUT, "the password on standard input has more than %d bytes", CREDENTIALS_MAX_SECRET);
    }
    if (memchr(text, '\0', (size_t)size)) {
        return err_set(err, ERR_INPUT, "the password on standard input holds a NUL byte");
    }
    size -= size > 0 && text[size - 1] == '\n';
    size -= size > 0 && text[size - 1] == '\r';
    text[size] = '\0';
    *ret = text;
    return 0;
}

static int check_flags(const struct login_request *request, struct err *err) {
    if (request->password && request->password_stdin) {
        return err_set(err, ERR_INPUT, "both --password and --password-stdin: which of them?");
    }
    if (request->password_stdin && !request->user) {
        return err_set(err, ERR_INPUT, "--password-stdin needs --username");
    }
    if (request->password) {
        log_warn("--password is seen by all who may list processes; use --password-stdin");
    }
    return 0;
}

// From options, standard input and the terminal, in this order.
static int take_credential(struct context *context, struct credential *ret, struct err *err) {
    const struct login_request *request = context->request;
    enum { ANSWER_SIZE = 4096 };
    *ret = (struct credential){.user = request->user, .password = request->password};
    if (request->password_stdin && read_password(context, &ret->password, err) < 0) {
        return -1;
    }
    if ((!ret->user || !ret->password) && !ask_possible()) {
        return err_set(err, ERR_INPUT, "standard input is no terminal to ask on; give --username and --password-stdin");
    }
    if (!ret->user) {
        char *user = arena_alloc(&context->arena, ANSWER_SIZE);
        if (ask_line("Username: ", false, user, ANSWER_SIZE, err) < 0) {
            return -1;
        }
        ret->user = user;
    }
    if (!ret->password) {
        char *password = arena_alloc(&context->arena, ANSWER_SIZE);
        if (ask_line("Password: ", true, password, ANSWER_SIZE, err) < 0) {
            return -1;
        }
        ret->password = password;
    }
    if (!*ret->user || !*ret->password) {
        return err_set(err, ERR_INPUT, "the %s is empty", *ret->user ? "password" : "user's name");
    }
    if (strchr(ret->user, ':')) {
        char room[QUOTE_SIZE];
        return err_set(err, ERR_INPUT, "the user %s: a user's name cannot hold a colon", quote_text(ret->user, room));
    }
    return 0;
}

// Asks the registry. No file is read for it: only what was given counts.
static int verify(struct context *context, const char *host, const struct credential *credential, struct err *err) {
    const struct login_request *request = context->request;
    AUTO_REGISTRY_SESSION struct registry_session session = {0};
    struct registry_flags flags = request->registry;
    flags.authfile = "/dev/null";
    flags.creds = arena_format(&context->arena, "%s:%s", credential->user, credential->password);
    if (registry_session_open(context, &flags, host, &session, err) < 0 || registry_ping(session.registry, host, err) < 0) {
        return -1;
    }
    return 0;
}

static int say(const char *text, struct err *err) {
    AUTO_BUF struct buf line = {0};
    buf_add_format(&line, "%s\n", text);
    return output_write(&line, err);
}

// Without words of his own, the login that is there is tried, as docker does. 1: it was taken.
static int try_existing(struct context *context, const struct credentials_options *options, const char *host, struct err *err) {
    const struct login_request *request = context->request;
    AUTO_CREDENTIALS struct credentials *credentials = NULL;
    struct credential known;
    struct err wrong;
    if (request->user || request->password) {
        return 0;
    }
    if (credentials_open(options, &credentials, err) < 0) {
        return -1;
    }
    int found = credentials_find(credentials, host, NULL, &context->arena, &known, err);
    if (found <= 0 || known.identity_token) {
        return found < 0 ? -1 : 0;
    }
    if (say("Authenticating with existing credentials...", err) < 0) {
        return -1;
    }
    if (verify(context, host, &known, &wrong) == 0) {
        return 1;
    }
    if (!ask_possible()) {
        *err = wrong;
        return -1;
    }
    log_warn("%s", wrong.text);
    return 0;
}

static int run(struct context *context, struct err *err) {
    const struct login_request *request = context->request;
    struct credentials_options options;
    struct credential credential;
    const char *host, *helper;
    if (check_flags(request, err) < 0 || login_host(context, &host, err) < 0) {
        return -1;
    }
    registry_session_credentials(context, &request->registry, host, &options);
    options.first_needed = false; // it is made here
    int taken = try_existing(context, &options, host, err);
    if (taken < 0) {
        return -1;
    }
    if (taken == 0) {
        if (take_credential(context, &credential, err) < 0 || verify(context, host, &credential, err) < 0 ||
            credentials_store(&options, options.files[0], host, &credential, &context->arena, &helper, err) < 0) {
            return -1;
        }
        if (!helper) {
            log_warn("the password is in %s, which others cannot read but which is not encrypted; a credential helper (credsStore) "
                     "would "
                     "keep it in a keychain",
                     options.files[0]);
        }
    }
    return say("Login Succeeded", err);
}

static const struct option_row options[] = {
    OPTION_STRING("username", 'u', "USER", struct login_request, user, "Log in as USER"),
    OPTION_STRING("password", 'p', "PASSWORD", struct login_request, password,
                  "With this password, which others may see in the list of processes"),
    OPTION_FLAG("password-stdin", 0, struct login_request, password_stdin, "Read the password from standard input"),
    OPTION_GROUP("The registry"),
    OPTION_STRING("authfile", 0, "FILE", struct login_request, registry.authfile,
                  "Keep the login in FILE [default: REGISTRY_AUTH_FILE, else docker's config.json]", .complete = COMPLETE_FILE),
    OPTION_STRING("cert-dir", 0, "DIR", struct login_request, registry.cert_dir,
                  "Trust the registry by the *.crt in DIR, and show it *.cert and *.key [default: certs.d]",
                  .complete = COMPLETE_DIRECTORY),
    OPTION_OPT_FLAG("tls-verify", 0, struct login_request, registry.tls_verify,
                    "Verify the registry's certificate; with =false http will do, too [default true]"),
    {0},
};

const struct command command_login = {
    .name = "login",
    .usage = "[HOST[:PORT]]",
    .summary = "Log in to a registry",
    .description = "Asks the registry, docker.io where none is named, and keeps the login for pull, push and their like when it is "
                   "taken. Without "
                   "--username a login that is kept already is tried; what is missing is asked for on the terminal.\n\n"
                   "Logins are kept where docker keeps them, ~/.docker/config.json, and by the credential helper that this file "
                   "names. Those of "
                   "podman and skopeo (auth.json) are used, too.",
    .examples = "coffer login -u me --password-stdin registry.example.com < password.txt",
    .group = COMMAND_GROUP_IMAGES,
    .flags = COMMAND_STATELESS,
    .max_operands = 1,
    .options = options,
    .request_size = sizeof(struct login_request),
    .run = run,
};

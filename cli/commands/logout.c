#include "cli/commands/all.h"
#include "cli/commands/login.h"
#include "cli/context.h"
#include "cli/output.h"
#include "cli/registry_session.h"
#include "images/credentials.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"

#include <stddef.h>

struct logout_request {
    struct registry_flags registry;
    bool all;
};

// Other tools' files are theirs; but who logs out must know that he is still logged in.
static int warn_of_others(struct context *context, const struct credentials_options *options, const char *host, struct err *err) {
    for (const char *const *file = options->files + 1; options->files[0] && *file; file++) {
        const char *const alone[] = {*file, NULL};
        struct credentials_options other = *options;
        AUTO_CREDENTIALS struct credentials *credentials = NULL;
        struct credential known;
        other.files = alone;
        if (credentials_open(&other, &credentials, err) < 0) {
            return -1;
        }
        int found = credentials_find(credentials, host, NULL, &context->arena, &known, err);
        if (found < 0) {
            return -1;
        }
        if (found > 0) {
            log_warn("%s holds a login for %s, too; give --authfile to remove it", *file, host);
        }
    }
    return 0;
}

static int run(struct context *context, struct err *err) {
    const struct logout_request *request = context->request;
    AUTO_BUF struct buf line = {0};
    struct credentials_options options;
    const char *host = NULL;
    if (request->all && context->operand_count > 0) {
        return err_set(err, ERR_INPUT, "both --all and %s: which of them?", context->operands[0]);
    }
    if (!request->all && login_host(context, &host, err) < 0) {
        return -1;
    }
    registry_session_credentials(context, &request->registry, host, &options);
    int removed = credentials_erase(&options, options.files[0], host, err);
    if (removed < 0 || (host && warn_of_others(context, &options, host, err) < 0)) {
        return -1;
    }
    if (!host) {
        buf_add_format(&line, "%s\n", removed ? "Removed login credentials for all registries" : "Not logged in to any registry");
    } else {
        buf_add_format(&line, "%s %s\n", removed ? "Removing login credentials for" : "Not logged in to", host);
    }
    return output_write(&line, err);
}

static const struct option_row options[] = {
    OPTION_FLAG("all", 'a', struct logout_request, all, "Log out of all registries"),
    OPTION_STRING("authfile", 0, "FILE", struct logout_request, registry.authfile,
                  "Remove the login from FILE [default: REGISTRY_AUTH_FILE, else docker's config.json]", .complete = COMPLETE_FILE),
    {0},
};

const struct command command_logout = {
    .name = "logout",
    .usage = "[HOST[:PORT]]",
    .summary = "Log out of a registry",
    .description =
        "Forgets a login that is kept in docker's config.json or in FILE, and by the credential helper that it names. HOST is "
        "docker.io where none is given.",
    .group = COMMAND_GROUP_IMAGES,
    .flags = COMMAND_STATELESS,
    .max_operands = 1,
    .options = options,
    .request_size = sizeof(struct logout_request),
    .run = run,
};

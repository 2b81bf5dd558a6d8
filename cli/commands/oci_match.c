#include "cli/commands/oci_match.h"

#include "cli/context.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/container/container.h"

#include <errno.h>
#include <regex.h>

int oci_match(struct context *context, const char *pattern, int (*act)(struct context *context, const char *id, struct err *err),
              struct err *err) {
    const char **ids = NULL;
    size_t count = 0;
    if (container_ids(context->oci_dir, &context->arena, &ids, &count, err) < 0 && (err->errnum != ENOENT || context->oci_dir_given)) {
        return -1;
    }
    regex_t regex;
    int code = regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB);
    if (code != 0) {
        char reason[128];
        regerror(code, &regex, reason, sizeof(reason));
        return err_set(err, ERR_INPUT, "--regex: \"%s\" is no extended regular expression: %s", pattern, reason);
    }
    for (size_t i = 0; i < count; i++) {
        struct err one;
        if (regexec(&regex, ids[i], 0, NULL, 0) == 0 && act(context, ids[i], &one) < 0 && one.kind != ERR_NOT_FOUND) {
            log_warn("%s", one.text);
        }
    }
    regfree(&regex);
    return 0;
}

// What login and logout share.
#ifndef COFFER_CLI_COMMANDS_LOGIN_H
#define COFFER_CLI_COMMANDS_LOGIN_H

#include "runtime/base/attr.h"

struct context;
struct err;

// The registry that the first operand names, as references have it; docker.io where there is none.
int login_host(struct context *context, const char **ret, struct err *err) MUST_CHECK;

#endif

// Variables as -e and --env-file give them, and labels, which are written alike.
#ifndef COFFER_COMMANDS_ENV_H
#define COFFER_COMMANDS_ENV_H

#include "runtime/base/attr.h"

struct err;
struct strv;

// Adds NAME=VALUE of the files, then of the options: what stands last counts. NAME alone means the caller's value, and nothing when he
// has none (docker).
int env_fill(const struct strv *files, const struct strv *options, struct strv *env, struct err *err) MUST_CHECK;

// The same of labels: NAME alone is an empty one.
int labels_fill(const struct strv *files, const struct strv *options, struct strv *labels, struct err *err) MUST_CHECK;

#endif

// request_check: what is wrong in a request by itself, before anything is looked up or made.
#ifndef COFFER_ENGINE_REQUEST_CHECK_H
#define COFFER_ENGINE_REQUEST_CHECK_H

#include "runtime/base/attr.h"

#include <stdbool.h>

struct err;
struct run_request;

// user_namespace: it gets user ids of its own.
int request_check(const struct run_request *request, bool user_namespace, struct err *err) MUST_CHECK;

#endif

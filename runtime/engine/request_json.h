// A run_request as JSON: a container's wish outlives the command that wished, so that it can be started again.
#ifndef COFFER_ENGINE_REQUEST_JSON_H
#define COFFER_ENGINE_REQUEST_JSON_H

#include "runtime/base/attr.h"

struct arena;
struct buf;
struct err;
struct run_request;

void request_write_json(const struct run_request *request, struct buf *text);

// Everything lives in the arena; lists are not to be freed or added to.
int request_read_json(const char *text, struct arena *arena, struct run_request *ret, struct err *err) MUST_CHECK;

#endif

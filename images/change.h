// Changes to an image's settings, written as instructions of a Dockerfile: `CMD ["sh"]`, `ENV A=b`. (`docker import --change`.)
#ifndef COFFER_IMAGES_CHANGE_H
#define COFFER_IMAGES_CHANGE_H

#include "runtime/base/attr.h"

struct arena;
struct err;
struct image_settings;

// Applies one instruction: CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, STOPSIGNAL, USER, VOLUME or WORKDIR. What it adds lives in
// the arena.
int image_change(struct arena *arena, struct image_settings *settings, const char *instruction, struct err *err) MUST_CHECK;

#endif

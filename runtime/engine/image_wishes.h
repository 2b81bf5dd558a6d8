// image_wishes: what an image says for its containers, put into a request where that does not say otherwise: labels and ports. And
// --publish-all, made into what it stands for.
#ifndef COFFER_ENGINE_IMAGE_WISHES_H
#define COFFER_ENGINE_IMAGE_WISHES_H

#include "runtime/base/attr.h"

struct arena;
struct err;
struct image_settings;
struct run_request;

// What is added lives in the arena. Ports that an image names wrongly are left out, with a warning; those of --expose are an error.
int image_wishes_add(const struct image_settings *image, struct arena *arena, struct run_request *request, struct err *err) MUST_CHECK;

#endif

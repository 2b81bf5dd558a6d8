// What an image of a container says of how to run it: what the container's image says, and what the user asked for beside.
#ifndef COFFER_ENGINE_COMMIT_SETTINGS_H
#define COFFER_ENGINE_COMMIT_SETTINGS_H

#include "specs/image_config.h"

struct arena;
struct run_request;

// All lives in the arena, or is borrowed.
struct image_settings commit_settings(const struct image_settings *image, const struct run_request *run, struct arena *arena);

#endif

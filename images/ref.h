// Image references: [REGISTRY/]REPOSITORY[:TAG][@DIGEST], with docker's grammar and docker's short forms: "alpine" is
// docker.io/library/alpine:latest. (github.com/distribution/reference, reference.go, has the grammar.)
//
// A reference that came out of image_ref_parse() holds nothing but the grammar's letters, so that it is safe in a path or a URL: no
// "..", no empty components, no controls.
#ifndef COFFER_IMAGES_REF_H
#define COFFER_IMAGES_REF_H

#include "runtime/base/attr.h"

#include <stdbool.h>

struct arena;
struct err;

enum {
    IMAGE_REF_NAME_MAX = 255, // registry and repository
    IMAGE_REF_TAG_MAX = 128,
    IMAGE_ID_SHORT_MIN = 4, // digits of an id's beginning that are taken for one
};

struct image_ref {
    const char *registry;   // "docker.io", "localhost:5000"
    const char *repository; // "library/alpine"
    const char *name;       // both: "docker.io/library/alpine"
    const char *tag;        // NULL only beside a digest
    const char *digest;     // "sha256:...", NULL: none
};

// ERR_INPUT says what is wrong with the text and what was expected. A text without tag and digest gets the tag "latest".
int image_ref_parse(struct arena *arena, const char *text, struct image_ref *ret, struct err *err) MUST_CHECK;

// The full form: "docker.io/library/alpine:3", "quay.io/x/y@sha256:...": by the digest where there is one.
const char *image_ref_full(struct arena *arena, const struct image_ref *ref);

// The short form, for people: "alpine:3", "quay.io/x/y@sha256:...". Parses to the same reference again.
const char *image_ref_familiar(struct arena *arena, const struct image_ref *ref);

// The short form of a name alone: "docker.io/library/alpine" -> "alpine". Points into name.
const char *image_ref_familiar_name(const char *name);

// Whether the text may be an id or the beginning of one: 4 to 64 lower-case hex digits, perhaps behind "sha256:". *ret_hex points
// into it.
bool image_id_like(const char *text, const char **ret_hex);

// Whether the text could stand behind the colon as a tag.
bool image_tag_valid(const char *text);

#endif

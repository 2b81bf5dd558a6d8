#include "images/ref.h"

#include "images/digest.h"
#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/quote.h"

#include <stddef.h>
#include <string.h>

static const char lower_digits[] = "abcdefghijklmnopqrstuvwxyz0123456789";
static const char word_letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
static const char host_letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";
static const char docker_hub[] = "docker.io";
static const char official[] = "library/";

static int wrong(const char *text, const char *expected, const char *part, struct err *err) {
    char quoted[QUOTE_SIZE], quoted_part[QUOTE_SIZE];
    return err_set(err, ERR_INPUT, "image name %s: expected %s, found %s", quote_text(text, quoted), expected,
                   quote_text(part, quoted_part));
}

static int refuse(const char *text, const char *why, struct err *err) {
    char quoted[QUOTE_SIZE];
    return err_set(err, ERR_INPUT, "image name %s %s", quote_text(text, quoted), why);
}

bool image_tag_valid(const char *text) {
    size_t length = strlen(text);
    return length > 0 && length <= IMAGE_REF_TAG_MAX && strchr(word_letters, text[0]) &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == length;
}

// One component of a path: letters and digits, parted by single separators: "." or "_" or "__" or any number of "-".
static bool component_is_valid(const char *at) {
    for (;;) {
        size_t letters = strspn(at, lower_digits);
        if (letters == 0) {
            return false;
        }
        at += letters;
        if (!*at) {
            return true;
        }
        size_t dashes = strspn(at, "-");
        if (dashes > 0) {
            at += dashes;
        } else if (*at == '.') {
            at++;
        } else if (*at == '_') {
            at += at[1] == '_' ? 2 : 1;
        } else {
            return false;
        }
    }
}

static bool port_is_valid(const char *port) {
    size_t length = strlen(port);
    return length > 0 && length <= 5 && strspn(port, "0123456789") == length;
}

static bool host_is_valid(char *host) {
    if (*host == '[') { // an IPv6 address
        char *end = strchr(host, ']');
        return end && end > host + 2 && strspn(host + 1, "0123456789abcdefABCDEF:") == (size_t)(end - host - 1) &&
               (!end[1] || (end[1] == ':' && port_is_valid(end + 2)));
    }
    size_t length = strcspn(host, ":");
    if (host[length] && !port_is_valid(host + length + 1)) {
        return false;
    }
    for (size_t at = 0;;) {
        size_t part = strspn(host + at, host_letters);
        if (part == 0 || host[at] == '-' || host[at + part - 1] == '-') {
            return false;
        }
        at += part;
        if (at == length) {
            return true;
        }
        if (host[at++] != '.') {
            return false;
        }
    }
}

// "alpine/x" names docker's registry; "alpine.org/x", "host:5000/x", "localhost/x" and "Host/x" one of their own.
static bool is_registry(const char *first) {
    return strpbrk(first, ".:[") || strcmp(first, "localhost") == 0 || strpbrk(first, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
}

static int check_path(const char *text, char *path, struct err *err) {
    for (char *component = path, *slash; component; component = slash) {
        slash = strchr(component, '/');
        if (slash) {
            *slash = '\0';
        }
        if (!component_is_valid(component)) {
            bool upper = strpbrk(component, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
            return wrong(text, upper ? "lower-case letters" : "lower-case letters and digits parted by one of . _ __ -", component,
                         err);
        }
        if (slash) {
            *slash++ = '/';
        }
    }
    return 0;
}

// Cuts off "@DIGEST" and ":TAG".
static int take_tail(struct arena *arena, const char *text, char *rest, struct image_ref *ref, struct err *err) {
    char *at = strchr(rest, '@');
    if (at) {
        struct digest digest;
        *at = '\0';
        if (digest_parse(at + 1, &digest, err) < 0) {
            char quoted[QUOTE_SIZE];
            return err_in(err, "image name %s", quote_text(text, quoted));
        }
        ref->digest = arena_copy_string(arena, at + 1);
    }
    char *slash = strrchr(rest, '/');
    char *colon = strrchr(slash ? slash : rest, ':');
    if (colon) {
        *colon = '\0';
        if (!image_tag_valid(colon + 1)) {
            return wrong(text, "a tag of at most 128 letters, digits and . _ -", colon + 1, err);
        }
        ref->tag = arena_copy_string(arena, colon + 1);
    } else if (!ref->digest) {
        ref->tag = "latest";
    }
    return 0;
}

int image_ref_parse(struct arena *arena, const char *text, struct image_ref *ret, struct err *err) {
    struct image_ref ref = {0};
    if (!*text) {
        return err_set(err, ERR_INPUT, "the image name is empty");
    }
    if (strlen(text) > IMAGE_REF_NAME_MAX + IMAGE_REF_TAG_MAX + DIGEST_TEXT_SIZE) {
        return refuse(text, "is too long", err);
    }
    char *rest = arena_copy_string(arena, text);
    if (take_tail(arena, text, rest, &ref, err) < 0) {
        return -1;
    }
    char *slash = strchr(rest, '/'), *path = rest;
    ref.registry = docker_hub;
    if (slash) {
        *slash = '\0';
        if (is_registry(rest)) {
            if (!host_is_valid(rest)) {
                return wrong(text, "a registry's host name, perhaps with a port", rest, err);
            }
            ref.registry = strcmp(rest, "index.docker.io") == 0 ? docker_hub : rest;
            path = slash + 1;
        } else {
            *slash = '/';
        }
    }
    if (check_path(text, path, err) < 0) {
        return -1;
    }
    if (path == rest && strlen(path) == 64 && strspn(path, "0123456789abcdef") == 64) {
        return refuse(text, "is 64 hex digits, which are an image's id, not a name", err);
    }
    bool short_form = strcmp(ref.registry, docker_hub) == 0 && !strchr(path, '/');
    ref.name = arena_format(arena, "%s/%s%s", ref.registry, short_form ? official : "", path);
    ref.repository = ref.name + strlen(ref.registry) + 1;
    if (strlen(ref.name) > IMAGE_REF_NAME_MAX) {
        return refuse(text, "is longer than 255 letters without its tag", err);
    }
    *ret = ref;
    return 0;
}

const char *image_ref_familiar_name(const char *name) {
    size_t hub = sizeof(docker_hub) - 1, library = sizeof(official) - 1;
    if (strncmp(name, docker_hub, hub) != 0 || name[hub] != '/') {
        return name;
    }
    const char *path = name + hub + 1;
    const char *rest = path + library;
    if (strncmp(path, official, library) == 0 && !strchr(rest, '/')) {
        return rest;
    }
    // "docker.io/a.b/c" cannot be cut to "a.b/c", which is another registry's.
    char first[IMAGE_REF_NAME_MAX + 1];
    size_t length = strcspn(path, "/");
    memcpy(first, path, length);
    first[length] = '\0';
    return is_registry(first) ? name : path;
}

const char *image_ref_full(struct arena *arena, const struct image_ref *ref) {
    return ref->digest ? arena_format(arena, "%s@%s", ref->name, ref->digest) : arena_format(arena, "%s:%s", ref->name, ref->tag);
}

const char *image_ref_familiar(struct arena *arena, const struct image_ref *ref) {
    return arena_format(arena, "%s%s%s%s%s", image_ref_familiar_name(ref->name), ref->tag ? ":" : "", ref->tag ? ref->tag : "",
                        ref->digest ? "@" : "", ref->digest ? ref->digest : "");
}

bool image_id_like(const char *text, const char **ret_hex) {
    const char *hex = strncmp(text, "sha256:", 7) == 0 ? text + 7 : text;
    size_t length = strlen(hex);
    *ret_hex = hex;
    return length >= IMAGE_ID_SHORT_MIN && length <= 64 && strspn(hex, "0123456789abcdef") == length;
}

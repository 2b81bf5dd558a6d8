// What a server says of authorisation and of where to go: challenges, and URLs in Location, Link and realms.
#include "images/auth_challenge.h"
#include "images/url.h"
#include "runtime/base/arena.h"
#include "runtime/base/err.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_url(struct arena *arena, const struct url *url) {
    struct err err = {0};
    struct url again;
    // What came out can go in again, and is the same then: nobody reads another host from it.
    if (*url->path != '/' || strchr(url->host, '@') || strpbrk(url->text, "\r\n #") ||
        url_parse(arena, url->text, &again, &err) < 0 || !url_same_origin(url, &again) || strcmp(url->path, again.path) != 0) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    AUTO_ARENA struct arena arena = {0};
    struct err err = {0};
    struct auth_challenge *challenges;
    struct url base, url;
    size_t count;
    const char *text = arena_copy(&arena, data, size);
    if (auth_challenges_parse(text, &arena, &challenges, &count, &err) == 0) {
        for (size_t i = 0; i < count; i++) {
            if (!challenges[i].name || strlen(challenges[i].name) > size ||
                (challenges[i].realm && strlen(challenges[i].realm) > size)) {
                abort();
            }
        }
    }
    if (url_parse(&arena, text, &url, &err) == 0) {
        check_url(&arena, &url);
    }
    if (url_parse(&arena, "https://registry.example:5000/v2/a/b?c=d", &base, &err) == 0 &&
        url_resolve(&arena, &base, text, &url, &err) == 0) {
        check_url(&arena, &url);
    }
    return 0;
}

// http and https URLs as a registry's client meets them: in redirects, upload locations and token realms. What came out of here has
// no user information, no fragment, no control characters, and a host in lower case, so that two of them can be compared.
// (RFC 3986; the resolution of relative ones is its section 5.2.)
#ifndef COFFER_IMAGES_URL_H
#define COFFER_IMAGES_URL_H

#include "runtime/base/attr.h"

#include <stdbool.h>

struct arena;
struct buf;
struct err;

enum { URL_MAX = 16 << 10 }; // bytes

struct url {
    bool tls;         // https
    const char *host; // without the port; an IPv6 address in brackets
    unsigned port;
    const char *authority; // both, without a port that is the scheme's own
    const char *path;      // "/" at least, and the query
    const char *text;      // whole, without a port that is the scheme's own
};

// ERR_INPUT says what is wrong with it. Strings in the arena.
int url_parse(struct arena *arena, const char *text, struct url *ret, struct err *err) MUST_CHECK;

// A reference as it stands in a Location header, which may be relative to base.
int url_resolve(struct arena *arena, const struct url *base, const char *reference, struct url *ret, struct err *err) MUST_CHECK;

// The same scheme, host and port.
bool url_same_origin(const struct url *a, const struct url *b);

// localhost, 127.0.0.0/8 or ::1: "localhost:5000", "[::1]:443".
bool url_host_is_loopback(const char *host);

// Appends the text with all but letters, digits and -._~ as %XX.
void url_add_escaped(struct buf *buf, const char *text);

// The path with one more parameter in its query, whose value is escaped.
const char *url_with_parameter(struct arena *arena, const char *path, const char *name, const char *value);

#endif

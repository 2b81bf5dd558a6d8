#include "images/url.h"

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/quote.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char host_letters[] = "abcdefghijklmnopqrstuvwxyz0123456789.-_";

static int wrong(const char *text, const char *why, struct err *err) {
    char quoted[QUOTE_SIZE];
    return err_set(err, ERR_INPUT, "URL %s %s", quote_text(text, quoted), why);
}

static int check_bytes(const char *text, struct err *err) {
    if (strlen(text) > URL_MAX) {
        return wrong(text, "is longer than 16384 bytes", err);
    }
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        if (*at <= ' ' || *at >= 0x7f || strchr("\"<>\\^`{|}", *at)) {
            return wrong(text, "has characters that no URL may have", err);
        }
    }
    return 0;
}

// "host:port" or "[::1]:port" in lower case, between here and the end of the string.
static int take_authority(const char *text, char *authority, struct url *url, struct err *err) {
    for (char *at = authority; *at; at++) {
        *at = *at >= 'A' && *at <= 'Z' ? (char)(*at - 'A' + 'a') : *at;
    }
    if (strchr(authority, '@')) {
        return wrong(text, "has a user's name in it", err);
    }
    char *end = *authority == '[' ? strchr(authority, ']') : authority + strcspn(authority, ":");
    if (!end || end == authority) {
        return wrong(text, "has no host", err);
    }
    if (*authority == '[') {
        if (end < authority + 3 || strspn(authority + 1, "0123456789abcdef:.") != (size_t)(end - authority - 1)) {
            return wrong(text, "has a host that is no IPv6 address", err);
        }
        end++;
    } else if (strspn(authority, host_letters) != (size_t)(end - authority)) {
        return wrong(text, "has a host with characters that no name has", err);
    }
    url->port = url->tls ? 443 : 80;
    if (*end == ':' && end[1]) {
        size_t digits = strspn(end + 1, "0123456789");
        unsigned long port = digits <= 5 && !end[1 + digits] ? strtoul(end + 1, NULL, 10) : 0;
        if (port == 0 || port > UINT16_MAX) {
            return wrong(text, "has a port that is none", err);
        }
        url->port = (unsigned)port;
    } else if (*end && *end != ':') {
        return wrong(text, "has a host with characters that no name has", err);
    }
    *end = '\0';
    url->host = authority;
    return 0;
}

static void join(struct arena *arena, struct url *url) {
    bool usual = url->port == (url->tls ? 443u : 80u);
    url->authority = usual ? url->host : arena_format(arena, "%s:%u", url->host, url->port);
    url->text = arena_format(arena, "%s://%s%s", url->tls ? "https" : "http", url->authority, url->path);
}

int url_parse(struct arena *arena, const char *text, struct url *ret, struct err *err) {
    struct url url = {0};
    if (check_bytes(text, err) < 0) {
        return -1;
    }
    if (strncasecmp(text, "https://", 8) == 0) {
        url.tls = true;
    } else if (strncasecmp(text, "http://", 7) != 0) {
        return wrong(text, "begins with neither https:// nor http://", err);
    }
    const char *authority = text + (url.tls ? 8 : 7);
    size_t length = strcspn(authority, "/?#");
    const char *path = authority + length;
    if (take_authority(text, arena_copy(arena, authority, length), &url, err) < 0) {
        return -1;
    }
    url.path = arena_format(arena, "%s%.*s", *path == '/' ? "" : "/", (int)strcspn(path, "#"), path);
    join(arena, &url);
    *ret = url;
    return 0;
}

// RFC 3986, 5.2.4: what "." and ".." make of an absolute path. In place; the query stands behind and is left alone.
static void remove_dots(char *path) {
    size_t length = strcspn(path, "?");
    char *to = path;
    const char *from = path, *end = path + length;
    while (from < end) {
        const char *segment = from + 1, *next = memchr(segment, '/', (size_t)(end - segment));
        size_t size = (size_t)((next ? next : end) - segment);
        bool dot = size == 1 && *segment == '.', dots = size == 2 && segment[0] == '.' && segment[1] == '.';
        if (dots) {
            while (to > path && *--to != '/') {
            }
        }
        if (dot || dots) {
            if (!next) {
                *to++ = '/';
            }
        } else {
            memmove(to, from, size + 1);
            to += size + 1;
        }
        from = segment + size;
    }
    memmove(to, path + length, strlen(path + length) + 1);
}

int url_resolve(struct arena *arena, const struct url *base, const char *reference, struct url *ret, struct err *err) {
    if (check_bytes(reference, err) < 0) {
        return -1;
    }
    const char *colon = strpbrk(reference, ":/?#");
    if (colon && *colon == ':') {
        return url_parse(arena, reference, ret, err);
    }
    if (strncmp(reference, "//", 2) == 0) {
        return url_parse(arena, arena_format(arena, "%s:%s", base->tls ? "https" : "http", reference), ret, err);
    }
    struct url url = *base;
    int length = (int)strcspn(reference, "#"), base_path = (int)strcspn(base->path, "?");
    char *path;
    if (*reference == '/') {
        path = arena_format(arena, "%.*s", length, reference);
    } else if (length == 0) {
        path = arena_copy_string(arena, base->path);
    } else if (*reference == '?') {
        path = arena_format(arena, "%.*s%.*s", base_path, base->path, length, reference);
    } else {
        while (base_path > 0 && base->path[base_path - 1] != '/') {
            base_path--;
        }
        path = arena_format(arena, "%.*s%.*s", base_path, base->path, length, reference);
    }
    remove_dots(path);
    url.path = *path == '/' ? path : arena_format(arena, "/%s", path);
    join(arena, &url);
    *ret = url;
    return 0;
}

bool url_same_origin(const struct url *a, const struct url *b) {
    return a->tls == b->tls && a->port == b->port && strcmp(a->host, b->host) == 0;
}

static bool is_loopback_v4(const char *host) {
    unsigned parts = 0;
    if (strncmp(host, "127.", 4) != 0) {
        return false;
    }
    for (const char *at = host; parts < 4; parts++) {
        size_t digits = strspn(at, "0123456789");
        if (digits == 0 || digits > 3 || strtoul(at, NULL, 10) > 255) {
            return false;
        }
        at += digits;
        if (*at == '.' && parts < 3) {
            at++;
        } else {
            return parts == 3 && (!*at || *at == ':');
        }
    }
    return false;
}

bool url_host_is_loopback(const char *host) {
    size_t length = strcspn(host, ":");
    static const char name[] = "localhost"; // names below it may be anybody's to a resolver
    if (strncmp(host, "[::1]", 5) == 0) {
        return !host[5] || host[5] == ':';
    }
    return (length == sizeof(name) - 1 && strncasecmp(host, name, length) == 0) || is_loopback_v4(host);
}

void url_add_escaped(struct buf *buf, const char *text) {
    for (; *text; text++) {
        if ((*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') || (*text >= '0' && *text <= '9') ||
            strchr("-._~", *text)) {
            buf_add_char(buf, *text);
        } else {
            buf_add_format(buf, "%%%02X", (unsigned char)*text);
        }
    }
}

const char *url_with_parameter(struct arena *arena, const char *path, const char *name, const char *value) {
    AUTO_BUF struct buf escaped = {0};
    url_add_escaped(&escaped, value);
    size_t length = strlen(path);
    const char *joint = !strchr(path, '?') ? "?" : path[length - 1] == '?' || path[length - 1] == '&' ? "" : "&";
    return arena_format(arena, "%s%s%s=%s", path, joint, name, buf_string(&escaped));
}

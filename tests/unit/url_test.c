// URLs of redirects, upload locations and realms: what is taken, what is refused, and where relative ones lead.
#include "images/url.h"
#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "tests/unit/check.h"

#include <stddef.h>

static const struct {
    const char *text, *host;
    unsigned port;
    const char *path, *whole;
    bool tls;
} sound[] = {
    {"https://quay.io/v2/", "quay.io", 443, "/v2/", "https://quay.io/v2/", true},
    {"HTTP://LocalHost:5000", "localhost", 5000, "/", "http://localhost:5000/", false},
    {"https://a.b:443/x?y=1#z", "a.b", 443, "/x?y=1", "https://a.b/x?y=1", true},
    {"http://[::1]:80?q", "[::1]", 80, "/?q", "http://[::1]/?q", false},
    {"https://h:/p", "h", 443, "/p", "https://h/p", true},
};

CASE(sound_urls) {
    for (size_t i = 0; i < ARRAY_LEN(sound); i++) {
        AUTO_ARENA struct arena arena = {0};
        struct err err = {0};
        struct url url;
        CHECK(url_parse(&arena, sound[i].text, &url, &err) == 0);
        CHECK_STR(url.host, sound[i].host);
        CHECK_INT(url.port, sound[i].port);
        CHECK(strncmp(strstr(url.text, "//") + 2, url.authority, strlen(url.authority)) == 0);
        CHECK_STR(url.path, sound[i].path);
        CHECK_STR(url.text, sound[i].whole);
        CHECK(url.tls == sound[i].tls);
    }
}

static const struct {
    const char *text, *message;
} wrong[] = {
    {"ftp://a/", "URL \"ftp://a/\" begins with neither https:// nor http://"},
    {"/v2/", "URL \"/v2/\" begins with neither https:// nor http://"},
    {"https://", "URL \"https://\" has no host"},
    {"https:///x", "URL \"https:///x\" has no host"},
    {"https://a@b/", "URL \"https://a@b/\" has a user's name in it"},
    {"https://quay.io@evil.example/", "URL \"https://quay.io@evil.example/\" has a user's name in it"},
    {"https://a b/", "URL \"https://a b/\" has characters that no URL may have"},
    {"https://a/\r\nX: y", "URL \"https://a/\\x0d\\x0aX: y\" has characters that no URL may have"},
    {"https://a\\b/", "URL \"https://a\\x5cb/\" has characters that no URL may have"},
    {"https://a%2fb/", "URL \"https://a%2fb/\" has a host with characters that no name has"},
    {"https://a:0/", "URL \"https://a:0/\" has a port that is none"},
    {"https://a:65536/", "URL \"https://a:65536/\" has a port that is none"},
    {"https://a:80x/", "URL \"https://a:80x/\" has a port that is none"},
    {"https://[::1/", "URL \"https://[::1/\" has no host"},
    {"https://[]/", "URL \"https://[]/\" has a host that is no IPv6 address"},
    {"https://[::1]x/", "URL \"https://[::1]x/\" has a host with characters that no name has"},
};

CASE(wrong_urls) {
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        AUTO_ARENA struct arena arena = {0};
        struct err err = {0};
        struct url url;
        CHECK(url_parse(&arena, wrong[i].text, &url, &err) < 0);
        CHECK_STR(err.text, wrong[i].message);
    }
}

CASE(length_is_bounded) {
    AUTO_ARENA struct arena arena = {0};
    struct err err = {0};
    struct url url;
    CHECK(url_parse(&arena, arena_format(&arena, "https://a/%0*d", URL_MAX - 10, 0), &url, &err) == 0);
    CHECK(url_parse(&arena, arena_format(&arena, "https://a/%0*d", URL_MAX, 0), &url, &err) < 0);
}

// RFC 3986, 5.4, as far as these are http.
static const struct {
    const char *reference, *result;
} relative[] = {
    {"g", "http://a/b/c/g"},
    {"./g", "http://a/b/c/g"},
    {"g/", "http://a/b/c/g/"},
    {"/g", "http://a/g"},
    {"//g", "http://g/"},
    {"?y", "http://a/b/c/d?y"},
    {"g?y", "http://a/b/c/g?y"},
    {"#s", "http://a/b/c/d?q"},
    {"g#s", "http://a/b/c/g"},
    {"", "http://a/b/c/d?q"},
    {".", "http://a/b/c/"},
    {"./", "http://a/b/c/"},
    {"..", "http://a/b/"},
    {"../g", "http://a/b/g"},
    {"../..", "http://a/"},
    {"../../../g", "http://a/g"},
    {"/./g", "http://a/g"},
    {"/../g", "http://a/g"},
    {"g.", "http://a/b/c/g."},
    {"..g", "http://a/b/c/..g"},
    {"./g/.", "http://a/b/c/g/"},
    {"g/./h", "http://a/b/c/g/h"},
    {"g/../h", "http://a/b/c/h"},
    {"g?y/../x", "http://a/b/c/g?y/../x"},
    {"https://x:5/y", "https://x:5/y"},
};

CASE(relative_references) {
    for (size_t i = 0; i < ARRAY_LEN(relative); i++) {
        AUTO_ARENA struct arena arena = {0};
        struct err err = {0};
        struct url base, url;
        CHECK(url_parse(&arena, "http://a/b/c/d?q", &base, &err) == 0);
        CHECK(url_resolve(&arena, &base, relative[i].reference, &url, &err) == 0);
        CHECK_STR(url.text, relative[i].result);
    }
}

CASE(origins) {
    static const struct {
        const char *a, *b;
        bool same;
    } pairs[] = {
        {"https://a/x", "https://A:443/y", true}, {"https://a/", "http://a/", false},   {"https://a/", "https://a:444/", false},
        {"https://a/", "https://b/", false},      {"https://a/", "https://a./", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        AUTO_ARENA struct arena arena = {0};
        struct err err = {0};
        struct url a, b;
        CHECK(url_parse(&arena, pairs[i].a, &a, &err) == 0 && url_parse(&arena, pairs[i].b, &b, &err) == 0);
        CHECK(url_same_origin(&a, &b) == pairs[i].same);
    }
}

CASE(loopback_hosts) {
    static const char *const yes[] = {"localhost", "localhost:5000", "LOCALHOST",
                                      "127.0.0.1", "127.9.8.7:5",    "[::1]",     "[::1]:5"};
    static const char *const no[] = {"localhost.evil.example",
                                     "a.localhost:1",
                                     "notlocalhost",
                                     "127.0.0.1.evil.example",
                                     "127.0.0.1x",
                                     "127.0.0",
                                     "127.1",
                                     "128.0.0.1",
                                     "127.0.0.256",
                                     "[::2]",
                                     "[::1]x",
                                     "10.0.0.1",
                                     "evil.example:127"};
    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        CHECK(url_host_is_loopback(yes[i]));
    }
    for (size_t i = 0; i < ARRAY_LEN(no); i++) {
        CHECK(!url_host_is_loopback(no[i]));
    }
}

CASE(parameters) {
    AUTO_ARENA struct arena arena = {0};
    CHECK_STR(url_with_parameter(&arena, "/t", "scope", "repository:a/b:pull,push"), "/t?scope=repository%3Aa%2Fb%3Apull%2Cpush");
    CHECK_STR(url_with_parameter(&arena, "/t?a=1", "b", "x y&z"), "/t?a=1&b=x%20y%26z");
    CHECK_STR(url_with_parameter(&arena, "/t?", "b", "\xc3\xa4"), "/t?b=%C3%A4");
}

int main(void) {
    RUN(sound_urls);
    RUN(wrong_urls);
    RUN(length_is_bounded);
    RUN(relative_references);
    RUN(origins);
    RUN(loopback_hosts);
    RUN(parameters);
    return check_done();
}

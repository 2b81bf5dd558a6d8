// The registry's client against a server that plays scripts: what is sent where, what is refused, and what is said about it.
#include "images/credentials.h"
#include "images/registries.h"
#include "images/registry.h"
#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "specs/image_manifest.h"
#include "tests/unit/check.h"
#include "tests/unit/script_server.h"

#include <fcntl.h>
#include <stddef.h>
#include <time.h>

#define OCI "Content-Type: application/vnd.oci.image.manifest.v1+json"
#define BODY "{\"schemaVersion\":2}"
#define BODY_DIGEST "sha256:bafebd36189ad3688b7b3915ea55d461e0bfcfbdde11e54b0a123999fb6be50f"
#define ZEROS "sha256:0000000000000000000000000000000000000000000000000000000000000000"
#define HELLO_DIGEST "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

// A session with a script's server A, and a reference there.
struct talk {
    struct arena arena;
    struct script *script;
    struct credentials *credentials;
    struct registries *registries;
    struct registry *registry;
    struct image_ref ref;
    struct registry_manifest manifest;
    struct err err;
    unsigned notices;
};

static void count_notice(void *context, const char *text) {
    struct talk *talk = context;
    talk->notices += text[0] != '\0';
}

static void begin(struct talk *talk, const struct script_step *steps, size_t count, const char *login) {
    talk->script = script_start(steps, count);
    const struct credentials_options logins = {
        .given_host = login ? talk->script->addresses[0] : NULL,
        .given = login,
    };
    CHECK(credentials_open(&logins, &talk->credentials, &talk->err) == 0);
    const struct registry_options options = {.credentials = talk->credentials, .notice = count_notice, .context = talk};
    CHECK(registry_open(&options, &talk->registry, &talk->err) == 0);
    CHECK(image_ref_parse(&talk->arena, arena_format(&talk->arena, "%s/a/b:1", talk->script->addresses[0]), &talk->ref,
                          &talk->err) == 0);
}

// The same with a registries.conf, in which %s are A's and B's addresses in turn; the reference is example.com/a/b:1.
static void begin_with_mirrors(struct talk *talk, const struct script_step *steps, size_t count, const char *mirrors) {
    char path[] = "/tmp/registries.XXXXXX";
    talk->script = script_start(steps, count);
    AUTO_FD int fd = mkstemp(path);
    const char *text = arena_format(&talk->arena, "[[registry]]\nprefix = \"example.com\"\nlocation = \"%s\"\n%s",
                                    talk->script->addresses[0], mirrors);
    const char *at = strstr(text, "@B");
    text = at ? arena_format(&talk->arena, "%.*s%s%s", (int)(at - text), text, talk->script->addresses[1], at + 2) : text;
    CHECK(fd >= 0 && fd_write_all(fd, text, strlen(text)) == 0);
    const struct registries_options places = {.file = path};
    const struct credentials_options logins = {.given_host = talk->script->addresses[0], .given = "user:pa:ss"};
    CHECK(registries_open(&places, &talk->registries, &talk->err) == 0);
    unlink(path);
    CHECK(credentials_open(&logins, &talk->credentials, &talk->err) == 0);
    const struct registry_options options = {
        .registries = talk->registries, .credentials = talk->credentials, .notice = count_notice, .context = talk};
    CHECK(registry_open(&options, &talk->registry, &talk->err) == 0);
    CHECK(image_ref_parse(&talk->arena, "example.com/a/b:1", &talk->ref, &talk->err) == 0);
}

static void finish(struct talk *talk) {
    registry_close(talk->registry);
    registries_close(talk->registries);
    credentials_close(talk->credentials);
    script_stop(talk->script);
    CHECK_STR(talk->script->wrong, "");
    arena_finish(&talk->arena);
}

#define BEGIN(login) begin(&talk, steps, ARRAY_LEN(steps), login)
#define AUTO_TALK AUTO(finish) struct talk

static int get(struct talk *talk) {
    return registry_get_manifest(talk->registry, &talk->ref, false, &talk->arena, &talk->manifest, &talk->err);
}

// The error with @A and @B for the servers' addresses, which are others each time.
static const char *said(const struct talk *talk) {
    static char text[2 * ERR_TEXT_SIZE];
    char *to = text;
    for (const char *from = talk->err.text; *from;) {
        for (int i = 0; i < 2; i++) {
            size_t length = strlen(talk->script->addresses[i]);
            if (strncmp(from, talk->script->addresses[i], length) == 0) {
                to += sprintf(to, "@%c", 'A' + i);
                from += length;
            }
        }
        *to++ = *from;
        from += *from != '\0';
    }
    *to = '\0';
    return text;
}

CASE(a_manifest_is_asked_for_by_all_types) {
    static const struct script_step steps[] = {
        {"GET /v2/a/b/manifests/1 ", "200 OK\r\n" OCI "; charset=utf-8\r\nDocker-Content-Digest: " BODY_DIGEST, BODY}};
    AUTO_TALK talk = {0};
    char text[DIGEST_TEXT_SIZE];
    BEGIN(NULL);
    CHECK(get(&talk) == 0);
    CHECK_STR(talk.manifest.text, BODY);
    CHECK_STR(talk.manifest.media_type, "application/vnd.oci.image.manifest.v1+json");
    CHECK_STR(digest_format(&talk.manifest.digest, text), BODY_DIGEST);
    CHECK_STR(script_header(talk.script, 0, "Accept"),
              "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
              "application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json");
    CHECK_STR(script_header(talk.script, 0, "Authorization"), "");
}

CASE(a_head_asks_for_the_digest_only) {
    static const struct script_step steps[] = {
        {"HEAD /v2/a/b/manifests/1 ", "200 OK\r\n" OCI "\r\nContent-Length: 99\r\nDocker-Content-Digest: " BODY_DIGEST, NULL}};
    AUTO_TALK talk = {0};
    char text[DIGEST_TEXT_SIZE];
    BEGIN(NULL);
    CHECK(registry_get_manifest(talk.registry, &talk.ref, true, &talk.arena, &talk.manifest, &talk.err) == 0);
    CHECK(!talk.manifest.text);
    CHECK_STR(digest_format(&talk.manifest.digest, text), BODY_DIGEST);
}

CASE(digests_must_agree) {
    static const struct script_step steps[] = {
        {"GET /v2/a/b/manifests/1 ", "200 OK\r\n" OCI "\r\nDocker-Content-Digest: " ZEROS, BODY},
        {"GET /v2/a/b/manifests/1 ", "200 OK\r\n" OCI "\r\nDocker-Content-Digest: md5:00", BODY},
        {"GET /v2/a/b/manifests/" ZEROS " ", "200 OK\r\n" OCI, BODY},
    };
    AUTO_TALK talk = {0};
    BEGIN(NULL);
    CHECK(get(&talk) < 0);
    CHECK_STR(said(&talk), "@A/a/b:1: the manifest is " BODY_DIGEST ", but the registry says " ZEROS);
    CHECK_INT(talk.err.kind, ERR_CORRUPT);
    CHECK(get(&talk) < 0);
    CHECK_STR(said(&talk), "@A/a/b:1: @A says of the manifest: digest \"md5:00\": expected sha256: or sha512: and lower-case hex "
                           "digits");
    talk.ref.digest = ZEROS;
    CHECK(get(&talk) < 0);
    CHECK_STR(said(&talk), "@A/a/b@" ZEROS ": the manifest is " BODY_DIGEST ", but asked for was " ZEROS);
}

CASE(schema_1_is_refused) {
    static const struct script_step steps[] = {
        {"GET /v2/a/b/manifests/1 ", "200 OK\r\nContent-Type: application/vnd.docker.distribution.manifest.v1+prettyjws", BODY},
        {"GET /v2/a/b/manifests/1 ", "200 OK\r\nContent-Type: application/json", "{\"schemaVersion\":1}"},
        {"GET /v2/a/b/manifests/1 ", "200 OK\r\nContent-Type: text/html", "<html>"},
    };
    AUTO_TALK talk = {0};
    static const char sentence[] =
        "@A/a/b:1: the registry has a manifest of docker's schema 1, whose content no digest vouches for; push "
        "the image anew with a tool of today";
    BEGIN(NULL);
    CHECK(get(&talk) < 0);
    CHECK_STR(said(&talk), sentence);
    CHECK_INT(talk.err.kind, ERR_UNSUPPORTED);
    CHECK(get(&talk) < 0);
    CHECK_STR(said(&talk), sentence);
    CHECK(get(&talk) < 0);
    CHECK_STR(said(&talk), "@A/a/b:1: @A answers with \"text/html\" where a manifest was asked for; is it a registry?");
}

#define ERRORS(message) "{\"errors\":[{\"code\":\"X\",\"message\":\"" message "\"}]}"

CASE(refusals_say_what_the_server_says) {
    static const struct script_step steps[] = {
        {"GET ", "404 Not Found", ERRORS("manifest unknown")},
        {"GET ", "403 Forbidden", ERRORS("not \\u001b[31myours")},
        {"GET ", "418 Teapot", "short and stout\nno more"},
        {"GET ", "401 Unauthorized", NULL},
        {"GET ", "401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"x\"", NULL},
        {"GET ", "401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"", ERRORS("authentication required")},
        {"GET ", "401 Unauthorized\r\nWWW-Authenticate: Bearer realm=\"x", NULL},
        {"GET ", "429 Too Many\r\nRetry-After: 3600", ERRORS("slow down")},
    };
    AUTO_TALK talk = {0};
    BEGIN(NULL);
    CHECK(get(&talk) < 0);
    CHECK_STR(said(&talk), "@A/a/b:1: @A has none (\"manifest unknown\")");
    CHECK_INT(talk.err.kind, ERR_NOT_FOUND);
    CHECK(get(&talk) < 0);
    CHECK_STR(said(&talk),
              "@A/a/b:1: the registry denies it (\"not \\x1b[31myours\"); perhaps it wants a login: run coffer login @A");
    CHECK(get(&talk) < 0);
    CHECK_STR(said(&talk), "@A/a/b:1: @A answers 418 (\"short and stout\")");
    CHECK(get(&talk) < 0);
    CHECK_STR(said(&talk), "@A/a/b:1: the registry wants a login, but does not say which kind");
    CHECK(get(&talk) < 0);
    CHECK_STR(said(&talk), "@A/a/b:1: the registry wants an authorisation that coffer does not know; it knows Basic and Bearer");
    CHECK(get(&talk) < 0);
    CHECK_STR(
        said(&talk),
        "@A/a/b:1: the registry wants a login, or has nothing of this name (\"authentication required\"); run coffer login @A");
    CHECK(get(&talk) < 0);
    CHECK_STR(said(&talk), "@A/a/b:1: authorisation challenge \"Bearer realm=\\x22x\": expected a closing quote at column 16");
    CHECK(get(&talk) < 0);
    CHECK_STR(said(&talk), "@A/a/b:1: @A wants fewer requests (\"slow down\"); it asks to wait 3600 s; try again later");
    CHECK_INT(talk.notices, 0);
}

#define BASIC "Basic dXNlcjpwYTpzcw==" // user:pa:ss

CASE(basic_is_sent_once_it_is_asked_for) {
    static const struct script_step steps[] = {
        {"GET /v2/a/b/manifests/1 ", "401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"", NULL},
        {"GET /v2/a/b/manifests/1 ", "200 OK\r\n" OCI, BODY},
        {"GET /v2/a/b/manifests/1 ", "200 OK\r\n" OCI, BODY},
        {"GET /v2/a/b/manifests/1 ", "401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"", NULL},
    };
    AUTO_TALK talk = {0};
    BEGIN("user:pa:ss");
    CHECK(get(&talk) == 0);
    CHECK_STR(script_header(talk.script, 0, "Authorization"), "");
    CHECK_STR(script_header(talk.script, 1, "Authorization"), BASIC);
    CHECK(get(&talk) == 0);
    CHECK_STR(script_header(talk.script, 2, "Authorization"), BASIC);
    CHECK(get(&talk) < 0);
    CHECK_STR(said(&talk), "@A/a/b:1: the registry does not accept this user and password");
}

#define BEARER                                                                                                                     \
    "WWW-Authenticate: Bearer realm=\"http://@B/token?x=1\",service=\"the registry\",scope=\"repository:a/b:pull "                 \
    "repository:c:pull\""

CASE(a_token_is_got_and_kept) {
    static const struct script_step steps[] = {
        {"GET /v2/a/b/manifests/1 ", "401 Unauthorized\r\n" BEARER, NULL},
        {"GET /token?x=1&service=the%20registry&scope=repository%3Aa%2Fb%3Apull&scope=repository%3Ac%3Apull&account=user ",
         "200 OK", "{\"token\":\"first.token\"}", .at_b = true},
        {"GET /v2/a/b/manifests/1 ", "200 OK\r\n" OCI, BODY},
        {"GET /v2/a/b/manifests/1 ", "200 OK\r\n" OCI, BODY},
        {"GET /v2/a/b/manifests/1 ", "401 Unauthorized\r\n" BEARER, NULL}, // run out
        {"GET /token", "200 OK", "{\"access_token\":\"second\",\"expires_in\":1}", .at_b = true},
        {"GET /v2/a/b/manifests/1 ", "200 OK\r\n" OCI, BODY},
    };
    AUTO_TALK talk = {0};
    BEGIN("user:pa:ss");
    CHECK(get(&talk) == 0);
    CHECK_STR(script_header(talk.script, 1, "Authorization"), BASIC);
    CHECK_STR(script_header(talk.script, 2, "Authorization"), "Bearer first.token");
    CHECK(get(&talk) == 0);
    CHECK_STR(script_header(talk.script, 3, "Authorization"), "Bearer first.token");
    CHECK(get(&talk) == 0);
    CHECK_STR(script_header(talk.script, 6, "Authorization"), "Bearer second");
}

CASE(tokens_that_are_none) {
    static const struct script_step steps[] = {
        {"GET /v2/", "401 Unauthorized\r\n" BEARER, NULL},
        {"GET /token", "401 Unauthorized", "{\"details\":\"incorrect username or password\"}", .at_b = true},
        {"GET /v2/", "401 Unauthorized\r\n" BEARER, NULL},
        {"GET /token", "200 OK", "{\"token\":\"a\\r\\nX: y\"}", .at_b = true},
        {"GET /v2/", "401 Unauthorized\r\n" BEARER, NULL},
        {"GET /token", "200 OK", "{\"token\":secret}", .at_b = true},
        {"GET /v2/", "401 Unauthorized\r\n" BEARER, NULL},
        {"GET /token", "200 OK", "{\"token\":\"t\"}", .at_b = true},
        {"GET /v2/", "401 Unauthorized\r\n" BEARER, ERRORS("insufficient scope")},
        {"GET /v2/", "401 Unauthorized\r\nWWW-Authenticate: Bearer service=x", NULL},
    };
    AUTO_TALK talk = {0};
    BEGIN(NULL);
    CHECK(get(&talk) < 0);
    CHECK_STR(said(&talk), "@A/a/b:1: @B gives no token without a login (\"incorrect username or password\"); run coffer login @A");
    CHECK(get(&talk) < 0);
    CHECK_STR(said(&talk), "@A/a/b:1: @B answers with a token that cannot be one");
    CHECK(get(&talk) < 0);
    CHECK_STR(said(&talk), "@A/a/b:1: @B answers with no token");
    CHECK(get(&talk) < 0); // a token that was just made is not taken: no second one is asked for
    CHECK_STR(said(&talk),
              "@A/a/b:1: the registry wants a login, or has nothing of this name (\"insufficient scope\"); run coffer login @A");
    CHECK(get(&talk) < 0);
    CHECK_STR(said(&talk), "@A/a/b:1: @A wants a token, but names no realm to get one from");
}

CASE(a_login_that_is_wrong) {
    static const struct script_step steps[] = {
        {"GET /v2/", "401 Unauthorized\r\n" BEARER, NULL},
        {"GET /token", "401 Unauthorized", ERRORS("nobody"), .at_b = true},
    };
    AUTO_TALK talk = {0};
    BEGIN("user:secret");
    CHECK(registry_ping(talk.registry, talk.script->addresses[0], &talk.err) < 0);
    CHECK_STR(said(&talk), "@A: @B does not accept this user and password (\"nobody\")");
    CHECK(!strstr(talk.err.text, "secret"));
}

CASE(a_server_of_oauth2_only_is_asked_by_post) {
    static const struct script_step steps[] = {
        {"GET /v2/", "401 Unauthorized\r\n" BEARER, NULL},
        {"GET /token", "405 Method Not Allowed", NULL, .at_b = true},
        {"POST /token?x=1 ", "200 OK", "{\"access_token\":\"t\"}", .at_b = true},
        {"GET /v2/", "200 OK\r\n" OCI, BODY},
    };
    AUTO_TALK talk = {0};
    BEGIN("user:secret");
    CHECK(get(&talk) == 0);
    CHECK_STR(script_header(talk.script, 2, "Content-Type"), "application/x-www-form-urlencoded");
    CHECK_STR(script_header(talk.script, 2, "Authorization"), "");
    CHECK_STR(script_header(talk.script, 3, "Authorization"), "Bearer t");
}

CASE(an_identity_token_is_sent_by_post) {
    static const struct script_step steps[] = {
        {"GET /v2/", "401 Unauthorized\r\n" BEARER, NULL},
        {"POST /token?x=1 ", "200 OK", "{\"access_token\":\"t\"}", .at_b = true},
        {"GET /v2/", "200 OK\r\n" OCI, BODY},
        {"GET /v2/", "401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"", NULL},
    };
    AUTO_TALK talk = {0};
    char path[] = "/tmp/config.json.XXXXXX";
    BEGIN(NULL);
    AUTO_FD int fd = mkstemp(path);
    const char *text =
        arena_format(&talk.arena, "{\"auths\":{\"%s\":{\"identitytoken\":\"re fresh\"}}}", talk.script->addresses[0]);
    const char *const files[] = {path, NULL};
    const struct credentials_options logins = {.files = files};
    CHECK(fd >= 0 && fd_write_all(fd, text, strlen(text)) == 0);
    registry_close(talk.registry);
    credentials_close(talk.credentials);
    CHECK(credentials_open(&logins, &talk.credentials, &talk.err) == 0);
    unlink(path);
    const struct registry_options options = {.credentials = talk.credentials};
    CHECK(registry_open(&options, &talk.registry, &talk.err) == 0);
    CHECK(get(&talk) == 0);
    CHECK_STR(talk.script->body_starts[1],
              "grant_type=refresh_token&service=the%20registry&client_id=coffer&scope=repository%3Aa%2Fb%3A"
              "pull%20repository%3Ac%3Apull&refresh_token=re%20fresh");
    CHECK_STR(script_header(talk.script, 2, "Authorization"), "Bearer t");
    CHECK(get(&talk) < 0); // a token is no password
    CHECK_STR(said(&talk), "@A/a/b:1: the registry wants a password, but only a token is kept for it; run coffer login again");
}

CASE(authorization_stays_with_the_registry) {
    static const struct script_step steps[] = {
        {"GET /v2/a/b/manifests/1 ", "401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"", NULL},
        {"GET /v2/a/b/manifests/1 ", "307 Moved\r\nLocation: /elsewhere", NULL},
        {"GET /elsewhere ", "302 Moved\r\nLocation: http://@B/store?sig=1", NULL},
        {"GET /store?sig=1 ", "302 Moved\r\nLocation: http://@A/back", NULL, .at_b = true},
        {"GET /back ", "200 OK\r\n" OCI, BODY},
        {"GET /v2/a/b/manifests/1 ", "302 Moved\r\nLocation: http://@B/store", NULL},
        {"GET /store ", "401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"", NULL, .at_b = true},
    };
    AUTO_TALK talk = {0};
    BEGIN("user:pa:ss");
    CHECK(get(&talk) == 0);
    CHECK_STR(script_header(talk.script, 2, "Authorization"), BASIC); // the same host
    CHECK_STR(script_header(talk.script, 3, "Authorization"), "");    // another port
    CHECK_STR(script_header(talk.script, 4, "Authorization"), "");    // led back from there
    CHECK(get(&talk) < 0);
    CHECK_STR(said(&talk), "@A/a/b:1: @B, where the registry leads to, wants a login of its own");
    CHECK_STR(script_header(talk.script, 6, "Authorization"), "");
}

CASE(redirects_are_bounded) {
    static const struct script_step steps[] = {
        {"GET /v2/", "302 Moved\r\nLocation: /1", NULL},
        {"GET /1 ", "302 Moved\r\nLocation: /2", NULL},
        {"GET /2 ", "302 Moved\r\nLocation: /3", NULL},
        {"GET /3 ", "302 Moved\r\nLocation: /4", NULL},
        {"GET /4 ", "302 Moved\r\nLocation: /5", NULL},
        {"GET /5 ", "302 Moved\r\nLocation: /6", NULL},
        {"GET /v2/", "302 Moved\r\nLocation: file:///etc/passwd", NULL},
    };
    AUTO_TALK talk = {0};
    BEGIN(NULL);
    CHECK(get(&talk) < 0);
    CHECK_STR(said(&talk), "@A/a/b:1: @A redirects more than 5 times");
    CHECK(get(&talk) < 0);
    CHECK_STR(said(&talk), "@A/a/b:1: @A redirects badly: URL \"file:///etc/passwd\" begins with neither https:// nor http://");
}

CASE(what_may_pass_is_tried_again) {
    static const struct script_step steps[] = {
        {"GET /v2/", "503 Later", NULL},
        {"GET /v2/", "429 Too Many\r\nRetry-After: 1", NULL},
        {"GET /v2/", "200 OK\r\n" OCI, BODY},
    };
    AUTO_TALK talk = {0};
    struct timespec begun, ended;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    BEGIN(NULL);
    CHECK(get(&talk) == 0);
    clock_gettime(CLOCK_MONOTONIC, &ended);
    CHECK_INT(talk.notices, 2);
    CHECK(ended.tv_sec - begun.tv_sec >= 1);
}

CASE(four_tries_are_enough) {
    static const struct script_step steps[] = {{"GET /v2/", "500 No", NULL},
                                               {"GET /v2/", "502 No", NULL},
                                               {"GET /v2/", "503 No", NULL},
                                               {"GET /v2/", "504 No", ERRORS("tired")}};
    AUTO_TALK talk = {0};
    BEGIN(NULL);
    CHECK(get(&talk) < 0);
    CHECK_STR(said(&talk), "@A/a/b:1: @A answers 504 (\"tired\"); try again later");
    CHECK_INT(talk.notices, 3);
}

// Waits for a download's end and reads what has come.
static int download(struct talk *talk, uint64_t size, char text[64]) {
    struct registry_download *download;
    struct digest digest;
    AUTO_FD int fd = memfd_create("blob", MFD_CLOEXEC);
    CHECK(digest_parse(HELLO_DIGEST, &digest, &talk->err) == 0);
    const struct registry_blob blob = {.digest = &digest, .size = size, .out_fd = fd};
    if (registry_download_start(talk->registry, &talk->ref, &blob, &download, &talk->err) < 0) {
        return -1;
    }
    while (!registry_download_ended(download)) {
        struct pollfd poll_fd = {.fd = registry_fd(talk->registry), .events = POLLIN};
        poll(&poll_fd, 1, registry_timeout_ms(talk->registry));
        CHECK(registry_step(talk->registry, &talk->err) == 0);
    }
    int result = registry_download_result(download, &talk->err);
    registry_download_end(download);
    ssize_t got = pread(fd, text, 63, 0);
    text[got > 0 ? got : 0] = '\0';
    return result;
}

CASE(a_download_that_is_cut_off_goes_on) {
    static const struct script_step steps[] = {
        {"GET /v2/a/b/blobs/" HELLO_DIGEST " ", "200 OK", "hello", .cut = 2},
        {"GET /v2/a/b/blobs/" HELLO_DIGEST " ", "206 Partial\r\nContent-Range: bytes 2-4/5", "llo", .cut = 1},
        {"GET /v2/a/b/blobs/" HELLO_DIGEST " ", "200 OK", "hello"}, // knows no ranges
    };
    AUTO_TALK talk = {0};
    char text[64];
    BEGIN(NULL);
    CHECK(download(&talk, 5, text) == 0);
    CHECK_STR(text, "hello");
    CHECK_STR(script_header(talk.script, 0, "Range"), "");
    CHECK_STR(script_header(talk.script, 1, "Range"), "bytes=2-");
    CHECK_STR(script_header(talk.script, 2, "Range"), "bytes=3-");
}

CASE(a_download_of_another_size) {
    static const struct script_step steps[] = {
        {"GET /v2/a/b/blobs/", "200 OK", "hello"},
        {"GET /v2/a/b/blobs/", "200 OK", "hello"},
        {"GET /v2/a/b/blobs/", "404 Not Found", ERRORS("blob unknown")},
    };
    AUTO_TALK talk = {0};
    char text[64];
    BEGIN(NULL);
    CHECK(download(&talk, 6, text) < 0);
    CHECK_STR(said(&talk), "@A/a/b: blob " HELLO_DIGEST ": has 5 bytes, expected 6");
    CHECK(download(&talk, 4, text) < 0);
    CHECK_STR(said(&talk), "@A/a/b: blob " HELLO_DIGEST ": the server sends more than 4 bytes");
    CHECK(download(&talk, 5, text) < 0);
    CHECK_STR(said(&talk), "@A/a/b: blob " HELLO_DIGEST ": @A has none (\"blob unknown\")");
}

CASE(tags_come_in_pages) {
    static const struct script_step steps[] = {
        {"GET /v2/a/b/tags/list?n=1000 ", "200 OK\r\nLink: </v2/a/b/tags/list?last=2&n=2>; rel=\"next\"",
         "{\"tags\":[\"1\",\"2\"]}"},
        {"GET /v2/a/b/tags/list?last=2&n=2 ", "200 OK\r\nLink: </x>; rel=\"prev\", <http://elsewhere.example/p?3>; rel=next",
         "{\"tags\":[\"../x\",\"3\"]}"},
        {"GET /p?3 ", "200 OK", "{\"tags\":null}"},
        {"GET /v2/", "200 OK\r\nLink: </p>; rel=\"next\"", "{\"tags\":[]}"},
        {"GET /p ", "200 OK\r\nLink: </p>; rel=\"next\"", "{\"tags\":[]}"},
    };
    AUTO_TALK talk = {0};
    const char **tags;
    size_t count;
    BEGIN(NULL);
    CHECK(registry_list_tags(talk.registry, &talk.ref, &talk.arena, &tags, &count, &talk.err) == 0);
    CHECK_INT(count, 3);
    CHECK_STR(tags[0], "1");
    CHECK_STR(tags[2], "3");
    CHECK(registry_list_tags(talk.registry, &talk.ref, &talk.arena, &tags, &count, &talk.err) < 0);
    CHECK_STR(said(&talk), "@A/a/b: the registry's list leads from page to page without an end");
}

#define REFERRER(type, digest) "{\"mediaType\":\"m\",\"digest\":\"" digest "\",\"size\":1,\"artifactType\":\"" type "\"}"

// Of HELLO_DIGEST: how many, or -1.
static int list_referrers(struct talk *talk, const char *type, struct image_descriptor **ret) {
    struct image_ref ref = talk->ref;
    size_t count = 0;
    ref.digest = HELLO_DIGEST;
    int result = registry_list_referrers(talk->registry, &ref, type, &talk->arena, ret, &count, &talk->err);
    return result < 0 ? -1 : (int)count;
}

CASE(referrers_stand_under_a_tag_where_there_is_no_list) {
    static const struct script_step steps[] = {
        {"GET /v2/a/b/referrers/" HELLO_DIGEST "?artifactType=y ", "404 Not Found", NULL},
        {"GET /v2/a/b/manifests/sha256-2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824 ",
         "200 OK\r\nContent-Type: application/vnd.oci.image.index.v1+json",
         "{\"schemaVersion\":2,\"manifests\":[" REFERRER("x", HELLO_DIGEST) "," REFERRER("y", HELLO_DIGEST) "]}"},
        {"GET /v2/a/b/referrers/" HELLO_DIGEST " ", "405 Method Not Allowed", NULL},
        {"GET /v2/a/b/manifests/sha256-", "404 Not Found", NULL},
        {"GET /v2/a/b/referrers/" HELLO_DIGEST " ", "404 Not Found", NULL},
        {"GET /v2/a/b/manifests/sha256-", "200 OK\r\n" OCI, BODY},
    };
    AUTO_TALK talk = {0};
    struct image_descriptor *items;
    BEGIN(NULL);
    CHECK_INT(list_referrers(&talk, "y", &items), 1);
    CHECK_STR(items[0].artifact_type, "y");
    CHECK_INT(list_referrers(&talk, NULL, &items), 0);
    CHECK_INT(list_referrers(&talk, NULL, &items), -1);
    CHECK_STR(said(&talk),
              "@A/a/b: referrers of " HELLO_DIGEST
              ": tag sha256-2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824: expected an index, found "
              "\"application/vnd.oci.image.manifest.v1+json\"");
}

CASE(referrers_come_in_pages_and_are_filtered_here) {
    static const struct script_step steps[] = {
        {"GET /v2/a/b/referrers/" HELLO_DIGEST "?artifactType=a%2Fb%26c ", "200 OK\r\nLink: </p?2>; rel=\"next\"",
         "{\"manifests\":[" REFERRER("a/b&c", HELLO_DIGEST) "," REFERRER("x", HELLO_DIGEST) "," REFERRER("a/b&c",
                                                                                                         "sha256:../x") "]}"},
        {"GET /p?2 ", "200 OK\r\nLink: </p?3>; rel=\"next\"", "{\"manifests\":null}"},
        {"GET /p?3 ", "200 OK", "{\"manifests\":[" REFERRER("a/b&c", HELLO_DIGEST) "]}"},
        {"GET /v2/a/b/referrers/", "200 OK\r\nLink: </p>; rel=\"next\"", "{}"},
        {"GET /p ", "200 OK\r\nLink: </p>; rel=\"next\"", "{}"},
        {"GET /v2/a/b/referrers/", "200 OK", "<html>"},
    };
    AUTO_TALK talk = {0};
    struct image_descriptor *items;
    BEGIN(NULL);
    CHECK_INT(list_referrers(&talk, "a/b&c", &items), 2);
    CHECK_INT(list_referrers(&talk, NULL, &items), -1);
    CHECK_STR(said(&talk), "@A/a/b: referrers of " HELLO_DIGEST ": the registry's list leads from page to page without an end");
    CHECK_INT(list_referrers(&talk, NULL, &items), -1);
}

// --- mirrors ---

// A window that begins behind the file's start.
static int put(struct talk *talk, uint64_t size, const char *digest_text) {
    struct digest digest;
    AUTO_FD int fd = memfd_create("blob", MFD_CLOEXEC);
    CHECK(digest_parse(digest_text, &digest, &talk->err) == 0 && pwrite(fd, "hello", 5, 3) == 5 &&
          ftruncate(fd, (off_t)size + 3) == 0);
    const struct registry_content content = {.fd = fd, .offset = 3, .size = size};
    return registry_put_blob(talk->registry, &talk->ref, &digest, &content, &talk->err);
}

#define MIRROR(location) "[[registry.mirror]]\nlocation = \"" location "\"\n"

CASE(mirrors_come_first_and_are_passed_over) {
    static const struct script_step steps[] = {
        {"GET /v2/cache/a/b/manifests/1 ", "200 OK\r\n" OCI, BODY, .at_b = true},
        {"GET /v2/cache/a/b/manifests/1 ", "404 Not Found", NULL, .at_b = true},
        {"GET /v2/a/b/manifests/1 ", "401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"", NULL},
        {"GET /v2/a/b/manifests/1 ", "200 OK\r\n" OCI, BODY},
        {"GET /v2/cache/a/b/manifests/1 ", "401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"", NULL, .at_b = true},
        {"GET /v2/a/b/manifests/1 ", "404 Not Found", NULL},
        {"POST /v2/a/b/blobs/uploads/ ", "403 Forbidden", NULL}, // never to a mirror
    };
    AUTO_TALK talk = {0};
    begin_with_mirrors(&talk, steps, ARRAY_LEN(steps), MIRROR("@B/cache"));
    CHECK(get(&talk) == 0);
    CHECK_INT(talk.notices, 0);
    CHECK(get(&talk) == 0);
    CHECK_INT(talk.notices, 1);
    CHECK_STR(script_header(talk.script, 3, "Authorization"), BASIC);
    CHECK(get(&talk) < 0);
    CHECK_STR(script_header(talk.script, 4, "Authorization"), ""); // the login is not the mirror's
    CHECK_STR(said(&talk), "example.com/a/b:1: @A has none");
    CHECK(put(&talk, 5, HELLO_DIGEST) < 0);
    CHECK_STR(said(&talk),
              "example.com/a/b: blob " HELLO_DIGEST ": the registry denies it; perhaps it wants a login: run coffer login @A");
}

CASE(a_mirror_that_is_away_is_asked_once) {
    static const struct script_step steps[] = {
        {"GET /v2/a/b/manifests/1 ", "200 OK\r\n" OCI, BODY},
        {"GET /v2/a/b/manifests/1 ", "200 OK\r\n" OCI, BODY},
    };
    AUTO_TALK talk = {0};
    begin_with_mirrors(&talk, steps, ARRAY_LEN(steps), MIRROR("127.0.0.1:1"));
    CHECK(get(&talk) == 0);
    CHECK(get(&talk) == 0);
    CHECK_INT(talk.notices, 1);
}

CASE(a_download_goes_on_elsewhere) {
    static const struct script_step steps[] = {
        {"GET /v2/a/b/blobs/", "200 OK", "hello", .cut = 2, .at_b = true},
        {"GET /v2/a/b/blobs/", "404 Not Found", NULL, .at_b = true},
        {"GET /v2/a/b/blobs/", "206 Partial\r\nContent-Range: bytes 2-4/5", "llo"},
    };
    AUTO_TALK talk = {0};
    char text[64];
    begin_with_mirrors(&talk, steps, ARRAY_LEN(steps), MIRROR("@B"));
    CHECK(download(&talk, 5, text) == 0);
    CHECK_STR(text, "hello");
    CHECK_STR(script_header(talk.script, 2, "Range"), "bytes=2-");
}

// --- writing ---

CASE(a_small_blob_is_uploaded) {
    static const struct script_step steps[] = {
        {"POST /v2/a/b/blobs/uploads/ ", "202 Accepted\r\nLocation: /up/1?_state=x%3D", NULL},
        {"PATCH /up/1?_state=x%3D ", "202 Accepted\r\nLocation: 2?_state=y\r\nRange: 0-4", NULL},
        {"PUT /up/2?_state=y&digest=sha256%3A2cf24dba", "201 Created", NULL},
    };
    AUTO_TALK talk = {0};
    BEGIN(NULL);
    CHECK(put(&talk, 5, HELLO_DIGEST) == 0);
    CHECK_INT(talk.script->bodies[1], 5);
    CHECK_INT(talk.script->body_ends[1], 'o');
    CHECK_STR(script_header(talk.script, 1, "Content-Range"), "");
    CHECK_STR(script_header(talk.script, 1, "Content-Type"), "application/octet-stream");
    CHECK_INT(talk.script->bodies[2], 0);
}

CASE(a_large_blob_goes_in_pieces_and_on_from_where_it_is) {
    enum { CHUNK = 16 << 20, SIZE = 2 * CHUNK + 7 };
    static const struct script_step steps[] = {
        {"POST /v2/a/b/blobs/uploads/ ", "202 Accepted\r\nLocation: http://@A/up", NULL},
        {"PATCH /up ", "202 Accepted\r\nLocation: /up\r\nRange: 0-16777215", NULL},
        {"PATCH /up ", "416 Range Not Satisfiable", ERRORS("gap")},
        {"GET /up ", "204 No Content\r\nLocation: /up2\r\nRange: 0-20971519", NULL},
        {"PATCH /up2 ", "202 Accepted\r\nLocation: /up3\r\nRange: 0-33554438", NULL},
        {"PUT /up3?digest=", "201 Created", NULL},
    };
    AUTO_TALK talk = {0};
    BEGIN(NULL);
    CHECK(put(&talk, SIZE, ZEROS) == 0);
    CHECK_STR(script_header(talk.script, 1, "Content-Range"), "0-16777215");
    CHECK_INT(talk.script->bodies[1], CHUNK);
    CHECK_STR(script_header(talk.script, 2, "Content-Range"), "16777216-33554431");
    CHECK_STR(script_header(talk.script, 4, "Content-Range"), "20971520-33554438");
    CHECK_INT(talk.notices, 1);
}

CASE(an_upload_whose_line_is_cut_goes_on) {
    enum { MIB = 1 << 20 };
    static const struct script_step steps[] = {
        {"POST /v2/a/b/blobs/uploads/ ", "202 Accepted\r\nLocation: /up", NULL},
        {"PATCH /up ", NULL, NULL},
        {"GET /up ", "204 No Content\r\nLocation: /up\r\nRange: 0-8388607", NULL},
        {"PATCH /up ", "202 Accepted\r\nLocation: /up\r\nRange: bytes=0-25165823", NULL},
        {"PUT /up?digest=", NULL, NULL},
        {"HEAD /v2/a/b/blobs/" ZEROS " ", "200 OK\r\nContent-Length: 25165824", NULL}, // only the answer was lost
    };
    AUTO_TALK talk = {0};
    BEGIN(NULL);
    CHECK(put(&talk, 24 * MIB, ZEROS) == 0);
    CHECK_STR(script_header(talk.script, 1, "Content-Range"), "0-16777215");
    CHECK_STR(script_header(talk.script, 3, "Content-Range"), "8388608-25165823");
    CHECK_INT(talk.script->bodies[3], 16 * MIB);
}

CASE(an_upload_that_is_lost_begins_anew) {
    static const struct script_step steps[] = {
        {"POST /v2/a/b/blobs/uploads/ ", "202 Accepted\r\nLocation: /up", NULL},
        {"PATCH /up ", "404 Not Found", ERRORS("blob upload unknown")},
        {"GET /up ", "404 Not Found", NULL},
        {"POST /v2/a/b/blobs/uploads/ ", "202 Accepted\r\nLocation: /again", NULL},
        {"PATCH /again ", "202 Accepted\r\nLocation: /again", NULL},
        {"PUT /again?digest=", "500 Lost", NULL},
        {"HEAD /v2/a/b/blobs/" HELLO_DIGEST " ", "200 OK\r\nContent-Length: 5", NULL}, // it is there all the same
    };
    AUTO_TALK talk = {0};
    BEGIN(NULL);
    CHECK(put(&talk, 5, HELLO_DIGEST) == 0);
}

CASE(uploads_that_are_refused) {
    static const struct script_step steps[] = {
        {"POST ", "202 Accepted", NULL},
        {"POST ", "202 Accepted\r\nLocation: /up", NULL},
        {"PATCH /up ", "202 Accepted\r\nLocation: /up", NULL},
        {"PUT /up?digest=", "400 Bad Request", ERRORS("provided digest did not match uploaded content")},
        {"POST ", "404 Not Found", ERRORS("repository name not known")},
    };
    AUTO_TALK talk = {0};
    BEGIN(NULL);
    CHECK(put(&talk, 5, HELLO_DIGEST) < 0);
    CHECK_STR(said(&talk), "@A/a/b: blob " HELLO_DIGEST ": @A does not say where the upload goes on");
    CHECK(put(&talk, 5, HELLO_DIGEST) < 0);
    CHECK_STR(said(&talk), "@A/a/b: blob " HELLO_DIGEST ": @A answers 400 (\"provided digest did not match uploaded content\")");
    CHECK(put(&talk, 5, HELLO_DIGEST) < 0);
    CHECK_STR(said(&talk), "@A/a/b: blob " HELLO_DIGEST ": @A has none (\"repository name not known\")");
}

CASE(a_mount_may_be_granted_or_become_an_upload) {
    static const struct script_step steps[] = {
        {"POST /v2/a/b/blobs/uploads/?mount=sha256%3A2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824&from=c%2Fd ",
         "201 Created", NULL},
        {"POST /v2/a/b/blobs/uploads/?mount=", "202 Accepted\r\nLocation: /left", NULL},
        {"PATCH /left ", "202 Accepted\r\nLocation: /left", NULL}, // no POST before it
        {"PUT /left?digest=", "201 Created", NULL},
        {"POST ", "405 Method Not Allowed", NULL},
    };
    AUTO_TALK talk = {0};
    struct digest digest;
    BEGIN(NULL);
    CHECK(digest_parse(HELLO_DIGEST, &digest, &talk.err) == 0);
    CHECK_INT(registry_mount_blob(talk.registry, &talk.ref, &digest, "c/d", &talk.err), 1);
    CHECK_INT(registry_mount_blob(talk.registry, &talk.ref, &digest, "c/d", &talk.err), 0);
    CHECK(put(&talk, 5, HELLO_DIGEST) == 0);
    CHECK_INT(registry_mount_blob(talk.registry, &talk.ref, &digest, "c/d", &talk.err), 0);
}

CASE(manifests_are_pushed_and_deleted) {
    static const struct script_step steps[] = {
        {"PUT /v2/a/b/manifests/1 ", "201 Created\r\nDocker-Content-Digest: " BODY_DIGEST, NULL},
        {"PUT /v2/a/b/manifests/1 ", "201 Created\r\nDocker-Content-Digest: " ZEROS, NULL},
        {"DELETE /v2/a/b/manifests/1 ", "405 Method Not Allowed", NULL},
        {"DELETE /v2/a/b/manifests/1 ", "202 Accepted", NULL},
    };
    AUTO_TALK talk = {0};
    struct digest digest;
    char text[DIGEST_TEXT_SIZE];
    BEGIN(NULL);
    CHECK(registry_put_manifest(talk.registry, &talk.ref, "a/b", BODY, strlen(BODY), &digest, &talk.err) == 0);
    CHECK_STR(digest_format(&digest, text), BODY_DIGEST);
    CHECK_STR(script_header(talk.script, 0, "Content-Type"), "a/b");
    CHECK_INT(talk.script->body_ends[0], '}');
    CHECK(registry_put_manifest(talk.registry, &talk.ref, "a/b", BODY, strlen(BODY), &digest, &talk.err) < 0);
    CHECK_STR(said(&talk), "@A/a/b:1: the manifest pushed is " BODY_DIGEST ", but the registry says " ZEROS);
    CHECK(registry_delete_manifest(talk.registry, &talk.ref, &talk.err) < 0);
    CHECK_STR(said(&talk), "@A/a/b:1: the registry does not let tags be deleted");
    CHECK(registry_delete_manifest(talk.registry, &talk.ref, &talk.err) == 0);
    talk.ref.digest = ZEROS;
    CHECK(registry_put_manifest(talk.registry, &talk.ref, "a/b", BODY, strlen(BODY), &digest, &talk.err) < 0);
    CHECK_STR(said(&talk), "@A/a/b: the manifest to push is " BODY_DIGEST ", not " ZEROS);
}

int main(void) {
    RUN(a_manifest_is_asked_for_by_all_types);
    RUN(a_head_asks_for_the_digest_only);
    RUN(digests_must_agree);
    RUN(schema_1_is_refused);
    RUN(refusals_say_what_the_server_says);
    RUN(basic_is_sent_once_it_is_asked_for);
    RUN(a_token_is_got_and_kept);
    RUN(tokens_that_are_none);
    RUN(a_login_that_is_wrong);
    RUN(a_server_of_oauth2_only_is_asked_by_post);
    RUN(an_identity_token_is_sent_by_post);
    RUN(authorization_stays_with_the_registry);
    RUN(redirects_are_bounded);
    RUN(what_may_pass_is_tried_again);
    RUN(four_tries_are_enough);
    RUN(a_download_that_is_cut_off_goes_on);
    RUN(a_download_of_another_size);
    RUN(tags_come_in_pages);
    RUN(referrers_stand_under_a_tag_where_there_is_no_list);
    RUN(referrers_come_in_pages_and_are_filtered_here);
    RUN(mirrors_come_first_and_are_passed_over);
    RUN(a_mirror_that_is_away_is_asked_once);
    RUN(a_download_goes_on_elsewhere);
    RUN(a_small_blob_is_uploaded);
    RUN(a_large_blob_goes_in_pieces_and_on_from_where_it_is);
    RUN(an_upload_whose_line_is_cut_goes_on);
    RUN(an_upload_that_is_lost_begins_anew);
    RUN(uploads_that_are_refused);
    RUN(a_mount_may_be_granted_or_become_an_upload);
    RUN(manifests_are_pushed_and_deleted);
    return check_done();
}

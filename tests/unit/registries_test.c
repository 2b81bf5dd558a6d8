#include "tests/unit/folder.h"

#include "images/fetch.h"
#include "images/ref.h"
#include "images/registries.h"
#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct registries *open_text(const char *text) {
    const struct registries_options options = {.file = write_file("one.conf", text)};
    struct registries *registries = NULL;
    struct err err = {0};
    if (registries_open(&options, &registries, &err) < 0) {
        printf("# %s\n", err.text);
        CHECK(!"opened");
    }
    return registries;
}

// What opening says, without the file's folder.
static const char *complaint(const char *text) {
    const struct registries_options options = {.file = write_file("one.conf", text)};
    AUTO_REGISTRIES struct registries *registries = NULL;
    static struct err err;
    err = (struct err){0};
    buf_clear(&warnings);
    if (registries_open(&options, &registries, &err) < 0) {
        CHECK_INT(err.kind, ERR_INPUT);
        return strncmp(err.text, folder, strlen(folder)) == 0 ? err.text + strlen(folder) + 1 : err.text;
    }
    return "";
}

// "mirror:HOST|REPOSITORY HOST|REPOSITORY!", the ! for insecure; or the error.
static const char *route(const struct registries *registries, const char *name) {
    struct image_ref ref;
    struct err err = {0};
    const struct registry_endpoint *endpoints;
    size_t count;
    struct buf text = {0};
    if (image_ref_parse(&arena, name, &ref, &err) < 0 ||
        registries_endpoints(registries, &ref, &arena, &endpoints, &count, &err) < 0) {
        return arena_copy_string(&arena, strncmp(err.text, folder, strlen(folder)) == 0 ? err.text + strlen(folder) + 1 : err.text);
    }
    for (size_t i = 0; i < count; i++) {
        buf_add_format(&text, "%s%s%s|%s%s", i ? " " : "", endpoints[i].mirror ? "mirror:" : "", endpoints[i].host,
                       endpoints[i].repository, endpoints[i].insecure ? "!" : "");
    }
    const char *result = arena_copy_string(&arena, buf_string(&text));
    buf_finish(&text);
    return result;
}

CASE(without_files_each_goes_to_its_own) {
    CHECK_STR(route(NULL, "alpine"), "registry-1.docker.io|library/alpine");
    CHECK_STR(route(NULL, "quay.io/a/b:1"), "quay.io|a/b");
    CHECK_STR(route(NULL, "localhost:5000/x"), "localhost:5000|x");
}

CASE(the_longest_prefix_counts_and_ends_at_a_component) {
    AUTO_REGISTRIES struct registries *registries = open_text("[[registry]]\nlocation = 'a.com'\ninsecure = true\n"
                                                              "[[registry]]\nprefix = 'a.com/team'\nlocation = 'b.com:5000/ours/'\n"
                                                              "[[registry]]\nprefix = 'a.com/team/app'\nlocation = 'c.com'\n");
    CHECK_STR(route(registries, "a.com/x"), "a.com|x!");
    CHECK_STR(route(registries, "a.com/team/x:1"), "b.com:5000|ours/x");
    CHECK_STR(route(registries, "a.com/team"), "b.com:5000|ours");
    CHECK_STR(route(registries, "a.com/teams"), "a.com|teams!");
    CHECK_STR(route(registries, "a.com/team/app/web"), "c.com|web");
    CHECK_STR(route(registries, "a.com/team/app"), "one.conf: line 7: the location c.com makes c.com, which is no image name");
    CHECK_STR(route(registries, "a.com:5000/x"), "a.com:5000|x"); // a port makes another registry
    CHECK_STR(route(registries, "aa.com/x"), "aa.com|x");
}

CASE(a_prefix_may_reach_into_the_tag) {
    AUTO_REGISTRIES struct registries *registries = open_text(
        "[[registry]]\nprefix = 'a.com/x:old'\nblocked = true\n[[registry]]\nprefix = 'a.com/y:1'\nlocation = 'b.com/y'\n");
    CHECK_STR(route(registries, "a.com/x:new"), "a.com|x");
    char *expected = arena_format(&arena, "a.com/x is blocked: %s/one.conf, line 1, says so of a.com/x:old", folder);
    CHECK_STR(route(registries, "a.com/x:old"), expected);
    CHECK_STR(route(registries, "a.com/y:1"), "b.com|y");
}

CASE(wildcards_are_of_hosts_below) {
    AUTO_REGISTRIES struct registries *registries = open_text("[[registry]]\nprefix = '*.a.com'\ninsecure = true\n"
                                                              "[[registry.mirror]]\nlocation = 'm.com/cache'\n"
                                                              "[[registry]]\nprefix = '*.b.com/team'\nblocked = true\n"
                                                              "[[registry]]\nprefix = 'x.a.com'\n");
    CHECK_STR(route(registries, "r.a.com/x"), "mirror:m.com|cache/x r.a.com|x!");
    CHECK_STR(route(registries, "q.r.a.com:5000/x"), "mirror:m.com|cache/x q.r.a.com:5000|x!");
    CHECK_STR(route(registries, "a.com/x"), "a.com|x");
    CHECK_STR(route(registries, "ra.com/x"), "ra.com|x");
    CHECK_STR(route(registries, "b.com/r.a.com/x"), "b.com|r.a.com/x");
    CHECK_STR(route(registries, "x.a.com/y"), "x.a.com|y"); // by its own name, which is nearer
    CHECK_STR(route(registries, "r.b.com/teams"), "r.b.com|teams");
    char *expected = arena_format(&arena, "r.b.com/team/x is blocked: %s/one.conf, line 6, says so of *.b.com/team", folder);
    CHECK_STR(route(registries, "r.b.com/team/x"), expected);
}

CASE(mirrors_come_first_if_they_take_part) {
    static const char digest[] = "@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    AUTO_REGISTRIES struct registries *registries =
        open_text("[[registry]]\nprefix = 'docker.io'\n"
                  "[[registry.mirror]]\nlocation = 'all.com:5000'\ninsecure = true\n"
                  "[[registry.mirror]]\nlocation = 'digests.com/hub'\npull-from-mirror = 'digest-only'\n"
                  "[[registry.mirror]]\nlocation = 'tags.com'\npull-from-mirror = 'tag-only'\n"
                  "[[registry]]\nlocation = 'a.com'\nmirror-by-digest-only = true\n"
                  "[[registry.mirror]]\nlocation = 'docker.io/cache'\n");
    CHECK_STR(route(registries, "alpine"), "mirror:all.com:5000|library/alpine! mirror:tags.com|library/alpine "
                                           "registry-1.docker.io|library/alpine");
    CHECK_STR(route(registries, arena_format(&arena, "x/y%s", digest)),
              "mirror:all.com:5000|x/y! mirror:digests.com|hub/x/y registry-1.docker.io|x/y");
    CHECK_STR(route(registries, "a.com/x"), "a.com|x");
    CHECK_STR(route(registries, arena_format(&arena, "a.com/x:1%s", digest)), "mirror:registry-1.docker.io|cache/x a.com|x");
}

CASE(a_host_alone_is_found_for_login) {
    AUTO_REGISTRIES struct registries *registries = open_text("[[registry]]\nlocation = 'a.com'\ninsecure = true\n"
                                                              "[[registry]]\nprefix = 'b.com'\nblocked = true\n"
                                                              "[[registry]]\nprefix = 'c.com'\nlocation = 'd.com:5000/x'\n"
                                                              "[[registry]]\nprefix = 'e.com/team'\nblocked = true\n");
    struct registry_endpoint endpoint;
    struct err err = {0};
    CHECK(registries_host(registries, "a.com", &arena, &endpoint, &err) == 0 && endpoint.insecure);
    CHECK(registries_host(registries, "a.com:5000", &arena, &endpoint, &err) == 0 && !endpoint.insecure);
    CHECK(registries_host(registries, "docker.io", &arena, &endpoint, &err) == 0);
    CHECK_STR(endpoint.host, "registry-1.docker.io");
    CHECK(registries_host(registries, "c.com", &arena, &endpoint, &err) == 0);
    CHECK_STR(endpoint.host, "d.com:5000");
    CHECK(registries_host(registries, "e.com", &arena, &endpoint, &err) == 0);
    CHECK(registries_host(registries, "b.com", &arena, &endpoint, &err) < 0);
    CHECK_INT(err.kind, ERR_STATE);
    CHECK_STR(err.text, arena_format(&arena, "b.com is blocked: %s/one.conf, line 4, says so of b.com", folder));
}

CASE(what_is_wrong_is_named_with_file_and_line) {
    CHECK_STR(complaint("registry = 'x'"), "one.conf: line 1: registry: expected [[registry]] tables, found a string");
    CHECK_STR(complaint("[registry]\nlocation = 'x'"), "one.conf: line 1: registry: expected [[registry]] tables, found a table");
    CHECK_STR(complaint("[[registry]]\ninsecure = 'yes'"), "one.conf: line 2: insecure: expected true or false, found a string");
    CHECK_STR(complaint("[[registry]]\nlocation = 'https://a.com'"),
              "one.conf: line 2: location: expected HOST[:PORT][/PATH], without https://, found \"https://a.com\"");
    CHECK_STR(complaint("[[registry]]\nprefix = 'https://a.com'"),
              "one.conf: line 2: prefix: expected HOST[:PORT][/PATH], without https://, found \"https://a.com\"");
    CHECK_STR(complaint("[[registry]]\nlocation = 'mirror/x'"),
              "one.conf: line 2: location: expected HOST[:PORT][/PATH], without https://, found \"mirror/x\"");
    CHECK_STR(complaint("[[registry]]\nlocation = 'a.com/../x'"),
              "one.conf: line 2: location: expected HOST[:PORT][/PATH], without https://, found \"a.com/../x\"");
    CHECK_STR(complaint("[[registry]]\nlocation = 'a.com/x:1'"),
              "one.conf: line 2: location: expected HOST[:PORT][/PATH], without https://, found \"a.com/x:1\"");
    CHECK_STR(complaint("[[registry]]\nprefix = ''"),
              "one.conf: line 2: prefix: expected HOST[:PORT][/PATH], without https://, found \"\"");
    CHECK_STR(complaint("[[registry]]\nblocked = true"), "one.conf: line 1: a [[registry]] has neither prefix nor location");
    CHECK_STR(complaint("[[registry]]\nprefix = '*.a.com'\nlocation = 'b.com'"),
              "one.conf: line 1: a [[registry]] with the prefix *.a.com cannot have a location; its hosts are as they are named");
    CHECK_STR(complaint("[[registry]]\nprefix = 'a.com'\n[[registry.mirror]]\ninsecure = true"),
              "one.conf: line 3: a [[registry.mirror]] has no location");
    CHECK_STR(complaint("[[registry]]\nprefix = 'a.com'\n[[registry.mirror]]\nlocation = 'b.com'\npull-from-mirror = 'never'"),
              "one.conf: line 5: pull-from-mirror: expected one of all, digest-only, tag-only, found \"never\"");
    CHECK_STR(complaint("[[registry]]\nprefix = 'a.com'\nmirror-by-digest-only = true\n[[registry.mirror]]\nlocation = 'b.com'\n"
                        "pull-from-mirror = 'tag-only'"),
              "one.conf: line 1: a [[registry]] has both mirror-by-digest-only and a mirror with pull-from-mirror");
    CHECK_STR(complaint("[registries.block]\nregistries = ['a.com']"),
              "one.conf: line 1: [registries] is of version 1 of this format; write [[registry]] tables");
    CHECK_STR(complaint("a = {}"), "one.conf: line 1: inline tables are not read; write a table of its own for \"a\"");
}

CASE(unknown_keys_are_warned_of) {
    CHECK_STR(complaint("unqualified-search-registries = ['docker.io']\nshort-name-mode = 'disabled'\n"
                        "credential-helpers = ['containers-auth.json']\n[aliases]\n'a' = 'docker.io/library/a'\n"),
              "");
    CHECK_STR(buf_string(&warnings), "");
    CHECK_STR(complaint("credential-helpers = ['secretservice']\ncolour = 'red'\n[[registry]]\nprefix = 'a.com'\nspeed = 3\n"
                        "[[registry.mirror]]\nlocation = 'b.com'\nweight = 1\n"),
              "");
    CHECK_STR(buf_string(&warnings),
              arena_format(&arena,
                           "%1$s/one.conf: line 1: the file has no key \"credential-helpers\"; it has no effect\n"
                           "%1$s/one.conf: line 2: the file has no key \"colour\"; it has no effect\n"
                           "%1$s/one.conf: line 5: a [[registry]] has no key \"speed\"; it has no effect\n"
                           "%1$s/one.conf: line 8: a [[registry.mirror]] has no key \"weight\"; it has no effect\n",
                           folder));
}

CASE(later_files_replace_what_has_the_same_prefix) {
    mkdir(path("conf.d"), 0700);
    write_file("system.conf",
               "[[registry]]\nprefix = 'a.com'\nlocation = 'system.com'\n[[registry]]\nprefix = 's.com'\nblocked = true\n");
    write_file("conf.d/20.conf", "[[registry]]\nprefix = 'a.com'\nlocation = 'twenty.com'\n");
    write_file("conf.d/10.conf",
               "[[registry]]\nprefix = 'a.com'\nlocation = 'ten.com'\n[[registry]]\nprefix = 'b.com'\ninsecure = true\n");
    write_file("conf.d/99.conf.bak", "not read");
    struct registries_options options = {.user_file = path("missing.conf"),
                                         .system_file = path("system.conf"),
                                         .system_folder = path("conf.d"),
                                         .user_folder = path("missing.d")};
    struct registries *registries = NULL;
    struct err err = {0};
    CHECK(registries_open(&options, &registries, &err) == 0);
    CHECK_STR(route(registries, "a.com/x"), "twenty.com|x");
    CHECK_STR(route(registries, "b.com/x"), "b.com|x!");
    CHECK(strstr(route(registries, "s.com/x"), "s.com/x is blocked: ") != NULL);
    registries_close(registries);

    options.user_file = write_file("user.conf", "[[registry]]\nprefix = 'u.com'\nlocation = 'user.com'\n"); // in the system's place
    CHECK(registries_open(&options, &registries, &err) == 0);
    CHECK_STR(route(registries, "u.com/x"), "user.com|x");
    CHECK_STR(route(registries, "s.com/x"), "s.com|x");
    registries_close(registries);

    options = (struct registries_options){.file = path("missing.conf")};
    CHECK(registries_open(&options, &registries, &err) < 0);
    CHECK_STR(err.text, arena_format(&arena, "open %s/missing.conf: No such file or directory", folder));
}

CASE(certificates_of_the_first_folder_that_has_the_host) {
    static const char a[] = "-----BEGIN CERTIFICATE-----\na\n", b[] = "-----BEGIN CERTIFICATE-----\nb",
                      k[] = "-----BEGIN PRIVATE KEY-----\nk\n";
    mkdir(path("certs"), 0700);
    mkdir(path("certs/a.com:5000"), 0700);
    mkdir(path("certs/docker.io"), 0700);
    write_file("certs/a.com:5000/1.crt", a);
    write_file("certs/a.com:5000/2.crt", b);
    write_file("certs/a.com:5000/me.cert", a);
    write_file("certs/a.com:5000/me.key", k);
    write_file("certs/docker.io/ca.crt", b);
    const char *const folders[] = {path("nowhere"), path("certs"), NULL};
    struct registries_options options = {.certificate_folders = folders};
    struct registries *registries = NULL;
    struct fetch_tls tls;
    struct err err = {0};
    CHECK(registries_open(&options, &registries, &err) == 0);
    CHECK(registries_certificates(registries, "a.com:5000", &arena, &tls, &err) == 0);
    CHECK_STR(tls.ca_pem, arena_format(&arena, "%s\n%s\n", a, b));
    CHECK_STR(tls.cert_pem, a);
    CHECK_STR(tls.key_pem, k);
    CHECK(!tls.insecure);
    CHECK(registries_certificates(registries, "registry-1.docker.io", &arena, &tls, &err) == 0 && tls.ca_pem && !tls.cert_pem);
    CHECK(registries_certificates(registries, "a.com", &arena, &tls, &err) == 0 && !tls.ca_pem && !tls.cert_pem && !tls.key_pem);
    CHECK(registries_certificates(registries, "../certs", &arena, &tls, &err) < 0);
    CHECK_STR(err.text, "\"../certs\" is no host: expected HOST[:PORT]");
    unlink(path("certs/a.com:5000/me.key"));
    CHECK(registries_certificates(registries, "a.com:5000", &arena, &tls, &err) < 0);
    CHECK_STR(err.text, arena_format(&arena,
                                     "%1$s/certs/a.com:5000/me.cert: there is no %1$s/certs/a.com:5000/me.key beside it; "
                                     "authorities' certificates end in .crt",
                                     folder));
    write_file("certs/docker.io/ca.crt", "rubbish");
    CHECK(registries_certificates(registries, "docker.io", &arena, &tls, &err) < 0);
    CHECK_STR(err.text,
              arena_format(&arena, "%s/certs/docker.io/ca.crt: expected a certificate or key in PEM, found none", folder));
    registries_close(registries);
}

CASE(a_folder_given_is_for_every_host) {
    mkdir(path("given"), 0700);
    write_file("given/ca.crt", "-----BEGIN CERTIFICATE-----\ng\n");
    struct registries_options options = {.certificate_folder = path("given")};
    struct registries *registries = NULL;
    struct fetch_tls tls;
    struct err err = {0};
    CHECK(registries_open(&options, &registries, &err) == 0);
    CHECK(registries_certificates(registries, "any.com", &arena, &tls, &err) == 0 && tls.ca_pem);
    registries_close(registries);
    options.certificate_folder = path("missing");
    CHECK(registries_open(&options, &registries, &err) == 0);
    CHECK(registries_certificates(registries, "any.com", &arena, &tls, &err) < 0);
    CHECK_STR(err.text, arena_format(&arena, "the folder of certificates %s/missing does not exist", folder));
    registries_close(registries);
}

int main(void) {
    if (!mkdtemp(folder)) {
        perror(folder);
        return 1;
    }
    log_set_sink(warn, LOG_LEVEL_WARNING);
    RUN(without_files_each_goes_to_its_own);
    RUN(the_longest_prefix_counts_and_ends_at_a_component);
    RUN(a_prefix_may_reach_into_the_tag);
    RUN(wildcards_are_of_hosts_below);
    RUN(mirrors_come_first_if_they_take_part);
    RUN(a_host_alone_is_found_for_login);
    RUN(what_is_wrong_is_named_with_file_and_line);
    RUN(unknown_keys_are_warned_of);
    RUN(later_files_replace_what_has_the_same_prefix);
    RUN(certificates_of_the_first_folder_that_has_the_host);
    RUN(a_folder_given_is_for_every_host);
    char *command = arena_format(&arena, "rm -rf %s", folder);
    if (system(command) != 0) { // NOLINT: a folder of our own making
        return 1;
    }
    buf_finish(&warnings);
    arena_finish(&arena);
    return check_done();
}

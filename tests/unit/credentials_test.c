#include "tests/unit/folder.h"

#include "images/credentials.h"
#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char *read_file(const char *name) {
    struct err err = {0};
    const char *text;
    return fd_read_file_into(&arena, path(name), 0, 1 << 20, &text, &err) < 0 ? "cannot be read" : text;
}

static void make_helper(const char *name, const char *script) {
    mkdir(path("bin"), 0700);
    char *file = arena_format(&arena, "bin/docker-credential-%s", name);
    write_file(file, arena_format(&arena, "#!/bin/sh\n%s\n", script));
    chmod(path(file), 0700);
}

// Messages without the folder of this run.
static const char *shortened(const char *text) {
    struct buf result = {0};
    for (const char *found; (found = strstr(text, folder)); text = found + strlen(folder) + 1) {
        buf_add(&result, text, (size_t)(found - text));
    }
    buf_add_string(&result, text);
    const char *copy = arena_copy_string(&arena, buf_string(&result));
    buf_finish(&result);
    return copy;
}

static const char *const *environment(void) {
    const char **list = arena_array(&arena, 3, sizeof(*list));
    list[0] = arena_format(&arena, "FOLDER=%s", folder);
    list[1] = "PATH=/usr/bin:/bin";
    return list;
}

static struct credentials_options options_of(const char *const *files) {
    return (struct credentials_options){.files = files, .search_path = path("bin"), .environment = environment()};
}

// "USER:PASSWORD", "USER|TOKEN", "nobody" or the error, of these files.
static const char *who(const char *const *files, const char *host, const char *repository) {
    const struct credentials_options options = options_of(files);
    AUTO_CREDENTIALS struct credentials *credentials = NULL;
    struct credential found = {0};
    struct err err = {0};
    buf_clear(&warnings);
    if (credentials_open(&options, &credentials, &err) < 0) {
        return shortened(err.text);
    }
    int result = credentials_find(credentials, host, repository, &arena, &found, &err);
    if (result <= 0) {
        return result < 0 ? shortened(err.text) : "nobody";
    }
    return found.identity_token ? arena_format(&arena, "%s|%s", found.user ? found.user : "", found.identity_token)
                                : arena_format(&arena, "%s:%s", found.user, found.password);
}

static const char *who_of(const char *text, const char *host, const char *repository) {
    const char *const files[] = {write_file("config.json", text), NULL};
    return who(files, host, repository);
}

CASE(auths_by_host_and_by_path_longest_first) {
    static const char text[] =
        "{\"auths\": {\"a.com\": {\"auth\": \"dTpob3N0\"}, \"a.com/team\": {\"auth\": \"dTp0ZWFt\"},"
        "\"a.com/team/app/\": {\"auth\": \"dTphcHA=\"}, \"a.com:5000\": {\"username\": \"u\", \"password\": \"port\"},"
        "\"b.com/x\": {\"auth\": \"dTp4\"}, \"a.com/team/none\": {}}}";
    CHECK_STR(who_of(text, "a.com", NULL), "u:host");
    CHECK_STR(who_of(text, "a.com", "other"), "u:host");
    CHECK_STR(who_of(text, "a.com", "team/x"), "u:team");
    CHECK_STR(who_of(text, "a.com", "teams"), "u:host");
    CHECK_STR(who_of(text, "a.com", "team/app"), "u:app");
    CHECK_STR(who_of(text, "a.com", "team/none/x"), "u:team"); // an entry that says nothing
    CHECK_STR(who_of(text, "a.com:5000", "team"), "u:port");
    CHECK_STR(who_of(text, "b.com", "x/y"), "u:x");
    CHECK_STR(who_of(text, "b.com", "y"), "nobody");
    CHECK_STR(who_of(text, "b.com", NULL), "nobody");
    CHECK_STR(who_of(text, "c.com", NULL), "nobody");
}

CASE(the_hub_has_several_names_and_urls_are_hosts) {
    static const char legacy[] = "{\"auths\": {\"https://index.docker.io/v1/\": {\"auth\": \"aHViOnA6dw==\"}}}";
    CHECK_STR(who_of(legacy, "docker.io", "library/alpine"), "hub:p:w");
    CHECK_STR(who_of(legacy, "registry-1.docker.io", "library/alpine"), "hub:p:w");
    CHECK_STR(who_of("{\"auths\": {\"docker.io\": {\"auth\": \"aHViOnA=\"}}}", "index.docker.io", NULL), "hub:p");
    CHECK_STR(who_of("{\"auths\": {\"https://a.com/v1/\": {\"auth\": \"dTpw\"}}}", "a.com", "x"), "u:p");
    CHECK_STR(who_of("{\"auths\": {\"http://a.com:5000\": {\"auth\": \"dTpw\"}}}", "a.com:5000", "x"), "u:p");
}

CASE(tokens_take_the_place_of_passwords) {
    CHECK_STR(who_of("{\"auths\": {\"a.com\": {\"auth\": \"dTo=\", \"identitytoken\": \"tok\"}}}", "a.com", NULL), "u|tok");
    CHECK_STR(who_of("{\"auths\": {\"a.com\": {\"identitytoken\": \"tok\"}}}", "a.com", NULL), "|tok");
    CHECK_STR(who_of("{\"auths\": {\"a.com\": {\"registrytoken\": \"tok\"}}}", "a.com", NULL), "nobody");
    CHECK_STR(shortened(buf_string(&warnings)),
              "config.json: auths[\"a.com\"] has nothing but a registrytoken, which is not used; log in with "
              "a user and a password\n");
}

CASE(the_first_file_that_knows_counts_and_missing_ones_know_nothing) {
    const char *const files[] = {
        path("missing.json"),
        write_file("1.json", "{\"auths\": {\"a.com\": {\"auth\": \"dTox\"}}}"),
        write_file("2.json", "{\"auths\": {\"a.com\": {\"auth\": \"dToy\"}, \"b.com\": {\"auth\": \"dToy\"}}}"),
        write_file("blank.json", " \n"),
        "/dev/null",
        NULL};
    CHECK_STR(who(files, "a.com", NULL), "u:1");
    CHECK_STR(who(files, "b.com", NULL), "u:2");
    struct credentials_options options = options_of(files);
    struct credentials *credentials = NULL;
    struct err err = {0};
    options.first_needed = true;
    CHECK(credentials_open(&options, &credentials, &err) < 0);
    CHECK_STR(shortened(err.text), "open missing.json: No such file or directory");
    CHECK(credentials_find(NULL, "a.com", NULL, &arena, &(struct credential){0}, &err) == 0);
}

CASE(given_credentials_are_for_their_host_alone) {
    const char *const files[] = {write_file("1.json", "{\"auths\": {\"b.com\": {\"auth\": \"dTox\"}}}"), NULL};
    struct credentials_options options = options_of(files);
    struct credentials *credentials = NULL;
    struct credential found = {0};
    struct err err = {0};
    options.given_host = "docker.io";
    options.given = "me:p:w";
    CHECK(credentials_open(&options, &credentials, &err) == 0);
    CHECK(credentials_find(credentials, "registry-1.docker.io", "x/y", &arena, &found, &err) == 1);
    CHECK_STR(found.user, "me");
    CHECK_STR(found.password, "p:w");
    CHECK(credentials_find(credentials, "mirror.com", "x/y", &arena, &found, &err) == 0);
    CHECK(credentials_find(credentials, "b.com", "x", &arena, &found, &err) == 1);
    CHECK_STR(found.password, "1");
    credentials_close(credentials);
    options.given = "secret-without-colon";
    CHECK(credentials_open(&options, &credentials, &err) < 0);
    CHECK_STR(err.text, "credentials: expected USER:PASSWORD");
}

CASE(what_is_wrong_is_said_without_the_secret) {
    CHECK_STR(who_of("{\"auths\": {\"a.com\": {\"auth\": \"s*cret\"}}}", "a.com", NULL),
              "config.json: auths[\"a.com\"].auth: expected base64");
    CHECK_STR(who_of("{\"auths\": {\"a.com\": {\"auth\": \"c2VjcmV0\"}}}", "a.com", NULL),
              "config.json: auths[\"a.com\"].auth: expected base64 of USER:PASSWORD");
    CHECK_STR(who_of("{\"auths\": {\"a.com\": {\"auth\" \"c2VjcmV0\"}}}", "a.com", NULL),
              "config.json: line 1, column 38: ':' expected");
    CHECK_STR(who_of("{\"auths\": {\"a.com\": {\"auth\": c2VjcmV0}}}", "a.com", NULL),
              "config.json: line 1, column 30: invalid token");
    CHECK_STR(who_of("{\"auths\": {\"a.com\": {\"auth\": 5}}}", "a.com", NULL),
              "config.json: auths[\"a.com\"].auth: expected a string, found a number");
    CHECK_STR(who_of("{\"auths\": [\"c2VjcmV0\"]}", "a.com", NULL),
              "config.json: auths: expected an object of objects, found an array");
    CHECK_STR(who_of("[]", "a.com", NULL), "config.json: expected an object, found an array");
}

CASE(helpers_are_asked_before_auths) {
    make_helper("mine", "read server; echo \"$1 $server\" >> \"$FOLDER/asked\"\n"
                        "case $server in known.com) echo '{\"ServerURL\":\"known.com\",\"Username\":\"h\",\"Secret\":\"s\"}';;\n"
                        "https://index.docker.io/v1/) echo '{\"Username\":\"<token>\",\"Secret\":\"idt\"}';;\n"
                        "*) echo 'credentials not found in native keychain'; exit 1;; esac");
    static const char text[] = "{\"credHelpers\": {\"known.com\": \"mine\", \"docker.io\": \"mine\", \"other.com\": \"mine\"},"
                               "\"auths\": {\"known.com\": {\"auth\": \"dTpw\"}, \"other.com\": {\"auth\": \"dTpv\"}}}";
    CHECK_STR(who_of(text, "known.com", "x"), "h:s");
    CHECK_STR(who_of(text, "registry-1.docker.io", "x"), "|idt");
    CHECK_STR(who_of(text, "other.com", "x"), "u:o"); // it knows nothing, the file does
    CHECK_STR(who_of(text, "third.com", "x"), "nobody");
    CHECK_STR(read_file("asked"), "get known.com\nget https://index.docker.io/v1/\nget other.com\n");
    CHECK_STR(who_of("{\"credsStore\": \"mine\"}", "known.com", NULL), "h:s");
    CHECK_STR(who_of("{\"credsStore\": \"mine\"}", "third.com", NULL), "nobody");
    CHECK_STR(buf_string(&warnings), "");
}

CASE(a_helper_is_asked_once_for_a_host) {
    make_helper("count", "read server; echo $server >> \"$FOLDER/count\"\n"
                         "[ $server != none.com ] || { echo credentials not found in native keychain; exit 1; }\n"
                         "echo '{\"Username\":\"u\",\"Secret\":\"s\"}'");
    const char *const files[] = {write_file("config.json", "{\"credsStore\": \"count\"}"), NULL};
    const struct credentials_options options = options_of(files);
    AUTO_CREDENTIALS struct credentials *credentials = NULL;
    struct credential found = {0};
    struct err err = {0};
    CHECK(credentials_open(&options, &credentials, &err) == 0);
    for (int i = 0; i < 2; i++) {
        CHECK(credentials_find(credentials, "a.com", i ? "x/y" : NULL, &arena, &found, &err) == 1);
        CHECK_STR(found.password, "s");
        CHECK(credentials_find(credentials, "none.com", NULL, &arena, &found, &err) == 0);
        CHECK(credentials_find(credentials, "b.com", NULL, &arena, &found, &err) == 1);
    }
    CHECK_STR(read_file("count"), "a.com\nnone.com\nb.com\n");
}

CASE(helpers_that_fail_are_named) {
    make_helper("dumb", "echo 'the keychain is locked'; exit 3");
    make_helper("loud", "echo '{\"Username\":\"u\",\"Secret\":\"s3cret\"}'; exit 1");
    make_helper("broken", "echo '{\"Username\":\"u\",\"Secret\" \"s3cret\"}'");
    make_helper("partly", "echo '{\"Username\":\"u\"}'");
    make_helper("dead", "kill -9 $$");
    make_helper("endless", "while echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; do :; done 2> /dev/null");
    static const char format[] = "{\"credHelpers\": {\"a.com\": \"%s\"}}";
    static const struct {
        const char *name, *says;
    } cases[] = {
        {"dumb", "config.json: credHelpers: docker-credential-dumb get ended with exit code 3 and says \"the keychain is locked\""},
        {"loud", "config.json: credHelpers: docker-credential-loud get ended with exit code 1"},
        {"broken", "config.json: credHelpers: answer of docker-credential-broken get: line 1, column 33: ':' expected"},
        {"partly", "config.json: credHelpers: answer of docker-credential-partly get: Secret: expected a string, found nothing"},
        {"dead", "config.json: credHelpers: docker-credential-dead get was killed by signal 9"},
        {"endless", "config.json: credHelpers: docker-credential-endless get answers with more than 69632 bytes"},
        {"missing", "config.json: credHelpers: docker-credential-missing is in no folder of PATH"},
        {"../evil", "config.json: credHelpers: the credential helper \"../evil\": expected a name of letters, digits and . _ -"},
        {"a b", "config.json: credHelpers: the credential helper \"a b\": expected a name of letters, digits and . _ -"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[128];
        snprintf(text, sizeof(text), format, cases[i].name); // NOLINT: the format is above
        CHECK_STR(who_of(text, "a.com", NULL), cases[i].says);
    }
    CHECK_STR(who_of("{\"credsStore\": \"dumb\", \"auths\": {\"a.com\": {\"auth\": \"dTpw\"}}}", "a.com", NULL), "u:p");
    CHECK_STR(shortened(buf_string(&warnings)),
              "config.json: credsStore: docker-credential-dumb get ended with exit code 3 and says \"the "
              "keychain is locked\"; its credentials are not used\n");
}

CASE(a_helper_that_does_not_end_is_killed) {
    make_helper("slow", "echo $$ > \"$FOLDER/slow.pid\"; exec sleep 30");
    const char *const files[] = {write_file("config.json", "{\"credHelpers\": {\"a.com\": \"slow\"}}"), NULL};
    struct credentials_options options = options_of(files);
    AUTO_CREDENTIALS struct credentials *credentials = NULL;
    struct credential found = {0};
    struct err err = {0};
    options.helper_timeout_ms = 300;
    CHECK(credentials_open(&options, &credentials, &err) == 0);
    CHECK(credentials_find(credentials, "a.com", NULL, &arena, &found, &err) < 0);
    CHECK_STR(shortened(err.text), "config.json: credHelpers: docker-credential-slow get did not end within 300 ms and was killed");
    CHECK(kill(atoi(read_file("slow.pid")), 0) < 0);
}

CASE(a_keychains_daemon_may_keep_the_output_open) {
    make_helper("daemon", "sleep 5 2> /dev/null & echo '{\"Username\":\"u\",\"Secret\":\"s\"}'");
    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    CHECK_STR(who_of("{\"credHelpers\": {\"a.com\": \"daemon\"}}", "a.com", NULL), "u:s");
    clock_gettime(CLOCK_MONOTONIC, &after);
    CHECK(after.tv_sec - before.tv_sec < 4);
}

static const char *store(const char *file, const char *host, const struct credential *credential) {
    const struct credentials_options options = options_of(NULL);
    struct err err = {0};
    const char *helper = NULL;
    if (credentials_store(&options, path(file), host, credential, &arena, &helper, &err) < 0) {
        return shortened(err.text);
    }
    return helper ? helper : "file";
}

static int erase(const char *file, const char *host) {
    const struct credentials_options options = options_of(NULL);
    struct err err = {0};
    int result = credentials_erase(&options, path(file), host, &err);
    if (result < 0) {
        printf("# %s\n", err.text);
    }
    return result;
}

static int mode_of(const char *name) {
    struct stat status;
    return stat(path(name), &status) < 0 ? -1 : (int)(status.st_mode & 07777);
}

static const struct credential me = {.user = "me", .password = "p:w"};

CASE(a_login_is_written_and_forgotten_and_the_rest_kept) {
    CHECK_STR(store("new/config.json", "a.com:5000", &me), "file");
    CHECK_INT(mode_of("new"), 0700);
    CHECK_INT(mode_of("new/config.json"), 0600);
    CHECK_STR(read_file("new/config.json"),
              "{\n    \"auths\": {\n        \"a.com:5000\": {\n            \"auth\": \"bWU6cDp3\"\n        }\n    }\n}\n");

    write_file(
        "kept.json",
        "{\"psFormat\": \"{{.ID}}\", \"n\": 1.5, \"auths\": {\"b.com\": {\"auth\": \"dTpw\", \"email\": \"x@y\"}, \"docker.io\": "
        "{\"auth\": \"dTpw\"}, \"a.com/team\": {\"auth\": \"dTpw\"}}, \"HttpHeaders\": {\"X\": \"\\u00e9\"}}");
    chmod(path("kept.json"), 0644);
    CHECK_STR(store("kept.json", "docker.io", &me), "file");
    CHECK_INT(mode_of("kept.json"), 0600);
    CHECK_STR(
        read_file("kept.json"),
        "{\n    \"psFormat\": \"{{.ID}}\",\n    \"n\": 1.5,\n    \"auths\": {\n        \"b.com\": {\n"
        "            \"auth\": \"dTpw\",\n            \"email\": \"x@y\"\n        },\n        \"a.com/team\": {\n"
        "            \"auth\": \"dTpw\"\n        },\n        \"https://index.docker.io/v1/\": {\n"
        "            \"auth\": \"bWU6cDp3\"\n        }\n    },\n    \"HttpHeaders\": {\n        \"X\": \"\xc3\xa9\"\n    }\n}\n");
    CHECK_INT(erase("kept.json", "docker.io"), 1);
    CHECK_INT(erase("kept.json", "docker.io"), 0);
    CHECK_INT(erase("kept.json", "a.com"), 0); // what is a path's stays
    CHECK_INT(erase("kept.json", NULL), 1);
    CHECK_STR(read_file("kept.json"),
              "{\n    \"psFormat\": \"{{.ID}}\",\n    \"n\": 1.5,\n    \"auths\": {},\n    \"HttpHeaders\": {\n"
              "        \"X\": \"\xc3\xa9\"\n    }\n}\n");
    CHECK_INT(erase("nowhere/config.json", "a.com"), 0);
    CHECK_INT(mode_of("nowhere"), -1);
    const struct credential token = {.user = "me", .identity_token = "tok"};
    CHECK_STR(store("token.json", "a.com", &token), "file");
    const char *const files[] = {path("token.json"), NULL};
    CHECK_STR(who(files, "a.com", NULL), "me|tok");
}

CASE(a_symbolic_link_stays_one) {
    write_file("real.json", "{}");
    CHECK(symlink("real.json", path("link.json")) == 0);
    CHECK_STR(store("link.json", "a.com", &me), "file");
    struct stat status;
    CHECK(lstat(path("link.json"), &status) == 0 && S_ISLNK(status.st_mode));
    CHECK(strstr(read_file("real.json"), "bWU6cDp3") != NULL);
}

CASE(what_cannot_be_written_is_refused) {
    const struct credential colon = {.user = "a:b", .password = "s3cret"}, bytes = {.user = "\xff", .password = ""};
    CHECK_STR(store("x.json", "a.com", &colon), "the user \"a:b\": a user's name cannot hold a colon");
    CHECK_STR(store("x.json", "a.com", &bytes), "file"); // base64 holds all bytes
    write_file("bad.json", "{\"auths\" \"c2VjcmV0\"}");
    CHECK_STR(store("bad.json", "a.com", &me), "bad.json: line 1, column 19: ':' expected");
    CHECK_STR(read_file("bad.json"), "{\"auths\" \"c2VjcmV0\"}");
    write_file("big.json", "{\"x\": 18446744073709551615}");
    CHECK_STR(store("big.json", "a.com", &me), "big.json: holds a number above 9223372036854775807, which cannot be kept as it is");
    mkdir(path("folder.json"), 0700);
    CHECK_STR(store("folder.json", "a.com", &me), "folder.json: is no regular file, so no login can be written there");
    CHECK_STR(store("no/folder/x.json", "a.com", &me), "make directory no/folder: No such file or directory");
}

CASE(helpers_keep_logins_where_they_are_named) {
    make_helper("keep", "case $1 in\n"
                        "store) cat > \"$FOLDER/kept\";;\n"
                        "get) read server; [ -e \"$FOLDER/kept\" ] && cat \"$FOLDER/kept\" || { echo credentials not found in "
                        "native keychain; exit 1; };;\n"
                        "erase) read server; echo $server > \"$FOLDER/erased\"; rm -f \"$FOLDER/kept\";;\n"
                        "list) echo '{\"one.com\":\"u\",\"two.com\":\"u\"}';;\n"
                        "esac");
    write_file("store.json", "{\"credsStore\": \"keep\", \"auths\": {\"a.com\": {\"auth\": \"dTpw\"}}}");
    CHECK_STR(store("store.json", "a.com", &me), "keep");
    CHECK_STR(read_file("kept"), "{\"ServerURL\":\"a.com\",\"Username\":\"me\",\"Secret\":\"p:w\"}");
    CHECK_STR(read_file("store.json"), "{\n    \"credsStore\": \"keep\",\n    \"auths\": {\n        \"a.com\": {}\n    }\n}\n");
    const char *const files[] = {path("store.json"), NULL};
    CHECK_STR(who(files, "a.com", NULL), "me:p:w");
    CHECK_INT(erase("store.json", "a.com"), 1);
    CHECK_STR(read_file("erased"), "a.com\n");
    CHECK_STR(who(files, "a.com", NULL), "nobody");
    CHECK_INT(erase("store.json", "a.com"), 0);
    CHECK_INT(erase("store.json", NULL), 1);
    CHECK_STR(read_file("erased"), "two.com\n");
    write_file("helper.json", "{\"credHelpers\": {\"a.com\": \"missing\"}}");
    CHECK_STR(store("helper.json", "a.com", &me), "helper.json: credHelpers: docker-credential-missing is in no folder of PATH");
    CHECK_STR(read_file("helper.json"), "{\"credHelpers\": {\"a.com\": \"missing\"}}");
}

int main(void) {
    if (!mkdtemp(folder)) {
        perror(folder);
        return 1;
    }
    log_set_sink(warn, LOG_LEVEL_WARNING);
    RUN(auths_by_host_and_by_path_longest_first);
    RUN(the_hub_has_several_names_and_urls_are_hosts);
    RUN(tokens_take_the_place_of_passwords);
    RUN(the_first_file_that_knows_counts_and_missing_ones_know_nothing);
    RUN(given_credentials_are_for_their_host_alone);
    RUN(what_is_wrong_is_said_without_the_secret);
    RUN(helpers_are_asked_before_auths);
    RUN(a_helper_is_asked_once_for_a_host);
    RUN(helpers_that_fail_are_named);
    RUN(a_helper_that_does_not_end_is_killed);
    RUN(a_keychains_daemon_may_keep_the_output_open);
    RUN(a_login_is_written_and_forgotten_and_the_rest_kept);
    RUN(a_symbolic_link_stays_one);
    RUN(what_cannot_be_written_is_refused);
    RUN(helpers_keep_logins_where_they_are_named);
    char *command = arena_format(&arena, "rm -rf %s", folder);
    if (system(command) != 0) { // NOLINT: a folder of our own making
        return 1;
    }
    buf_finish(&warnings);
    arena_finish(&arena);
    return check_done();
}

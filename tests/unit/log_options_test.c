#include "tests/unit/check.h"

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/strv.h"
#include "runtime/engine/log_options.h"

static struct arena arena;

static const struct log_owner owner = {.id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
                                       .name = "web",
                                       .image = "nginx:1",
                                       .image_id = "sha256:fedcba9876543210fedcba98"};

static struct log_options options;
static struct err err;

// The options in one string, with blanks between.
static int parse(const char *driver, const char *text) {
    AUTO_STRV struct strv list = {0};
    char *words = arena_copy_string(&arena, text), *rest = words;
    for (char *word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        strv_add(&list, word);
    }
    err = (struct err){0};
    return log_options_parse(&arena, driver, &list, &options, &err);
}

static const char *fails(const char *driver, const char *text) {
    CHECK_INT(parse(driver, text), -1);
    CHECK_INT(err.kind, ERR_INPUT);
    return err.text;
}

CASE(logs_are_limited_by_default) {
    CHECK_INT(parse(NULL, ""), 0);
    CHECK_INT(options.driver, LOG_DRIVER_K8S_FILE);
    CHECK_INT(options.max_size_bytes, 10 << 20);
    CHECK_INT(options.max_files, 3);
    CHECK(!options.path && !options.tag);
}

CASE(drivers_and_options) {
    CHECK_INT(parse("local", "max-size=1m max-file=5"), 0);
    CHECK_STR(log_driver_name(options.driver), "k8s-file");
    CHECK_INT(options.max_size_bytes, 1 << 20);
    CHECK_INT(options.max_files, 5);
    CHECK_INT(parse("json-file", "max-size=-1 max-file=500 path=/var/log/web.log tag={{.Name}}"), 0);
    CHECK_INT(options.max_size_bytes, 0);
    CHECK_INT(options.max_files, 500);
    CHECK_STR(options.path, "/var/log/web.log");
    CHECK_INT(parse("journald", "tag=x"), 0);
    CHECK_INT(options.driver, LOG_DRIVER_JOURNALD);
    CHECK_INT(parse("none", ""), 0);
    CHECK_INT(parse("k8s-file", "max-file=1 max-file=2"), 0);
    CHECK_INT(options.max_files, 2);
}

CASE(what_is_wrong_is_said) {
    CHECK_STR(fails("syslog", ""), "--log-driver: expected k8s-file, json-file, journald or none, found \"syslog\"");
    CHECK_STR(fails("", ""), "--log-driver: expected k8s-file, json-file, journald or none, found \"\"");
    CHECK_STR(fails(NULL, "max-size"), "--log-opt: expected NAME=VALUE, found \"max-size\"");
    CHECK_STR(fails(NULL, "=1"), "--log-opt: expected NAME=VALUE, found \"=1\"");
    CHECK_STR(fails(NULL, "tag=x"), "--log-opt: expected max-size, max-file, path of the log driver k8s-file, found \"tag\"");
    CHECK_STR(fails("json-file", "compress=true"),
              "--log-opt: expected max-size, max-file, path, tag of the log driver json-file, found \"compress\"");
    CHECK_STR(fails("none", "max-file=1"), "--log-opt: expected no option of the log driver none, found \"max-file\"");
    CHECK_STR(fails(NULL, "max-size=ten"), "--log-opt max-size: expected a size such as 10m, or -1 for no limit, found \"ten\"");
    CHECK_STR(fails(NULL, "max-size=0"), "--log-opt max-size: expected a size such as 10m, or -1 for no limit, found \"0\"");
    CHECK_STR(fails(NULL, "max-file=0"), "--log-opt max-file: expected a number from 1 to 500, found \"0\"");
    CHECK_STR(fails(NULL, "max-file=501"), "--log-opt max-file: expected a number from 1 to 500, found \"501\"");
    CHECK_STR(fails(NULL, "path=web.log"), "--log-opt path: expected the absolute path of a file, found \"web.log\"");
    CHECK_STR(fails(NULL, "path=/var/log/"), "--log-opt path: expected the absolute path of a file, found \"/var/log/\"");
    CHECK_STR(fails(NULL, "path=/var/.."), "--log-opt path: expected the absolute path of a file, found \"/var/..\"");
    CHECK_STR(fails("journald", "tag=a{{.Nme}}"),
              "--log-opt tag: expected {{.ID}}, {{.FullID}}, {{.Name}}, {{.ImageName}}, {{.ImageID}} or {{.ImageFullID}}, found "
              "\"{{.Nme}}\"");
    CHECK_STR(fails("journald", "tag=a\nb"), "--log-opt tag: expected no control characters, found \"a\\x0ab\"");
}

CASE(tags_name_the_container) {
    CHECK_INT(parse("journald", ""), 0);
    CHECK_STR(log_options_tag(&options, &owner, &arena), "web");
    CHECK_INT(parse("journald", "tag={{.ImageName}}/{{.Name}}/{{.ID}}-{{.ImageID}}"), 0);
    CHECK_STR(log_options_tag(&options, &owner, &arena), "nginx:1/web/0123456789ab-fedcba987654");
    CHECK_INT(parse("journald", "tag={{.FullID}}{{.ImageFullID}}"), 0);
    CHECK_STR(log_options_tag(&options, &owner, &arena),
              "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdefsha256:fedcba9876543210fedcba98");
    const struct log_owner bare = {.id = owner.id};
    CHECK_INT(parse("journald", "tag=x{{.ImageName}}{{.FullID}}{{.FullID}}{{.FullID}}{{.FullID}}"), 0);
    CHECK_INT(strlen(log_options_tag(&options, &bare, &arena)), LOG_TAG_SIZE - 1);
}

int main(void) {
    RUN(logs_are_limited_by_default);
    RUN(drivers_and_options);
    RUN(what_is_wrong_is_said);
    RUN(tags_name_the_container);
    arena_finish(&arena);
    return check_done();
}

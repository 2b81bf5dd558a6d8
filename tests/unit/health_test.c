#include "tests/unit/check.h"

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/engine/health.h"
#include "runtime/engine/health_file.h"
#include "runtime/engine/home.h"
#include "runtime/engine/request.h"
#include "specs/image_config.h"
#include "specs/json.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

// --- what is checked ---

static char shell_word[] = "CMD-SHELL", shell_line[] = "test -e /tmp/well";
static char *shell_test[] = {shell_word, shell_line, NULL};
static const struct image_settings bare = {0};

static struct health_check made(const struct run_request *run, const struct image_settings *image, struct arena *arena) {
    struct health_check check = {0};
    struct err err = {0};
    CHECK_INT(health_check_make(run, image, arena, &check, &err), 0);
    return check;
}

CASE(nothing_is_checked_unless_somebody_says_so) {
    AUTO_ARENA struct arena arena = {0};
    CHECK_INT(made(&(struct run_request){.health_interval_ms = {true, 5}}, &bare, &arena).kind, HEALTH_CHECK_NONE);
}

CASE(defaults_are_dockers) {
    AUTO_ARENA struct arena arena = {0};
    struct health_check check = made(&(struct run_request){.health_test = {shell_test, 2}}, &bare, &arena);
    CHECK_INT(check.kind, HEALTH_CHECK_COMMAND);
    CHECK_INT(check.command_count, 3);
    CHECK_STR(check.command[0], "/bin/sh");
    CHECK_STR(check.command[1], "-c");
    CHECK_STR(check.command[2], "test -e /tmp/well");
    CHECK(check.command[3] == NULL);
    CHECK_INT(check.interval_ms, 30000);
    CHECK_INT(check.timeout_ms, 30000);
    CHECK_INT(check.start_period_ms, 0);
    CHECK_INT(check.start_interval_ms, 5000);
    CHECK_INT(check.retries, 3);
    CHECK_INT(check.on_failure, HEALTH_DO_NOTHING);
}

CASE(an_image_is_asked_for_what_the_request_leaves_open) {
    AUTO_ARENA struct arena arena = {0};
    const char *test[] = {"CMD", "/bin/true", "-x"}, *shell[] = {"/bin/bash", "-e", "-c"};
    struct image_healthcheck own = {
        .test = test, .test_count = 3, .interval_ns = 7000000000, .timeout_ns = -1, .start_period_ns = 90000000, .retries = 8};
    const struct image_settings image = {.healthcheck = &own, .shell = shell, .shell_count = 3};
    struct health_check check = made(&(struct run_request){.health_retries = {true, 2}}, &image, &arena);
    CHECK_INT(check.kind, HEALTH_CHECK_COMMAND);
    CHECK_INT(check.command_count, 2);
    CHECK_STR(check.command[1], "-x");
    CHECK_INT(check.interval_ms, 7000);
    CHECK_INT(check.timeout_ms, 30000);
    CHECK_INT(check.start_period_ms, 90);
    CHECK_INT(check.retries, 2);
    // The image's shell is the request's, too.
    check = made(&(struct run_request){.health_test = {shell_test, 2}}, &image, &arena);
    CHECK_INT(check.command_count, 4);
    CHECK_STR(check.command[0], "/bin/bash");
    CHECK_STR(check.command[3], "test -e /tmp/well");
    CHECK_INT(made(&(struct run_request){.no_healthcheck = true}, &image, &arena).kind, HEALTH_CHECK_NONE);
    check = made(&(struct run_request){.health_port = "8080/tcp"}, &image, &arena);
    CHECK_INT(check.kind, HEALTH_CHECK_PORT);
    CHECK_INT(check.port, 8080);
}

CASE(what_an_image_cannot_mean_is_no_check) {
    AUTO_ARENA struct arena arena = {0};
    const char *none[] = {"NONE"}, *other[] = {"HTTP", "/"}, *lone[] = {"CMD"}, *empty[] = {"CMD", ""};
    const struct {
        const char **test;
        size_t count;
    } tests[] = {{none, 1}, {other, 2}, {lone, 1}, {empty, 2}, {NULL, 0}};
    for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++) {
        struct image_healthcheck own = {.test = tests[i].test, .test_count = tests[i].count};
        CHECK_INT(made(&(struct run_request){0}, &(struct image_settings){.healthcheck = &own}, &arena).kind, HEALTH_CHECK_NONE);
    }
}

static void check_refused(const struct run_request *run, const char *expected) {
    AUTO_ARENA struct arena arena = {0};
    struct health_check check;
    struct err err = {0};
    CHECK_INT(health_check_make(run, &bare, &arena, &check, &err), -1);
    CHECK_STR(err.text, expected);
}

CASE(wishes_that_cannot_be) {
    check_refused(&(struct run_request){.health_test = {shell_test, 2}, .no_healthcheck = true},
                  "--no-healthcheck and the --health flags exclude each other");
    check_refused(&(struct run_request){.health_test = {shell_test, 2}, .health_port = "80"},
                  "--health-cmd and --health-port exclude each other: give one of them");
    check_refused(&(struct run_request){.health_on_failure = "pray"},
                  "--health-on-failure: expected none, kill, restart or stop, found \"pray\"");
    static const char *const ports[] = {"", "0", "65536", "80/udp", "80x", "-1", "http"};
    for (size_t i = 0; i < sizeof(ports) / sizeof(*ports); i++) {
        char expected[128];
        snprintf(expected, sizeof(expected), "--health-port: expected PORT or PORT/tcp, 1 to 65535, found \"%s\"", ports[i]);
        check_refused(&(struct run_request){.health_port = ports[i]}, expected);
    }
}

// --- what checks lead to ---

static const struct health_check usual = {
    .kind = HEALTH_CHECK_COMMAND, .interval_ms = 100, .start_interval_ms = 10, .retries = 3, .on_failure = HEALTH_DO_RESTART};

// A check at the time it is due, which takes `takes_ms`.
static enum health_action check_once(struct health *health, enum health_result result, int64_t *now_ms, int64_t takes_ms) {
    *now_ms = health_due_ms(health);
    CHECK(*now_ms != 0);
    CHECK_INT(health_step(health, *now_ms - 1), HEALTH_WAIT);
    CHECK_INT(health_step(health, *now_ms), HEALTH_CHECK);
    CHECK_INT(health_due_ms(health), 0);
    *now_ms += takes_ms;
    return health_checked(health, result, *now_ms);
}

CASE(the_first_check_comes_after_one_interval) {
    struct health health;
    int64_t now_ms;
    health_begin(&health, &usual, 1000);
    CHECK_INT(health.status, HEALTH_STARTING);
    CHECK_INT(health_due_ms(&health), 1100);
    CHECK_INT(check_once(&health, HEALTH_SUCCESS, &now_ms, 7), HEALTH_DO_NOTHING);
    CHECK_INT(health.status, HEALTH_HEALTHY);
    CHECK_INT(health_due_ms(&health), 1207); // from the end of the one before
}

CASE(without_a_check_nothing_is_ever_due) {
    struct health health;
    health_begin(&health, &(struct health_check){0}, 1000);
    CHECK_INT(health.status, HEALTH_NONE);
    CHECK_INT(health_due_ms(&health), 0);
    CHECK_INT(health_step(&health, INT64_MAX), HEALTH_WAIT);
}

CASE(failures_in_a_row_make_it_unhealthy_and_one_success_healthy) {
    struct health health;
    int64_t now_ms;
    health_begin(&health, &usual, 1000);
    CHECK_INT(check_once(&health, HEALTH_SUCCESS, &now_ms, 0), HEALTH_DO_NOTHING);
    CHECK_INT(check_once(&health, HEALTH_FAILURE, &now_ms, 0), HEALTH_DO_NOTHING);
    CHECK_INT(check_once(&health, HEALTH_FAILURE, &now_ms, 0), HEALTH_DO_NOTHING);
    CHECK_INT(health.streak, 2);
    CHECK_INT(check_once(&health, HEALTH_SUCCESS, &now_ms, 0), HEALTH_DO_NOTHING);
    CHECK_INT(health.streak, 0);
    for (int i = 0; i < 2; i++) {
        CHECK_INT(check_once(&health, HEALTH_FAILURE, &now_ms, 0), HEALTH_DO_NOTHING);
        CHECK_INT(health.status, HEALTH_HEALTHY);
    }
    CHECK_INT(check_once(&health, HEALTH_FAILURE, &now_ms, 0), HEALTH_DO_RESTART);
    CHECK_INT(health.status, HEALTH_UNHEALTHY);
    // Once is enough; the failures are counted on.
    CHECK_INT(check_once(&health, HEALTH_FAILURE, &now_ms, 0), HEALTH_DO_NOTHING);
    CHECK_INT(health.streak, 4);
    CHECK_INT(check_once(&health, HEALTH_SUCCESS, &now_ms, 0), HEALTH_DO_NOTHING);
    CHECK_INT(health.status, HEALTH_HEALTHY);
    CHECK_INT(health.streak, 0);
}

CASE(one_retry_means_the_first_failure) {
    struct health health;
    int64_t now_ms;
    struct health_check check = usual;
    check.retries = 1;
    check.on_failure = HEALTH_DO_STOP;
    health_begin(&health, &check, 1000);
    CHECK_INT(check_once(&health, HEALTH_FAILURE, &now_ms, 0), HEALTH_DO_STOP);
    CHECK_INT(health.status, HEALTH_UNHEALTHY);
}

CASE(failures_within_the_start_period_do_not_count) {
    struct health health;
    int64_t now_ms;
    struct health_check check = usual;
    check.start_period_ms = 35;
    health_begin(&health, &check, 1000);
    // At the start interval: 1010, 1020, and so on. What counts is when a check began.
    CHECK_INT(check_once(&health, HEALTH_FAILURE, &now_ms, 0), HEALTH_DO_NOTHING);
    CHECK_INT(now_ms, 1010);
    CHECK_INT(check_once(&health, HEALTH_FAILURE, &now_ms, 0), HEALTH_DO_NOTHING);
    CHECK_INT(check_once(&health, HEALTH_FAILURE, &now_ms, 9), HEALTH_DO_NOTHING);
    CHECK_INT(now_ms, 1039);
    CHECK_INT(health.streak, 0);
    CHECK_INT(health.status, HEALTH_STARTING);
    // It is over: at the interval, and they count.
    CHECK_INT(health_due_ms(&health), 1139);
    CHECK_INT(check_once(&health, HEALTH_FAILURE, &now_ms, 0), HEALTH_DO_NOTHING);
    CHECK_INT(health.streak, 1);
}

CASE(one_success_ends_the_start_period) {
    struct health health;
    int64_t now_ms;
    struct health_check check = usual;
    check.start_period_ms = 100000;
    health_begin(&health, &check, 1000);
    CHECK_INT(check_once(&health, HEALTH_SUCCESS, &now_ms, 0), HEALTH_DO_NOTHING);
    CHECK_INT(health_due_ms(&health), 1110);
    for (int i = 0; i < 2; i++) {
        CHECK_INT(check_once(&health, HEALTH_FAILURE, &now_ms, 0), HEALTH_DO_NOTHING);
    }
    CHECK_INT(check_once(&health, HEALTH_FAILURE, &now_ms, 0), HEALTH_DO_RESTART);
}

CASE(a_check_that_a_pause_has_met_does_not_count) {
    struct health health;
    health_begin(&health, &usual, 1000);
    for (int i = 0; i < 5; i++) {
        CHECK_INT(health_step(&health, 1100 + 110 * i), HEALTH_CHECK);
        CHECK_INT(health_checked(&health, HEALTH_NO_RESULT, 1110 + 110 * i), HEALTH_DO_NOTHING);
        CHECK_INT(health.status, HEALTH_STARTING);
        CHECK_INT(health.streak, 0);
    }
    CHECK_INT(health_due_ms(&health), 1650);
}

CASE(a_restart_begins_anew_and_an_end_keeps_what_was) {
    struct health health;
    int64_t now_ms;
    health_begin(&health, &usual, 1000);
    for (int i = 0; i < 3; i++) {
        (void)check_once(&health, HEALTH_FAILURE, &now_ms, 0);
    }
    CHECK_INT(health_step(&health, health_due_ms(&health)), HEALTH_CHECK);
    health_end(&health);
    CHECK_INT(health_due_ms(&health), 0);
    CHECK_INT(health.status, HEALTH_UNHEALTHY);
    // The check that ran then has no say any more.
    CHECK_INT(health_checked(&health, HEALTH_SUCCESS, 5000), HEALTH_DO_NOTHING);
    CHECK_INT(health.status, HEALTH_UNHEALTHY);
    health_begin(&health, &usual, 6000);
    CHECK_INT(health.status, HEALTH_STARTING);
    CHECK_INT(health.streak, 0);
    CHECK_INT(health_due_ms(&health), 6100);
}

CASE(a_check_out_of_turn_moves_the_next_one) {
    struct health health;
    health_begin(&health, &usual, 1000);
    CHECK(health_check_now(&health, 1050));
    CHECK(!health_check_now(&health, 1051));
    CHECK_INT(health_step(&health, 1100), HEALTH_WAIT);
    CHECK_INT(health_checked(&health, HEALTH_SUCCESS, 1120), HEALTH_DO_NOTHING);
    CHECK_INT(health_due_ms(&health), 1220);
}

CASE(a_port_is_looked_at_until_it_is_open) {
    struct health health;
    const struct health_check check = {.kind = HEALTH_CHECK_PORT, .port = 80, .interval_ms = 30000, .retries = 3};
    health_begin(&health, &check, 1000);
    CHECK_INT(health_due_ms(&health), 1020);
    CHECK_INT(health_step(&health, 1020), HEALTH_PEEK);
    health_peeked(&health, false, 1020);
    CHECK_INT(health_due_ms(&health), 1040);
    CHECK_INT(health_step(&health, 5000), HEALTH_PEEK);
    health_peeked(&health, false, 5000);
    CHECK_INT(health_due_ms(&health), 5500); // less and less often
    CHECK_INT(health_step(&health, 5500), HEALTH_PEEK);
    health_peeked(&health, true, 5500);
    CHECK_INT(health_step(&health, 5500), HEALTH_CHECK);
    CHECK_INT(health_checked(&health, HEALTH_SUCCESS, 5501), HEALTH_DO_NOTHING);
    CHECK_INT(health.status, HEALTH_HEALTHY);
    CHECK_INT(health_due_ms(&health), 35501); // at the interval from now on
}

CASE(a_port_that_never_opens_is_unhealthy_in_time) {
    struct health health;
    const struct health_check check = {.kind = HEALTH_CHECK_PORT, .port = 80, .interval_ms = 3000, .retries = 2};
    int64_t now_ms = 1000;
    int checks = 0;
    health_begin(&health, &check, now_ms);
    while (health.status == HEALTH_STARTING && now_ms < 100000) {
        now_ms = health_due_ms(&health);
        enum health_step step = health_step(&health, now_ms);
        if (step == HEALTH_PEEK) {
            health_peeked(&health, false, now_ms);
        } else if (step == HEALTH_CHECK) {
            checks++;
            (void)health_checked(&health, HEALTH_FAILURE, now_ms);
        }
    }
    CHECK_INT(health.status, HEALTH_UNHEALTHY);
    CHECK_INT(checks, 2);
    CHECK_INT(now_ms, 7000);
}

// --- where it is found ---

static const char id[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

static struct home make_home(void) {
    char path[] = "/tmp/health_test.XXXXXX";
    struct home home = HOME_CLOSED;
    CHECK(mkdtemp(path) != NULL);
    for (int i = 0; i < 2; i++) {
        char name[32];
        snprintf(name, sizeof(name), "%s/%d", path, i);
        CHECK(mkdir(name, 0700) == 0);
        int fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        CHECK(mkdirat(fd, id, 0700) == 0);
        *(i ? &home.live_fd : &home.containers_fd) = fd;
    }
    home.store_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    home.live_path = strdup(path);
    return home;
}

static void remove_home(struct home *home) {
    const int places[] = {home->live_fd, home->containers_fd};
    for (size_t i = 0; i < 2; i++) {
        char path[96];
        snprintf(path, sizeof(path), "%s/health", id);
        unlinkat(places[i], path, 0);
        snprintf(path, sizeof(path), "%s/health.log", id);
        unlinkat(places[i], path, 0);
        CHECK(unlinkat(places[i], id, AT_REMOVEDIR) == 0);
    }
    CHECK(unlinkat(home->store_fd, "0", AT_REMOVEDIR) == 0 && unlinkat(home->store_fd, "1", AT_REMOVEDIR) == 0);
    CHECK(rmdir(home->live_path) == 0);
    home_finish(home);
}

static json_t *read_log(const struct home *home, struct health_report *ret) {
    AUTO_ARENA struct arena arena = {0};
    struct err err = {0};
    CHECK_INT(health_file_read(home, id, &arena, ret, &err), 0);
    json_t *log = json_loads(ret->log, 0, NULL);
    CHECK(json_is_array(log));
    return log;
}

CASE(five_checks_are_kept_cut_to_a_bound) {
    struct home home = make_home();
    struct health_report report;
    struct err err = {0};
    static char much[HEALTH_LOG_BYTES + 1];
    memset(much, 'x', sizeof(much));
    json_decref(read_log(&home, &report));
    CHECK_INT(report.status, HEALTH_NONE);
    CHECK_INT(health_file_begin(&home, id, &err), 0);
    CHECK_INT(health_file_status(&home, id), HEALTH_STARTING);
    for (int i = 0; i < 7; i++) {
        bool last = i == 6, full = i == 5;
        struct health_entry entry = {.start_ns = 1000000000, .end_ns = 2000000000, .exit_code = i, .output = "a\0\xff\"b\n", .output_size = 6};
        entry.output = last || full ? much : entry.output;
        entry.output_size = last ? sizeof(much) : full ? HEALTH_LOG_BYTES : entry.output_size;
        CHECK_INT(health_file_log(&home, id, &entry, &err), 0);
    }
    CHECK_INT(health_file_set(&home, id, HEALTH_UNHEALTHY, 4, &err), 0);
    json_t *log = read_log(&home, &report);
    CHECK_INT(report.status, HEALTH_UNHEALTHY);
    CHECK_INT(report.streak, 4);
    CHECK_INT(json_array_size(log), 5);
    const json_t *first = json_array_get(log, 0), *full = json_array_get(log, 3), *last = json_array_get(log, 4);
    CHECK_INT(json_integer_value(json_object_get(first, "ExitCode")), 2);
    CHECK_STR(json_string_value(json_object_get(first, "Output")), "a \xef\xbf\xbd\"b\n");
    CHECK_STR(json_string_value(json_object_get(first, "Start")), "1970-01-01T00:00:01.000000000Z");
    CHECK_STR(json_string_value(json_object_get(first, "End")), "1970-01-01T00:00:02.000000000Z");
    CHECK_INT(strlen(json_string_value(json_object_get(full, "Output"))), HEALTH_LOG_BYTES);
    CHECK(json_string_value(json_object_get(full, "Output"))[HEALTH_LOG_BYTES - 1] == 'x');
    const char *cut = json_string_value(json_object_get(last, "Output"));
    CHECK_INT(strlen(cut), HEALTH_LOG_BYTES);
    CHECK_STR(cut + HEALTH_LOG_BYTES - 4, "x...");
    json_decref(log);
    remove_home(&home);
}

CASE(an_ended_container_keeps_its_health_until_it_starts_again) {
    struct home home = make_home();
    struct health_report report;
    struct err err = {0};
    char path[96];
    CHECK_INT(health_file_keep(&home, id, &err), 0); // one without a check has nothing to keep
    CHECK_INT(health_file_begin(&home, id, &err), 0);
    CHECK_INT(health_file_log(&home, id, &(struct health_entry){.exit_code = 1, .output = ""}, &err), 0);
    CHECK_INT(health_file_set(&home, id, HEALTH_UNHEALTHY, 9, &err), 0);
    CHECK_INT(health_file_keep(&home, id, &err), 0);
    snprintf(path, sizeof(path), "%s/health", id);
    CHECK(unlinkat(home.live_fd, path, 0) == 0);
    snprintf(path, sizeof(path), "%s/health.log", id);
    CHECK(unlinkat(home.live_fd, path, 0) == 0);
    json_t *log = read_log(&home, &report);
    CHECK_INT(report.status, HEALTH_UNHEALTHY);
    CHECK_INT(report.streak, 9);
    CHECK_INT(json_array_size(log), 1);
    json_decref(log);
    CHECK_INT(health_file_begin(&home, id, &err), 0);
    log = read_log(&home, &report);
    CHECK_INT(report.status, HEALTH_STARTING);
    CHECK_INT(report.streak, 0);
    CHECK_INT(json_array_size(log), 0);
    json_decref(log);
    remove_home(&home);
}

int main(void) {
    RUN(nothing_is_checked_unless_somebody_says_so);
    RUN(defaults_are_dockers);
    RUN(an_image_is_asked_for_what_the_request_leaves_open);
    RUN(what_an_image_cannot_mean_is_no_check);
    RUN(wishes_that_cannot_be);
    RUN(the_first_check_comes_after_one_interval);
    RUN(without_a_check_nothing_is_ever_due);
    RUN(failures_in_a_row_make_it_unhealthy_and_one_success_healthy);
    RUN(one_retry_means_the_first_failure);
    RUN(failures_within_the_start_period_do_not_count);
    RUN(one_success_ends_the_start_period);
    RUN(a_check_that_a_pause_has_met_does_not_count);
    RUN(a_restart_begins_anew_and_an_end_keeps_what_was);
    RUN(a_check_out_of_turn_moves_the_next_one);
    RUN(a_port_is_looked_at_until_it_is_open);
    RUN(a_port_that_never_opens_is_unhealthy_in_time);
    RUN(five_checks_are_kept_cut_to_a_bound);
    RUN(an_ended_container_keeps_its_health_until_it_starts_again);
    return check_done();
}

#include "tests/unit/check.h"

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/container/exec.h"
#include "specs/oci_config.h"

static const char *const words[] = {"sh", "-c", "true", NULL};
static const char *own_args[] = {"sleep", NULL};
static const char *own_env[] = {"PATH=/bin", "A=1", NULL};
static uint32_t own_groups[] = {7};
static struct oci_capabilities own_caps = {.bounding = 0x20, .effective = 0x20, .permitted = 0x20};
static struct oci_process own = {
    .terminal = true,
    .user = {.uid = 5, .gid = 6, .additional_gids = own_groups, .additional_gids_count = 1, .umask = {.set = true, .value = 077}},
    .args = own_args,
    .args_count = 1,
    .env = own_env,
    .env_count = 2,
    .cwd = "/own",
    .capabilities = &own_caps,
    .apparmor_profile = "own-profile",
};
static const struct oci_config config = {.process = &own};

static int make(struct exec_options *options, struct arena *arena, struct oci_process *ret, struct err *err) {
    options->args = options->args ? options->args : words;
    options->arg_count = options->arg_count ? options->arg_count : 3;
    return exec_process(options, &config, arena, ret, err);
}

CASE(without_options_it_is_the_containers_own_but_for_command_and_terminal) {
    AUTO_ARENA struct arena arena = {0};
    struct exec_options options = {0};
    struct oci_process process;
    struct err err = {0};
    CHECK_INT(make(&options, &arena, &process, &err), 0);
    CHECK_STR(process.args[2], "true");
    CHECK(process.args[3] == NULL);
    CHECK(!process.terminal);
    CHECK_STR(process.cwd, "/own");
    CHECK_INT(process.user.uid, 5);
    CHECK_INT(process.user.gid, 6);
    CHECK_INT(process.env_count, 2);
    CHECK(process.capabilities == &own_caps);
}

CASE(a_user_is_two_numbers_and_nothing_else) { // CVE-2026-30892
    static const char *const wrong[] = {"", ":", "1:", ":1", "x", "1x", "1000x:1", "1:2x", " 1", "1 ", "+1", "-1", "0x10", "4294967295",
                                        "1:4294967295", "4294967296", "99999999999", "1:2:3", "root"};
    AUTO_ARENA struct arena arena = {0};
    struct oci_process process;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct exec_options options = {.user = wrong[i]};
        struct err err = {0};
        char expected[200];
        CHECK_INT(make(&options, &arena, &process, &err), -1);
        snprintf(expected, sizeof(expected), "--user: expected UID or UID:GID, numbers below 4294967295, found \"%s\"", wrong[i]);
        CHECK_STR(err.text, expected);
    }
    struct exec_options options = {.user = "4294967294:0"};
    struct err err = {0};
    CHECK_INT(make(&options, &arena, &process, &err), 0);
    CHECK_INT(process.user.uid, 4294967294);
    CHECK_INT(process.user.gid, 0);
    options.user = "9";
    CHECK_INT(make(&options, &arena, &process, &err), 0);
    CHECK_INT(process.user.gid, 6);
}

CASE(capabilities_are_added_to_three_sets_alone) { // CVE-2022-29162, CVE-2022-27650
    AUTO_ARENA struct arena arena = {0};
    AUTO_STRV struct strv caps = {0};
    struct exec_options options = {.caps = &caps};
    struct oci_process process;
    struct err err = {0};
    strv_add(&caps, "CAP_NET_ADMIN");
    strv_add(&caps, "chown");
    CHECK_INT(make(&options, &arena, &process, &err), 0);
    CHECK_INT(process.capabilities->bounding, 0x1021);
    CHECK_INT(process.capabilities->effective, 0x1021);
    CHECK_INT(process.capabilities->permitted, 0x1021);
    CHECK_INT(process.capabilities->inheritable, 0);
    CHECK_INT(process.capabilities->ambient, 0);
    CHECK_INT(own_caps.bounding, 0x20);
}

CASE(environment_and_groups) {
    AUTO_ARENA struct arena arena = {0};
    AUTO_STRV struct strv env = {0};
    AUTO_STRV struct strv gids = {0};
    struct exec_options options = {.env = &env, .additional_gids = &gids};
    struct oci_process process;
    struct err err = {0};
    strv_add(&env, "B=2");
    strv_add(&env, "A=3");
    strv_add(&env, "PATHS=4");
    strv_add(&gids, "8");
    CHECK_INT(make(&options, &arena, &process, &err), 0);
    CHECK_INT(process.env_count, 4);
    CHECK_STR(process.env[0], "PATH=/bin");
    CHECK_STR(process.env[1], "A=3");
    CHECK_STR(process.env[2], "B=2");
    CHECK_STR(process.env[3], "PATHS=4");
    CHECK(process.env[4] == NULL);
    CHECK_INT(process.user.additional_gids_count, 2);
    CHECK_INT(process.user.additional_gids[1], 8);
    CHECK_INT(own.env_count, 2);
}

CASE(a_label_changes_by_another_and_never_by_an_empty_one) {
    AUTO_ARENA struct arena arena = {0};
    const char *args[] = {"true"};
    struct exec_options options = {.args = args, .arg_count = 1, .apparmor_profile = "", .selinux_label = ""};
    struct oci_process process;
    struct err err = {0};
    CHECK_INT(exec_process(&options, &config, &arena, &process, &err), 0);
    CHECK_STR(process.apparmor_profile, "own-profile");
    options.apparmor_profile = "other";
    options.selinux_label = "a:b:c";
    CHECK_INT(exec_process(&options, &config, &arena, &process, &err), 0);
    CHECK_STR(process.apparmor_profile, "other");
    CHECK_STR(process.selinux_label, "a:b:c");
}

CASE(a_document_is_whole_but_for_what_nobody_leaves_out_to_mean_none) {
    AUTO_ARENA struct arena arena = {0};
    struct oci_process document = {.args = own_args, .args_count = 1, .cwd = "/", .user = {.uid = 1}};
    struct exec_options options = {.process = &document};
    struct oci_process process;
    struct err err = {0};
    CHECK_INT(exec_process(&options, &config, &arena, &process, &err), 0);
    CHECK_INT(process.user.uid, 1);
    CHECK_INT(process.user.additional_gids_count, 0);
    CHECK_INT(process.env_count, 0);
    CHECK(process.capabilities == &own_caps);
    CHECK_STR(process.apparmor_profile, "own-profile");
    CHECK_INT(process.user.umask.value, 077);
    struct oci_capabilities none = {0};
    document.capabilities = &none;
    CHECK_INT(exec_process(&options, NULL, &arena, &process, &err), 0);
    CHECK(process.capabilities == &none);
}

int main(void) {
    RUN(without_options_it_is_the_containers_own_but_for_command_and_terminal);
    RUN(a_user_is_two_numbers_and_nothing_else);
    RUN(capabilities_are_added_to_three_sets_alone);
    RUN(environment_and_groups);
    RUN(a_label_changes_by_another_and_never_by_an_empty_one);
    RUN(a_document_is_whole_but_for_what_nobody_leaves_out_to_mean_none);
    return check_done();
}

#include "tests/unit/check.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/container/plan.h"
#include "runtime/kernel/lsm.h"
#include "runtime/kernel/procfs.h"
#include "specs/oci_config.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

CASE(a_label_is_one_line_of_a_page) {
    CHECK(lsm_is_label(LSM_APPARMOR, "docker-default"));
    CHECK(lsm_is_label(LSM_SELINUX, "system_u:system_r:container_t:s0:c1,c2"));
    CHECK(!lsm_is_label(LSM_APPARMOR, ""));
    CHECK(!lsm_is_label(LSM_APPARMOR, "a\nchangeprofile b"));
    char text[4097];
    memset(text, 'x', sizeof(text));
    text[4095] = '\0';
    CHECK(lsm_is_label(LSM_SELINUX, text));
    CHECK(!lsm_is_label(LSM_APPARMOR, text)); // with "exec " it is more than a page
    text[4095] = 'x';
    text[4096] = '\0';
    CHECK(!lsm_is_label(LSM_SELINUX, text));
    struct err err = {0};
    CHECK_INT(lsm_set_exec_label(LSM_APPARMOR, -1, "a\nb", &err), -1);
    CHECK_STR(err.text, "\"a\nb\" cannot be a label of AppArmor");
}

CASE(a_module_that_is_off_is_an_error) {
    struct err err = {0};
    struct plan_process planned = {0};
    bool tried = false;
    if (!lsm_is_on(LSM_APPARMOR)) {
        const struct oci_process process = {.apparmor_profile = "x"};
        CHECK_INT(container_plan_label(&process, &planned, &err), -1);
        CHECK_STR(err.text, "process.apparmorProfile: \"x\" was asked for, but this host has no AppArmor, or it is off; leave it out");
        CHECK_INT(err.kind, ERR_UNSUPPORTED);
        // Which is so already.
        const struct oci_process unconfined = {.apparmor_profile = "unconfined"};
        CHECK_INT(container_plan_label(&unconfined, &planned, &err), 0);
        CHECK_INT(planned.lsm, LSM_NONE);
        CHECK(planned.lsm_label == NULL);
        tried = true;
    }
    if (!lsm_is_on(LSM_SELINUX)) {
        const struct oci_process process = {.selinux_label = "a:b:c"};
        CHECK_INT(container_plan_label(&process, &planned, &err), -1);
        CHECK_STR(err.text, "process.selinuxLabel: \"a:b:c\" was asked for, but this host has no SELinux, or it is off; leave it out");
        tried = true;
    }
    CHECK(tried); // no kernel has both on
}

CASE(a_label_is_planned_where_its_module_is_on) {
    struct err err = {0};
    struct plan_process planned = {.lsm = LSM_SELINUX, .lsm_label = "x"};
    const struct oci_process empty = {.apparmor_profile = "", .selinux_label = ""};
    CHECK_INT(container_plan_label(&empty, &planned, &err), 0);
    CHECK_INT(planned.lsm, LSM_NONE);
    CHECK(planned.lsm_label == NULL);
    const struct oci_process lines = {.apparmor_profile = "a\nb"};
    CHECK_INT(container_plan_label(&lines, &planned, &err), -1);
    CHECK_STR(err.text, "process.apparmorProfile: \"a\nb\" cannot be a label of AppArmor");
    if (!lsm_is_on(LSM_APPARMOR)) {
        SKIP("AppArmor is not on");
    }
    const struct oci_process process = {.apparmor_profile = "unconfined"};
    CHECK_INT(container_plan_label(&process, &planned, &err), 0);
    CHECK_INT(planned.lsm, LSM_APPARMOR);
    CHECK_STR(planned.lsm_label, "unconfined");
}

// In a child: the label would be that of the next program. 0 is success.
static int set_label(const char *label, const char *message) {
    struct err err = {0};
    AUTO_FD int proc_fd = procfs_open(&err);
    AUTO_FD int label_fd = proc_fd < 0 ? -1 : lsm_open_exec_label(LSM_APPARMOR, proc_fd, &err);
    bool is_set = label_fd >= 0 && lsm_set_exec_label(LSM_APPARMOR, label_fd, label, &err) == 0;
    if (is_set != (message == NULL) || (message && strcmp(err.text, message) != 0)) {
        printf("# %s: %s\n", label, is_set ? "set" : err.text);
        fflush(stdout);
        return 1;
    }
    return 0;
}

CASE(an_apparmor_profile_is_set_or_said_to_be_missing) {
    if (!lsm_is_on(LSM_APPARMOR)) {
        SKIP("AppArmor is not on");
    }
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        const char *message = "set the AppArmor label \"coffer-no-such-profile\" (is the profile loaded?): No such file or directory";
        _exit(set_label("coffer-no-such-profile", message) || set_label("unconfined", NULL));
    }
    int status = 0;
    waitpid(pid, &status, 0);
    CHECK_INT(status, 0);
}

int main(void) {
    printf("# AppArmor is %s, SELinux is %s\n", lsm_is_on(LSM_APPARMOR) ? "on" : "off", lsm_is_on(LSM_SELINUX) ? "on" : "off");
    RUN(a_label_is_one_line_of_a_page);
    RUN(a_module_that_is_off_is_an_error);
    RUN(a_label_is_planned_where_its_module_is_on);
    RUN(an_apparmor_profile_is_set_or_said_to_be_missing);
    return check_done();
}

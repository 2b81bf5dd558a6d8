#include "tests/unit/check.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/kernel/lsm.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

CASE(a_module_that_is_off_is_an_error) {
    struct err err = {0};
    AUTO_FD int proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    bool tried = false;
    if (!lsm_is_on(LSM_APPARMOR)) {
        CHECK_INT(lsm_set_exec_label(LSM_APPARMOR, proc_fd, "x", &err), -1);
        CHECK_STR(err.text, "label \"x\" was asked for, but apparmor is not on in this kernel");
        CHECK_INT(err.kind, ERR_UNSUPPORTED);
        tried = true;
    }
    if (!lsm_is_on(LSM_SELINUX)) {
        CHECK_INT(lsm_set_exec_label(LSM_SELINUX, proc_fd, "a:b:c", &err), -1);
        CHECK_STR(err.text, "label \"a:b:c\" was asked for, but selinux is not on in this kernel");
        tried = true;
    }
    CHECK(tried); // no kernel has both on
    CHECK_INT(lsm_set_exec_label(LSM_APPARMOR, proc_fd, "", &err), -1);
    CHECK_STR(err.text, "\"\" cannot be a label of apparmor");
    CHECK_INT(lsm_set_exec_label(LSM_APPARMOR, proc_fd, "a\nb", &err), -1);
}

CASE(a_label_needs_a_true_proc) {
    if (lsm_detect() == LSM_NONE) {
        SKIP("neither AppArmor nor SELinux is on");
    }
    struct err err = {0};
    AUTO_FD int tmp_fd = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
    CHECK_INT(lsm_set_exec_label(lsm_detect(), tmp_fd, "unconfined", &err), -1);
    CHECK_STR(err.text, "the directory given for /proc is not a procfs");
}

CASE(an_apparmor_profile_is_set_or_said_to_be_missing) {
    if (!lsm_is_on(LSM_APPARMOR)) {
        SKIP("AppArmor is not on");
    }
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        struct err err = {0};
        int proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (lsm_set_exec_label(LSM_APPARMOR, proc_fd, "coffer-no-such-profile", &err) == 0) {
            _exit(1);
        }
        if (strcmp(err.text,
                   "set the apparmor label \"coffer-no-such-profile\" (is the profile loaded?): No such file or directory") != 0) {
            printf("# %s\n", err.text);
            fflush(stdout);
            _exit(2);
        }
        _exit(lsm_set_exec_label(LSM_APPARMOR, proc_fd, "unconfined", &err) < 0 ? 3 : 0);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    CHECK_INT(status, 0);
}

int main(void) {
    printf("# %s\n", lsm_name(lsm_detect()));
    RUN(a_module_that_is_off_is_an_error);
    RUN(a_label_needs_a_true_proc);
    RUN(an_apparmor_profile_is_set_or_said_to_be_missing);
    return check_done();
}

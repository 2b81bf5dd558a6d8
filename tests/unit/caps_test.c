#include "tests/unit/check.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/kernel/caps.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define BIT(capability) (UINT64_C(1) << (capability))

// The five sets as the kernel shows them.
static struct caps status(void) {
    struct err err = {0};
    AUTO_FREE char *text = NULL;
    size_t size;
    struct caps caps = {0};
    if (fd_read_file(AT_FDCWD, "/proc/self/status", 1 << 20, &text, &size, &err) < 0) {
        return caps;
    }
    const struct {
        const char *name;
        uint64_t *set;
    } rows[] = {
        {"\nCapInh:", &caps.inheritable}, {"\nCapPrm:", &caps.permitted}, {"\nCapEff:", &caps.effective},
        {"\nCapBnd:", &caps.bounding},    {"\nCapAmb:", &caps.ambient},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *at = strstr(text, rows[i].name);
        *rows[i].set = at ? strtoull(at + strlen(rows[i].name), NULL, 16) : 0;
    }
    return caps;
}

static bool same(const struct caps *a, const struct caps *b) {
    return a->bounding == b->bounding && a->effective == b->effective && a->permitted == b->permitted &&
           a->inheritable == b->inheritable && a->ambient == b->ambient;
}

// Runs the whole sequence of an init in a child. The child's exit code: 0 all as wanted, 1 a call failed, 2 other sets than
// expected.
static int in_child(const struct caps *caps, uid_t uid, const struct caps *expected, uint64_t expected_ungranted) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        struct err err = {0};
        uint64_t ungranted = 0;
        if (caps_before_ids(caps, uid != 0, &err) < 0 ||
            (uid != 0 && (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0)) ||
            caps_after_ids(caps, &ungranted, &err) < 0) {
            printf("# %s\n", err.text);
            fflush(stdout);
            _exit(1);
        }
        struct caps found = status();
        _exit(same(&found, expected) && ungranted == expected_ungranted ? 0 : 2);
    }
    int result = -1;
    waitpid(child, &result, 0);
    return WIFEXITED(result) ? WEXITSTATUS(result) : -1;
}

CASE(sets_of_a_container_of_root) {
    if (geteuid() != 0) {
        SKIP("needs root");
    }
    uint64_t set = BIT(CAP_CHOWN) | BIT(CAP_KILL) | BIT(CAP_NET_BIND_SERVICE);
    struct caps caps = {.bounding = set, .effective = set, .permitted = set};
    CHECK_INT(in_child(&caps, 0, &caps, 0), 0);
}

CASE(sets_outlive_the_change_to_an_ordinary_user) {
    if (geteuid() != 0) {
        SKIP("needs root");
    }
    uint64_t set = BIT(CAP_KILL) | BIT(CAP_NET_BIND_SERVICE);
    struct caps caps = {
        .bounding = set | BIT(CAP_CHOWN), .effective = set, .permitted = set, .inheritable = set, .ambient = BIT(CAP_KILL)};
    CHECK_INT(in_child(&caps, 1234, &caps, 0), 0);
    struct caps none = {0};
    CHECK_INT(in_child(&none, 1234, &none, 0), 0);
}

CASE(what_is_not_held_is_left_out_and_told) {
    if (geteuid() != 0) {
        SKIP("needs root");
    }
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        struct err err = {0};
        uint64_t ungranted = 0;
        struct caps start = {.bounding = CAPS_ALL & ~BIT(CAP_SYS_TIME)};
        start.permitted = start.effective = status().permitted & start.bounding;
        if (caps_before_ids(&start, false, &err) < 0 || caps_after_ids(&start, &ungranted, &err) < 0) {
            _exit(1);
        }
        uint64_t set = BIT(CAP_KILL);
        struct caps expected = {.bounding = set, .effective = set, .permitted = set, .inheritable = set, .ambient = set};
        uint64_t wish = set | BIT(CAP_SYS_TIME);
        struct caps caps = {.bounding = wish, .effective = wish, .permitted = wish, .inheritable = wish, .ambient = wish};
        _exit(in_child(&caps, 0, &expected, BIT(CAP_SYS_TIME)));
    }
    int result = -1;
    waitpid(child, &result, 0);
    CHECK_INT(result, 0);
}

CASE(an_ordinary_user_cannot_drop_from_the_bounding_set) {
    if (geteuid() != 0) {
        SKIP("needs root");
    }
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        struct err err = {0};
        struct caps caps = {.bounding = CAPS_ALL & ~BIT(CAP_KILL)};
        if (setresuid(1234, 1234, 1234) < 0 || caps_before_ids(&caps, false, &err) == 0) {
            _exit(1);
        }
        _exit(strcmp(err.text, "drop CAP_KILL from the bounding set: Operation not permitted") == 0 ? 0 : 2);
    }
    int result = -1;
    waitpid(child, &result, 0);
    CHECK_INT(result, 0);
}

int main(void) {
    RUN(sets_of_a_container_of_root);
    RUN(sets_outlive_the_change_to_an_ordinary_user);
    RUN(what_is_not_held_is_left_out_and_told);
    RUN(an_ordinary_user_cannot_drop_from_the_bounding_set);
    return check_done();
}

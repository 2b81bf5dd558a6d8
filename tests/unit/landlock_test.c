#include "tests/unit/check.h"

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/container/plan.h"
#include "runtime/kernel/landlock.h"
#include "specs/oci_config.h"
#include "specs/values.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NEWEST = 7 };

static int plan(struct text_pair *annotations, size_t count, int version, struct arena *arena, struct plan_landlock *ret, struct err *err) {
    const struct oci_config config = {.annotations = annotations, .annotations_count = count};
    return container_plan_landlock_rules(&config, version, arena, ret, err);
}

#define REFUSED(name_text, value_text, message)                                                                                       \
    do {                                                                                                                              \
        AUTO_ARENA struct arena arena = {0};                                                                                          \
        struct err err = {0};                                                                                                         \
        struct plan_landlock planned = {0};                                                                                           \
        struct text_pair wrong = {"run.coffer.landlock." name_text, value_text};                                                      \
        CHECK_INT(plan(&wrong, 1, NEWEST, &arena, &planned, &err), -1);                                                               \
        CHECK_STR(err.text, "config.json: annotations: run.coffer.landlock." name_text ": expected " message);                        \
        CHECK_INT(err.kind, ERR_INPUT);                                                                                               \
    } while (0)

CASE(what_is_wrong_is_named) {
    REFUSED("read", "/", "ro, rx, rw, tcp.bind, tcp.connect or required behind run.coffer.landlock.");
    REFUSED("", "/", "ro, rx, rw, tcp.bind, tcp.connect or required behind run.coffer.landlock.");
    REFUSED("ro", "etc", "absolute paths with colons between, found \"etc\"");
    REFUSED("rx", "/bin::/lib", "absolute paths with colons between, found \"\"");
    REFUSED("rw", "/bin:", "absolute paths with colons between, found \"\"");
    REFUSED("rw", ":/bin", "absolute paths with colons between, found \"\"");
    REFUSED("tcp.bind", "65536", "ports up to 65535 with commas between, found \"65536\"");
    REFUSED("tcp.bind", "80,http", "ports up to 65535 with commas between, found \"http\"");
    REFUSED("tcp.connect", "-1", "ports up to 65535 with commas between, found \"-1\"");
    REFUSED("tcp.connect", "80,", "ports up to 65535 with commas between, found \"\"");
    REFUSED("tcp.connect", "000080", "ports up to 65535 with commas between, found \"000080\"");
    REFUSED("required", "no", "true or false, found \"no\"");
}

CASE(there_is_a_bound_on_rules) {
    AUTO_ARENA struct arena arena = {0};
    struct err err = {0};
    struct plan_landlock planned = {0};
    char text[1025 * 2 + 1];
    for (size_t i = 0; i < sizeof(text) - 1; i += 2) {
        text[i] = '1';
        text[i + 1] = ',';
    }
    text[sizeof(text) - 2] = '\0';
    struct text_pair annotation = {"run.coffer.landlock.tcp.bind", text};
    CHECK_INT(plan(&annotation, 1, NEWEST, &arena, &planned, &err), -1);
    CHECK_STR(err.text, "config.json: annotations: run.coffer.landlock.tcp.bind: there are more than 1024 Landlock rules; name directories "
                        "that hold the rest");
    text[1024 * 2 - 1] = '\0';
    CHECK_INT(plan(&annotation, 1, NEWEST, &arena, &planned, &err), 0);
    CHECK_INT(planned.rule_count, 1024);
}

CASE(annotations_become_rules) {
    AUTO_ARENA struct arena arena = {0};
    struct err err = {0};
    struct plan_landlock planned = {0};
    struct text_pair annotations[] = {
        {"something.else", "x"},
        {"run.coffer.landlock.ro", "/etc:/usr/share"},
        {"run.coffer.landlock.rw", "/tmp"},
        {"run.coffer.landlock.tcp.connect", "53,443"},
    };
    CHECK_INT(plan(annotations, 4, NEWEST, &arena, &planned, &err), 0);
    CHECK_INT(planned.rule_count, 5);
    CHECK_INT(planned.file_rights, landlock_file_rights(NEWEST));
    CHECK_INT(planned.tcp_rights, LANDLOCK_CONNECT_TCP);
    CHECK_STR(planned.rules[1].path, "/usr/share");
    CHECK_STR(planned.rules[1].annotation, "run.coffer.landlock.ro");
    CHECK_INT(planned.rules[1].rights, LANDLOCK_READ_FILE | LANDLOCK_READ_DIR);
    CHECK_INT(planned.rules[2].rights, landlock_file_rights(NEWEST) & ~LANDLOCK_EXECUTE);
    CHECK(planned.rules[4].path == NULL);
    CHECK_INT(planned.rules[4].port, 443);
    // An empty one restricts and allows nothing; what is not named is not restricted.
    struct text_pair empty = {"run.coffer.landlock.tcp.bind", ""};
    CHECK_INT(plan(&empty, 1, NEWEST, &arena, &planned, &err), 0);
    CHECK_INT(planned.rule_count, 0);
    CHECK_INT(planned.file_rights, 0);
    CHECK_INT(planned.tcp_rights, LANDLOCK_BIND_TCP);
    CHECK_INT(plan(annotations, 1, NEWEST, &arena, &planned, &err), 0);
    CHECK_INT(planned.file_rights | planned.tcp_rights, 0);
}

CASE(what_a_kernel_lacks_is_an_error_or_left_out) {
    AUTO_ARENA struct arena arena = {0};
    struct err err = {0};
    struct plan_landlock planned = {0};
    struct text_pair annotations[] = {
        {"run.coffer.landlock.ro", "/"},
        {"run.coffer.landlock.tcp.bind", "80"},
        {"run.coffer.landlock.required", "true"},
    };
    CHECK_INT(plan(annotations, 1, 0, &arena, &planned, &err), -1);
    CHECK_STR(err.text, "config.json: annotations: run.coffer.landlock.ro: this kernel has no Landlock, or it is off (see lsm= of its command "
                        "line); to run without it set run.coffer.landlock.required to \"false\"");
    CHECK_INT(err.kind, ERR_UNSUPPORTED);
    CHECK_INT(plan(annotations, 1, 1, &arena, &planned, &err), 0);
    CHECK_INT(planned.file_rights, 0x1fff);
    CHECK_INT(plan(annotations, 3, 3, &arena, &planned, &err), -1);
    CHECK_STR(err.text, "config.json: annotations: run.coffer.landlock.tcp.bind: this kernel's Landlock knows nothing of TCP ports (Linux 6.7 "
                        "does); to run without it set run.coffer.landlock.required to \"false\"");
    annotations[2].value = "false";
    CHECK_INT(plan(annotations, 3, 3, &arena, &planned, &err), 0);
    CHECK_INT(planned.file_rights, 0x7fff);
    CHECK_INT(planned.tcp_rights, 0);
    CHECK_INT(plan(annotations, 3, 0, &arena, &planned, &err), 0);
    CHECK_INT(planned.file_rights | planned.tcp_rights, 0);
    // A mistake is one on every kernel.
    annotations[0].value = "relative";
    CHECK_INT(plan(annotations, 3, 0, &arena, &planned, &err), -1);
    CHECK_INT(err.kind, ERR_INPUT);
}

CASE(each_version_knows_more) {
    CHECK_INT(landlock_file_rights(0), 0);
    CHECK_INT(landlock_file_rights(1), 0x1fff);
    CHECK_INT(landlock_file_rights(2), 0x3fff);
    CHECK_INT(landlock_file_rights(4), 0x7fff);
    CHECK_INT(landlock_file_rights(NEWEST), 0xffff);
}

// In a child, as it is for ever. The number of what went wrong, 0 for nothing.
static int try_rules(struct err *err) {
    int version = landlock_version();
    uint64_t rights = landlock_file_rights(version);
    int ruleset = landlock_create(rights, 0, err);
    int dir = open("/etc", O_PATH | O_CLOEXEC), file = open("/proc/version", O_PATH | O_CLOEXEC);
    // A file has no rights of directories: they are left out, not refused.
    if (ruleset < 0 || landlock_allow_path(ruleset, dir, LANDLOCK_READ_DIR | LANDLOCK_READ_FILE, err) < 0 ||
        landlock_allow_path(ruleset, file, rights, err) < 0 || landlock_restrict(ruleset, err) < 0) {
        return 1;
    }
    if (open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0 || open("/proc/version", O_RDONLY | O_CLOEXEC) < 0) {
        return 2;
    }
    if (open("/proc/stat", O_RDONLY | O_CLOEXEC) >= 0 || errno != EACCES) {
        return 3;
    }
    return open("/etc/passwd", O_WRONLY | O_CLOEXEC) >= 0 || errno != EACCES ? 4 : 0;
}

CASE(rules_hold) {
    if (landlock_version() == 0) {
        SKIP("this kernel has no Landlock, or it is off");
    }
    if (geteuid() != 0) {
        SKIP("needs root");
    }
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        struct err err = {0};
        int wrong = try_rules(&err);
        if (wrong) {
            printf("# %d: %s\n", wrong, err.text);
            fflush(stdout);
        }
        _exit(wrong);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    CHECK_INT(status, 0);
}

int main(void) {
    printf("# Landlock %d\n", landlock_version());
    RUN(what_is_wrong_is_named);
    RUN(there_is_a_bound_on_rules);
    RUN(annotations_become_rules);
    RUN(what_a_kernel_lacks_is_an_error_or_left_out);
    RUN(each_version_knows_more);
    RUN(rules_hold);
    return check_done();
}

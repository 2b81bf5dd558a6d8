// Control groups on the host as it is, and then with version 2 alone, mounted in a mount namespace of our own.
#include "tests/unit/check.h"

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/kernel/cgroup.h"
#include "runtime/kernel/cgroup_file.h"
#include "runtime/kernel/cgroup_limits.h"
#include "runtime/kernel/process.h"
#include "runtime/kernel/sys.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

enum { TIMEOUT_MS = 5000 };

static struct cgroup_host host;
static char base[64]; // "/coffer-test-PID"

#define NEED_CGROUPS()                                                                                                             \
    do {                                                                                                                           \
        if (geteuid() != 0 || host.version == CGROUP_NONE) {                                                                       \
            SKIP("needs root and cgroups");                                                                                        \
        }                                                                                                                          \
    } while (0)

static void must(int result, const struct err *err) {
    if (result < 0) {
        printf("# %s\n", err->text);
    }
    CHECK(result >= 0);
}

// A child inside the group; it runs `body` and exits with its result. Joined the way the product does it.
static pid_t start_inside(const struct cgroup *cgroup, int (*body)(void)) {
    struct err err = {0};
    int fds[CGROUP_MAX_HIERARCHIES];
    int count = cgroup_join_fds(cgroup, fds, ARRAY_LEN(fds), &err);
    must(count, &err);
    fflush(stdout);
    pid_t pid = process_clone(0, cgroup_v2_fd(cgroup), NULL);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (int i = 0; i < count; i++) {
            if (write(fds[i], "0", 1) != 1) {
                _exit(99);
            }
        }
        _exit(body());
    }
    for (int i = 0; i < count; i++) {
        close(fds[i]);
    }
    CHECK(pid > 0);
    return pid;
}

static int exit_code(pid_t pid) {
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int sleep_on(void) {
    while (pause() < 0) {
    }
    return 0;
}

static volatile int *ticks; // shared with the children

static int tick(void) {
    for (;;) {
        (*ticks)++;
        if (poll(NULL, 0, 1) < 0) {
            return 1;
        }
    }
}

// Whether the counter moves within the time.
static bool ticks_within(int timeout_ms) {
    int before = *ticks;
    for (int i = 0; i < timeout_ms && *ticks == before; i++) {
        poll(NULL, 0, 1);
    }
    return *ticks != before;
}

static int fork_a_few(void) {
    for (int i = 0; i < 5; i++) {
        if (fork() == 0) {
            sleep_on();
        }
    }
    return sleep_on();
}

static int can_fork(void) {
    pid_t pid = fork();
    if (pid == 0) {
        _exit(0);
    }
    return pid < 0 ? errno : 0;
}

static int open_devices(void) {
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    int zero_fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    return (null_fd >= 0 ? 1 : 0) | (zero_fd >= 0 ? 2 : 0);
}

static int make_node(void) {
    char path[64];
    snprintf(path, sizeof(path), "/tmp/coffer-node-%d", (int)getpid());
    int result = mknod(path, S_IFCHR | 0600, makedev(1, 3));
    unlink(path);
    return result == 0 ? 1 : 0;
}

static bool exists(const struct cgroup_hierarchy *hierarchy, const char *path) {
    AUTO_FREE char *full = mem_format("%s%s", *hierarchy->name ? hierarchy->name : ".", path);
    return faccessat(host.fd, full, F_OK, 0) == 0;
}

static const char *path_below(const char *rest) {
    static char path[128];
    snprintf(path, sizeof(path), "%s%s", base, rest);
    return path;
}

CASE(what_is_mounted_is_found) {
    if (host.version == CGROUP_NONE) {
        SKIP("no cgroups on this host");
    }
    CHECK(host.count > 0 && host.fd >= 0);
    CHECK(host.version == CGROUP_V1 || host.hierarchies[0].name[0] == '\0');
    printf("# version %d, %zu hierarchies, controllers %#x\n", host.version, host.count, cgroup_host_controllers(&host));
}

static void check_life(uint32_t controllers) {
    struct err err = {0};
    AUTO_CGROUP struct cgroup cgroup = {0};
    must(cgroup_create(&host, path_below("/a/b"), controllers, &cgroup, &err), &err);
    CHECK(!cgroup_was_there(&cgroup));
    for (size_t i = 0; i < cgroup.count; i++) {
        CHECK_INT(cgroup.dirs[i].made, 3);
    }
    pid_t child = start_inside(&cgroup, fork_a_few);
    AUTO_FREE pid_t *pids = NULL;
    size_t count = 0;
    for (int tries = 0; tries < 1000 && count < 6; tries++) {
        free(pids);
        pids = NULL;
        must(cgroup_pids(&cgroup, &pids, &count, &err), &err);
        poll(NULL, 0, 1);
    }
    CHECK_INT(count, 6);
    CHECK_INT(cgroup_wait_empty(&cgroup, 0, &err), 1);
    CHECK_INT(cgroup_remove(&cgroup, 0, &err), -1);
    CHECK(strstr(err.text, "processes are left in it") != NULL);
    must(cgroup_kill(&cgroup, &err), &err);
    CHECK_INT(cgroup_wait_empty(&cgroup, TIMEOUT_MS, &err), 0);
    must(cgroup_remove(&cgroup, TIMEOUT_MS, &err), &err);
    CHECK_INT(exit_code(child), 128 + SIGKILL);
    for (size_t i = 0; i < host.count; i++) {
        CHECK(!exists(&host.hierarchies[i], base));
    }
}

CASE(a_group_is_made_joined_killed_and_removed) {
    NEED_CGROUPS();
    check_life(CGROUP_ALL);
}

CASE(a_group_is_killed_without_help_from_version_2) {
    NEED_CGROUPS();
    if (host.version != CGROUP_V1) {
        SKIP("this is version 2");
    }
    check_life(CGROUP_MASK(CGROUP_FREEZER) | CGROUP_MASK(CGROUP_PIDS)); // frozen first
    check_life(CGROUP_MASK(CGROUP_PIDS));                               // in rounds
}

CASE(what_was_there_is_not_removed) {
    NEED_CGROUPS();
    struct err err = {0};
    AUTO_CGROUP struct cgroup outer = {0}, again = {0}, inner = {0};
    must(cgroup_create(&host, base, CGROUP_ALL, &outer, &err), &err);
    must(cgroup_create(&host, base, CGROUP_ALL, &again, &err), &err);
    CHECK(cgroup_was_there(&again));
    must(cgroup_create(&host, path_below("/inner"), CGROUP_ALL, &inner, &err), &err);
    must(cgroup_remove(&again, 0, &err), &err);
    must(cgroup_remove(&inner, 0, &err), &err);
    for (size_t i = 0; i < outer.count; i++) {
        CHECK(exists(outer.dirs[i].hierarchy, base));
    }
    must(cgroup_remove(&outer, 0, &err), &err);
    AUTO_CGROUP struct cgroup none = {0};
    CHECK_INT(cgroup_open(&host, base, CGROUP_ALL, &none, &err), -1);
    CHECK_INT(err.kind, ERR_NOT_FOUND);
    AUTO_FREE char *expected = mem_format("there is no cgroup %s", base);
    CHECK_STR(err.text, expected);
}

CASE(groups_made_below_by_others_go_too) {
    NEED_CGROUPS();
    struct err err = {0};
    AUTO_CGROUP struct cgroup cgroup = {0}, below = {0};
    must(cgroup_create(&host, base, CGROUP_ALL, &cgroup, &err), &err);
    must(cgroup_create(&host, path_below("/1/2/3"), CGROUP_ALL, &below, &err), &err);
    pid_t child = start_inside(&below, sleep_on);
    AUTO_FREE pid_t *pids = NULL;
    size_t count = 0;
    must(cgroup_pids(&cgroup, &pids, &count, &err), &err);
    CHECK(count == 1 && pids[0] == child);
    must(cgroup_signal(&cgroup, SIGTERM, &err), &err);
    CHECK_INT(exit_code(child), 128 + SIGTERM);
    must(cgroup_remove(&cgroup, TIMEOUT_MS, &err), &err);
    for (size_t i = 0; i < host.count; i++) {
        CHECK(!exists(&host.hierarchies[i], base));
    }
}

CASE(a_record_brings_the_group_back) {
    NEED_CGROUPS();
    struct err err = {0};
    AUTO_CGROUP struct cgroup cgroup = {0}, again = {0}, gone = {0};
    AUTO_BUF struct buf record = {0};
    must(cgroup_create(&host, path_below("/r"), CGROUP_ALL, &cgroup, &err), &err);
    cgroup_record(&cgroup, &record);
    must(cgroup_open_record(&host, buf_string(&record), &again, &err), &err);
    CHECK_INT(again.count, cgroup.count);
    CHECK_STR(again.path, cgroup.path);
    must(cgroup_remove(&again, 0, &err), &err);
    must(cgroup_open_record(&host, buf_string(&record), &gone, &err), &err);
    CHECK_INT(gone.count, 0);
    must(cgroup_kill(&gone, &err), &err);
    must(cgroup_remove(&gone, 0, &err), &err);
    CHECK_INT(cgroup_open_record(&host, "2 ../x\n", &gone, &err), -1);
    CHECK_STR(err.text, "cgroup record: \"2 ../x\" is not a number and a path");
    CHECK(!exists(&host.hierarchies[0], base));
}

CASE(freezing_stops_and_thawing_continues) {
    NEED_CGROUPS();
    struct err err = {0};
    AUTO_CGROUP struct cgroup cgroup = {0};
    must(cgroup_create(&host, base, CGROUP_ALL, &cgroup, &err), &err);
    ticks = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(ticks != MAP_FAILED);
    pid_t child = start_inside(&cgroup, tick);
    CHECK(ticks_within(TIMEOUT_MS));
    CHECK(!cgroup_is_frozen(&cgroup));
    must(cgroup_freeze(&cgroup, TIMEOUT_MS, &err), &err);
    CHECK(cgroup_is_frozen(&cgroup));
    CHECK(!ticks_within(20));
    must(cgroup_thaw(&cgroup, &err), &err);
    CHECK(ticks_within(TIMEOUT_MS));
    // A frozen group can be killed as well.
    must(cgroup_freeze(&cgroup, TIMEOUT_MS, &err), &err);
    must(cgroup_kill(&cgroup, &err), &err);
    CHECK_INT(exit_code(child), 128 + SIGKILL);
    must(cgroup_remove(&cgroup, TIMEOUT_MS, &err), &err);
}

CASE(limits_are_set_and_hold) {
    NEED_CGROUPS();
    uint32_t needed = CGROUP_MASK(CGROUP_MEMORY) | CGROUP_MASK(CGROUP_PIDS) | CGROUP_MASK(CGROUP_CPU);
    if ((cgroup_host_controllers(&host) & needed) != needed) {
        SKIP("the controllers memory, pids and cpu are not all there");
    }
    struct err err = {0};
    AUTO_CGROUP struct cgroup cgroup = {0};
    struct cgroup_limits limits = {.memory_bytes = CGROUP_VALUE(64 << 20),
                                   .memory_swap_bytes = CGROUP_VALUE(80 << 20),
                                   .pids = CGROUP_VALUE(1),
                                   .cpu_shares = CGROUP_VALUE(512),
                                   .cpu_quota_us = CGROUP_VALUE(50000),
                                   .cpu_period_us = CGROUP_VALUE(100000)};
    must(cgroup_create(&host, path_below("/l"), cgroup_limits_controllers(&limits), &cgroup, &err), &err);
    must(cgroup_apply(&cgroup, &limits, &err), &err);
    struct cgroup_stats stats;
    cgroup_read_stats(&cgroup, &stats);
    CHECK_INT(stats.memory_limit_bytes, 64 << 20);
    CHECK_INT(stats.pids_limit, 1);
    CHECK_INT(stats.pids, 0);
    CHECK_INT(stats.oom_kills, 0);
    CHECK(stats.memory_bytes < 64 << 20);
    CHECK_INT(exit_code(start_inside(&cgroup, can_fork)), EAGAIN);
    // Larger and smaller again: the kernel checks memory against memory and swap at each step of version 1.
    limits = (struct cgroup_limits){.memory_bytes = CGROUP_VALUE(128 << 20), .memory_swap_bytes = CGROUP_VALUE(128 << 20)};
    must(cgroup_apply(&cgroup, &limits, &err), &err);
    limits = (struct cgroup_limits){.memory_bytes = CGROUP_VALUE(32 << 20), .memory_swap_bytes = CGROUP_VALUE(32 << 20)};
    must(cgroup_apply(&cgroup, &limits, &err), &err);
    limits = (struct cgroup_limits){.memory_bytes = CGROUP_VALUE(-1), .pids = CGROUP_VALUE(-1)};
    must(cgroup_apply(&cgroup, &limits, &err), &err);
    cgroup_read_stats(&cgroup, &stats);
    CHECK(stats.memory_limit_bytes == CGROUP_UNKNOWN && stats.pids_limit == CGROUP_UNKNOWN);
    CHECK_INT(exit_code(start_inside(&cgroup, can_fork)), 0);
    must(cgroup_remove(&cgroup, TIMEOUT_MS, &err), &err);
}

CASE(a_limit_without_its_controller_is_an_error) {
    NEED_CGROUPS();
    if (cgroup_host_controllers(&host) & CGROUP_MASK(CGROUP_RDMA)) {
        SKIP("the controller rdma is there");
    }
    struct err err = {0};
    AUTO_CGROUP struct cgroup cgroup = {0};
    struct cgroup_rdma_limit rdma = {.device = "mlx5_1", .handles = CGROUP_VALUE(3)};
    struct cgroup_limits limits = {.rdma = &rdma, .rdma_count = 1};
    must(cgroup_create(&host, base, CGROUP_ALL, &cgroup, &err), &err);
    CHECK_INT(cgroup_apply(&cgroup, &limits, &err), -1);
    CHECK_INT(err.kind, ERR_UNSUPPORTED);
    AUTO_FREE char *v1 =
        mem_format("cgroup controller rdma, needed for rdma.max, is not mounted below /sys/fs/cgroup (cgroup %s)", base);
    CHECK_STR(err.text, host.version == CGROUP_V2 ? "cgroup controller rdma is not available on this host "
                                                    "(/sys/fs/cgroup/cgroup.controllers lacks it)"
                                                  : v1);
    must(cgroup_remove(&cgroup, 0, &err), &err);
}

static void check_devices(uint32_t controllers) {
    struct err err = {0};
    AUTO_CGROUP struct cgroup cgroup = {0};
    struct cgroup_device_rule rules[] = {
        {.allow = false, .type = 'a', .major = CGROUP_DEVICE_ANY, .minor = CGROUP_DEVICE_ANY, .access = CGROUP_DEVICE_ALL},
        {.allow = true, .type = 'c', .major = 1, .minor = 3, .access = CGROUP_DEVICE_READ | CGROUP_DEVICE_WRITE},
    };
    struct cgroup_limits limits = {.devices = rules, .device_count = 2};
    must(cgroup_create(&host, base, controllers, &cgroup, &err), &err);
    CHECK_INT(exit_code(start_inside(&cgroup, open_devices)), 3);
    int applied = cgroup_apply(&cgroup, &limits, &err);
    must(applied, &err);
    CHECK_INT(exit_code(start_inside(&cgroup, open_devices)), 1);
    CHECK_INT(exit_code(start_inside(&cgroup, make_node)), 0);
    // Again with others: the first program is replaced, not joined by a second.
    limits.devices = cgroup_device_defaults;
    limits.device_count = cgroup_device_default_count;
    must(cgroup_apply(&cgroup, &limits, &err), &err);
    CHECK_INT(exit_code(start_inside(&cgroup, open_devices)), 3);
    CHECK_INT(exit_code(start_inside(&cgroup, make_node)), 1);
    must(cgroup_remove(&cgroup, TIMEOUT_MS, &err), &err);
}

CASE(device_rules_hold) {
    NEED_CGROUPS();
    check_devices(CGROUP_ALL);
}

CASE(device_rules_hold_by_a_program_on_a_hybrid_host) {
    NEED_CGROUPS();
    if (!(cgroup_host_controllers(&host) & CGROUP_MASK(CGROUP_UNIFIED))) {
        SKIP("no unified hierarchy");
    }
    check_devices(CGROUP_MASK(CGROUP_UNIFIED));
}

CASE(version_1_refuses_rules_it_would_not_enforce) {
    NEED_CGROUPS();
    if (host.version != CGROUP_V1) {
        SKIP("this is version 2");
    }
    struct err err = {0};
    AUTO_CGROUP struct cgroup cgroup = {0};
    struct cgroup_device_rule rules[] = {
        {.allow = true, .type = 'c', .major = 1, .minor = CGROUP_DEVICE_ANY, .access = CGROUP_DEVICE_ALL},
        {.allow = false, .type = 'c', .major = 1, .minor = 5, .access = CGROUP_DEVICE_WRITE},
    };
    struct cgroup_limits limits = {.devices = rules, .device_count = 2};
    must(cgroup_create(&host, base, CGROUP_MASK(CGROUP_DEVICES), &cgroup, &err), &err);
    CHECK_INT(cgroup_apply(&cgroup, &limits, &err), -1);
    AUTO_FREE char *expected =
        mem_format("limit the devices of cgroup %s: cgroup version 1 cannot deny device c 1:5 w after it was told "
                   "to allow c 1:* rwm",
                   base);
    CHECK_STR(err.text, expected);
    must(cgroup_remove(&cgroup, 0, &err), &err);
}

CASE(a_relative_path_begins_at_the_caller) {
    NEED_CGROUPS();
    struct err err = {0};
    AUTO_CGROUP struct cgroup cgroup = {0}, below = {0};
    // A child in /base/x asks for "y": beside it on version 2, below it on version 1.
    must(cgroup_create(&host, path_below("/x"), CGROUP_ALL, &cgroup, &err), &err);
    int fds[CGROUP_MAX_HIERARCHIES];
    int count = cgroup_join_fds(&cgroup, fds, ARRAY_LEN(fds), &err);
    fflush(stdout);
    pid_t pid = process_clone(0, cgroup_v2_fd(&cgroup), NULL);
    if (pid == 0) {
        for (int i = 0; i < count; i++) {
            if (write(fds[i], "0", 1) != 1) {
                _exit(99);
            }
        }
        AUTO_FREE char *expected = mem_format("%s%s%s", base + 1, host.version == CGROUP_V2 ? "" : "/x", "/y");
        int wrong = cgroup_create(&host, "y", CGROUP_ALL, &below, &err) < 0;
        for (size_t i = 0; i < below.count; i++) {
            size_t prefix = strlen(below.dirs[i].hierarchy->name);
            wrong += strcmp(below.dirs[i].path + prefix + (prefix > 0), expected) != 0;
        }
        _exit(cgroup_remove(&below, 0, &err) < 0 ? 98 : wrong);
    }
    CHECK_INT(exit_code(pid), 0);
    for (int i = 0; i < count; i++) {
        close(fds[i]);
    }
    must(cgroup_remove(&cgroup, TIMEOUT_MS, &err), &err);
}

CASE(a_group_is_given_to_a_user) {
    NEED_CGROUPS();
    struct err err = {0};
    AUTO_CGROUP struct cgroup cgroup = {0};
    must(cgroup_create(&host, base, CGROUP_ALL, &cgroup, &err), &err);
    if (cgroup_v2_fd(&cgroup) >= 0) {
        must(cgroup_delegate(&cgroup, 1234, 1235, &err), &err);
        struct stat status = {0};
        CHECK(fstat(cgroup_v2_fd(&cgroup), &status) == 0 && status.st_uid == 1234 && status.st_gid == 1235);
        CHECK(fstatat(cgroup_v2_fd(&cgroup), "cgroup.procs", &status, 0) == 0 && status.st_uid == 1234);
    }
    must(cgroup_remove(&cgroup, 0, &err), &err);
}

CASE(without_rights_the_error_says_how_to_get_them) {
    NEED_CGROUPS();
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        struct err err = {0};
        struct cgroup cgroup;
        AUTO_FREE char *expected = mem_format(
            "make cgroup /sys/fs/cgroup/%s%s%s (without root it must lie in a delegated cgroup: systemd-run --user --scope -p "
            "Delegate=yes COMMAND): Permission denied",
            host.hierarchies[0].name, *host.hierarchies[0].name ? "/" : "", base + 1);
        if (setresuid(1234, 1234, 1234) < 0 || cgroup_create(&host, base, CGROUP_ALL, &cgroup, &err) == 0) {
            _exit(1);
        }
        _exit(strcmp(err.text, expected) == 0 ? 0 : 2);
    }
    CHECK_INT(exit_code(pid), 0);
}

// 0: an ordinary user may not make groups beside our own, 3: he may, 1: what is told of controllers is wrong.
static int look_beside(void) {
    bool may_root, may_user, may_owner;
    uint32_t mask = cgroup_beside(&host, &may_root);
    if (host.version != CGROUP_V2) {
        return mask == 0 && !may_root ? 0 : 1;
    }
    AUTO_FREE char *above = mem_format("/sys/fs/cgroup%s/cgroup.procs", base);
    uint32_t memory = CGROUP_MASK(CGROUP_MEMORY);
    if (!may_root || (mask & memory & ~cgroup_host_controllers(&host)) != 0 || setresuid(-1, 1234, -1) < 0) {
        return 1;
    }
    cgroup_beside(&host, &may_user);
    if (setresuid(-1, 0, -1) < 0 || chown(above, 1234, -1) < 0 || setresuid(-1, 1234, -1) < 0) {
        return 1;
    }
    cgroup_beside(&host, &may_owner);
    return !may_user && may_owner ? 3 : 1;
}

CASE(what_lies_beside_is_a_users_only_where_it_was_delegated) {
    NEED_CGROUPS();
    struct err err = {0};
    AUTO_CGROUP struct cgroup cgroup = {0};
    AUTO_FREE char *path = mem_format("%s/below", base);
    must(cgroup_create(&host, path, CGROUP_ALL, &cgroup, &err), &err);
    CHECK_INT(exit_code(start_inside(&cgroup, look_beside)), host.version == CGROUP_V2 ? 3 : 0);
    must(cgroup_remove(&cgroup, TIMEOUT_MS, &err), &err);
}

// Version 2 alone on /sys/fs/cgroup, seen by this process only.
static bool version_2_alone(void) {
    struct err err;
    cgroup_host_finish(&host);
    return geteuid() == 0 && unshare(CLONE_NEWNS) == 0 && sys_mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           sys_umount2("/sys/fs/cgroup", MNT_DETACH) == 0 && sys_mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, NULL) == 0 &&
           cgroup_detect(&host, &err) == 0 && host.version == CGROUP_V2;
}

static void run_all(void) {
    RUN(what_is_mounted_is_found);
    RUN(a_group_is_made_joined_killed_and_removed);
    RUN(a_group_is_killed_without_help_from_version_2);
    RUN(what_was_there_is_not_removed);
    RUN(groups_made_below_by_others_go_too);
    RUN(a_record_brings_the_group_back);
    RUN(freezing_stops_and_thawing_continues);
    RUN(limits_are_set_and_hold);
    RUN(a_limit_without_its_controller_is_an_error);
    RUN(device_rules_hold);
    RUN(device_rules_hold_by_a_program_on_a_hybrid_host);
    RUN(version_1_refuses_rules_it_would_not_enforce);
    RUN(a_relative_path_begins_at_the_caller);
    RUN(a_group_is_given_to_a_user);
    RUN(without_rights_the_error_says_how_to_get_them);
    RUN(what_lies_beside_is_a_users_only_where_it_was_delegated);
}

CASE(version_2_can_be_mounted_alone) {
    if (!version_2_alone()) {
        SKIP("no cgroup2 file system, or no right to mount it");
    }
}

int main(void) {
    struct err err = {0};
    snprintf(base, sizeof(base), "/coffer-test-%d", (int)getpid());
    if (cgroup_detect(&host, &err) < 0) {
        printf("# %s\n", err.text);
        return 1;
    }
    run_all();
    if (host.version == CGROUP_V1) {
        RUN(version_2_can_be_mounted_alone);
        if (host.version == CGROUP_V2) {
            run_all();
        }
    }
    cgroup_host_finish(&host);
    return check_done();
}

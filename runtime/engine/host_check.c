#include "runtime/engine/host_check.h"

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/kernel/cgroup.h"
#include "runtime/kernel/landlock.h"
#include "runtime/kernel/lsm.h"
#include "runtime/kernel/seccomp.h"
#include "runtime/kernel/userns.h"
#include "runtime/net/firewall.h"
#include "runtime/net/rootless.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

enum { MOST_CHECKS = 24, FILE_BYTES = 64 << 10 };

struct looking {
    struct arena *arena;
    struct host_facts *facts;
    bool rootless;
    struct cgroup_host cgroups;
    uint32_t controllers;
};

static void add(struct looking *looking, const char *name, bool works, bool wanted, const char *detail, const char *advice) {
    struct host_facts *facts = looking->facts;
    if (facts->check_count < MOST_CHECKS) {
        facts->checks[facts->check_count++] =
            (struct host_check){.name = name, .works = works, .wanted = wanted, .detail = detail, .advice = works ? "" : advice};
    }
}

// The kernel's and the host's own files; "" where there is none.
static const char *read_file(struct looking *looking, const char *path) {
    AUTO_FREE char *text = NULL;
    size_t size;
    struct err missing;
    return fd_read_file(AT_FDCWD, path, FILE_BYTES, &text, &size, &missing) == 0 ? arena_copy_string(looking->arena, text) : "";
}

static const char *read_line(struct looking *looking, const char *path) {
    const char *text = read_file(looking, path);
    return arena_format(looking->arena, "%.*s", (int)strcspn(text, "\n"), text);
}

static bool has_program(struct looking *looking, const char *name) {
    static const char *const folders[] = {"/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin"};
    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        if (faccessat(AT_FDCWD, arena_format(looking->arena, "%s/%s", folders[i], name), X_OK, 0) == 0) {
            return true;
        }
    }
    return false;
}

// --- control groups ---

// What an ordinary user can have: of what was delegated to him, or what his own systemd, where it runs, can give (monitor_group.h). Of
// version 1 that is nothing.
static uint32_t users_controllers(struct looking *looking) {
    bool may;
    uint32_t mask = cgroup_beside(&looking->cgroups, &may);
    if (may || looking->cgroups.version != CGROUP_V2) {
        return may ? mask : 0;
    }
    const char *service = arena_format(looking->arena, "/sys/fs/cgroup/user.slice/user-%u.slice/user@%u.service", (unsigned)geteuid(),
                                       (unsigned)geteuid());
    if (faccessat(AT_FDCWD, arena_format(looking->arena, "%s/cgroup.procs", service), W_OK, 0) < 0) {
        return 0;
    }
    const char *given = read_line(looking, arena_format(looking->arena, "%s/cgroup.controllers", service));
    char *state = NULL, *text = arena_copy_string(looking->arena, given);
    mask = 0;
    for (char *name = strtok_r(text, " ", &state); name; name = strtok_r(NULL, " ", &state)) {
        mask |= cgroup_controller_mask(name);
    }
    return mask;
}

static void check_controller(struct looking *looking, enum cgroup_controller controller, const char *name, bool wanted) {
    bool there = looking->controllers & CGROUP_MASK(controller);
    const char *word = cgroup_controller_name(controller);
    const char *advice =
        looking->rootless && looking->cgroups.version == CGROUP_V2
            ? "have it delegated to you: Delegate=yes for user@.service (systemctl edit user@.service), and log in"
        : looking->rootless ? "an ordinary user needs control groups of version 2: systemd.unified_cgroup_hierarchy=1 for the kernel"
        : controller == CGROUP_MEMORY
            ? "start the kernel with cgroup_enable=memory"
            : arena_format(looking->arena, "this kernel has no controller %s, or it is switched off (cgroup_disable=)", word);
    const char *detail =
        arena_format(looking->arena, "%scontroller %s%s", there ? "" : "no ", word, !there && looking->rootless ? " for you" : "");
    add(looking, name, there, wanted, detail, advice);
}

static void check_cgroups(struct looking *looking) {
    struct host_facts *facts = looking->facts;
    struct err none;
    looking->cgroups.fd = -1;
    if (cgroup_detect(&looking->cgroups, &none) == 0) {
        looking->controllers = cgroup_host_controllers(&looking->cgroups);
    }
    facts->cgroup_version = looking->cgroups.version == CGROUP_V2 ? 2 : looking->cgroups.version == CGROUP_V1 ? 1 : 0;
    facts->hybrid = facts->cgroup_version == 1 && (looking->controllers & CGROUP_MASK(CGROUP_UNIFIED));
    if (looking->rootless && facts->cgroup_version > 0) {
        looking->controllers = users_controllers(looking);
    }
    add(looking, "control groups", facts->cgroup_version > 0, true,
        facts->cgroup_version == 2 ? "version 2"
        : facts->hybrid            ? "version 1, hybrid"
        : facts->cgroup_version    ? "version 1"
                                   : "none",
        "mount cgroup2 on /sys/fs/cgroup");
    check_controller(looking, CGROUP_MEMORY, "memory limits", true);
    check_controller(looking, CGROUP_CPU, "processor limits", true);
    check_controller(looking, CGROUP_PIDS, "process limits", true);
    check_controller(looking, CGROUP_CPUSET, "choice of processors", false);
    check_controller(looking, CGROUP_IO, "disk limits", false);
    cgroup_host_finish(&looking->cgroups);
}

// --- users and files ---

static void check_users(struct looking *looking) {
    const char *most = read_line(looking, "/proc/sys/user/max_user_namespaces");
    const char *debian = read_line(looking, "/proc/sys/kernel/unprivileged_userns_clone");
    const char *ubuntu = read_line(looking, "/proc/sys/kernel/apparmor_restrict_unprivileged_userns");
    bool forbidden = looking->rootless && (strcmp(debian, "0") == 0 || strcmp(ubuntu, "1") == 0);
    bool there = *most && strcmp(most, "0") != 0;
    add(looking, "user namespaces", there && !forbidden, true,
        !*most ? "the kernel has none" : arena_format(looking->arena, "at most %s%s", most, forbidden ? ", none without root" : ""),
        !*most      ? "a kernel with CONFIG_USER_NS is needed"
        : forbidden ? strcmp(debian, "0") == 0
                          ? "sysctl -w kernel.unprivileged_userns_clone=1"
                          : "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile for coffer"
                    : "sysctl -w user.max_user_namespaces=15000");
    if (looking->rootless) {
        struct userns_own *own = arena_alloc(looking->arena, sizeof(*own));
        userns_read_own(own);
        add(looking, "subordinate ids", !own->single_id, true,
            own->single_id ? "only your own id" : "of /etc/subuid and /etc/subgid",
            "install newuidmap (package uidmap), and: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER");
    }
    bool overlay = strstr(read_file(looking, "/proc/filesystems"), "\toverlay\n") != NULL;
    add(looking, "overlay file systems", overlay, true, overlay ? "known to the kernel" : "not loaded", "modprobe overlay");
}

// --- security ---

static void check_security(struct looking *looking) {
    bool filters = seccomp_knows_flag(SECCOMP_FILTER_FLAG_LOG);
    int landlock = landlock_version();
    add(looking, "system call filters", filters, true, filters ? "seccomp" : "no seccomp",
        "a kernel with CONFIG_SECCOMP_FILTER is needed");
    add(looking, "AppArmor", lsm_is_on(LSM_APPARMOR), false, lsm_is_on(LSM_APPARMOR) ? "on" : "off",
        "profiles (--security-opt apparmor=) need a kernel started with apparmor=1 security=apparmor");
    add(looking, "SELinux", lsm_is_on(LSM_SELINUX), false, lsm_is_on(LSM_SELINUX) ? "on" : "off",
        "labels (--security-opt label=) need a kernel started with selinux=1 security=selinux");
    add(looking, "Landlock", landlock > 0, false, landlock > 0 ? arena_format(looking->arena, "version %d", landlock) : "off",
        "start the kernel (5.13 or later) with landlock among lsm=");
}

// --- networks ---

static void check_networks(struct looking *looking) {
    struct err err = {0};
    bool ipv6 = access("/proc/net/if_inet6", F_OK) == 0;
    if (looking->rootless) {
        bool pasta = has_program(looking, "pasta"), works = rootless_is_possible();
        add(looking, "networks of an ordinary user", works, true, works ? "by pasta" : pasta ? "/dev/net/tun is not open to you" : "no pasta",
            pasta ? "open /dev/net/tun to all (modprobe tun; mode 0666)" : "install pasta (package passt)");
    } else {
        AUTO_FD int fd = firewall_open(&err);
        struct firewall_state state;
        bool works = fd >= 0 && firewall_read(fd, looking->arena, &state, &err) == 0;
        add(looking, "networks and published ports", works, true, works ? "nf_tables" : arena_copy_string(looking->arena, err.text),
            "modprobe nf_tables; --network host and none work without");
    }
    const char *forwards = read_line(looking, "/proc/sys/net/ipv4/ip_forward");
    add(looking, "forwarding of IPv4", *forwards, false,
        strcmp(forwards, "1") == 0 ? "on" : "off; switched on with the first network", "this kernel has no IPv4");
    add(looking, "IPv6", ipv6, false, ipv6 ? "on" : "off", "start the kernel without ipv6.disable=1");
}

// --- other tools ---

static void check_tools(struct looking *looking) {
    bool kvm = access("/dev/kvm", R_OK | W_OK) == 0, criu = has_program(looking, "criu");
    bool journal = access("/run/systemd/journal/socket", W_OK) == 0;
    add(looking, "virtual machines", kvm, false, kvm ? "/dev/kvm" : "no /dev/kvm for you",
        "modprobe kvm_intel or kvm_amd, and add the user to group kvm");
    add(looking, "checkpoints", criu, false, criu ? "criu" : "no criu", "install criu");
    add(looking, "logs in the journal", journal, false, journal ? "journald" : "no journald",
        "take another --log-driver than journald");
}

static const char *os_name(struct looking *looking) {
    const char *text = read_file(looking, "/etc/os-release"), *at = strstr(text, "PRETTY_NAME=");
    if (!at) {
        return "Linux";
    }
    at += strlen("PRETTY_NAME=");
    at += *at == '"';
    return arena_format(looking->arena, "%.*s", (int)strcspn(at, "\"\n"), at);
}

void host_look(struct arena *arena, struct host_facts *ret) {
    struct utsname host;
    struct looking looking = {.arena = arena, .facts = ret, .rootless = geteuid() != 0};
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE), processors = sysconf(_SC_NPROCESSORS_ONLN);
    uname(&host); // cannot fail with a pointer that is good
    *ret = (struct host_facts){
        .kernel = arena_copy_string(arena, host.release),
        .architecture = arena_copy_string(arena, host.machine),
        .name = arena_copy_string(arena, host.nodename),
        .os = os_name(&looking),
        .processors = processors > 0 ? (unsigned)processors : 1,
        .memory_bytes = pages > 0 && page > 0 ? (long long)pages * page : 0,
        .rootless = looking.rootless,
        .has_systemd = access("/run/systemd/system", F_OK) == 0,
        .checks = arena_array(arena, MOST_CHECKS, sizeof(struct host_check)),
    };
    check_cgroups(&looking);
    check_users(&looking);
    check_security(&looking);
    check_networks(&looking);
    check_tools(&looking);
}

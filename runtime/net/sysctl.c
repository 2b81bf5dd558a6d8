#include "runtime/net/sysctl.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/kernel/procfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PATH_SIZE = 320 };

// The first character of a setting below /proc/sys/net, 0 when it cannot be read.
static char look(const char *path) {
    char text = 0;
    AUTO_FD int fd = openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && read(fd, &text, 1) == 1 ? text : 0;
}

static int put(const char *path, char value, struct err *err) {
    const char text[] = {value, '\0'};
    AUTO_FD int fd = openat(AT_FDCWD, path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, 1) != 1) {
        return err_sys(err, "set %s to %s", path, text);
    }
    log_debug("set %s to %s for containers' networks", path, text);
    return 1;
}

// Returns 1 when it had to be set, 0 when it was.
static int set(const char *path, char value, struct err *err) {
    return look(path) == value ? 0 : put(path, value, err);
}

static int keep_advertisements(struct sysctl_changes *changes, struct err *err) {
    DIR *folder = opendir("/proc/sys/net/ipv6/conf");
    int result = 0;
    while (folder && result >= 0) {
        const struct dirent *entry = readdir(folder);
        if (!entry) {
            break;
        }
        char path[PATH_SIZE];
        snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/accept_ra", entry->d_name);
        // "all" stands for nothing here, "default" for the interfaces to come.
        if (entry->d_name[0] != '.' && strcmp(entry->d_name, "all") != 0 && look(path) == '1') {
            result = set(path, '2', err);
            changes->kept_advertisements += result > 0;
        }
    }
    if (folder) {
        closedir(folder);
    }
    return result < 0 ? -1 : 0;
}

int sysctl_forward(bool ipv4, bool ipv6, struct sysctl_changes *ret_changes, struct err *err) {
    static const char ipv6_path[] = "/proc/sys/net/ipv6/conf/all/forwarding";
    struct sysctl_changes changes = {0};
    int result = ipv4 ? set("/proc/sys/net/ipv4/ip_forward", '1', err) : 0;
    changes.ipv4_forwarding = result > 0;
    if (result >= 0 && ipv6 && look(ipv6_path) != '1') {
        result = keep_advertisements(&changes, err) < 0 ? -1 : set(ipv6_path, '1', err);
        changes.ipv6_forwarding = result > 0;
    }
    if (result < 0) {
        return -1;
    }
    if (changes.ipv4_forwarding || changes.ipv6_forwarding) {
        log_info("this host passes packets on between its interfaces from now on, for containers' networks");
    }
    *ret_changes = changes;
    return 0;
}

int sysctl_route_localnet(const char *interface, struct err *err) {
    char path[PATH_SIZE];
    snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/route_localnet", interface);
    return set(path, '1', err) < 0 ? -1 : 0;
}

int sysctl_take_any_way(struct err *err) {
    static const char *const names[] = {"all", "default"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char path[PATH_SIZE];
        snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/rp_filter", names[i]);
        if (set(path, '0', err) < 0) {
            return -1;
        }
    }
    return 0;
}

// Where a mount lies over /proc/sys, as in a container, only the path reaches it.
static int open_setting(int proc_fd, const char *path, int flags) {
    int fd = proc_fd >= 0 ? procfs_try_open(proc_fd, path + strlen("/proc/"), flags) : -1;
    return fd >= 0 || (proc_fd >= 0 && errno != EXDEV) ? fd : openat(AT_FDCWD, path, flags | O_CLOEXEC);
}

static int put_ipv6(int proc_fd, const char *interface, const char *name, char value, struct err *err) {
    char path[PATH_SIZE], there = 0;
    const char text[] = {value, '\0'};
    snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/%s", interface, name);
    AUTO_FD int fd = open_setting(proc_fd, path, O_WRONLY);
    if ((fd >= 0 && write(fd, text, 1) == 1) || errno == ENOENT) {
        return 0;
    }
    struct err refused;
    err_sys(&refused, "set %s to %s", path, text);
    // Where nobody may write it, it may be as it shall be.
    AUTO_FD int look_fd = open_setting(proc_fd, path, O_RDONLY);
    if (look_fd >= 0 && read(look_fd, &there, 1) == 1 && there == value) {
        return 0;
    }
    *err = refused;
    return -1;
}

int sysctl_ignore_advertisements(int proc_fd, const char *interface, struct err *err) {
    return put_ipv6(proc_fd, interface, "accept_ra", '0', err);
}

int sysctl_disable_ipv6(int proc_fd, const char *interface, struct err *err) {
    return put_ipv6(proc_fd, interface, "disable_ipv6", '1', err);
}

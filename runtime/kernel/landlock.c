#include "runtime/kernel/landlock.h"

#include "runtime/base/err.h"
#include "runtime/kernel/sys.h"

#include <errno.h>
#include <sys/stat.h>

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

enum { CREATE_VERSION = 1, RULE_PATH = 1, RULE_PORT = 2 };

struct ruleset_attributes { // of version 4; an older kernel takes it where the rest is zero
    uint64_t file_rights, tcp_rights;
};
struct path_rule {
    uint64_t rights;
    int32_t fd;
} __attribute__((packed));
struct port_rule {
    uint64_t rights, port;
};

int landlock_version(void) {
    int version = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_VERSION);
    return version < 0 ? 0 : version;
}

uint64_t landlock_file_rights(int version) {
    static const struct {
        int version;
        uint64_t rights;
    } added[] = {
        {1, LANDLOCK_EXECUTE | LANDLOCK_WRITE_FILE | LANDLOCK_READ_FILE | LANDLOCK_READ_DIR | LANDLOCK_CHANGE_DIR},
        {2, LANDLOCK_REFER},
        {3, LANDLOCK_TRUNCATE},
        {5, LANDLOCK_IOCTL_DEVICE},
    };
    uint64_t rights = 0;
    for (size_t i = 0; i < ARRAY_LEN(added); i++) {
        rights |= version >= added[i].version ? added[i].rights : 0;
    }
    return rights;
}

int landlock_create(uint64_t file_rights, uint64_t tcp_rights, struct err *err) {
    const struct ruleset_attributes attributes = {file_rights, tcp_rights};
    int fd = (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes), 0);
    return fd < 0 ? err_sys(err, "make a Landlock ruleset") : fd;
}

int landlock_allow_path(int ruleset, int fd, uint64_t file_rights, struct err *err) {
    const uint64_t of_files = LANDLOCK_EXECUTE | LANDLOCK_WRITE_FILE | LANDLOCK_READ_FILE | LANDLOCK_TRUNCATE | LANDLOCK_IOCTL_DEVICE;
    struct stat status;
    if (fstat(fd, &status) < 0) {
        return err_sys(err, "look at what a Landlock rule is for");
    }
    const struct path_rule rule = {.rights = S_ISDIR(status.st_mode) ? file_rights : file_rights & of_files, .fd = fd};
    return syscall(SYS_landlock_add_rule, ruleset, RULE_PATH, &rule, 0) < 0 ? err_sys(err, "add a Landlock rule") : 0;
}

int landlock_allow_port(int ruleset, uint64_t port, uint64_t tcp_rights, struct err *err) {
    const struct port_rule rule = {.rights = tcp_rights, .port = port};
    return syscall(SYS_landlock_add_rule, ruleset, RULE_PORT, &rule, 0) < 0 ? err_sys(err, "add a Landlock rule") : 0;
}

int landlock_restrict(int ruleset, struct err *err) {
    if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0) {
        const char *why = errno == E2BIG ? " (there are 16 upon each other already)" : "";
        return err_sys(err, "lay the Landlock rules on the process%s", why);
    }
    return 0;
}

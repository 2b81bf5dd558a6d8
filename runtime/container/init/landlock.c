#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/container/init/init.h"
#include "runtime/container/init/plan.h"
#include "runtime/kernel/landlock.h"
#include "runtime/kernel/root.h"
#include "runtime/kernel/sys.h"

// A rule about what the host cannot restrict (the annotation "required") has no rights left, and nothing to allow.
static int allow(const struct plan_landlock *landlock, const struct plan_landlock_rule *rule, int ruleset, int root, struct err *err) {
    uint64_t rights = rule->rights & (rule->path ? landlock->file_rights : landlock->tcp_rights);
    if (rights == 0) {
        return 0;
    }
    if (!rule->path) {
        return landlock_allow_port(ruleset, rule->port, rights, err);
    }
    AUTO_FD int fd = root_open(root, rule->path, O_PATH, err);
    return fd < 0 ? -1 : landlock_allow_path(ruleset, fd, rights, err);
}

int init_restrict(const struct init *init, struct err *err) {
    const struct plan_landlock *landlock = &init->plan->process.landlock;
    if (landlock->file_rights == 0 && landlock->tcp_rights == 0) {
        return 0;
    }
    AUTO_FD int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) {
        return err_sys(err, "open the container's root directory");
    }
    AUTO_FD int ruleset = landlock_create(landlock->file_rights, landlock->tcp_rights, err);
    if (ruleset < 0) {
        return -1;
    }
    for (size_t i = 0; i < landlock->rule_count; i++) {
        if (allow(landlock, &landlock->rules[i], ruleset, root, err) < 0) {
            return err_in(err, "annotation %s", landlock->rules[i].annotation);
        }
    }
    return landlock_restrict(ruleset, err);
}

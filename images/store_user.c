#include "images/store.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/kernel/userns.h"

#include <pwd.h>
#include <sched.h>
#include <unistd.h>

enum { MAX_RANGES = 32 };

int store_enter_user_namespace(bool *ret_single_id, struct err *err) {
    const struct passwd *account = getpwuid(geteuid());
    const char *name = account ? account->pw_name : NULL;
    struct id_range uid_ranges[MAX_RANGES], gid_ranges[MAX_RANGES];
    struct idmap uids = {uid_ranges, userns_subordinate_map("/etc/subuid", name, geteuid(), uid_ranges, MAX_RANGES)};
    struct idmap gids = {gid_ranges, userns_subordinate_map("/etc/subgid", name, getegid(), gid_ranges, MAX_RANGES)};
    // Both or none, as for containers.
    bool single_id = uids.count == 1 || gids.count == 1 || access("/usr/bin/newuidmap", X_OK) < 0;
    if (single_id) {
        uids.count = gids.count = 1;
    }
    AUTO_FD int userns = userns_create(&uids, &gids, err);
    if (userns < 0) {
        return -1;
    }
    if (setns(userns, CLONE_NEWUSER) < 0) {
        return err_sys(err, "enter the user namespace of the store");
    }
    *ret_single_id = single_id;
    return 0;
}

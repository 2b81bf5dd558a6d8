#include "images/store.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/kernel/userns.h"

#include <sched.h>

int store_enter_user_namespace(bool *ret_single_id, struct err *err) {
    struct userns_own own;
    userns_read_own(&own);
    AUTO_FD int userns = userns_create(&own.uids, &own.gids, err);
    if (userns < 0) {
        return -1;
    }
    if (setns(userns, CLONE_NEWUSER) < 0) {
        return err_sys(err, "enter the user namespace of the store");
    }
    *ret_single_id = own.single_id;
    return 0;
}

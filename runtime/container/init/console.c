#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/container/init/channel.h"
#include "runtime/container/init/init.h"
#include "runtime/container/init/plan.h"
#include "runtime/kernel/root.h"
#include "runtime/kernel/sys.h"

#include <errno.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <termios.h>

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

enum { UNIX98_PTY_SLAVE_MAJOR = 136, UNIX98_PTY_SLAVE_MAJORS = 8 };

// The multiplexer of the container's own devpts, which must be one: the image could have laid another file there.
static int open_master(const struct init *init, struct err *err) {
    AUTO_FD int master = root_open(init->root_fd, "/dev/pts/ptmx", O_RDWR | O_NOCTTY, err);
    if (master < 0) {
        return err_in(err, "a terminal needs a devpts file system on /dev/pts");
    }
    struct statfs status;
    if (fstatfs(master, &status) < 0 || status.f_type != DEVPTS_SUPER_MAGIC) {
        return err_set(err, ERR_INPUT, "a terminal needs a devpts file system on /dev/pts, and something else is mounted there");
    }
    int unlock = 0;
    if (ioctl(master, TIOCSPTLCK, &unlock) < 0) {
        return err_sys(err, "unlock the pty");
    }
    return fd_take(&master);
}

// The slave comes from the master itself, never by its name (CVE-2016-2779's cousin, CVE-2025-52565).
static int open_slave(int master, struct err *err) {
    AUTO_FD int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    struct stat status;
    if (slave < 0 || fstat(slave, &status) < 0) {
        return err_sys(err, "open the terminal's end of the pty");
    }
    unsigned number = major(status.st_rdev);
    if (!S_ISCHR(status.st_mode) || number < UNIX98_PTY_SLAVE_MAJOR || number >= UNIX98_PTY_SLAVE_MAJOR + UNIX98_PTY_SLAVE_MAJORS) {
        return err_set(err, ERR_STATE, "the terminal's end of the pty is not a pty");
    }
    return fd_take(&slave);
}

static int bind_console(const struct init *init, int slave, struct err *err) {
    AUTO_FD int target = root_make_file(init->root_fd, "/dev/console", err);
    if (target < 0) {
        return -1;
    }
    AUTO_FD int tree = sys_open_tree(slave, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
    if (tree < 0 || sys_move_mount(tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0) {
        return err_sys(err, "bind the terminal to /dev/console");
    }
    return 0;
}

int init_open_console(struct init *init, struct err *err) {
    const struct plan_process *process = &init->plan->process;
    AUTO_FD int master = open_master(init, err);
    if (master < 0) {
        return -1;
    }
    AUTO_FD int slave = open_slave(master, err);
    if (slave < 0) {
        return -1;
    }
    if (process->console_rows || process->console_columns) {
        struct winsize size = {.ws_row = (unsigned short)process->console_rows, .ws_col = (unsigned short)process->console_columns};
        if (ioctl(master, TIOCSWINSZ, &size) < 0) {
            return err_sys(err, "set the size of the terminal");
        }
    }
    // The user of the process owns its terminal, as login(1) would have it.
    if (fchown(slave, process->uid, (gid_t)-1) < 0 && errno != EPERM && errno != EINVAL) {
        return err_sys(err, "set the owner of the terminal");
    }
    if (init->plan->mount_namespace && bind_console(init, slave, err) < 0) {
        return -1;
    }
    if (channel_send(init->channel, CHANNEL_TERMINAL, NULL, 0, &master, 1, err) < 0) {
        return -1;
    }
    init->console_fd = fd_take(&slave);
    return 0;
}

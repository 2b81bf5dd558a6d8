// floor [-d] ROOTFS COMMAND [ARGUMENT...]: runs COMMAND as any OCI runtime must with the default configuration (what `spec`
// writes), by the bare system calls and nothing else: no document read, no checks, no state, no messages between processes. What a
// runtime takes beyond this program's time is its own; less is impossible without leaving out something the document asks for.
// Wants cgroup2 on /sys/fs/cgroup (tests/bench/cgroup2.sh). The exit code is COMMAND's; 99: a call failed, said on standard error.
//
// -d also loads and attaches a device program, as a document with device rules demands on cgroup v2. It is not part of the
// yardstick, because the peers that are no OCI runtimes (bubblewrap) restrict devices by not making them.
#include <errno.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "runtime/kernel/sys.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
    const char *source, *target, *fstype;
    unsigned long flags;
    const char *data;
    bool make_target;
} api_mounts[] = {
    {"proc", "proc", "proc", 0, NULL, false},
    {"tmpfs", "dev", "tmpfs", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k", false},
    {"devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5", true},
    {"shm", "dev/shm", "tmpfs", MS_NOSUID | MS_NOEXEC | MS_NODEV, "mode=1777,size=65536k", true},
    {"mqueue", "dev/mqueue", "mqueue", MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL, true},
    {"sysfs", "sys", "sysfs", MS_NOSUID | MS_NOEXEC | MS_NODEV | MS_RDONLY, NULL, false},
    {"cgroup", "sys/fs/cgroup", "cgroup2", MS_NOSUID | MS_NOEXEC | MS_NODEV | MS_RELATIME | MS_RDONLY, NULL, false},
};

static const struct {
    const char *path;
    unsigned major, minor;
} devices[] = {
    {"dev/null", 1, 3}, {"dev/zero", 1, 5}, {"dev/full", 1, 7}, {"dev/random", 1, 8}, {"dev/urandom", 1, 9}, {"dev/tty", 5, 0},
};

static const struct {
    const char *target, *path;
} links[] = {
    {"/proc/self/fd", "dev/fd"},       {"/proc/self/fd/0", "dev/stdin"}, {"/proc/self/fd/1", "dev/stdout"},
    {"/proc/self/fd/2", "dev/stderr"}, {"/proc/kcore", "dev/core"},      {"pts/ptmx", "dev/ptmx"},
};

static const char *const masked_paths[] = {
    "proc/acpi",       "proc/asound",      "proc/kcore",       "proc/keys",    "proc/latency_stats",
    "proc/timer_list", "proc/timer_stats", "proc/sched_debug", "sys/firmware", "proc/scsi",
};

static const char *const readonly_paths[] = {"proc/bus", "proc/fs", "proc/irq", "proc/sys", "proc/sysrq-trigger"};

static const int kept_caps[] = {CAP_KILL, CAP_NET_BIND_SERVICE, CAP_AUDIT_WRITE};

static const struct mount_attr readonly = {.attr_set = MOUNT_ATTR_RDONLY};

// Says which call failed; the child shares our memory until it executes, so nothing here may return into main.
static long must(long result, const char *call) {
    if (result < 0) {
        dprintf(STDERR_FILENO, "floor: %s: %s\n", call, strerror(errno));
        _exit(99);
    }
    return result;
}
#define MUST(call) must((call), #call)

// A clone of the root file system's mount, attached where it was, is a mount point of our own to pivot to. It is also the working
// directory from here on: every later path is relative to it.
static int enter_rootfs(const char *rootfs) {
    MUST(sys_mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL));
    int root_fd = (int)MUST(sys_open_tree(AT_FDCWD, rootfs, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE));
    MUST(sys_move_mount(root_fd, "", AT_FDCWD, rootfs, MOVE_MOUNT_F_EMPTY_PATH));
    MUST(fchdir(root_fd));
    return root_fd;
}

static void mount_api(void) {
    for (size_t i = 0; i < LENGTH(api_mounts); i++) {
        if (api_mounts[i].make_target) {
            MUST(mkdir(api_mounts[i].target, 0755));
        }
        must(sys_mount(api_mounts[i].source, api_mounts[i].target, api_mounts[i].fstype, api_mounts[i].flags, api_mounts[i].data),
             api_mounts[i].target);
    }
}

static void make_devices(void) {
    mode_t mask = umask(0);
    for (size_t i = 0; i < LENGTH(devices); i++) {
        must(mknod(devices[i].path, S_IFCHR | 0666, makedev(devices[i].major, devices[i].minor)), devices[i].path);
    }
    umask(mask);
    for (size_t i = 0; i < LENGTH(links); i++) {
        must(symlink(links[i].target, links[i].path), links[i].path);
    }
}

static void make_readonly(void) {
    for (size_t i = 0; i < LENGTH(readonly_paths); i++) {
        int fd = sys_open_tree(AT_FDCWD, readonly_paths[i], OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
        if (fd < 0 && errno == ENOENT) {
            continue;
        }
        must(fd, readonly_paths[i]);
        MUST(sys_mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &readonly));
        MUST(sys_move_mount(fd, "", AT_FDCWD, readonly_paths[i], MOVE_MOUNT_F_EMPTY_PATH));
        close(fd);
    }
}

// One empty read-only tmpfs for all directories.
static int make_empty_directory(void) {
    int fs_fd = (int)MUST(sys_fsopen("tmpfs", FSOPEN_CLOEXEC));
    MUST(sys_fsconfig(fs_fd, FSCONFIG_SET_STRING, "size", "0k", 0));
    MUST(sys_fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
    int mount_fd = (int)MUST(sys_fsmount(fs_fd, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY));
    close(fs_fd);
    return mount_fd;
}

static void mask_paths(void) {
    int empty_fd = -1;
    for (size_t i = 0; i < LENGTH(masked_paths); i++) {
        struct stat st;
        if (stat(masked_paths[i], &st) < 0) {
            continue;
        }
        int fd;
        if (!S_ISDIR(st.st_mode)) {
            fd = sys_open_tree(AT_FDCWD, "dev/null", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        } else if (empty_fd >= 0) {
            fd = sys_open_tree(empty_fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
        } else {
            fd = empty_fd = make_empty_directory();
        }
        must(fd, masked_paths[i]);
        MUST(sys_move_mount(fd, "", AT_FDCWD, masked_paths[i], MOVE_MOUNT_F_EMPTY_PATH));
        if (fd != empty_fd) {
            close(fd);
        }
    }
    close(empty_fd);
}

static void leave_old_root(int root_fd) {
    MUST(sys_mount_setattr(root_fd, "", AT_EMPTY_PATH, &readonly));
    close(root_fd);
    MUST(sys_pivot_root(".", "."));
    MUST(sys_umount2(".", MNT_DETACH));
    MUST(chdir("/"));
}

static void drop_privileges(void) {
    uint32_t kept = 0;
    for (size_t i = 0; i < LENGTH(kept_caps); i++) {
        kept |= UINT32_C(1) << kept_caps[i];
    }
    for (int cap = 0; cap <= CAP_LAST_CAP; cap++) {
        if (cap >= 32 || !(kept >> cap & 1)) {
            MUST(prctl(PR_CAPBSET_DROP, cap, 0, 0, 0));
        }
    }
    MUST(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0));
    MUST(syscall(SYS_setgroups, 0, NULL));
    MUST(syscall(SYS_setresgid, 0, 0, 0));
    MUST(syscall(SYS_setresuid, 0, 0, 0));
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{kept, kept, kept}, {0, 0, 0}};
    MUST(syscall(SYS_capset, &header, data));
    for (size_t i = 0; i < LENGTH(kept_caps); i++) {
        MUST(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, kept_caps[i], 0, 0));
    }
    MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

static _Noreturn void run_child(const char *rootfs, char **command) {
    int root_fd = enter_rootfs(rootfs);
    mount_api();
    make_devices();
    make_readonly();
    mask_paths();
    leave_old_root(root_fd);
    MUST(sethostname("floor", 5));
    struct rlimit files = {1024, 1024};
    MUST(setrlimit(RLIMIT_NOFILE, &files));
    MUST(setsid());
    drop_privileges();
    MUST(sys_close_range(3, ~0u, CLOSE_RANGE_CLOEXEC));
    char *environment[] = {(char[]){"PATH=/bin"}, (char[]){"TERM=xterm"}, NULL};
    execve(command[0], command, environment);
    must(-1, command[0]);
    _exit(99);
}

// The shortest program there is ("allow"): what counts is that one is loaded and attached.
static void attach_device_program(int cgroup_fd) {
    struct bpf_insn program[] = {
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1},
        {.code = BPF_JMP | BPF_EXIT},
    };
    union bpf_attr load = {
        .prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
        .insns = (uintptr_t)program,
        .insn_cnt = LENGTH(program),
        .license = (uintptr_t) "GPL",
    };
    int program_fd = (int)MUST(syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof(load)));
    union bpf_attr attach = {
        .target_fd = (uint32_t)cgroup_fd,
        .attach_bpf_fd = (uint32_t)program_fd,
        .attach_type = BPF_CGROUP_DEVICE,
        .attach_flags = BPF_F_ALLOW_MULTI,
    };
    MUST(syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof(attach)));
    close(program_fd);
}

// As vfork: the child has our memory, and we sleep, until it executes. The system call is made in place, because a function
// around it would return twice through one stack frame. The child only ever calls further down the stack.
static int spawn(int cgroup_fd, const char *rootfs, char **command) {
    int pidfd = -1;
    struct clone_args args = {
        .flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | CLONE_INTO_CGROUP | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC |
                 CLONE_NEWUTS | CLONE_NEWNS | CLONE_NEWCGROUP,
        .pidfd = (uintptr_t)&pidfd,
        .exit_signal = SIGCHLD,
        .cgroup = (uint64_t)cgroup_fd,
    };
    long pid;
    __asm__ volatile("syscall" : "=a"(pid) : "a"(SYS_clone3), "D"(&args), "S"(sizeof(args)) : "rcx", "r11", "memory");
    if (pid == 0) {
        run_child(rootfs, command);
    }
    errno = (int)-pid;
    must(pid < 0 ? -1 : 0, "clone3");
    return pidfd;
}

int main(int argc, char **argv) {
    bool device_program = argc > 1 && strcmp(argv[1], "-d") == 0;
    argv += device_program;
    argc -= device_program;
    if (argc < 3) {
        dprintf(STDERR_FILENO, "usage: floor [-d] ROOTFS COMMAND [ARGUMENT...]\n");
        return 99;
    }
    char cgroup[64];
    snprintf(cgroup, sizeof(cgroup), "/sys/fs/cgroup/floor-%d", getpid());
    MUST(mkdir(cgroup, 0755));
    int cgroup_fd = (int)MUST(open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (device_program) {
        attach_device_program(cgroup_fd);
    }
    int pidfd = spawn(cgroup_fd, argv[1], argv + 2);
    siginfo_t info = {0};
    MUST(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED));
    close(cgroup_fd);
    // The kernel may still be putting the process away.
    while (rmdir(cgroup) < 0 && errno == EBUSY) {
    }
    return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

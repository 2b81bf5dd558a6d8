// System calls that the C libraries do not wrap, or wrap differently, with their kernel names. Errors as the kernel gives them: -1
// and errno. <sys/mount.h> must not be included beside this: its declarations clash with <linux/mount.h>.
#ifndef COFFER_KERNEL_SYS_H
#define COFFER_KERNEL_SYS_H

#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MNT_DETACH
#define MNT_DETACH 2
#endif
#ifndef AT_EMPTY_PATH
#define AT_EMPTY_PATH 0x1000
#endif
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#ifndef RENAME_EXCHANGE
#define RENAME_NOREPLACE 1
#define RENAME_EXCHANGE 2
#endif

static inline int sys_open_tree(int dir_fd, const char *path, unsigned flags) {
    return (int)syscall(SYS_open_tree, dir_fd, path, flags);
}

// open_tree(2) and mount_setattr(2) in one; Linux 6.15.
#ifndef SYS_open_tree_attr
#define SYS_open_tree_attr 467
#endif
static inline int sys_open_tree_attr(int dir_fd, const char *path, unsigned flags, const struct mount_attr *attr) {
    return (int)syscall(SYS_open_tree_attr, dir_fd, path, flags, attr, sizeof(*attr));
}

static inline int sys_move_mount(int from_fd, const char *from, int to_fd, const char *to, unsigned flags) {
    return (int)syscall(SYS_move_mount, from_fd, from, to_fd, to, flags);
}

static inline int sys_fsopen(const char *fstype, unsigned flags) {
    return (int)syscall(SYS_fsopen, fstype, flags);
}

static inline int sys_fspick(int dir_fd, const char *path, unsigned flags) {
    return (int)syscall(SYS_fspick, dir_fd, path, flags);
}

static inline int sys_fsconfig(int fs_fd, unsigned command, const char *key, const void *value, int aux) {
    return (int)syscall(SYS_fsconfig, fs_fd, command, key, value, aux);
}

static inline int sys_fsmount(int fs_fd, unsigned flags, unsigned attributes) {
    return (int)syscall(SYS_fsmount, fs_fd, flags, attributes);
}

static inline int sys_mount_setattr(int dir_fd, const char *path, unsigned flags, const struct mount_attr *attr) {
    return (int)syscall(SYS_mount_setattr, dir_fd, path, flags, attr, sizeof(*attr));
}

static inline int sys_mount(const char *source, const char *target, const char *fstype, unsigned long flags, const void *data) {
    return (int)syscall(SYS_mount, source, target, fstype, flags, data);
}

static inline int sys_umount2(const char *target, int flags) {
    return (int)syscall(SYS_umount2, target, flags);
}

static inline int sys_pivot_root(const char *new_root, const char *put_old) {
    return (int)syscall(SYS_pivot_root, new_root, put_old);
}

static inline int sys_openat2(int dir_fd, const char *path, const struct open_how *how) {
    return (int)syscall(SYS_openat2, dir_fd, path, how, sizeof(*how));
}

static inline int sys_renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags) {
    return (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, flags);
}

static inline int sys_execveat(int dir_fd, const char *path, char *const argv[], char *const envp[], int flags) {
    return (int)syscall(SYS_execveat, dir_fd, path, argv, envp, flags);
}

static inline int sys_close_range(unsigned first, unsigned last, unsigned flags) {
    return (int)syscall(SYS_close_range, first, last, flags);
}

static inline ssize_t sys_getdents64(int dir_fd, void *entries, size_t size) {
    return syscall(SYS_getdents64, dir_fd, entries, size);
}

static inline int sys_pidfd_open(pid_t pid, unsigned flags) {
    return (int)syscall(SYS_pidfd_open, pid, flags);
}

static inline int sys_pidfd_getfd(int pidfd, int fd) {
    return (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
}

static inline int sys_pidfd_send_signal(int pidfd, int signal) {
    return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
}

#endif

#include "runtime/container/handover.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/kernel/unix_socket.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

int handover_pid_file(const char *path, pid_t pid, struct err *err) {
    char text[16];
    int size = snprintf(text, sizeof(text), "%d", pid);
    return fd_replace_file(AT_FDCWD, path, text, (size_t)size, 0644, err) < 0 ? err_in(err, "write the pid file") : 0;
}

int handover_send(const char *flag, const char *path, const char *name, int fd, struct err *err) {
    AUTO_FD int peer = unix_socket_connect(path, SOCK_STREAM);
    if (peer < 0) {
        return err_sys(err, "%s: connect to %s", flag, path);
    }
    return unix_socket_send_fd(peer, name, strlen(name), fd) < 0 ? err_sys(err, "%s: send %s to %s", flag, name, path) : 0;
}

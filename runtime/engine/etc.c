#include "runtime/engine/etc.h"

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX_BYTES = 1 << 20 };

// Where a file goes, and whose it is.
struct place {
    int dir_fd;
    const char *folder;
    const struct etc_request *request;
};

static int write_file(const struct place *place, const char *name, const struct buf *text, struct err *err) {
    const struct etc_request *request = place->request;
    char path[NAME_MAX + 1];
    snprintf(path, sizeof(path), "%s/%s", place->folder, name);
    AUTO_FD int fd = openat(place->dir_fd, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0 || (text->size > 0 && fd_write_all(fd, text->data, text->size) < 0)) {
        return err_sys(err, "write the container's %s", name);
    }
    // Its root may change it, as it may with docker.
    if (request->give && fchown(fd, request->owner, request->group) < 0) {
        return err_sys(err, "give the container its %s", name);
    }
    return 0;
}

static void make_hosts(const struct etc_request *request, struct buf *text) {
    buf_add_string(text, "127.0.0.1\tlocalhost\n"
                         "::1\tlocalhost ip6-localhost ip6-loopback\n"
                         "fe00::0\tip6-localnet\n"
                         "ff00::0\tip6-mcastprefix\n"
                         "ff02::1\tip6-allnodes\n"
                         "ff02::2\tip6-allrouters\n");
    for (size_t i = 0; i < request->address_count; i++) {
        char address[ADDRESS_TEXT_SIZE];
        buf_add_format(text, "%s\t%s\n", address_format(&request->addresses[i], address), request->hostname);
    }
    if (request->address_count == 0) {
        buf_add_format(text, "127.0.1.1\t%s\n", request->hostname);
    }
}

// The host's own file where the container shares its network, nothing where there is no network to ask.
static void copy_host_file(const char *path, struct buf *text) {
    AUTO_FREE char *copy = NULL;
    size_t size;
    struct err missing;
    if (fd_read_file(AT_FDCWD, path, FILE_MAX_BYTES, &copy, &size, &missing) == 0) {
        buf_add(text, copy, size);
    }
}

int etc_write(int dir_fd, const char *name, const struct etc_request *request, struct err *err) {
    AUTO_BUF struct buf hosts = {0};
    AUTO_BUF struct buf hostname = {0};
    AUTO_BUF struct buf resolv = {0};
    const struct place place = {.dir_fd = dir_fd, .folder = name, .request = request};
    if (request->host_network) {
        copy_host_file("/etc/hosts", &hosts);
        copy_host_file("/etc/resolv.conf", &resolv);
    } else {
        make_hosts(request, &hosts);
        buf_add_string(&resolv, request->resolv ? request->resolv : "");
    }
    buf_add_format(&hostname, "%s\n", request->hostname);
    mode_t mask = umask(022); // all in the container read them, whatever the caller wants of his own files
    int result = write_file(&place, "hosts", &hosts, err) < 0 || write_file(&place, "hostname", &hostname, err) < 0 ||
                         write_file(&place, "resolv.conf", &resolv, err) < 0
                     ? -1
                     : 0;
    umask(mask);
    return result;
}

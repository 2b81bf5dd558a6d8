#include "runtime/engine/etc.h"

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/engine/request.h"
#include "runtime/net/address.h"
#include "runtime/net/resolv.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
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

static const char host_gateway[] = "host-gateway";

// NAME:ADDRESS or NAME=ADDRESS, an IPv6 one with or without brackets; of no family: the host's.
static int read_host(const char *text, char *ret_name, size_t size, struct address *ret_address, struct err *err) {
    char address[64];
    size_t length = strcspn(text, ":=");
    const char *at = text[length] ? text + length + 1 : "";
    bool is_host = strcmp(at, host_gateway) == 0;
    size_t skipped = at[0] == '[' ? 1 : 0, taken = strcspn(at + skipped, "]");
    struct err unread;
    snprintf(address, sizeof(address), "%.*s", (int)(taken < sizeof(address) ? taken : sizeof(address) - 1), at + skipped);
    if (length == 0 || length >= size || strcspn(text, " \t\n#") < length ||
        (!is_host && address_parse("--add-host", address, ret_address, &unread) < 0)) {
        return err_set(err, ERR_INPUT, "--add-host: expected NAME:ADDRESS or NAME:host-gateway, found \"%s\"", text);
    }
    if (is_host) {
        *ret_address = (struct address){0};
    }
    snprintf(ret_name, size, "%.*s", (int)length, text);
    return 0;
}

bool etc_wants_host_gateway(const struct run_request *run) {
    for (size_t i = 0; i < run->add_hosts.count; i++) {
        const char *text = run->add_hosts.items[i];
        size_t length = strcspn(text, ":=");
        if (text[length] && strcmp(text + length + 1, host_gateway) == 0) {
            return true;
        }
    }
    return false;
}

int etc_no_host_gateway(struct err *err) {
    return err_set(err, ERR_INPUT,
                   "--add-host: host-gateway: the container has no network on which it reaches the host; add --network bridge");
}

static void add_hosts(const struct etc_request *request, struct buf *text) {
    const struct run_request *run = request->run;
    for (size_t i = 0; i < run->add_hosts.count; i++) {
        char name[256], shown[ADDRESS_TEXT_SIZE];
        struct address address;
        struct err checked;
        if (read_host(run->add_hosts.items[i], name, sizeof(name), &address, &checked) < 0) {
            continue;
        }
        address = address.family ? address : request->host_gateway;
        if (address.family) {
            buf_add_format(text, "%s\t%s\n", address_format(&address, shown), name);
        }
    }
}

static int check_words(const struct strv *words, const char *flag, struct err *err) {
    for (size_t i = 0; i < words->count; i++) {
        if (!*words->items[i] || strpbrk(words->items[i], " \t\n")) {
            return err_set(err, ERR_INPUT, "%s: expected one word, found \"%s\"", flag, words->items[i]);
        }
    }
    return 0;
}

int etc_check(const struct run_request *run, struct err *err) {
    char name[256];
    struct address address;
    for (size_t i = 0; i < run->add_hosts.count; i++) {
        if (read_host(run->add_hosts.items[i], name, sizeof(name), &address, err) < 0) {
            return -1;
        }
    }
    if (etc_wants_host_gateway(run) && strcmp(run->network, "none") == 0) {
        return etc_no_host_gateway(err);
    }
    for (size_t i = 0; i < run->dns.count; i++) {
        if (address_parse("--dns", run->dns.items[i], &address, err) < 0) {
            return -1;
        }
    }
    return check_words(&run->dns_search, "--dns-search", err) < 0 ? -1 : check_words(&run->dns_options, "--dns-option", err);
}

static void add_words(const char *keyword, const struct strv *words, const char *otherwise, struct buf *text) {
    if (words->count == 0 && !*otherwise) {
        return;
    }
    buf_add_string(text, keyword);
    for (size_t i = 0; i < words->count; i++) {
        buf_add_format(text, " %s", words->items[i]);
    }
    if (words->count == 0) {
        buf_add_format(text, " %s", otherwise);
    }
    buf_add_char(text, '\n');
}

// What was asked for takes the place of what there was, kind by kind. "--dns-search ." is docker's word for none.
static void change_resolv(const struct etc_request *request, struct buf *text) {
    const struct run_request *run = request->run;
    struct resolv before;
    size_t servers = request->keeps_servers ? 0 : run->dns.count;
    if (servers + run->dns_search.count + run->dns_options.count == 0) {
        return;
    }
    resolv_parse(text->data ? text->data : "", text->size, &before);
    buf_clear(text);
    bool no_search = run->dns_search.count == 1 && strcmp(run->dns_search.items[0], ".") == 0;
    for (size_t i = 0; i < servers; i++) {
        buf_add_format(text, "nameserver %s\n", run->dns.items[i]);
    }
    for (size_t i = 0; i < before.server_count && servers == 0; i++) {
        char shown[ADDRESS_TEXT_SIZE];
        const struct resolv_server *server = &before.servers[i];
        buf_add_format(text, "nameserver %s%s%s\n", address_format(&server->address, shown), *server->scope ? "%" : "", server->scope);
    }
    if (!no_search) {
        add_words("search", &run->dns_search, before.search, text);
    }
    add_words("options", &run->dns_options, before.options, text);
}

// As its user may have changed it: bounded, and no more than text for another file.
static void copy_joined_file(int dir_fd, const char *id, const char *name, struct buf *text) {
    AUTO_FREE char *copy = NULL;
    char path[NAME_MAX + 1];
    size_t size;
    struct err missing;
    snprintf(path, sizeof(path), "%s/%s", id, name);
    if (fd_read_file(dir_fd, path, FILE_MAX_BYTES, &copy, &size, &missing) == 0) {
        buf_add(text, copy, size);
    }
}

static void make_texts(int dir_fd, const struct etc_request *request, struct buf *hosts, struct buf *resolv) {
    if (request->joined) {
        copy_joined_file(dir_fd, request->joined, "hosts", hosts);
        copy_joined_file(dir_fd, request->joined, "resolv.conf", resolv);
    } else if (request->host_network) {
        copy_host_file("/etc/hosts", hosts);
        copy_host_file("/etc/resolv.conf", resolv);
    } else {
        make_hosts(request, hosts);
        buf_add_string(resolv, request->resolv ? request->resolv : "");
    }
    add_hosts(request, hosts);
    change_resolv(request, resolv);
}

int etc_write(int dir_fd, const char *name, const struct etc_request *request, struct err *err) {
    AUTO_BUF struct buf hosts = {0};
    AUTO_BUF struct buf hostname = {0};
    AUTO_BUF struct buf resolv = {0};
    const struct place place = {.dir_fd = dir_fd, .folder = name, .request = request};
    make_texts(dir_fd, request, &hosts, &resolv);
    buf_add_format(&hostname, "%s\n", request->hostname);
    mode_t mask = umask(022); // all in the container read them, whatever the caller wants of his own files
    int result = write_file(&place, "hosts", &hosts, err) < 0 || write_file(&place, "hostname", &hostname, err) < 0 ||
                         write_file(&place, "resolv.conf", &resolv, err) < 0
                     ? -1
                     : 0;
    umask(mask);
    return result;
}

// --- of one that runs ---

// In place: a file of another number would not be the one that its mount shows.
static int replace_text(int fd, const char *name, const struct buf *text, struct err *err) {
    bool written = lseek(fd, 0, SEEK_SET) == 0 && fd_write_all(fd, text->data ? text->data : "", text->size) == 0;
    return written && ftruncate(fd, (off_t)text->size) == 0 ? 0 : err_sys(err, "write the container's %s", name);
}

// more: what is added where the file was changed; NULL: nothing.
static int update_file(const struct place *place, const char *name, const struct buf *before, const struct buf *after,
                       const struct buf *more, struct err *err) {
    char path[NAME_MAX + 1];
    AUTO_FREE char *text = NULL;
    size_t size;
    snprintf(path, sizeof(path), "%s/%s", place->folder, name);
    AUTO_FD int fd = openat(place->dir_fd, path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return err_sys(err, "open the container's %s", name);
    }
    if (fd_read_rest(fd, FILE_MAX_BYTES, name, &text, &size, err) < 0) {
        return -1;
    }
    if (size == before->size && (size == 0 || memcmp(text, before->data, size) == 0)) {
        return replace_text(fd, name, after, err);
    }
    return more && more->size > 0 && fd_write_all(fd, more->data, more->size) < 0 ? err_sys(err, "write the container's %s", name) : 0;
}

static bool has_address(const struct etc_request *request, const struct address *address) {
    for (size_t i = 0; i < request->address_count; i++) {
        if (address_is_equal(&request->addresses[i], address)) {
            return true;
        }
    }
    return false;
}

int etc_update(int dir_fd, const char *name, const struct etc_request *before, const struct etc_request *after, struct err *err) {
    AUTO_BUF struct buf old_hosts = {0};
    AUTO_BUF struct buf hosts = {0};
    AUTO_BUF struct buf old_resolv = {0};
    AUTO_BUF struct buf resolv = {0};
    AUTO_BUF struct buf more = {0};
    const struct place place = {.dir_fd = dir_fd, .folder = name, .request = after};
    make_texts(dir_fd, before, &old_hosts, &old_resolv);
    make_texts(dir_fd, after, &hosts, &resolv);
    for (size_t i = 0; i < after->address_count; i++) {
        char text[ADDRESS_TEXT_SIZE];
        if (!has_address(before, &after->addresses[i])) {
            buf_add_format(&more, "\n%s\t%s\n", address_format(&after->addresses[i], text), after->hostname);
        }
    }
    return update_file(&place, "hosts", &old_hosts, &hosts, &more, err) < 0 ||
                   update_file(&place, "resolv.conf", &old_resolv, &resolv, NULL, err) < 0
               ? -1
               : 0;
}

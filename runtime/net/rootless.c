#include "runtime/net/rootless.h"

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/quote.h"
#include "runtime/kernel/process.h"
#include "runtime/kernel/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FIXED_WORDS = 24, MOST_OUTPUT = 64 * 1024 };

struct words {
    char **items;
    size_t count;
};

static void add(struct words *words, const char *option, char *value) {
    words->items[words->count++] = (char *)(uintptr_t)option;
    if (value) {
        words->items[words->count++] = value;
    }
}

// [ADDRESS/]PORT[-PORT]:PORT[-PORT]
static char *port_words(struct arena *arena, const struct firewall_port *port) {
    char host[ADDRESS_TEXT_SIZE];
    unsigned more = port->count > 1 ? port->count - 1u : 0;
    address_format(&port->host, host);
    const char *slash = host[0] ? "/" : "";
    return more ? arena_format(arena, "%s%s%u-%u:%u-%u", host, slash, port->host_port, port->host_port + more, port->target_port,
                               port->target_port + more)
                : arena_format(arena, "%s%s%u:%u", host, slash, port->host_port, port->target_port);
}

// What is not said is guessed by pasta: it would publish whatever is listened on inside, and reach the host's own servers.
static void add_fixed(struct arena *arena, const struct rootless_request *request, int number_fd, struct words *words) {
    add(words, request->program, NULL);
    add(words, "--quiet", NULL);
    add(words, "--config-net", NULL);
    add(words, "--no-map-gw", NULL);
    add(words, "-I", arena_copy_string(arena, request->name));
    add(words, "-P", arena_format(arena, "/proc/self/fd/%d", number_fd));
    add(words, "-T", arena_copy_string(arena, "none"));
    add(words, "-U", arena_copy_string(arena, "none"));
}

int rootless_arguments(struct arena *arena, const struct rootless_request *request, int number_fd, char *const **ret,
                       struct err *err) {
    struct words words = {.items = arena_array(arena, FIXED_WORDS + 2 * request->port_count, sizeof(char *))};
    bool tcp = false, udp = false;
    add_fixed(arena, request, number_fd, &words);
    for (size_t i = 0; i < request->port_count; i++) {
        const struct firewall_port *port = &request->ports[i];
        if (port->protocol != IPPROTO_TCP && port->protocol != IPPROTO_UDP) {
            return err_set(err, ERR_UNSUPPORTED, "publish port %u: without root only tcp and udp can be published",
                           port->host_port);
        }
        add(&words, port->protocol == IPPROTO_TCP ? "-t" : "-u", port_words(arena, port));
        tcp = tcp || port->protocol == IPPROTO_TCP;
        udp = udp || port->protocol == IPPROTO_UDP;
    }
    if (!tcp) {
        add(&words, "-t", arena_copy_string(arena, "none"));
    }
    if (!udp) {
        add(&words, "-u", arena_copy_string(arena, "none"));
    }
    add(&words, arena_format(arena, "%d", request->target), NULL);
    *ret = words.items;
    return 0;
}

// It has said what is wrong, on several lines perhaps; the last one matters.
static int complain(const struct rootless_request *request, char *output, struct err *err) {
    char quoted[QUOTE_SIZE];
    size_t size = strlen(output);
    while (size > 0 && output[size - 1] == '\n') {
        output[--size] = '\0';
    }
    const char *line = strrchr(output, '\n');
    return err_set(err, ERR_SYSTEM, "make a network without root: %s said %s", request->program,
                   quote_text(line ? line + 1 : output, quoted));
}

// It was written before the program went into the background, which may hold its end open.
static int read_number(int fd, pid_t *ret_pid) {
    char text[32] = "";
    ssize_t size;
    do {
        size = read(fd, text, sizeof(text) - 1);
    } while (size < 0 && errno == EINTR);
    long number = size > 0 ? strtol(text, NULL, 10) : 0;
    *ret_pid = (pid_t)number;
    return number > 0 ? 0 : -1;
}

static int await(const struct rootless_request *request, pid_t child, int output_fd, int number_fd, pid_t *ret_pid,
                 struct err *err) {
    char *output = NULL;
    size_t size;
    int status = -1, result = fd_read_rest(output_fd, MOST_OUTPUT, request->program, &output, &size, err);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (result == 0 && (status != 0 || read_number(number_fd, ret_pid) < 0)) {
        result = complain(request, output, err);
    }
    free(output);
    return result;
}

int rootless_start(const struct rootless_request *request, pid_t *ret_pid, int *ret_pidfd, struct err *err) {
    AUTO_ARENA struct arena arena = {0};
    char *const *words;
    int ends[2], output_fd = -1;
    if (pipe2(ends, O_CLOEXEC) < 0) {
        return err_sys(err, "make a pipe for %s", request->program);
    }
    AUTO_FD int number = ends[0];
    AUTO_FD int number_end = ends[1]; // which the program inherits
    if (fcntl(number_end, F_SETFD, 0) < 0) {
        return err_sys(err, "make a pipe for %s", request->program);
    }
    if (rootless_arguments(&arena, request, number_end, &words, err) < 0) {
        return -1;
    }
    pid_t child = process_spawn(words, &output_fd, err), pid = 0;
    AUTO_FD int output = output_fd;
    if (child < 0 && err->errnum == ENOENT) {
        return err_set(err, ERR_UNSUPPORTED, "make a network without root: %s is missing; install the package passt",
                       request->program);
    }
    fd_close(&number_end);
    if (child < 0 || await(request, child, output, number, &pid, err) < 0) {
        return -1;
    }
    int pidfd = sys_pidfd_open(pid, 0);
    if (pidfd < 0) {
        return err_sys(err, "make a network without root: hold %s", request->program);
    }
    *ret_pid = pid;
    *ret_pidfd = pidfd;
    return 0;
}

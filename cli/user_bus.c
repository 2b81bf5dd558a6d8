#include "cli/user_bus.h"

#include "cli/context.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/kernel/userns.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *environment(const char *name) {
    const char *value = getenv(name);
    return value && value[0] ? value : NULL;
}

// Root of a namespace that an ordinary user has made, as podman runs us: his session is in the environment. Root of a container with a
// systemd of its own has none, or root's.
static bool is_users_root(const struct context *context) {
    const char *runtime = environment("XDG_RUNTIME_DIR"), *slash = runtime ? strrchr(runtime, '/') : NULL;
    if (context->rootless_wish != ROOTLESS_AUTO) {
        return context->rootless_wish == ROOTLESS_TRUE;
    }
    return !userns_is_initial() && slash && strcmp(slash, "/0") != 0;
}

// A value in an address: what is not in this list is written as %xx (D-Bus Specification, "Server Addresses").
static void add_value(struct buf *address, const char *value) {
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_/.\\*";
    for (const char *at = value; *at; at++) {
        if (strchr(plain, *at)) {
            buf_add_char(address, *at);
        } else {
            buf_add_format(address, "%%%02x", (unsigned char)*at);
        }
    }
}

int user_bus_find(struct context *context, const char **ret, struct err *err) {
    *ret = NULL;
    if (geteuid() == 0 && !is_users_root(context)) {
        return 0;
    }
    const char *address = environment("DBUS_SESSION_BUS_ADDRESS"), *runtime = environment("XDG_RUNTIME_DIR");
    if (address) {
        *ret = address;
        return 0;
    }
    if (!runtime) {
        return err_set(err, ERR_UNSUPPORTED,
                       "the user's own systemd is needed, and neither DBUS_SESSION_BUS_ADDRESS nor XDG_RUNTIME_DIR is set: log in (sudo and su "
                       "do not), or `loginctl enable-linger` once and set XDG_RUNTIME_DIR=/run/user/%u; or take --cgroup-manager cgroupfs",
                       (unsigned)geteuid());
    }
    AUTO_BUF struct buf text = {0};
    buf_add_string(&text, "unix:path=");
    add_value(&text, runtime);
    buf_add_string(&text, "/bus");
    *ret = arena_copy_string(&context->arena, buf_string(&text));
    return 0;
}

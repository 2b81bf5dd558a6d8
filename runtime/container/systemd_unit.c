#include "runtime/container/systemd_unit.h"

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/kernel/cgroup.h"
#include "runtime/kernel/systemd.h"

#include <string.h>

static const char slice_end[] = ".slice";
static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\@"; // systemd.unit(5)

static bool is_slice(const char *name) {
    size_t size = strlen(name), end = sizeof(slice_end) - 1;
    return size > end && strcmp(name + size - end, slice_end) == 0;
}

static bool is_unit_name(const char *name) {
    size_t size = strlen(name);
    return size <= SYSTEMD_UNIT_MAX && strspn(name, letters) == size;
}

// "/a.slice/a-b.slice" for "a-b.slice", "" for the root's. Each name between dashes is a slice of its own, and so must not be empty.
static bool expand_slice(const char *slice, struct buf *ret_path) {
    if (!is_unit_name(slice) || !is_slice(slice)) {
        return false;
    }
    size_t size = strlen(slice) - (sizeof(slice_end) - 1);
    if (size == 1 && *slice == '-') {
        return true;
    }
    for (size_t at = 0; at <= size; at++) {
        if (at < size && slice[at] != '-') {
            continue;
        }
        if (at == 0 || slice[at - 1] == '-') {
            return false;
        }
        buf_add_format(ret_path, "/%.*s%s", (int)at, slice, slice_end);
    }
    return true;
}

static int wrong(const char *path, const char *what, struct err *err) {
    return err_set(err, ERR_INPUT, "config.json: linux.cgroupsPath: \"%.300s\": %s", path, what);
}

static const char not_the_form[] = "expected slice:prefix:name, which is what systemd makes cgroups by (--systemd-cgroup)";

// Container ids may have a '+', which names of units have not: written as systemd-escape(1) does.
static void escape(const char *id, struct buf *name) {
    for (const char *at = id; *at; at++) {
        if (*at == '+') {
            buf_add_string(name, "\\x2b");
        } else {
            buf_add_char(name, *at);
        }
    }
}

static const char *default_name(const char *id, struct arena *arena) {
    AUTO_BUF struct buf name = {0};
    escape(id, &name);
    return arena_format(arena, "coffer-%s.scope", buf_string(&name));
}

// Splits "slice:prefix:name" and gives the unit's name and its slice.
static int split(const char *path, const char **slice, const char **name, struct arena *arena, struct err *err) {
    const char *first = strchr(path, ':'), *second = first ? strchr(first + 1, ':') : NULL;
    if (!second || strchr(second + 1, ':') || strchr(path, '/')) {
        return wrong(path, not_the_form, err);
    }
    if (!second[1]) {
        return wrong(path, "the name is empty; expected slice:prefix:name", err);
    }
    if (first > path) {
        *slice = arena_format(arena, "%.*s", (int)(first - path), path);
    }
    *name = is_slice(second + 1) ? second + 1
                                 : arena_format(arena, "%.*s-%s.scope", (int)(second - first - 1), first + 1, second + 1);
    return 0;
}

const char *systemd_unit_plan(const char *cgroups_path, const char *id, const char *user_bus, struct arena *arena, struct err *err) {
    const char *slice = user_bus ? "user.slice" : "system.slice", *name = NULL, *given = cgroups_path ? cgroups_path : "";
    AUTO_BUF struct buf path = {0};
    if (!*given) {
        name = default_name(id, arena);
    } else if (split(given, &slice, &name, arena, err) < 0) {
        return NULL;
    }
    bool of_slices = is_slice(name);
    if (!is_unit_name(name)) {
        wrong(*given ? given : name, "a unit's name is at most 255 letters, digits and :-_.\\@", err);
        return NULL;
    }
    if (!expand_slice(of_slices ? name : slice, &path)) {
        wrong(given, "a slice is named as in \"machine.slice\" or, below a.slice, \"a-b.slice\"", err);
        return NULL;
    }
    if (path.size == 0 && of_slices) {
        wrong(given, "the root slice is no container's own", err);
        return NULL;
    }
    if (!of_slices) {
        buf_add_format(&path, "/%s", name);
    }
    if (cgroup_check_path(buf_string(&path), err) < 0) {
        err_in(err, "config.json: linux.cgroupsPath");
        return NULL;
    }
    return user_bus ? arena_format(arena, "%s %s", user_bus, buf_string(&path)) : arena_copy_string(arena, buf_string(&path));
}

int systemd_unit_of(const char *recorded, struct arena *arena, struct systemd_unit *ret_unit, const char **ret_path,
                    struct err *err) {
    const char *blank = strrchr(recorded, ' '), *path = blank ? blank + 1 : recorded;
    const char *slash = strrchr(path, '/');
    if (*path != '/' || !slash[1]) {
        return err_set(err, ERR_CORRUPT, "\"%.300s\" in the container's state is no unit of systemd", recorded);
    }
    const char *above = slash;
    while (above > path && above[-1] != '/') {
        above--;
    }
    *ret_unit = (struct systemd_unit){
        .address = blank ? arena_format(arena, "%.*s", (int)(blank - recorded), recorded) : DBUS_SYSTEM_ADDRESS,
        .user = blank != NULL,
        .name = slash + 1,
        .slice = slash > path ? arena_format(arena, "%.*s", (int)(slash - above), above) : "-.slice",
        .is_slice = is_slice(slash + 1),
    };
    *ret_path = path;
    return 0;
}

bool systemd_unit_has_id(const struct systemd_unit *unit, const char *id) {
    AUTO_BUF struct buf name = {0};
    escape(id, &name);
    return strstr(unit->name, buf_string(&name)) != NULL;
}

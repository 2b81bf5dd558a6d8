#include "runtime/kernel/systemd.h"

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const char service[] = "org.freedesktop.systemd1";
static const char manager_path[] = "/org/freedesktop/systemd1";
static const char manager[] = "org.freedesktop.systemd1.Manager";

static struct dbus_header manager_call(const char *member, const char *signature) {
    return (struct dbus_header){
        .destination = service, .path = manager_path, .interface = manager, .member = member, .signature = signature};
}

// --- properties ---

static void put_items(struct buf *body, const struct systemd_property *property) {
    char element = property->type[1];
    struct dbus_array array = dbus_array_begin(body, element == 'y' ? 1 : element == '(' ? 8 : 4);
    for (size_t i = 0; i < property->count; i++) {
        const struct systemd_device *device = (const struct systemd_device *)property->items + i;
        switch (element) {
        case 's':
            dbus_put_string(body, ((const char *const *)property->items)[i]);
            break;
        case 'u':
            dbus_put_u32(body, ((const uint32_t *)property->items)[i]);
            break;
        case 'y':
            dbus_put_byte(body, ((const uint8_t *)property->items)[i]);
            break;
        default:
            assert(element == '(');
            dbus_put_struct(body);
            dbus_put_string(body, device->path);
            if (property->type[3] == 't') {
                dbus_put_u64(body, device->value);
            } else {
                dbus_put_string(body, device->access);
            }
            break;
        }
    }
    dbus_array_end(body, array);
}

static void put_value(struct buf *body, const struct systemd_property *property) {
    switch (property->type[0]) {
    case 'b':
        dbus_put_bool(body, property->number != 0);
        break;
    case 's':
        dbus_put_string(body, property->text);
        break;
    case 'u':
    case 'i':
        dbus_put_u32(body, (uint32_t)property->number);
        break;
    case 't':
    case 'x':
        dbus_put_u64(body, property->number);
        break;
    default:
        assert(property->type[0] == 'a');
        put_items(body, property);
        break;
    }
}

void systemd_put_properties(struct buf *body, const struct systemd_property *properties, size_t count) {
    struct dbus_array array = dbus_array_begin(body, 8);
    for (size_t i = 0; i < count; i++) {
        dbus_put_struct(body);
        dbus_put_string(body, properties[i].name);
        dbus_put_signature(body, properties[i].type);
        put_value(body, &properties[i]);
    }
    dbus_array_end(body, array);
}

// What is left to tell a systemd that did not know one of them: it names the first and takes none.
struct wishes {
    struct systemd_property *items;
    size_t count;
};

static struct wishes copy_wishes(const struct systemd_property *properties, size_t count) {
    struct wishes wishes = {.items = mem_array(count + 1, sizeof(*properties)), .count = count};
    if (count > 0) {
        memcpy(wishes.items, properties, count * sizeof(*properties));
    }
    return wishes;
}

static bool is_error(const struct dbus_message *answer, const char *name) {
    return strcmp(answer->error, name) == 0;
}

// The property that systemd complains of, in either of its sentences.
static const char *complained_of(const struct dbus_message *answer, bool *ret_value) {
    static const char unknown[] = "Cannot set property ", value[] = "Value specified in ";
    const char *text = dbus_error_text(answer);
    *ret_value = is_error(answer, "org.freedesktop.DBus.Error.InvalidArgs");
    if (*ret_value) {
        return strncmp(text, value, sizeof(value) - 1) == 0 ? text + sizeof(value) - 1 : NULL;
    }
    bool known_error = is_error(answer, "org.freedesktop.DBus.Error.PropertyReadOnly");
    return known_error && strncmp(text, unknown, sizeof(unknown) - 1) == 0 ? text + sizeof(unknown) - 1 : NULL;
}

static bool drop_unknown(struct wishes *wishes, const struct dbus_message *answer) {
    bool of_value;
    const char *name = complained_of(answer, &of_value);
    size_t size = name ? strcspn(name, ", ") : 0;
    for (size_t i = 0; name && i < wishes->count; i++) {
        const struct systemd_property *item = &wishes->items[i];
        if ((of_value ? item->since_252 : item->optional) && strlen(item->name) == size && strncmp(item->name, name, size) == 0) {
            log_debug("this systemd has no property %s, or not this value for it", item->name);
            memmove(wishes->items + i, wishes->items + i + 1, (wishes->count - i - 1) * sizeof(*wishes->items));
            wishes->count--;
            return true;
        }
    }
    return false;
}

// --- calls ---

int systemd_connect(const char *address, struct dbus *ret, struct err *err) {
    AUTO_DBUS struct dbus bus = {.fd = -1};
    if (dbus_connect(address, &bus, err) < 0) {
        if (err->kind == ERR_NOT_FOUND) {
            err->kind = ERR_UNSUPPORTED;
            return err_in(err, "no systemd to ask for a cgroup (take --cgroup-manager cgroupfs where it does not run)");
        }
        return -1;
    }
    if (dbus_peer(&bus) == 0) {
        return err_set(err, ERR_UNSUPPORTED, "the bus at %.200s belongs to another pid namespace, where the numbers of processes mean other "
                       "ones: take --cgroup-manager cgroupfs", address);
    }
    *ret = bus;
    bus = (struct dbus){.fd = -1};
    return 0;
}

static int refused(const struct dbus_message *answer, const char *unit, const char *act, struct err *err) {
    static const char *const absent[] = {"org.freedesktop.DBus.Error.ServiceUnknown", "org.freedesktop.DBus.Error.NameHasNoOwner",
                                         "org.freedesktop.DBus.Error.Disconnected"};
    for (size_t i = 0; i < ARRAY_LEN(absent); i++) {
        if (is_error(answer, absent[i])) {
            return err_set(err, ERR_UNSUPPORTED, "%s unit %s: no systemd answers on the bus; take --cgroup-manager cgroupfs", act, unit);
        }
    }
    if (is_error(answer, "org.freedesktop.DBus.Error.AccessDenied") ||
        is_error(answer, "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired")) {
        return err_set(err, ERR_SYSTEM, "%s unit %s: systemd does not let this user: %.300s", act, unit, dbus_error_text(answer));
    }
    return err_set(err, ERR_SYSTEM, "%s unit %s: systemd says: %.500s", act, unit, dbus_error_text(answer));
}

// Sent ahead of the call that makes the job, so that its end cannot be missed.
static void watch_jobs(struct dbus *bus, const char *unit) {
    const struct dbus_header call = {
        .destination = "org.freedesktop.DBus",
        .path = "/org/freedesktop/DBus",
        .interface = "org.freedesktop.DBus",
        .member = "AddMatch",
        .signature = "s",
    };
    AUTO_BUF struct buf body = {0};
    AUTO_FREE char *rule = mem_format("type='signal',sender='%s',path='%s',interface='%s',member='JobRemoved',arg2='%s'", service,
                                      manager_path, manager, unit);
    dbus_put_string(&body, rule);
    dbus_send(bus, &call, &body);
}

// 1: it is another signal.
static int look_at_signal(const struct dbus_message *signal, const char *job, const char **ret_result, struct err *err) {
    uint32_t id;
    const char *path, *unit;
    if (strcmp(signal->member, "JobRemoved") != 0 || strcmp(signal->interface, manager) != 0) {
        return 1;
    }
    struct dbus_reader reader = dbus_read(signal);
    if (dbus_read_u32(&reader, &id, err) < 0 || dbus_read_string(&reader, &path, err) < 0 ||
        dbus_read_string(&reader, &unit, err) < 0 || dbus_read_string(&reader, ret_result, err) < 0) {
        return -1;
    }
    return strcmp(path, job) != 0;
}

// Waits for the job that an answer names. *ret_done: its result is "done", else err says what it was.
static int wait_job(struct dbus *bus, const struct dbus_message *answer, const char *unit, struct err *err) {
    struct dbus_reader reader = dbus_read(answer);
    const char *object, *result;
    if (dbus_read_string(&reader, &object, err) < 0) {
        return -1;
    }
    AUTO_FREE char *job = mem_copy_string(object);
    for (;;) {
        struct dbus_message signal;
        int got = dbus_wait_signal(bus, SYSTEMD_JOB_MS, &signal, err);
        if (got != 0) {
            return got < 0 ? -1 : err_set(err, ERR_SYSTEM, "systemd did not end the job of unit %s within %d s", unit, SYSTEMD_JOB_MS / 1000);
        }
        got = look_at_signal(&signal, job, &result, err);
        if (got < 0) {
            return -1;
        }
        if (got == 0) {
            return strcmp(result, "done") == 0
                       ? 0
                       : err_set(err, ERR_SYSTEM, "systemd ended the job of unit %s with \"%.64s\", expected \"done\"", unit, result);
        }
    }
}

static int unit_call(struct dbus *bus, const char *member, const char *unit, struct dbus_message *ret, struct err *err) {
    AUTO_BUF struct buf body = {0};
    const struct dbus_header call = manager_call(member, "s");
    dbus_put_string(&body, unit);
    return dbus_call(bus, &call, &body, ret, err);
}

static int start_once(struct dbus *bus, const char *unit, const struct wishes *wishes, struct dbus_message *ret, struct err *err) {
    AUTO_BUF struct buf body = {0};
    const struct dbus_header call = manager_call("StartTransientUnit", "ssa(sv)a(sa(sv))");
    dbus_put_string(&body, unit);
    dbus_put_string(&body, "fail");
    systemd_put_properties(&body, wishes->items, wishes->count);
    dbus_array_end(&body, dbus_array_begin(&body, 8)); // no other units with it
    return dbus_call(bus, &call, &body, ret, err);
}

int systemd_start(struct dbus *bus, const char *unit, const struct systemd_property *properties, size_t count, struct err *err) {
    struct wishes wishes = copy_wishes(properties, count);
    AUTO_FREE void *items = wishes.items;
    struct dbus_message answer;
    bool forgotten = false;
    int result;
    watch_jobs(bus, unit);
    while ((result = start_once(bus, unit, &wishes, &answer, err)) == 1) {
        if (drop_unknown(&wishes, &answer)) {
            continue;
        }
        if (!is_error(&answer, "org.freedesktop.systemd1.UnitExists")) {
            return refused(&answer, unit, "make", err);
        }
        // One that has failed stays until it is told to go.
        if (forgotten || unit_call(bus, "ResetFailedUnit", unit, &answer, err) != 0) {
            return err_set(err, ERR_EXISTS, "make unit %s: there is one of this name (systemctl status %s); stop it, or give another name in "
                           "linux.cgroupsPath", unit, unit);
        }
        forgotten = true;
    }
    if (result == 0 && wait_job(bus, &answer, unit, err) < 0) {
        struct err unused;
        if (systemd_stop(bus, unit, &unused) < 0) {
            log_debug("%s", unused.text);
        }
        result = -1;
    }
    return result;
}

int systemd_set(struct dbus *bus, const char *unit, const struct systemd_property *properties, size_t count, struct err *err) {
    struct wishes wishes = copy_wishes(properties, count);
    AUTO_FREE void *items = wishes.items;
    const struct dbus_header call = manager_call("SetUnitProperties", "sba(sv)");
    while (wishes.count > 0) {
        AUTO_BUF struct buf body = {0};
        struct dbus_message answer;
        dbus_put_string(&body, unit);
        dbus_put_bool(&body, true);
        systemd_put_properties(&body, wishes.items, wishes.count);
        int result = dbus_call(bus, &call, &body, &answer, err);
        if (result <= 0) {
            return result;
        }
        if (!drop_unknown(&wishes, &answer)) {
            return refused(&answer, unit, "set properties of", err);
        }
    }
    return 0;
}

int systemd_stop(struct dbus *bus, const char *unit, struct err *err) {
    AUTO_BUF struct buf body = {0};
    struct dbus_message answer;
    const struct dbus_header call = manager_call("StopUnit", "ss");
    watch_jobs(bus, unit);
    dbus_put_string(&body, unit);
    dbus_put_string(&body, "replace");
    int result = dbus_call(bus, &call, &body, &answer, err);
    if (result < 0) {
        return -1;
    }
    if (result == 1) {
        return is_error(&answer, "org.freedesktop.systemd1.NoSuchUnit") ? 0 : refused(&answer, unit, "stop", err);
    }
    if (wait_job(bus, &answer, unit, err) < 0) {
        return -1;
    }
    // One that has failed stays until it is told to go; any other is gone already.
    return unit_call(bus, "ResetFailedUnit", unit, &answer, err) < 0 ? -1 : 0;
}

void systemd_unit_object(const char *unit, struct buf *ret_path) {
    buf_add_string(ret_path, "/org/freedesktop/systemd1/unit/");
    for (const char *at = unit; *at; at++) {
        bool letter = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z');
        bool digit = *at >= '0' && *at <= '9';
        if (letter || (digit && at > unit)) {
            buf_add_char(ret_path, *at);
        } else {
            buf_add_format(ret_path, "_%02x", (unsigned char)*at);
        }
    }
}

static bool ends_with(const char *text, const char *end) {
    size_t size = strlen(text), end_size = strlen(end);
    return size >= end_size && strcmp(text + size - end_size, end) == 0;
}

int systemd_control_group(struct dbus *bus, const char *unit, struct buf *ret_path, struct err *err) {
    AUTO_BUF struct buf object = {0};
    AUTO_BUF struct buf body = {0};
    struct dbus_message answer;
    systemd_unit_object(unit, &object);
    dbus_put_string(&body, ends_with(unit, ".slice") ? "org.freedesktop.systemd1.Slice" : "org.freedesktop.systemd1.Scope");
    dbus_put_string(&body, "ControlGroup");
    const struct dbus_header call = {
        .destination = service,
        .path = buf_string(&object),
        .interface = "org.freedesktop.DBus.Properties",
        .member = "Get",
        .signature = "ss",
    };
    int result = dbus_call(bus, &call, &body, &answer, err);
    if (result < 0) {
        return -1;
    }
    if (result == 1) {
        return is_error(&answer, "org.freedesktop.systemd1.NoSuchUnit") || is_error(&answer, "org.freedesktop.DBus.Error.UnknownObject")
                   ? err_set(err, ERR_NOT_FOUND, "there is no unit %s", unit)
                   : refused(&answer, unit, "find the cgroup of", err);
    }
    const char *path;
    struct dbus_reader reader = dbus_read(&answer);
    if (dbus_read_variant_string(&reader, &path, err) < 0) {
        return -1;
    }
    if (!*path) {
        return err_set(err, ERR_NOT_FOUND, "unit %s has no cgroup", unit);
    }
    buf_add_string(ret_path, path);
    return 0;
}

int systemd_attach(struct dbus *bus, const char *unit, pid_t pid, struct err *err) {
    AUTO_BUF struct buf body = {0};
    struct dbus_message answer;
    const struct dbus_header call = manager_call("AttachProcessesToUnit", "ssau");
    dbus_put_string(&body, unit);
    dbus_put_string(&body, ""); // the unit's group itself
    struct dbus_array pids = dbus_array_begin(&body, 4);
    dbus_put_u32(&body, (uint32_t)pid);
    dbus_array_end(&body, pids);
    int result = dbus_call(bus, &call, &body, &answer, err);
    return result == 1 ? refused(&answer, unit, "put a process into", err) : result;
}

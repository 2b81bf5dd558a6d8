// systemd as a maker of control groups: transient units over its bus (org.freedesktop.systemd1(5)).
//
// A unit is made by StartTransientUnit with a list of properties, and is there once systemd has ended the job that it made of that;
// every call here waits for the end of its job. What a property means, and which are wanted, is the caller's affair.
#ifndef COFFER_KERNEL_SYSTEMD_H
#define COFFER_KERNEL_SYSTEMD_H

#include "runtime/base/attr.h"
#include "runtime/kernel/dbus.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct buf;
struct err;

enum { SYSTEMD_JOB_MS = 30000, SYSTEMD_UNIT_MAX = 255 };

// a(st): what systemd has for block devices; a(ss): what it has for device rules.
struct systemd_device {
    const char *path; // "/dev/block/8:0"
    uint64_t value;
    const char *access; // "rwm"
};

// `type` is the D-Bus signature of the value and says which member holds it.
struct systemd_property {
    const char *name;
    const char *type;  // b t x u i: number; s: text; as, au, ay, a(st), a(ss): items
    uint64_t number;   // of the signed ones: as two's complement
    const char *text;
    const void *items; // const char *, uint32_t, uint8_t, struct systemd_device
    size_t count;
    bool optional;  // a systemd that is too old to know it does without
    bool since_252; // the same for one that knows it, but not this value
};

// Connects to a bus. ERR_UNSUPPORTED, saying what to do: there is none, or it belongs to another pid namespace, so that the numbers
// of our processes would mean others.
int systemd_connect(const char *address, struct dbus *ret, struct err *err) MUST_CHECK;

// Starts a transient unit that does not exist yet: else ERR_EXISTS. A failed one of this name is forgotten first. After an error
// there is no such unit.
int systemd_start(struct dbus *bus, const char *unit, const struct systemd_property *properties, size_t count,
                  struct err *err) MUST_CHECK;

// Sets properties of a unit until the next boot.
int systemd_set(struct dbus *bus, const char *unit, const struct systemd_property *properties, size_t count,
                struct err *err) MUST_CHECK;

// Stops a unit, with whatever is in it, and lets systemd forget it. One that is not there is no error.
int systemd_stop(struct dbus *bus, const char *unit, struct err *err) MUST_CHECK;

// The control group of a loaded scope or slice, "/system.slice/x.scope", in room; ERR_NOT_FOUND where it has none.
int systemd_control_group(struct dbus *bus, const char *unit, struct buf *ret_path, struct err *err) MUST_CHECK;

// Puts a process into the unit's group: for those who may not do it themselves, since another unit lies between.
int systemd_attach(struct dbus *bus, const char *unit, pid_t pid, struct err *err) MUST_CHECK;

// The object path of a unit: its name with what is no letter or digit as _xx. Pure.
void systemd_unit_object(const char *unit, struct buf *ret_path);

// Appends the properties as a(sv). Pure.
void systemd_put_properties(struct buf *body, const struct systemd_property *properties, size_t count);

#endif

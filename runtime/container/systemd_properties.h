// systemd_properties: a container's limits and annotations as properties of its unit (systemd.resource-control(5)). Pure.
//
// systemd writes what it knows of into the control files whenever it looks at the unit again, as at a daemon-reload: a limit that it
// was not told would be undone then. So it is told all that it has a property for; files that it has none for it never touches.
#ifndef COFFER_CONTAINER_SYSTEMD_PROPERTIES_H
#define COFFER_CONTAINER_SYSTEMD_PROPERTIES_H

#include "runtime/base/attr.h"
#include "runtime/kernel/systemd.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct cgroup_limits;
struct err;
struct text_pair;

struct systemd_properties {
    struct arena *arena; // holds everything
    struct systemd_property *items;
    size_t count;
    size_t room;
};

// Adds one; what it points to must live as long as the arena. All but the name and type is then filled in by the caller.
struct systemd_property *systemd_add(struct systemd_properties *list, const char *name, const char *type);

// What the host and systemd there are like.
struct systemd_host {
    bool v2;
    bool user; // a user's own systemd sets no device rules
    bool bfq;  // the kernel's weights of block devices are those of BFQ
};

// Fails where a limit that systemd would undo cannot be told to it (ERR_UNSUPPORTED), or where a value is wrong in itself (ERR_INPUT).
int systemd_add_limits(const struct cgroup_limits *limits, const struct systemd_host *host, struct systemd_properties *list,
                       struct err *err) MUST_CHECK;

// Annotations "org.systemd.property.NAME": VALUE in GVariant's text form as runc and crun take it: true, 'text', ['a', 'b'], 5,
// uint64 5, int64 -5, uint32 5, int32 5. A time NAMESec is given in seconds and set as NAMEUSec.
int systemd_add_annotations(const struct text_pair *annotations, size_t count, struct systemd_properties *list,
                            struct err *err) MUST_CHECK;

// "0-2,8" as bits, the first in the lowest bit of the first byte.
int systemd_cpu_bits(const char *list, struct arena *arena, const uint8_t **ret_bits, size_t *ret_size, struct err *err) MUST_CHECK;

#endif

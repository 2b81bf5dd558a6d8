// The capability sets of the calling thread (capabilities(7)), set the way a container's init needs it and by the raw system calls:
// init is linked with musl, without libcap.
//
// Sets are bit masks, bit n for capability n (runtime/kernel/names.h). The order matters, and the two functions are named for it:
//
//     caps_before_ids()   drops from the bounding set, which takes CAP_SETPCAP, lost by the change to an ordinary user
//     setgroups, setgid, setuid
//     caps_after_ids()    the other sets, which the change of ids would have cleared
//
// Only the calls that change something are made: one prctl for each capability dropped, one for keeping the capabilities over the
// change of ids when there is one, one capset, one prctl for each ambient capability.
#ifndef COFFER_KERNEL_CAPS_H
#define COFFER_KERNEL_CAPS_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stdint.h>

struct err;

struct caps {
    uint64_t bounding;
    uint64_t effective;
    uint64_t permitted;
    uint64_t inheritable;
    uint64_t ambient;
};

enum { CAPS_MAX = 64 };
#define CAPS_ALL UINT64_MAX

// Drops all that is not in caps->bounding. `keep`: the user id changes from 0 to another one afterwards, and what is permitted shall
// outlive that (the flag is dropped by the next execve by itself).
int caps_before_ids(const struct caps *caps, bool keep, struct err *err) MUST_CHECK;

// Behind a change of ids that was to keep them: makes all that is permitted effective again, until caps_after_ids().
int caps_raise_kept(struct err *err) MUST_CHECK;

// Sets the other four sets. What the thread does not hold itself cannot be granted: it is left out of all sets, and told by
// *ret_ungranted (0 when all was granted), so that the caller can warn, as the runtime specification wants.
int caps_after_ids(const struct caps *caps, uint64_t *ret_ungranted, struct err *err) MUST_CHECK;

// Reads the effective, permitted and inheritable sets of the calling thread; the other two are left alone.
int caps_read(struct caps *ret_caps, struct err *err) MUST_CHECK;

#endif

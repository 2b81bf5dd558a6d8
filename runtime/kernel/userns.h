// User namespaces: id maps, and a namespace as a descriptor (user_namespaces(7)).
//
// A map with one range of one id can be written by anybody for himself; anything else needs CAP_SETUID/CAP_SETGID, or the set-uid
// programs newuidmap(1) and newgidmap(1), which check /etc/subuid and /etc/subgid. userns_write_maps picks the way.
#ifndef COFFER_KERNEL_USERNS_H
#define COFFER_KERNEL_USERNS_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

enum { IDMAP_MAX_RANGES = 340 }; // the kernel's own limit since 4.15

// `count` ids from `inside` on stand for those from `outside` on in the parent namespace.
struct id_range {
    uint32_t inside;
    uint32_t outside;
    uint32_t count;
};

struct idmap {
    const struct id_range *ranges;
    size_t count;
};

// Whether the caller is in the initial user namespace: there uid 0 is the host's root. Elsewhere uid 0 makes no device nodes and sets no
// device rules, whatever its capabilities say. One system call. Without a procfs the answer is true: what then is not allowed fails.
bool userns_is_initial(void) MUST_CHECK;

// Whether one user id is all there is in the caller's user namespace. False where that cannot be told.
bool userns_has_single_id(void) MUST_CHECK;

// Writes both maps of the process, which has just been cloned into a user namespace of its own.
int userns_write_maps(pid_t pid, const struct idmap *uids, const struct idmap *gids, struct err *err) MUST_CHECK;

// Makes a user namespace with these maps and returns it as a descriptor: for id-mapped mounts and for setns(2).
int userns_create(const struct idmap *uids, const struct idmap *gids, struct err *err) MUST_CHECK;

// Translates an id inside to the one outside; false when the map does not hold it.
bool idmap_outside(const struct idmap *map, uint32_t inside, uint32_t *ret_outside) MUST_CHECK;

enum { USERNS_OWN_RANGES = 32 };

// What the calling user may map without privilege. Its maps point into itself: not to be copied.
struct userns_own {
    struct id_range uid_ranges[USERNS_OWN_RANGES], gid_ranges[USERNS_OWN_RANGES];
    struct idmap uids, gids;
    bool single_id; // no subordinate ids, or nothing to map them with: only the user's own id, as 0
};
void userns_read_own(struct userns_own *own);

// The map an ordinary user gets: id 0 inside is the user; 1 and up are the ranges that /etc/subuid or /etc/subgid (`file`) grants
// to the user by name or number. Without a grant the map has its first range only. Returns the number of ranges.
size_t userns_subordinate_map(const char *file, const char *user_name, uint32_t id, struct id_range *ranges, size_t max_ranges);

#endif

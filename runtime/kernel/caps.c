#include "runtime/kernel/caps.h"

#include "runtime/base/err.h"
#include "runtime/kernel/names.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

// "CAP_KILL", or "capability 57" for one that is newer than this program.
static const char *describe(int capability, char room[32]) {
    const char *name = name_of_capability(capability);
    if (name) {
        return name;
    }
    snprintf(room, 32, "capability %d", capability);
    return room;
}

static int set_thread(const struct caps *caps) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
    for (int half = 0; half < _LINUX_CAPABILITY_U32S_3; half++) {
        data[half].effective = (uint32_t)(caps->effective >> (32 * half));
        data[half].permitted = (uint32_t)(caps->permitted >> (32 * half));
        data[half].inheritable = (uint32_t)(caps->inheritable >> (32 * half));
    }
    return (int)syscall(SYS_capset, &header, data);
}

int caps_read(struct caps *ret_caps, struct err *err) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
    if (syscall(SYS_capget, &header, data) < 0) {
        return err_sys(err, "read the capabilities");
    }
    ret_caps->effective = data[0].effective | (uint64_t)data[1].effective << 32;
    ret_caps->permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
    ret_caps->inheritable = data[0].inheritable | (uint64_t)data[1].inheritable << 32;
    return 0;
}

int caps_before_ids(const struct caps *caps, bool keep, struct err *err) {
    // The kernel's highest capability is not asked for: the first number above it answers EINVAL, and that ends the loop.
    for (int capability = 0; capability < CAPS_MAX; capability++) {
        if (caps->bounding >> capability & 1 || prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0) {
            continue;
        }
        if (errno == EINVAL) {
            break;
        }
        int saved = errno;
        // Without CAP_SETPCAP even dropping what is gone already is refused.
        if (prctl(PR_CAPBSET_READ, capability, 0, 0, 0) != 0) {
            char room[32];
            return err_num(err, saved, "drop %s from the bounding set", describe(capability, room));
        }
    }
    if (keep && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0) {
        return err_sys(err, "keep the capabilities over the change of user");
    }
    return 0;
}

// An ambient capability must be permitted and inheritable (Linux 4.3). capset has already taken out what is not both.
static int set_ambient(const struct caps *caps, struct err *err) {
    if ((caps->permitted & caps->inheritable & ~caps->ambient) != 0 &&
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0) {
        return err_sys(err, "clear the ambient capabilities");
    }
    for (int capability = 0; capability < CAPS_MAX; capability++) {
        if ((caps->ambient >> capability & 1) != 0 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) < 0) {
            char room[32];
            return err_sys(err, "raise %s in the ambient set (it must be permitted and inheritable too)",
                           describe(capability, room));
        }
    }
    return 0;
}

int caps_raise_kept(struct err *err) {
    struct caps held;
    if (caps_read(&held, err) < 0) {
        return -1;
    }
    held.effective = held.permitted;
    return set_thread(&held) < 0 ? err_sys(err, "raise the capabilities that were kept") : 0;
}

int caps_after_ids(const struct caps *caps, uint64_t *ret_ungranted, struct err *err) {
    struct caps granted = *caps;
    uint64_t ungranted = 0;
    if (set_thread(&granted) < 0) {
        // Refused: some are not held, or not bounding. Find out which, and try without them.
        int saved = errno;
        struct caps held;
        if (caps_read(&held, err) < 0) {
            return -1;
        }
        granted.permitted &= held.permitted;
        granted.effective &= granted.permitted;
        granted.inheritable &= held.permitted | held.inheritable;
        for (int capability = 0; capability < CAPS_MAX; capability++) {
            if ((granted.inheritable >> capability & 1) != 0 && prctl(PR_CAPBSET_READ, capability, 0, 0, 0) != 1) {
                granted.inheritable &= ~(UINT64_C(1) << capability);
            }
        }
        granted.ambient &= granted.permitted & granted.inheritable;
        if (set_thread(&granted) < 0) {
            return err_num(err, saved, "set the capabilities");
        }
        ungranted = (caps->permitted | caps->effective) & ~granted.permitted;
        ungranted |= (caps->inheritable & ~granted.inheritable) | (caps->ambient & ~granted.ambient);
    }
    if (set_ambient(&granted, err) < 0) {
        return -1;
    }
    *ret_ungranted = ungranted;
    return 0;
}

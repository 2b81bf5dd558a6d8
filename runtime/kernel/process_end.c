#include "runtime/base/clock.h"
#include "runtime/kernel/process.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/ioctl.h>

// PIDFD_GET_INFO of <linux/pidfd.h>, which Debian 12's headers do not have: the first 64 bytes of struct pidfd_info.
struct pidfd_info {
    uint64_t mask, cgroup;
    uint32_t pid, tgid, ppid, ids[8];
    int32_t exit_code;
};

enum { INFO_EXIT = 1 << 3, REAPED_MS = 2000 };
#define GET_INFO _IOWR(0xff, 11, struct pidfd_info)

// A pidfd is readable when its process has ended, and has hung up when that was reaped (pidfd_open(2)): then its status is kept.
bool process_end_of_stranger(int pidfd, int *ret_status) {
    struct pidfd_info info = {.mask = INFO_EXIT};
    struct pollfd reaped = {.fd = pidfd};
    int64_t until_ms = clock_now_ms() + REAPED_MS, left_ms = REAPED_MS;
    while (left_ms > 0 && poll(&reaped, 1, (int)left_ms) < 0 && errno == EINTR) {
        left_ms = until_ms - clock_now_ms();
    }
    if (ioctl(pidfd, GET_INFO, &info) < 0 || !(info.mask & INFO_EXIT)) {
        return false;
    }
    *ret_status = info.exit_code;
    return true;
}

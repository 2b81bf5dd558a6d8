// The system call filter, and its listener where it asks somebody (SCMP_ACT_NOTIFY).
//
// Theory of operation. From the moment the filter is there, any call of init's may be one that waits for the listener's answer; so
// whatever brings the listener to whom it is for must not need a call of init's any more. Init says beforehand which descriptor the
// listener is going to be, the lowest free one, and waits. The parent connects to the listener's socket: if that fails, no filter
// is loaded and nothing runs. Then init loads it and makes no call, but looks at memory shared with the parent, which takes the
// descriptor out of init (pidfd_getfd(2)), passes it on and says so in that memory. So every call may be one to ask about.
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/container/init/channel.h"
#include "runtime/container/init/init.h"
#include "runtime/container/init/plan.h"
#include "runtime/kernel/seccomp.h"
#include "runtime/kernel/sys.h"

#include <linux/seccomp.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

// A parent that dies takes an attached init with it; `start` may be killed and leave this one behind. It must not wait forever, and
// there is no clock to look at without a call: some 20 to 60 seconds of the processor's own pace.
enum { PATIENCE = 1000000000 };

static void pause_a_little(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
    __asm__ volatile("yield");
#endif
}

static void wait_until_passed_on(const atomic_int *passed_on) {
    for (int i = 0; i < PATIENCE; i++) {
        if (atomic_load(passed_on)) {
            return;
        }
        pause_a_little();
    }
    __builtin_trap(); // to exit is a call, too
}

static int load_with_listener(const struct init *init, struct err *err) {
    const struct plan_process *process = &init->plan->process;
    AUTO_FD int memory = memfd_create("listener", MFD_CLOEXEC);
    if (memory < 0 || ftruncate(memory, sizeof(atomic_int)) < 0) {
        return err_sys(err, "make memory to share with the runtime");
    }
    atomic_int *passed_on = mmap(NULL, sizeof(*passed_on), PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    if (passed_on == MAP_FAILED) {
        return err_sys(err, "map memory to share with the runtime");
    }
    const int32_t number = memory; // free again in a moment, and the lowest that is
    if (channel_send(init->channel, CHANNEL_LISTENER, &number, sizeof(number), &memory, 1, err) < 0) {
        return -1;
    }
    fd_close(&memory);
    if (init_wait_for_go(init, err) < 0) {
        return -1;
    }
    int listener = seccomp_load_program(process->seccomp, process->seccomp_size,
                                        process->seccomp_flags | SECCOMP_FILTER_FLAG_NEW_LISTENER, err);
    if (listener < 0) {
        return -1;
    }
    if (listener != number) {
        return err_set(err, ERR_STATE, "the filter's listener is descriptor %d, %d was expected", listener, number);
    }
    wait_until_passed_on(passed_on); // ours closes when the command is executed, as does the memory
    return 0;
}

int init_load_filter_alone(const struct init *init, struct err *err) {
    const struct plan_process *process = &init->plan->process;
    uint32_t flags = process->seccomp_flags & (uint32_t)~SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV; // is of a listener
    return process->seccomp_size == 0 ? 0 : seccomp_load_program(process->seccomp, process->seccomp_size, flags, err);
}

int init_load_filter(const struct init *init, struct err *err) {
    const struct plan_process *process = &init->plan->process;
    if (process->seccomp_size == 0) {
        return 0;
    }
    return process->seccomp_listener ? load_with_listener(init, err)
                                     : seccomp_load_program(process->seccomp, process->seccomp_size, process->seccomp_flags, err);
}

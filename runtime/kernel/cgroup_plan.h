// Limits as an ordered list of files to write: made without touching the host (so it can be tested anywhere), then carried out in
// one loop. Shared by the cgroup_*.c files only.
#ifndef COFFER_KERNEL_CGROUP_PLAN_H
#define COFFER_KERNEL_CGROUP_PLAN_H

#include "runtime/base/arena.h"
#include "runtime/base/attr.h"
#include "runtime/kernel/cgroup.h"
#include "runtime/kernel/cgroup_limits.h"

enum cgroup_write_flags {
    CGROUP_WRITE_OPTIONAL = 1, // a kernel that has no such file needs none
    CGROUP_WRITE_OR_NEXT = 2,  // the next entry is the same for kernels that have no such file, and passed over where it was there
    CGROUP_WRITE_AFTER_NEXT =
        4, // if refused with EINVAL, again after the next entry: the kernel checks one against the other's present value
};

struct cgroup_write {
    enum cgroup_controller controller;
    unsigned flags;
    const char *file;
    const char *text;
};

struct cgroup_plan {
    struct arena arena;
    struct cgroup_write *items;
    size_t count;
    size_t room;
};

void cgroup_plan_finish(struct cgroup_plan *plan);
#define AUTO_CGROUP_PLAN AUTO(cgroup_plan_finish)

// The text of the newest entry is formatted; `file` must outlive the plan or lie in its arena.
void cgroup_plan_add(struct cgroup_plan *plan, enum cgroup_controller controller, unsigned flags, const char *file,
                     const char *format, ...) PRINTF_LIKE(5, 6);

// What either version does with these limits, without devices; only for those controllers that are in the mask.
int cgroup_plan_v1(const struct cgroup_limits *limits, uint32_t controllers, struct cgroup_plan *plan, struct err *err) MUST_CHECK;
int cgroup_plan_v2(const struct cgroup_limits *limits, uint32_t controllers, struct cgroup_plan *plan, struct err *err) MUST_CHECK;

// The part that both have in the same files: cpuset, pids, rdma.
void cgroup_plan_common(const struct cgroup_limits *limits, uint32_t controllers, struct cgroup_plan *plan);

// Checks that hold for both: swap not below memory, burst not above quota.
int cgroup_check_limits(const struct cgroup_limits *limits, struct err *err) MUST_CHECK;

// cgroup_apply() that puts back what it had set before it failed.
int cgroup_change(struct cgroup *cgroup, const struct cgroup_limits *limits, struct err *err) MUST_CHECK;

// Version 2: enables the controllers for the group in all its parents; one that cannot be is an error that names it. host_fd is
// that of /sys/fs/cgroup. The second enables those of the mask that are available, and only where the group does not have them yet.
int cgroup_enable(const struct cgroup_dir *dir, int host_fd, uint32_t controllers, struct err *err) MUST_CHECK;
int cgroup_enable_available(const struct cgroup_dir *dir, int host_fd, uint32_t controllers, struct err *err) MUST_CHECK;

// Version 1: a new cpuset has no processors and no memory, and takes no process until it has: copy the parent's.
int cgroup_inherit_cpuset(const struct cgroup_dir *dir, int host_fd, struct err *err) MUST_CHECK;

// Version 1: one write a rule. Version 2: a program that replaces the one this function attached before, if the group is not
// `fresh`.
int cgroup_set_devices_v1(int dir_fd, const struct cgroup_device_rule *rules, size_t count, struct err *err) MUST_CHECK;
int cgroup_set_devices_v2(int dir_fd, bool fresh, const struct cgroup_device_rule *rules, size_t count, struct err *err) MUST_CHECK;

// The program alone, into room for CGROUP_DEVICE_INSNS(count) instructions. Returns how many there are.
struct bpf_insn;
#define CGROUP_DEVICE_INSNS(rules) ((rules) * 6 + 16) // at most
enum { CGROUP_DEVICE_MAX_RULES = 1024, CGROUP_DEVICE_MAX_INSNS = CGROUP_DEVICE_INSNS(CGROUP_DEVICE_MAX_RULES) };
size_t cgroup_device_program(const struct cgroup_device_rule *rules, size_t count, struct bpf_insn *ret_program) MUST_CHECK;

#endif

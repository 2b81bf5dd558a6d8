// The pure half of control groups: what limits become, without touching the host.
#include "tests/unit/check.h"

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/kernel/cgroup_file.h"
#include "runtime/kernel/cgroup_plan.h"

#include <linux/bpf.h>

// "cpu.weight=100; pids.max=max"
static const char *show(const struct cgroup_plan *plan, struct buf *buf) {
    buf_clear(buf);
    for (size_t i = 0; i < plan->count; i++) {
        buf_add_format(buf, "%s%s=%s%s", i ? "; " : "", plan->items[i].file, plan->items[i].text,
                       plan->items[i].flags & CGROUP_WRITE_OR_NEXT      ? " or"
                       : plan->items[i].flags & CGROUP_WRITE_OPTIONAL   ? " if there"
                       : plan->items[i].flags & CGROUP_WRITE_AFTER_NEXT ? " or after"
                                                                        : "");
    }
    return buf_string(buf);
}

// A function type; C has no other way to name one.
typedef int planner(const struct cgroup_limits *, uint32_t, struct cgroup_plan *, struct err *);

static void expect(planner *make, const struct cgroup_limits *limits, const char *expected) {
    struct err err = {0};
    AUTO_BUF struct buf buf = {0};
    AUTO_CGROUP_PLAN struct cgroup_plan plan = {0};
    int result = cgroup_check_limits(limits, &err);
    result = result < 0 ? result : make(limits, CGROUP_ALL, &plan, &err);
    CHECK_STR(result < 0 ? err.text : show(&plan, &buf), expected);
}

CASE(shares_become_weights) {
    CHECK_INT(cgroup_weight_of_shares(0), 1);
    CHECK_INT(cgroup_weight_of_shares(2), 1);
    CHECK_INT(cgroup_weight_of_shares(3), 2);
    CHECK_INT(cgroup_weight_of_shares(10), 4);
    CHECK_INT(cgroup_weight_of_shares(512), 59);
    CHECK_INT(cgroup_weight_of_shares(1024), 100);
    CHECK_INT(cgroup_weight_of_shares(1025), 101);
    CHECK_INT(cgroup_weight_of_shares(2048), 174);
    CHECK_INT(cgroup_weight_of_shares(262143), 10000);
    CHECK_INT(cgroup_weight_of_shares(262144), 10000);
    CHECK_INT(cgroup_weight_of_shares(UINT64_MAX), 10000);
    uint64_t before = 0, sum = 0;
    for (uint64_t shares = 2; shares <= 262144; shares += 7) {
        uint64_t weight = cgroup_weight_of_shares(shares);
        CHECK(weight >= before && weight <= 10000);
        before = weight;
        sum += weight;
    }
    CHECK_INT(sum, 200764115); // as the same formula gives with a mathematics library
}

CASE(memory) {
    struct cgroup_limits limits = {.memory_bytes = CGROUP_VALUE(1000), .memory_swap_bytes = CGROUP_VALUE(1500)};
    expect(cgroup_plan_v1, &limits, "memory.limit_in_bytes=1000 or after; memory.memsw.limit_in_bytes=1500");
    expect(cgroup_plan_v2, &limits, "memory.swap.max=500 if there; memory.max=1000");
    limits.memory_swap_by_default = true;
    expect(cgroup_plan_v1, &limits, "memory.limit_in_bytes=1000 or after; memory.memsw.limit_in_bytes=1500 if there");
    expect(cgroup_plan_v2, &limits, "memory.swap.max=500 if there; memory.max=1000");
    limits.memory_swap_by_default = false;
    limits.memory_swap_bytes.value = -1;
    limits.memory_reservation_bytes = CGROUP_VALUE(700);
    expect(cgroup_plan_v1, &limits,
           "memory.limit_in_bytes=1000 or after; memory.memsw.limit_in_bytes=-1; memory.soft_limit_in_bytes=700");
    expect(cgroup_plan_v2, &limits, "memory.swap.max=max if there; memory.max=1000; memory.low=700");
    limits = (struct cgroup_limits){.memory_bytes = CGROUP_VALUE(-1), .memory_reservation_bytes = CGROUP_VALUE(-1)};
    expect(cgroup_plan_v1, &limits,
           "memory.memsw.limit_in_bytes=-1 if there; memory.limit_in_bytes=-1; memory.soft_limit_in_bytes=-1");
    expect(cgroup_plan_v2, &limits, "memory.swap.max=max if there; memory.max=max; memory.low=max");
    limits = (struct cgroup_limits){.memory_swap_bytes = CGROUP_VALUE(1500)};
    expect(cgroup_plan_v2, &limits, "limit of memory and swap together needs a limit of memory on cgroup version 2");
    limits.memory_bytes = CGROUP_VALUE(2000);
    expect(cgroup_plan_v1, &limits, "limit of memory and swap together (1500) is below the limit of memory (2000)");
    limits = (struct cgroup_limits){.memory_bytes = CGROUP_VALUE(-2)};
    expect(cgroup_plan_v1, &limits, "memory limit is -2, expected -1 to 9223372036854775807");
}

CASE(cpu) {
    struct cgroup_limits limits = {.cpu_shares = CGROUP_VALUE(1024), .cpu_quota_us = CGROUP_VALUE(50000)};
    expect(cgroup_plan_v1, &limits, "cpu.cfs_quota_us=50000; cpu.shares=1024");
    expect(cgroup_plan_v2, &limits, "cpu.weight=100; cpu.max=50000");
    limits = (struct cgroup_limits){
        .cpu_period_us = CGROUP_VALUE(20000), .cpu_quota_us = CGROUP_VALUE(-1), .cpu_burst_us = CGROUP_VALUE(0)};
    expect(cgroup_plan_v1, &limits, "cpu.cfs_period_us=20000 or after; cpu.cfs_quota_us=-1 or after; cpu.cfs_burst_us=0");
    expect(cgroup_plan_v2, &limits, "cpu.max=max 20000 or after; cpu.max.burst=0");
    limits = (struct cgroup_limits){.cpu_idle = CGROUP_VALUE(1), .cpu_shares = CGROUP_VALUE(512)};
    expect(cgroup_plan_v1, &limits, "cpu.idle=1");
    expect(cgroup_plan_v2, &limits, "cpu.idle=1");
    limits = (struct cgroup_limits){.cpu_quota_us = CGROUP_VALUE(100), .cpu_burst_us = CGROUP_VALUE(101)};
    expect(cgroup_plan_v2, &limits, "cpu burst (101 us) is above the cpu quota (100 us)");
    limits = (struct cgroup_limits){.cpu_realtime_period_us = CGROUP_VALUE(1000), .cpu_realtime_runtime_us = CGROUP_VALUE(500)};
    expect(cgroup_plan_v1, &limits, "cpu.rt_period_us=1000 or after; cpu.rt_runtime_us=500");
    expect(cgroup_plan_v2, &limits, "resources.cpu.realtimeRuntime cannot be set: cgroup version 2 has no such thing");
}

CASE(the_rest) {
    struct cgroup_io_limit disk = {.major = 8, .minor = 16, .value = 1000};
    struct cgroup_hugetlb_limit pages = {.page_size = "2MB", .limit_bytes = 4194304};
    struct cgroup_rdma_limit rdma = {.device = "mlx5_1", .handles = CGROUP_VALUE(3)};
    struct cgroup_limits limits = {
        .pids = CGROUP_VALUE(-1), .cpuset_cpus = "0-1", .cpuset_mems = "0", .rdma = &rdma, .rdma_count = 1};
    expect(cgroup_plan_v1, &limits, "cpuset.cpus=0-1; cpuset.mems=0; pids.max=max; rdma.max=mlx5_1 hca_handle=3");
    expect(cgroup_plan_v2, &limits, "cpuset.cpus=0-1; cpuset.mems=0; pids.max=max; rdma.max=mlx5_1 hca_handle=3");
    CHECK_INT(cgroup_limits_controllers(&limits), CGROUP_MASK(CGROUP_CPUSET) | CGROUP_MASK(CGROUP_PIDS) | CGROUP_MASK(CGROUP_RDMA));

    limits = (struct cgroup_limits){.io_weight = CGROUP_VALUE(1000), .io_device_weights = {&disk, 1}, .io_read_bytes = {&disk, 1}};
    expect(cgroup_plan_v1, &limits,
           "blkio.weight=1000 or; blkio.bfq.weight=1000; blkio.weight_device=8:16 1000 or; blkio.bfq.weight_device=8:16 1000; "
           "blkio.throttle.read_bps_device=8:16 1000");
    expect(cgroup_plan_v2, &limits,
           "io.bfq.weight=1000 or; io.weight=10000; io.bfq.weight=8:16 1000 or; io.weight=8:16 10000; io.max=8:16 rbps=1000");
    limits.io_weight.value = 9;
    expect(cgroup_plan_v2, &limits, "io weight is 9, expected 10 to 1000");

    limits = (struct cgroup_limits){.hugetlb = &pages, .hugetlb_count = 1};
    expect(cgroup_plan_v1, &limits, "hugetlb.2MB.limit_in_bytes=4194304; hugetlb.2MB.rsvd.limit_in_bytes=4194304 if there");
    expect(cgroup_plan_v2, &limits, "hugetlb.2MB.max=4194304; hugetlb.2MB.rsvd.max=4194304 if there");
    pages.page_size = "2MB/../x";
    expect(cgroup_plan_v2, &limits, "huge page size \"2MB/../x\" is not a single word");
}

CASE(what_version_2_lacks_is_refused_by_its_field) {
    struct cgroup_io_limit disk = {.major = 8, .minor = 16, .value = 1000};
    struct cgroup_network_priority priority = {.interface = "lo", .priority = 1};
    const struct {
        const char *field;
        struct cgroup_limits limits;
    } rows[] = {
        {"memory.kernelTCP", {.memory_kernel_tcp_bytes = CGROUP_VALUE(1000)}},
        {"memory.swappiness", {.memory_swappiness = CGROUP_VALUE(0)}},
        {"memory.disableOOMKiller", {.memory_disable_oom_killer = true}},
        {"cpu.realtimeRuntime", {.cpu_realtime_runtime_us = CGROUP_VALUE(1)}},
        {"cpu.realtimePeriod", {.cpu_realtime_period_us = CGROUP_VALUE(1)}},
        {"blockIO.leafWeight", {.io_leaf_weight = CGROUP_VALUE(10)}},
        {"blockIO.weightDevice[].leafWeight", {.io_device_leaf_weights = {&disk, 1}}},
        {"network.classID", {.network_class = CGROUP_VALUE(1)}},
        {"network.priorities", {.network_priorities = &priority, .network_priority_count = 1}},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO_BUF struct buf expected = {0};
        buf_add_format(&expected, "resources.%s cannot be set: cgroup version 2 has no such thing", rows[i].field);
        expect(cgroup_plan_v2, &rows[i].limits, buf_string(&expected));
        CHECK(cgroup_limits_asked(&rows[i].limits));
    }
}

CASE(what_is_asked_for_is_told_from_what_is_not) {
    struct cgroup_limits limits = {.devices = cgroup_device_defaults, .device_count = 1, .cpuset_cpus = "", .cpuset_mems = ""};
    CHECK(!cgroup_limits_asked(&limits));
    limits.memory_bytes = limits.pids = CGROUP_VALUE(-1); // no limit
    CHECK(!cgroup_limits_asked(&limits));
    limits.cpuset_cpus = "0";
    CHECK(cgroup_limits_asked(&limits));
    limits.cpuset_cpus = NULL;
    limits.pids = CGROUP_VALUE(5);
    CHECK(cgroup_limits_asked(&limits));
}

CASE(files_of_version_2_by_name) {
    struct cgroup_key key = {.file = "memory.high", .value = "10"};
    struct cgroup_limits limits = {.unified = &key, .unified_count = 1};
    expect(cgroup_plan_v2, &limits, "memory.high=10");
    expect(cgroup_plan_v1, &limits, "cgroup file memory.high can be set on version 2 only, this host has version 1");
    key.file = "cgroup.max.depth";
    expect(cgroup_plan_v2, &limits, "cgroup.max.depth=10");
    key.file = "nosuch.max";
    expect(cgroup_plan_v2, &limits, "cgroup file nosuch.max: there is no controller \"nosuch\"");
    key.file = "../memory.max";
    expect(cgroup_plan_v2, &limits, "cgroup file \"../memory.max\" is not a single word");
    key.file = "memory";
    expect(cgroup_plan_v2, &limits, "cgroup file \"memory\" has no controller in front of a dot");
}

CASE(paths_are_strict) {
    static const struct {
        const char *path;
        const char *message; // NULL: good
    } rows[] = {
        {"/coffer/a", NULL},
        {"coffer/a.scope", NULL},
        {"a:b c", NULL},
        {"", "cgroup path \"\": \"\" cannot be a component"},
        {"/", "cgroup path \"/\": \"\" cannot be a component"},
        {"//a", "cgroup path \"//a\": \"\" cannot be a component"},
        {"/a/", "cgroup path \"/a/\": \"\" cannot be a component"},
        {"/a//b", "cgroup path \"/a//b\": \"\" cannot be a component"},
        {"../a", "cgroup path \"../a\": \"..\" cannot be a component"},
        {"/a/../b", "cgroup path \"/a/../b\": \"..\" cannot be a component"},
        {"/a/.", "cgroup path \"/a/.\": \".\" cannot be a component"},
        {"/a\nb", "cgroup path \"/a\nb\": a component holds a newline"},
        {"0/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2",
         "cgroup path \"0/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2\": has more than 32 components"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err err = {0};
        int result = cgroup_check_path(rows[i].path, &err);
        CHECK_STR(result < 0 ? err.text : "good", rows[i].message ? rows[i].message : "good");
    }
}

CASE(numbers_are_found_by_their_key) {
    CHECK_INT(cgroup_find_number("a 1\nab 2\nb 18446744073709551614\n", "ab"), 2);
    CHECK(cgroup_find_number("a 1\nb 18446744073709551614", "b") == UINT64_MAX - 1);
    CHECK(cgroup_find_number("a 1\nb -2", "b") == UINT64_MAX);
    CHECK(cgroup_find_number("a 1", "c") == UINT64_MAX);
    CHECK(cgroup_find_number("", "c") == UINT64_MAX);
}

// --- device programs, run by a small interpreter of the instructions they use, against the rule that defines them ---

static int interpret(const struct bpf_insn *insns, size_t count, const struct bpf_cgroup_dev_ctx *ctx) {
    uint64_t regs[11] = {0};
    for (size_t at = 0, steps = 0; at < count && steps < 100000; at++, steps++) {
        const struct bpf_insn *insn = &insns[at];
        uint64_t *to = &regs[insn->dst_reg];
        uint64_t value = (uint64_t)(int64_t)insn->imm;
        bool jump = false;
        switch (insn->code) {
        case BPF_LDX | BPF_MEM | BPF_W: {
            uint32_t word;
            memcpy(&word, (const char *)ctx + insn->off, sizeof(word));
            *to = word;
            break;
        }
        case BPF_ALU64 | BPF_MOV | BPF_X:
            *to = regs[insn->src_reg];
            break;
        case BPF_ALU64 | BPF_MOV | BPF_K:
            *to = value;
            break;
        case BPF_ALU64 | BPF_AND | BPF_K:
            *to &= value;
            break;
        case BPF_ALU64 | BPF_RSH | BPF_K:
            *to >>= value;
            break;
        case BPF_JMP | BPF_JA:
            jump = true;
            break;
        case BPF_JMP | BPF_JEQ | BPF_K:
            jump = *to == value;
            break;
        case BPF_JMP | BPF_JNE | BPF_K:
            jump = *to != value;
            break;
        case BPF_JMP | BPF_JSET | BPF_K:
            jump = (*to & value) != 0;
            break;
        case BPF_JMP | BPF_EXIT:
            return (int)regs[0];
        default:
            return -2;
        }
        at += jump ? (size_t)insn->off : 0;
    }
    return -1;
}

// "The last rule that matches decides, for each kind of access by itself."
static bool allowed(const struct cgroup_device_rule *rules, size_t count, char type, int64_t major, int64_t minor,
                    unsigned access) {
    for (unsigned bit = 1; bit <= CGROUP_DEVICE_MKNOD; bit <<= 1) {
        bool allow = false;
        for (size_t i = 0; i < count; i++) {
            if ((rules[i].type == 'a' || rules[i].type == type) && (rules[i].major < 0 || rules[i].major == major) &&
                (rules[i].minor < 0 || rules[i].minor == minor) && (rules[i].access & bit) != 0) {
                allow = rules[i].allow;
            }
        }
        if ((access & bit) != 0 && !allow) {
            return false;
        }
    }
    return true;
}

static uint32_t context_access(char type, unsigned access) {
    uint32_t bits = (access & CGROUP_DEVICE_READ ? BPF_DEVCG_ACC_READ : 0) |
                    (access & CGROUP_DEVICE_WRITE ? BPF_DEVCG_ACC_WRITE : 0) |
                    (access & CGROUP_DEVICE_MKNOD ? BPF_DEVCG_ACC_MKNOD : 0);
    return bits << 16 | (type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
}

// Every access to every small device number. Returns how many answers are wrong.
static int wrong_answers(const struct cgroup_device_rule *rules, size_t count) {
    static struct bpf_insn insns[CGROUP_DEVICE_MAX_INSNS];
    size_t size = cgroup_device_program(rules, count, insns);
    int wrong = 0;
    for (int major = 0; major < 6; major++) {
        for (int minor = 0; minor < 10; minor++) {
            for (unsigned access = 1; access <= CGROUP_DEVICE_ALL; access++) {
                for (const char *type = "bc"; *type; type++) {
                    struct bpf_cgroup_dev_ctx ctx = {
                        .access_type = context_access(*type, access), .major = (uint32_t)major, .minor = (uint32_t)minor};
                    wrong += interpret(insns, size, &ctx) != (int)allowed(rules, count, *type, major, minor, access);
                }
            }
        }
    }
    return wrong;
}

CASE(device_programs_answer_as_their_rules) {
    CHECK_INT(wrong_answers(cgroup_device_defaults, cgroup_device_default_count), 0);
    CHECK_INT(wrong_answers(NULL, 0), 0);
    struct bpf_insn insns[128];
    CHECK(cgroup_device_program(cgroup_device_defaults, cgroup_device_default_count, insns) <= 32);
    // Rules from a simple generator: any types, numbers and accesses, wildcards often.
    uint32_t seed = 12345;
    for (int round = 0; round < 2000; round++) {
        struct cgroup_device_rule rules[12];
        size_t count = 0;
        for (; count < (size_t)(round % 12); count++) {
            seed = seed * 1664525 + 1013904223;
            rules[count] = (struct cgroup_device_rule){
                .allow = seed >> 31,
                .type = "abc"[(seed >> 28) % 3],
                .major = (seed >> 24) % 3 == 0 ? CGROUP_DEVICE_ANY : (int)(seed >> 20) % 3,
                .minor = (seed >> 16) % 3 == 0 ? CGROUP_DEVICE_ANY : (int)(seed >> 12 & 0xfffff) % 3,
                .access = (seed >> 8) % 3 ? CGROUP_DEVICE_ALL : (seed >> 10) & CGROUP_DEVICE_ALL,
            };
        }
        int wrong = wrong_answers(rules, count);
        CHECK_INT(wrong, 0);
        if (wrong) {
            break;
        }
    }
}

int main(void) {
    RUN(shares_become_weights);
    RUN(memory);
    RUN(cpu);
    RUN(the_rest);
    RUN(what_version_2_lacks_is_refused_by_its_field);
    RUN(what_is_asked_for_is_told_from_what_is_not);
    RUN(files_of_version_2_by_name);
    RUN(paths_are_strict);
    RUN(numbers_are_found_by_their_key);
    RUN(device_programs_answer_as_their_rules);
    return check_done();
}

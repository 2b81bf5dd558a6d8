// What systemd is told of a container: names, properties of limits and of annotations; nothing of it touches the host.
#include "tests/unit/check.h"

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/container/systemd_properties.h"
#include "runtime/container/systemd_unit.h"
#include "runtime/kernel/cgroup_limits.h"
#include "specs/values.h"

#include <inttypes.h>
#include <stdlib.h>

static const char *plan_of(const char *path, const char *bus, struct arena *arena, struct err *err) {
    *err = (struct err){0};
    const char *result = systemd_unit_plan(path, "c+1", bus, arena, err);
    return result ? result : err->text;
}

CASE(names) {
    AUTO_ARENA struct arena arena = {0};
    struct err err;
    CHECK_STR(plan_of(NULL, NULL, &arena, &err), "/system.slice/coffer-c\\x2b1.scope");
    CHECK_STR(plan_of("", "unix:path=/b", &arena, &err), "unix:path=/b /user.slice/coffer-c\\x2b1.scope");
    CHECK_STR(plan_of("machine.slice:libpod:4f1a", NULL, &arena, &err), "/machine.slice/libpod-4f1a.scope");
    CHECK_STR(plan_of(":p:n", NULL, &arena, &err), "/system.slice/p-n.scope");
    CHECK_STR(plan_of("::n", NULL, &arena, &err), "/system.slice/-n.scope");
    CHECK_STR(plan_of("-.slice:p:n", NULL, &arena, &err), "/p-n.scope");
    CHECK_STR(plan_of("a-b-c.slice:p:n", NULL, &arena, &err), "/a.slice/a-b.slice/a-b-c.slice/p-n.scope");
    CHECK_STR(plan_of("x.slice:p:a-b.slice", NULL, &arena, &err), "/a.slice/a-b.slice");
    CHECK_STR(plan_of(".slice:p:n", NULL, &arena, &err),
              "config.json: linux.cgroupsPath: \".slice:p:n\": a slice is named as in \"machine.slice\" or, below a.slice, \"a-b.slice\"");
    CHECK_STR(plan_of("a-.slice:p:n", NULL, &arena, &err),
              "config.json: linux.cgroupsPath: \"a-.slice:p:n\": a slice is named as in \"machine.slice\" or, below a.slice, \"a-b.slice\"");
    CHECK_STR(plan_of("a.slice:p", NULL, &arena, &err), "config.json: linux.cgroupsPath: \"a.slice:p\": expected slice:prefix:name, which is "
                                                        "what systemd makes cgroups by (--systemd-cgroup)");
    char name[600] = ":p:";
    memset(name + 3, 'n', 300);
    CHECK(systemd_unit_plan(name, "c", NULL, &arena, &err) == NULL);
    CHECK_INT(err.kind, ERR_INPUT);
    // Slices in each other make paths deeper than a group's may be.
    char deep[200] = "", *at = deep;
    for (int i = 0; i < 40; i++) {
        at += sprintf(at, "%sa", i ? "-" : "");
    }
    strcpy(at, ".slice:p:n");
    CHECK(systemd_unit_plan(deep, "c", NULL, &arena, &err) == NULL);
}

CASE(a_record_is_read_back) {
    AUTO_ARENA struct arena arena = {0};
    struct systemd_unit unit;
    const char *path;
    struct err err = {0};
    CHECK(systemd_unit_of("/a.slice/a-b.slice/p-n.scope", &arena, &unit, &path, &err) == 0);
    CHECK_STR(unit.name, "p-n.scope");
    CHECK_STR(unit.slice, "a-b.slice");
    CHECK_STR(unit.address, DBUS_SYSTEM_ADDRESS);
    CHECK(!unit.user && !unit.is_slice && systemd_unit_has_id(&unit, "n") && !systemd_unit_has_id(&unit, "m"));
    CHECK_STR(path, "/a.slice/a-b.slice/p-n.scope");
    CHECK(systemd_unit_of("unix:path=/a b /p-n.scope", &arena, &unit, &path, &err) == 0);
    CHECK_STR(unit.address, "unix:path=/a b");
    CHECK_STR(unit.slice, "-.slice");
    CHECK(unit.user);
    CHECK(systemd_unit_of("/a.slice", &arena, &unit, &path, &err) == 0 && unit.is_slice);
    CHECK(systemd_unit_of("nonsense", &arena, &unit, &path, &err) < 0);
    CHECK(systemd_unit_of("/", &arena, &unit, &path, &err) < 0);
    CHECK_STR(err.text, "\"/\" in the container's state is no unit of systemd");
}

static void show_items(const struct systemd_property *property, struct buf *to) {
    for (size_t i = 0; i < property->count; i++) {
        const struct systemd_device *device = (const struct systemd_device *)property->items + i;
        buf_add_string(to, i ? "," : "");
        if (strcmp(property->type, "as") == 0) {
            buf_add_string(to, ((const char *const *)property->items)[i]);
        } else if (strcmp(property->type, "ay") == 0) {
            buf_add_format(to, "%02x", ((const uint8_t *)property->items)[i]);
        } else if (property->type[3] == 't') {
            buf_add_format(to, "%s %" PRIu64, device->path, device->value);
        } else {
            buf_add_format(to, "%s %s", device->path, device->access);
        }
    }
}

// "MemoryMax=t:100; Slice=s:a.slice"
static const char *show(const struct systemd_properties *list, struct buf *to) {
    buf_clear(to);
    for (size_t i = 0; i < list->count; i++) {
        const struct systemd_property *property = &list->items[i];
        buf_add_format(to, "%s%s=%s:", i ? "; " : "", property->name, property->type);
        if (property->type[0] == 'a') {
            show_items(property, to);
        } else if (property->type[0] == 's') {
            buf_add_string(to, property->text);
        } else if (property->number == UINT64_MAX) {
            buf_add_string(to, "max");
        } else {
            buf_add_format(to, "%" PRIi64, (int64_t)property->number);
        }
    }
    return buf_string(to);
}

static void expect(const struct cgroup_limits *limits, struct systemd_host host, const char *expected) {
    AUTO_ARENA struct arena arena = {0};
    AUTO_BUF struct buf text = {0};
    struct systemd_properties list = {.arena = &arena};
    struct err err = {0};
    CHECK_STR(systemd_add_limits(limits, &host, &list, &err) < 0 ? err.text : show(&list, &text), expected);
}

static const struct systemd_host v1 = {0}, v2 = {.v2 = true};

CASE(memory) {
    struct cgroup_limits limits = {.memory_bytes = CGROUP_VALUE(1000), .memory_swap_bytes = CGROUP_VALUE(1500),
                                   .memory_reservation_bytes = CGROUP_VALUE(500)};
    expect(&limits, v2, "MemoryMax=t:1000; MemoryLow=t:500; MemorySwapMax=t:500");
    expect(&limits, v1, "MemoryLimit=t:1000");
    limits = (struct cgroup_limits){.memory_bytes = CGROUP_VALUE(-1)};
    expect(&limits, v2, "MemoryMax=t:max; MemorySwapMax=t:max");
    expect(&limits, v1, "MemoryLimit=t:max");
    limits = (struct cgroup_limits){.memory_bytes = CGROUP_VALUE(7), .memory_swap_bytes = CGROUP_VALUE(-1)};
    expect(&limits, v2, "MemoryMax=t:7; MemorySwapMax=t:max");
}

CASE(processors) {
    struct cgroup_limits limits = {.cpu_shares = CGROUP_VALUE(512), .cpu_quota_us = CGROUP_VALUE(50000),
                                   .cpu_period_us = CGROUP_VALUE(100000)};
    expect(&limits, v2, "CPUWeight=t:59; CPUQuotaPeriodUSec=t:100000; CPUQuotaPerSecUSec=t:500000");
    expect(&limits, v1, "CPUShares=t:512; CPUQuotaPeriodUSec=t:100000; CPUQuotaPerSecUSec=t:500000");
    limits = (struct cgroup_limits){.cpu_quota_us = CGROUP_VALUE(12345)};
    expect(&limits, v2, "CPUQuotaPerSecUSec=t:130000"); // up to a whole percent
    limits = (struct cgroup_limits){.cpu_quota_us = CGROUP_VALUE(-1), .cpu_period_us = CGROUP_VALUE(50000)};
    expect(&limits, v2, "CPUQuotaPeriodUSec=t:50000; CPUQuotaPerSecUSec=t:max");
    limits = (struct cgroup_limits){.cpu_quota_us = CGROUP_VALUE(INT64_MAX), .cpu_period_us = CGROUP_VALUE(1)};
    expect(&limits, v2, "CPUQuotaPeriodUSec=t:1; CPUQuotaPerSecUSec=t:max");
    limits = (struct cgroup_limits){.cpu_idle = CGROUP_VALUE(1), .cpu_shares = CGROUP_VALUE(1024)};
    expect(&limits, v2, "CPUWeight=t:0");
    limits = (struct cgroup_limits){.cpu_shares = CGROUP_VALUE(0)};
    expect(&limits, v2, "");
    limits = (struct cgroup_limits){.cpu_shares = CGROUP_VALUE(1)};
    expect(&limits, v1, "CPUShares=t:2");
    limits = (struct cgroup_limits){.cpuset_cpus = "0-2,8", .cpuset_mems = "0"};
    expect(&limits, v2, "AllowedCPUs=ay:07,01; AllowedMemoryNodes=ay:01");
    expect(&limits, v1, "");
    limits.cpuset_cpus = "0-";
    expect(&limits, v2, "AllowedCPUs: \"0-\" is no list of numbers such as 0-2,8");
    limits.cpuset_cpus = "3-1";
    expect(&limits, v2, "AllowedCPUs: \"3-1\" is no list of numbers below 8192 such as 0-2,8");
    limits.cpuset_cpus = "8192";
    expect(&limits, v2, "AllowedCPUs: \"8192\" is no list of numbers below 8192 such as 0-2,8");
    limits = (struct cgroup_limits){.pids = CGROUP_VALUE(-1)};
    expect(&limits, v2, "TasksMax=t:max");
}

CASE(block_devices) {
    static const struct cgroup_io_limit weights[] = {{8, 0, 500}}, rates[] = {{8, 0, 1000}, {8, 16, 0}};
    const struct cgroup_limits limits = {.io_weight = CGROUP_VALUE(100),
                                         .io_device_weights = {weights, 1},
                                         .io_read_bytes = {rates, 2},
                                         .io_writes = {rates, 1}};
    expect(&limits, v2, "IOWeight=t:910; IODeviceWeight=a(st):/dev/block/8:0 4950; "
                        "IOReadBandwidthMax=a(st):/dev/block/8:0 1000,/dev/block/8:16 18446744073709551615; "
                        "IOWriteIOPSMax=a(st):/dev/block/8:0 1000");
    expect(&limits, v1, "BlockIOWeight=t:100; BlockIODeviceWeight=a(st):/dev/block/8:0 500; "
                        "BlockIOReadBandwidth=a(st):/dev/block/8:0 1000,/dev/block/8:16 18446744073709551615");
    const struct cgroup_limits bfq = {.io_weight = CGROUP_VALUE(500)};
    expect(&bfq, (struct systemd_host){.v2 = true, .bfq = true}, "IOWeight=t:4500"); // which systemd writes as 500 again
}

CASE(device_rules) {
    static const struct cgroup_device_rule plain[] = {
        {true, 'c', 1, 1, CGROUP_DEVICE_ALL}, // before a rule for everything: of no effect
        {false, 'a', -1, -1, CGROUP_DEVICE_ALL},
        {true, 'c', 1, 3, CGROUP_DEVICE_ALL},
        {true, 'a', -1, -1, CGROUP_DEVICE_MKNOD},
        {true, 'b', 8, -1, CGROUP_DEVICE_READ | CGROUP_DEVICE_WRITE},
        {false, 'b', 8, -1, CGROUP_DEVICE_WRITE},
        {false, 'c', 1, 3, CGROUP_DEVICE_READ},
    };
    struct cgroup_limits limits = {.devices = plain, .device_count = ARRAY_LEN(plain)};
    expect(&limits, v2, "DevicePolicy=s:strict; DeviceAllow=a(ss):; DeviceAllow=a(ss):/dev/char/1:3 wm,char-* m,block-* m,block-8 r");
    expect(&limits, v1, "DevicePolicy=s:strict; DeviceAllow=a(ss):; DeviceAllow=a(ss):/dev/char/1:3 wm,char-* m,block-* m,block-8 r");
    expect(&limits, (struct systemd_host){.v2 = true, .user = true}, "");
    // A part of what was allowed is taken back: our program on version 2 has it alone.
    static const struct cgroup_device_rule partly[] = {
        {false, 'a', -1, -1, CGROUP_DEVICE_ALL},
        {true, 'c', 10, -1, CGROUP_DEVICE_ALL},
        {false, 'c', 10, 200, CGROUP_DEVICE_WRITE},
    };
    limits = (struct cgroup_limits){.devices = partly, .device_count = ARRAY_LEN(partly)};
    static const char refusal[] = "linux.resources.devices: systemd has a list of what is allowed, and on cgroup version 1 an order of rules that "
                                  "denies a part of what was allowed cannot be told to it; take --cgroup-manager cgroupfs";
    expect(&limits, v2, "");
    expect(&limits, v1, refusal);
    static const struct cgroup_device_rule all_but[] = {
        {true, 'a', -1, -1, CGROUP_DEVICE_ALL},
        {false, 'c', 1, 1, CGROUP_DEVICE_ALL},
    };
    limits = (struct cgroup_limits){.devices = all_but, .device_count = ARRAY_LEN(all_but)};
    expect(&limits, v1, refusal);
    limits.device_count = 1;
    expect(&limits, v1, "DevicePolicy=s:auto; DeviceAllow=a(ss):");
    static const struct cgroup_device_rule minor[] = {{true, 'c', -1, 3, CGROUP_DEVICE_ALL}};
    limits = (struct cgroup_limits){.devices = minor, .device_count = 1};
    expect(&limits, v1, refusal);
}

CASE(files_of_version_2) {
    static const struct cgroup_key keys[] = {
        {"memory.high", " 64M\n"},     {"memory.min", "max"},     {"pids.max", "7"},          {"cpu.max", "max 50000"},
        {"cpu.max", "20000 40000"},    {"cpu.weight", "30"},      {"cpu.idle", "1"},          {"cpuset.cpus", "1"},
        {"io.weight", "default 200"},  {"io.weight", "8:0 300"},  {"memory.oom.group", "1"},  {"hugetlb.2MB.max", "0"},
    };
    const struct cgroup_limits limits = {.unified = keys, .unified_count = ARRAY_LEN(keys)};
    expect(&limits, v2, "MemoryHigh=t:67108864; MemoryMin=t:max; TasksMax=t:7; CPUQuotaPeriodUSec=t:50000; CPUQuotaPerSecUSec=t:max; "
                        "CPUQuotaPeriodUSec=t:40000; CPUQuotaPerSecUSec=t:500000; CPUWeight=t:30; CPUWeight=t:0; AllowedCPUs=ay:02; "
                        "IOWeight=t:200; IODeviceWeight=a(st):/dev/block/8:0 300; OOMPolicy=s:kill");
    static const struct cgroup_key wrong[] = {{"memory.high", "a lot"}, {"cpu.max", "5 0"}, {"io.weight", "8:0 x"}, {"io.weight", "10001"}};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        const struct cgroup_limits one = {.unified = &wrong[i], .unified_count = 1};
        char expected[128];
        snprintf(expected, sizeof(expected), "linux.resources.unified: %s: \"%s\" is no value that systemd can be told", wrong[i].file,
                 wrong[i].value);
        expect(&one, v2, expected);
    }
}

static void annotate(const char *name, const char *value, const char *expected) {
    AUTO_ARENA struct arena arena = {0};
    AUTO_BUF struct buf text = {0};
    struct systemd_properties list = {.arena = &arena};
    struct err err = {0};
    const struct text_pair pairs[] = {{"other", "x"}, {name, value}};
    CHECK_STR(systemd_add_annotations(pairs, 2, &list, &err) < 0 ? err.text : show(&list, &text), expected);
}

CASE(annotations) {
    annotate("org.systemd.property.KillMode", "'mixed'", "KillMode=s:mixed");
    annotate("org.systemd.property.KillMode", "\"a\\\"b\\\\\"", "KillMode=s:a\"b\\");
    annotate("org.systemd.property.SendSIGHUP", " true", "SendSIGHUP=b:1");
    annotate("org.systemd.property.SendSIGHUP", "false", "SendSIGHUP=b:0");
    annotate("org.systemd.property.After", "['a.service', \"b.service\" ]", "After=as:a.service,b.service");
    annotate("org.systemd.property.After", "[]", "After=as:");
    annotate("org.systemd.property.KillSignal", "9", "KillSignal=i:9");
    annotate("org.systemd.property.KillSignal", "int32 -9", "KillSignal=i:-9");
    annotate("org.systemd.property.TasksMax", "uint64 9", "TasksMax=t:9");
    annotate("org.systemd.property.Foo", "uint32 4294967295", "Foo=u:4294967295");
    annotate("org.systemd.property.Foo", "int64 -5", "Foo=x:-5");
    annotate("org.systemd.property.TimeoutStopUSec", "uint64 123456789", "TimeoutStopUSec=t:123456789");
    annotate("org.systemd.property.TimeoutStopSec", "3", "TimeoutStopUSec=t:3000000");
    annotate("org.systemd.property.TimeoutStopSec", "uint64 3", "TimeoutStopUSec=t:3000000");
    annotate("org.systemd.property.TimeoutStopSec", "1.5", "TimeoutStopUSec=t:1500000");
    annotate("org.systemd.propertyOther", "x", "");
    static const char *const wrong[] = {"", "'a", "'a' b", "['a'", "['a',", "[1]", "x", "1 2", "uint64 -1", "uint64 ", "int32 2147483648",
                                        "18446744073709551616", "uint64 18446744073709551616", "uint64 +1"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        AUTO_ARENA struct arena arena = {0};
        struct systemd_properties list = {.arena = &arena};
        struct err err = {0};
        const struct text_pair pair = {"org.systemd.property.Foo", wrong[i]};
        CHECK(systemd_add_annotations(&pair, 1, &list, &err) < 0);
        CHECK_INT(err.kind, ERR_INPUT);
        CHECK(strncmp(err.text, "config.json: annotations: org.systemd.property.Foo: ", 52) == 0);
    }
    annotate("org.systemd.property.a'b", "1", "config.json: annotations: org.systemd.property.a'b: a property's name is at least 3 letters");
}

CASE(objects) {
    AUTO_BUF struct buf path = {0};
    systemd_unit_object("1a-b.scope", &path);
    CHECK_STR(buf_string(&path), "/org/freedesktop/systemd1/unit/_31a_2db_2escope");
}

int main(void) {
    RUN(names);
    RUN(a_record_is_read_back);
    RUN(memory);
    RUN(processors);
    RUN(block_devices);
    RUN(device_rules);
    RUN(files_of_version_2);
    RUN(annotations);
    RUN(objects);
    return check_done();
}

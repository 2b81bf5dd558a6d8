#include "runtime/container/systemd_properties.h"

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/quantity.h"
#include "runtime/kernel/cgroup.h"
#include "runtime/kernel/cgroup_limits.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

enum { USUAL_PERIOD_US = 100000, US_OF_S = 1000000, CPUS_MAX = 8192 };

struct systemd_property *systemd_add(struct systemd_properties *list, const char *name, const char *type) {
    if (list->count == list->room) {
        size_t room = list->room ? list->room * 2 : 32;
        struct systemd_property *items = arena_array(list->arena, room, sizeof(*items));
        if (list->count > 0) {
            memcpy(items, list->items, list->count * sizeof(*items));
        }
        list->items = items;
        list->room = room;
    }
    struct systemd_property *property = &list->items[list->count++];
    *property = (struct systemd_property){.name = name, .type = type};
    return property;
}

// A limit also stands in its file: a systemd that does not know the property does not touch that either.
static struct systemd_property *add_limit(struct systemd_properties *list, const char *name, const char *type) {
    struct systemd_property *property = systemd_add(list, name, type);
    property->optional = true;
    return property;
}

static void add_number(struct systemd_properties *list, const char *name, uint64_t number) {
    add_limit(list, name, "t")->number = number;
}

static uint64_t or_infinity(int64_t value) {
    return value < 0 ? UINT64_MAX : (uint64_t)value;
}

// --- processors ---

// systemd keeps a quota as hundredths of a percent of a processor at best, older ones as whole percents, and a daemon-reload rounds
// down: so up, that no container gets less than it was given.
static void add_quota(struct systemd_properties *list, int64_t quota_us, uint64_t period_us) {
    enum { STEP_US = 10000 };
    uint64_t period = period_us ? period_us : USUAL_PERIOD_US, per_second = UINT64_MAX;
    if (quota_us > 0) {
        unsigned __int128 exact = (unsigned __int128)quota_us * US_OF_S / period;
        exact = (exact + STEP_US - 1) / STEP_US * STEP_US;
        per_second = exact < UINT64_MAX ? (uint64_t)exact : UINT64_MAX;
    }
    if (period_us) {
        add_number(list, "CPUQuotaPeriodUSec", period_us);
    }
    add_number(list, "CPUQuotaPerSecUSec", per_second);
}

static void add_idle(struct systemd_properties *list) {
    struct systemd_property *weight = add_limit(list, "CPUWeight", "t"); // 0 is systemd's word for idle
    weight->since_252 = true;
}

static void add_cpu(const struct cgroup_limits *limits, const struct systemd_host *host, struct systemd_properties *list) {
    bool idle = limits->cpu_idle.set && limits->cpu_idle.value == 1;
    if (host->v2 && idle) {
        add_idle(list);
    } else if (limits->cpu_shares.set && limits->cpu_shares.value > 0) {
        uint64_t shares = (uint64_t)limits->cpu_shares.value;
        if (host->v2) {
            add_number(list, "CPUWeight", cgroup_weight_of_shares(shares));
        } else {
            add_number(list, "CPUShares", shares < 2 ? 2 : shares > 262144 ? 262144 : shares);
        }
    }
    if (limits->cpu_quota_us.set || limits->cpu_period_us.set) {
        add_quota(list, limits->cpu_quota_us.value, (uint64_t)limits->cpu_period_us.value);
    }
}

int systemd_cpu_bits(const char *list, struct arena *arena, const uint8_t **ret_bits, size_t *ret_size, struct err *err) {
    uint8_t *bits = arena_alloc(arena, CPUS_MAX / 8);
    size_t size = 0;
    for (const char *at = list; *at; at += *at == ',') {
        at += strspn(at, " \n");
        uint64_t ends[2];
        for (int i = 0; i < 2; i++) {
            size_t digits = strspn(at, "0123456789");
            if (digits == 0 || digits > 5) {
                return err_set(err, ERR_INPUT, "\"%.64s\" is no list of numbers such as 0-2,8", list);
            }
            ends[i] = 0;
            for (; digits > 0; digits--) {
                ends[i] = ends[i] * 10 + (uint64_t)(*at++ - '0');
            }
            if (i == 0 && *at != '-') {
                ends[1] = ends[0];
                break;
            }
            at += i == 0;
        }
        at += strspn(at, " \n");
        if ((*at && *at != ',') || ends[1] < ends[0] || ends[1] >= CPUS_MAX) {
            return err_set(err, ERR_INPUT, "\"%.64s\" is no list of numbers below %d such as 0-2,8", list, CPUS_MAX);
        }
        for (uint64_t number = ends[0]; number <= ends[1]; number++) {
            bits[number / 8] |= (uint8_t)(1 << number % 8);
        }
        size = ends[1] / 8 + 1 > size ? ends[1] / 8 + 1 : size;
    }
    *ret_bits = bits;
    *ret_size = size;
    return 0;
}

static int add_set(struct systemd_properties *list, const char *name, const char *text, struct err *err) {
    const uint8_t *bits;
    size_t size;
    if (!text || !*text) {
        return 0;
    }
    if (systemd_cpu_bits(text, list->arena, &bits, &size, err) < 0) {
        return err_in(err, "%s", name);
    }
    struct systemd_property *property = add_limit(list, name, "ay");
    property->items = bits;
    property->count = size;
    return 0;
}

// --- block devices ---

// systemd writes io.bfq.weight as 1..100..1000 for 1..100..10000. Where that file is, it must come out as we have written it.
static uint64_t io_weight(uint64_t weight, const struct systemd_host *host) {
    if (!host->v2) {
        return weight;
    }
    if (host->bfq) {
        return weight <= 100 ? weight : 100 + (weight - 100) * 9900 / 900;
    }
    return weight < 10 ? 1 : 1 + (weight - 10) * 9999 / 990;
}

static const char *block_device(struct arena *arena, uint32_t major, uint32_t minor) {
    return arena_format(arena, "/dev/block/%u:%u", major, minor);
}

static struct systemd_device *add_devices(struct systemd_properties *list, const char *name, const char *type, size_t count) {
    struct systemd_device *devices = arena_array(list->arena, count ? count : 1, sizeof(*devices));
    struct systemd_property *property = add_limit(list, name, type);
    property->items = devices;
    property->count = count;
    return devices;
}

static void add_io(const struct cgroup_limits *limits, const struct systemd_host *host, struct systemd_properties *list) {
    const struct {
        const char *v2, *v1;
        const struct cgroup_io_limits *limits;
    } rows[] = {
        {"IODeviceWeight", "BlockIODeviceWeight", &limits->io_device_weights},
        {"IOReadBandwidthMax", "BlockIOReadBandwidth", &limits->io_read_bytes},
        {"IOWriteBandwidthMax", "BlockIOWriteBandwidth", &limits->io_write_bytes},
        {"IOReadIOPSMax", NULL, &limits->io_reads},
        {"IOWriteIOPSMax", NULL, &limits->io_writes},
    };
    if (limits->io_weight.set) {
        add_number(list, host->v2 ? "IOWeight" : "BlockIOWeight", io_weight((uint64_t)limits->io_weight.value, host));
    }
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *name = host->v2 ? rows[i].v2 : rows[i].v1;
        size_t count = rows[i].limits->count;
        if (!name || count == 0) {
            continue;
        }
        struct systemd_device *devices = add_devices(list, name, "a(st)", count);
        for (size_t j = 0; j < count; j++) {
            const struct cgroup_io_limit *item = &rows[i].limits->items[j];
            uint64_t value = i == 0 ? io_weight(item->value, host) : item->value ? item->value : UINT64_MAX;
            devices[j] = (struct systemd_device){.path = block_device(list->arena, item->major, item->minor), .value = value};
        }
    }
}

// --- devices ---

static bool covers(const struct cgroup_device_rule *rule, const struct cgroup_device_rule *entry) {
    return (rule->type == 'a' || rule->type == entry->type) &&
           (rule->major == CGROUP_DEVICE_ANY || rule->major == entry->major) &&
           (rule->minor == CGROUP_DEVICE_ANY || rule->minor == entry->minor);
}

static bool touches(int64_t a, int64_t b) {
    return a == CGROUP_DEVICE_ANY || b == CGROUP_DEVICE_ANY || a == b;
}

static bool is_total(const struct cgroup_device_rule *rule) {
    return rule->type == 'a' && rule->major == CGROUP_DEVICE_ANY && rule->minor == CGROUP_DEVICE_ANY &&
           rule->access == CGROUP_DEVICE_ALL;
}

struct allowed {
    struct cgroup_device_rule *items;
    size_t count;
    bool all; // everything is allowed
};

// systemd has a list of what is allowed and nothing else: an order of rules comes down to one where a denial takes whole entries
// back. false where it does not.
static bool take_rule(struct allowed *allowed, const struct cgroup_device_rule *rule) {
    if (is_total(rule)) {
        allowed->all = rule->allow;
        allowed->count = 0;
        return true;
    }
    if (allowed->all) {
        return rule->allow;
    }
    if (rule->allow) {
        for (const char *type = rule->type == 'a' ? "cb" : rule->type == 'c' ? "c" : "b"; *type; type++) {
            allowed->items[allowed->count] = *rule;
            allowed->items[allowed->count++].type = *type;
        }
        return rule->major != CGROUP_DEVICE_ANY || rule->minor == CGROUP_DEVICE_ANY;
    }
    for (size_t i = 0; i < allowed->count; i++) {
        struct cgroup_device_rule *entry = &allowed->items[i];
        if (covers(rule, entry)) {
            entry->access &= ~rule->access;
        } else if ((rule->type == 'a' || rule->type == entry->type) && touches(rule->major, entry->major) &&
                   touches(rule->minor, entry->minor) && (rule->access & entry->access)) {
            return false;
        }
    }
    return true;
}

static const char *device_path(struct arena *arena, const struct cgroup_device_rule *entry) {
    const char *type = entry->type == 'c' ? "char" : "block";
    if (entry->major == CGROUP_DEVICE_ANY) {
        return arena_format(arena, "%s-*", type);
    }
    return entry->minor == CGROUP_DEVICE_ANY ? arena_format(arena, "%s-%" PRId64, type, entry->major)
                                             : arena_format(arena, "/dev/%s/%" PRId64 ":%" PRId64, type, entry->major, entry->minor);
}

static int add_device_rules(const struct cgroup_limits *limits, const struct systemd_host *host, struct systemd_properties *list,
                            struct err *err) {
    struct allowed allowed = {.items = arena_array(list->arena, 2 * limits->device_count + 1, sizeof(*allowed.items))};
    bool plain = true;
    for (size_t i = 0; i < limits->device_count; i++) {
        // What stands before a rule for everything never decides.
        plain = take_rule(&allowed, &limits->devices[i]) && (plain || is_total(&limits->devices[i]));
    }
    // On version 2 our own program stays, whatever systemd adds to it; on version 1 systemd's list is the list.
    if (!plain) {
        return host->v2 ? 0
                        : err_set(err, ERR_UNSUPPORTED, "linux.resources.devices: systemd has a list of what is allowed, and on cgroup version 1 "
                                  "an order of rules that denies a part of what was allowed cannot be told to it; take "
                                  "--cgroup-manager cgroupfs");
    }
    systemd_add(list, "DevicePolicy", "s")->text = allowed.all ? "auto" : "strict";
    systemd_add(list, "DeviceAllow", "a(ss)"); // an empty one takes back what was there
    struct systemd_device *devices = arena_array(list->arena, allowed.count + 1, sizeof(*devices));
    size_t count = 0;
    for (size_t i = 0; i < allowed.count; i++) {
        const struct cgroup_device_rule *entry = &allowed.items[i];
        if (entry->access) {
            devices[count++] = (struct systemd_device){
                .path = device_path(list->arena, entry),
                .access = arena_format(list->arena, "%s%s%s", entry->access & CGROUP_DEVICE_READ ? "r" : "",
                                       entry->access & CGROUP_DEVICE_WRITE ? "w" : "", entry->access & CGROUP_DEVICE_MKNOD ? "m" : ""),
            };
        }
    }
    if (count > 0) {
        struct systemd_property *allow = systemd_add(list, "DeviceAllow", "a(ss)");
        allow->items = devices;
        allow->count = count;
    }
    return 0;
}

// --- files of version 2 ---

// "max", "4096", "64M".
static int number_of(const char *text, uint64_t *ret) {
    int64_t value;
    if (strcmp(text, "max") == 0) {
        *ret = UINT64_MAX;
        return 0;
    }
    if (quantity_bytes(text, &value) < 0 || value < 0) {
        return -1;
    }
    *ret = (uint64_t)value;
    return 0;
}

static const struct {
    const char *file;
    const char *property;
} numbers[] = {
    {"memory.min", "MemoryMin"},          {"memory.low", "MemoryLow"}, {"memory.high", "MemoryHigh"},
    {"memory.max", "MemoryMax"},          {"pids.max", "TasksMax"},    {"memory.swap.max", "MemorySwapMax"},
    {"memory.zswap.max", "MemoryZSwapMax"}, {"cpu.weight", "CPUWeight"},
};

static int add_cpu_max(const char *value, struct systemd_properties *list) {
    size_t size = strcspn(value, " ");
    const char *rest = value + size + strspn(value + size, " ");
    uint64_t quota, period = USUAL_PERIOD_US;
    if (number_of(arena_copy(list->arena, value, size), &quota) < 0 || (*rest && number_of(rest, &period) < 0) || period == 0) {
        return -1;
    }
    add_quota(list, quota > INT64_MAX ? -1 : (int64_t)quota, period);
    return 0;
}

// "100", "default 100", "8:0 100".
static int add_io_weight(const char *value, const struct systemd_host *host, struct systemd_properties *list, bool bfq) {
    const char *blank = strrchr(value, ' ');
    uint64_t weight;
    if (number_of(blank ? blank + 1 : value, &weight) < 0 || weight > 10000) {
        return -1;
    }
    weight = bfq ? io_weight(weight, host) : weight;
    if (!blank || strncmp(value, "default ", 8) == 0) {
        add_number(list, "IOWeight", weight);
        return 0;
    }
    struct systemd_device *device = add_devices(list, "IODeviceWeight", "a(st)", 1);
    device->path = arena_format(list->arena, "/dev/block/%.*s", (int)(blank - value), value);
    device->value = weight;
    return 0;
}

static int add_key(const struct cgroup_key *key, const struct systemd_host *host, struct systemd_properties *list, struct err *err) {
    // The kernel takes blanks around a value.
    const char *begin = key->value + strspn(key->value, " \n");
    size_t size = strlen(begin);
    while (size > 0 && strchr(" \n", begin[size - 1])) {
        size--;
    }
    const char *value = arena_copy(list->arena, begin, size);
    int result = 0;
    uint64_t number;
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        if (strcmp(key->file, numbers[i].file) == 0 && (result = number_of(value, &number)) == 0) {
            add_number(list, numbers[i].property, number);
        }
    }
    if (strcmp(key->file, "cpu.idle") == 0 && strcmp(value, "1") == 0) {
        add_idle(list);
    } else if (strcmp(key->file, "cpu.max") == 0) {
        result = add_cpu_max(value, list);
    } else if (strcmp(key->file, "cpuset.cpus") == 0 || strcmp(key->file, "cpuset.mems") == 0) {
        return add_set(list, strcmp(key->file, "cpuset.cpus") == 0 ? "AllowedCPUs" : "AllowedMemoryNodes", value, err);
    } else if (strcmp(key->file, "io.weight") == 0 || strcmp(key->file, "io.bfq.weight") == 0) {
        result = add_io_weight(value, host, list, key->file[3] == 'b');
    } else if (strcmp(key->file, "memory.oom.group") == 0) {
        add_limit(list, "OOMPolicy", "s")->text = strcmp(value, "1") == 0 ? "kill" : "continue";
    }
    return result < 0 ? err_set(err, ERR_INPUT, "linux.resources.unified: %s: \"%.64s\" is no value that systemd can be told", key->file,
                                key->value)
                      : 0;
}

// --- all ---

static void add_memory(const struct cgroup_limits *limits, const struct systemd_host *host, struct systemd_properties *list) {
    const struct cgroup_value *memory = &limits->memory_bytes, *swap = &limits->memory_swap_bytes;
    if (memory->set) {
        add_number(list, host->v2 ? "MemoryMax" : "MemoryLimit", or_infinity(memory->value));
    }
    if (!host->v2) {
        return; // version 1 has no more that systemd would know of
    }
    if (limits->memory_reservation_bytes.set) {
        add_number(list, "MemoryLow", or_infinity(limits->memory_reservation_bytes.value));
    }
    if (swap->set && swap->value >= 0 && memory->set && memory->value >= 0) {
        add_number(list, "MemorySwapMax", swap->value > memory->value ? (uint64_t)(swap->value - memory->value) : 0);
    } else if (swap->set || (memory->set && memory->value < 0)) {
        add_number(list, "MemorySwapMax", UINT64_MAX);
    }
}

int systemd_add_limits(const struct cgroup_limits *limits, const struct systemd_host *host, struct systemd_properties *list,
                       struct err *err) {
    add_memory(limits, host, list);
    add_cpu(limits, host, list);
    if (limits->pids.set) {
        add_number(list, "TasksMax", or_infinity(limits->pids.value));
    }
    if (host->v2 && (add_set(list, "AllowedCPUs", limits->cpuset_cpus, err) < 0 ||
                     add_set(list, "AllowedMemoryNodes", limits->cpuset_mems, err) < 0)) {
        return -1;
    }
    add_io(limits, host, list);
    for (size_t i = 0; i < limits->unified_count && host->v2; i++) {
        if (add_key(&limits->unified[i], host, list, err) < 0) {
            return -1;
        }
    }
    return limits->device_count > 0 && !host->user ? add_device_rules(limits, host, list, err) : 0;
}

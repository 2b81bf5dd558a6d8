#include "runtime/base/err.h"
#include "specs/oci_config.h"
#include "specs/oci_tables.h"

#include <ctype.h>
#include <string.h>

// In the document these are nested deeper than in struct oci_resources: ROW_FLAT keeps "pids.limit" and the like where they are
// used.

static const struct json_name rule_type_names[] = {{"a", 'a'}, {"b", 'b'}, {"c", 'c'}, {NULL, 0}};

static const struct json_row device_rows[] = {
    ROW_BOOL("allow", struct oci_device_rule, allow, JSON_NEEDED),
    ROW_ENUM("type", struct oci_device_rule, type, rule_type_names, 0),
    ROW_OPT_I64("major", struct oci_device_rule, major, 0),
    ROW_OPT_I64("minor", struct oci_device_rule, minor, 0),
    ROW_STRING("access", struct oci_device_rule, access, 0),
};
static const struct json_table device_table = JSON_TABLE(struct oci_device_rule, device_rows);

static const struct json_row memory_rows[] = {
    ROW_OPT_I64("limit", struct oci_memory, limit, 0),
    ROW_OPT_I64("reservation", struct oci_memory, reservation, 0),
    ROW_OPT_I64("swap", struct oci_memory, swap, 0),
    ROW_OPT_I64("kernel", struct oci_memory, kernel, 0),
    ROW_OPT_I64("kernelTCP", struct oci_memory, kernel_tcp, 0),
    ROW_OPT_U64("swappiness", struct oci_memory, swappiness, 0),
    ROW_OPT_BOOL("disableOOMKiller", struct oci_memory, disable_oom_killer, 0),
    ROW_OPT_BOOL("useHierarchy", struct oci_memory, use_hierarchy, 0),
    ROW_BOOL("checkBeforeUpdate", struct oci_memory, check_before_update, 0),
};
static const struct json_table memory_table = JSON_TABLE(struct oci_memory, memory_rows);

static const struct json_row cpu_rows[] = {
    ROW_OPT_U64("shares", struct oci_cpu, shares, 0),
    ROW_OPT_I64("quota", struct oci_cpu, quota, 0),
    ROW_OPT_U64("burst", struct oci_cpu, burst, 0),
    ROW_OPT_U64("period", struct oci_cpu, period, 0),
    ROW_OPT_I64("realtimeRuntime", struct oci_cpu, realtime_runtime, 0),
    ROW_OPT_U64("realtimePeriod", struct oci_cpu, realtime_period, 0),
    ROW_STRING("cpus", struct oci_cpu, cpus, 0),
    ROW_STRING("mems", struct oci_cpu, mems, 0),
    ROW_OPT_I64("idle", struct oci_cpu, idle, 0),
};
static const struct json_table cpu_table = JSON_TABLE(struct oci_cpu, cpu_rows);

static const struct json_row pids_rows[] = {
    ROW_OPT_I64("limit", struct oci_resources, pids_limit, JSON_NEEDED),
};
static const struct json_table pids_table = JSON_TABLE(struct oci_resources, pids_rows);

static const struct json_row block_weight_rows[] = {
    ROW_I64("major", struct oci_block_weight, major, JSON_NEEDED),
    ROW_I64("minor", struct oci_block_weight, minor, JSON_NEEDED),
    ROW_OPT_U32("weight", struct oci_block_weight, weight, 0),
    ROW_OPT_U32("leafWeight", struct oci_block_weight, leaf_weight, 0),
};
static const struct json_table block_weight_table = JSON_TABLE(struct oci_block_weight, block_weight_rows);

static const struct json_row throttle_rows[] = {
    ROW_I64("major", struct oci_block_throttle, major, JSON_NEEDED),
    ROW_I64("minor", struct oci_block_throttle, minor, JSON_NEEDED),
    ROW_U64("rate", struct oci_block_throttle, rate, 0),
};
static const struct json_table throttle_table = JSON_TABLE(struct oci_block_throttle, throttle_rows);

#define THROTTLE_ROW(name, kind)                                                                                                   \
    ROW_LIST(name, struct oci_block_io, throttles[kind].items, struct oci_block_throttle, throttle_table, 0)

static const struct json_row block_io_rows[] = {
    ROW_OPT_U32("weight", struct oci_block_io, weight, 0),
    ROW_OPT_U32("leafWeight", struct oci_block_io, leaf_weight, 0),
    ROW_LIST("weightDevice", struct oci_block_io, weight_devices, struct oci_block_weight, block_weight_table, 0),
    THROTTLE_ROW("throttleReadBpsDevice", OCI_THROTTLE_READ_BPS),
    THROTTLE_ROW("throttleWriteBpsDevice", OCI_THROTTLE_WRITE_BPS),
    THROTTLE_ROW("throttleReadIOPSDevice", OCI_THROTTLE_READ_IOPS),
    THROTTLE_ROW("throttleWriteIOPSDevice", OCI_THROTTLE_WRITE_IOPS),
};
static const struct json_table block_io_table = JSON_TABLE(struct oci_block_io, block_io_rows);

static const struct json_row hugepage_rows[] = {
    ROW_STRING("pageSize", struct oci_hugepage_limit, page_size, JSON_NEEDED),
    ROW_U64("limit", struct oci_hugepage_limit, limit, JSON_NEEDED),
};
static const struct json_table hugepage_table = JSON_TABLE(struct oci_hugepage_limit, hugepage_rows);

static const struct json_row net_priority_rows[] = {
    ROW_STRING("name", struct oci_net_priority, name, JSON_NEEDED | JSON_NOT_EMPTY),
    ROW_U32("priority", struct oci_net_priority, priority, JSON_NEEDED),
};
static const struct json_table net_priority_table = JSON_TABLE(struct oci_net_priority, net_priority_rows);

static const struct json_row network_rows[] = {
    ROW_OPT_U32("classID", struct oci_resources, net_class_id, 0),
    ROW_LIST("priorities", struct oci_resources, net_priorities, struct oci_net_priority, net_priority_table, 0),
};
static const struct json_table network_table = JSON_TABLE(struct oci_resources, network_rows);

static const struct json_row rdma_rows[] = {
    ROW_OPT_U32("hcaHandles", struct oci_rdma, hca_handles, 0),
    ROW_OPT_U32("hcaObjects", struct oci_rdma, hca_objects, 0),
};
static const struct json_table rdma_table = JSON_TABLE(struct oci_rdma, rdma_rows);

static const struct json_row resources_rows[] = {
    ROW_LIST("devices", struct oci_resources, devices, struct oci_device_rule, device_table, 0),
    ROW_OBJECT("memory", struct oci_resources, memory, struct oci_memory, memory_table, 0),
    ROW_OBJECT("cpu", struct oci_resources, cpu, struct oci_cpu, cpu_table, 0),
    ROW_FLAT("pids", pids_table, 0),
    ROW_OBJECT("blockIO", struct oci_resources, block_io, struct oci_block_io, block_io_table, 0),
    ROW_LIST("hugepageLimits", struct oci_resources, hugepage_limits, struct oci_hugepage_limit, hugepage_table, 0),
    ROW_FLAT("network", network_table, 0),
    ROW_BY_NAME("rdma", struct oci_resources, rdma, struct oci_rdma, rdma_table, 0),
    ROW_PAIRS("unified", struct oci_resources, unified, 0),
};
const struct json_table oci_resources_table = JSON_TABLE(struct oci_resources, resources_rows);

static int check_devices(const struct oci_resources *resources, const struct oci_place *place) {
    for (size_t i = 0; i < resources->devices_count; i++) {
        const struct oci_device_rule *rule = &resources->devices[i];
        if (rule->access && rule->access[strspn(rule->access, "rwm")] != '\0') {
            return oci_fail(place, "devices[%zu].access: expected some of the letters r, w and m, found \"%.16s\"", i,
                            rule->access);
        }
        if ((rule->major.set && rule->major.value < -1) || (rule->minor.set && rule->minor.value < -1)) {
            return oci_fail(place, "devices[%zu]: expected device numbers, or -1 for all, found %lld:%lld", i,
                            (long long)rule->major.value, (long long)rule->minor.value);
        }
    }
    return 0;
}

static int check_least(const struct oci_place *place, const char *field, struct opt_i64 value) {
    return value.set && value.value < -1
               ? oci_fail(place, "%s: expected a number, or -1 for no limit, found %lld", field, (long long)value.value)
               : 0;
}

static int check_memory(const struct oci_memory *memory, const struct oci_place *place) {
    if (check_least(place, "memory.limit", memory->limit) < 0 || check_least(place, "memory.reservation", memory->reservation) < 0 ||
        check_least(place, "memory.swap", memory->swap) < 0 || check_least(place, "memory.kernel", memory->kernel) < 0 ||
        check_least(place, "memory.kernelTCP", memory->kernel_tcp) < 0) {
        return -1;
    }
    if (memory->swappiness.set && memory->swappiness.value > 100) {
        return oci_fail(place, "memory.swappiness: expected an integer from 0 to 100, found %llu",
                        (unsigned long long)memory->swappiness.value);
    }
    // swap counts memory too, so a positive one below the limit cannot be meant.
    if (memory->swap.set && memory->limit.set && memory->swap.value > 0 && memory->swap.value < memory->limit.value) {
        return oci_fail(place, "memory.swap: %lld is less than memory.limit, %lld, which it includes",
                        (long long)memory->swap.value, (long long)memory->limit.value);
    }
    return 0;
}

static int check_cpu(const struct oci_cpu *cpu, const struct oci_place *place) {
    if (check_least(place, "cpu.quota", cpu->quota) < 0) {
        return -1;
    }
    if (cpu->burst.set && cpu->quota.set && cpu->quota.value > 0 && cpu->burst.value > (uint64_t)cpu->quota.value) {
        return oci_fail(place, "cpu.burst: %llu is more than cpu.quota, %lld", (unsigned long long)cpu->burst.value,
                        (long long)cpu->quota.value);
    }
    if (cpu->idle.set && (cpu->idle.value < 0 || cpu->idle.value > 1)) {
        return oci_fail(place, "cpu.idle: expected 0 or 1, found %lld", (long long)cpu->idle.value);
    }
    return 0;
}

// Weights are 16 bits wide in the specification; the kernel knows what it takes of those.
static int check_weight(const struct oci_place *place, const char *field, struct opt_u32 weight) {
    if (weight.set && weight.value > UINT16_MAX) {
        return oci_fail(place, "blockIO.%s: expected an integer from 0 to 65535, found %u", field, weight.value);
    }
    return 0;
}

static int check_block_io(const struct oci_block_io *block_io, const struct oci_place *place) {
    if (check_weight(place, "weight", block_io->weight) < 0 || check_weight(place, "leafWeight", block_io->leaf_weight) < 0) {
        return -1;
    }
    for (size_t i = 0; i < block_io->weight_devices_count; i++) {
        char field[64];
        if (!block_io->weight_devices[i].weight.set && !block_io->weight_devices[i].leaf_weight.set) {
            return oci_fail(place, "blockIO.weightDevice[%zu]: expected weight, leafWeight or both", i);
        }
        snprintf(field, sizeof(field), "weightDevice[%zu].weight", i);
        if (check_weight(place, field, block_io->weight_devices[i].weight) < 0) {
            return -1;
        }
        snprintf(field, sizeof(field), "weightDevice[%zu].leafWeight", i);
        if (check_weight(place, field, block_io->weight_devices[i].leaf_weight) < 0) {
            return -1;
        }
    }
    return 0;
}

// The page size is part of a file's name in the cgroup (hugetlb.2MB.max).
static bool is_page_size(const char *text) {
    size_t digits = strspn(text, "0123456789");
    return digits > 0 && text[0] != '0' && text[digits] != '\0' && strchr("KMG", text[digits]) &&
           strcmp(text + digits + 1, "B") == 0;
}

static int check_hugepages(const struct oci_resources *resources, const struct oci_place *place) {
    for (size_t i = 0; i < resources->hugepage_limits_count; i++) {
        const char *size = resources->hugepage_limits[i].page_size;
        if (!is_page_size(size)) {
            return oci_fail(place, "hugepageLimits[%zu].pageSize: expected a size like 2MB, found \"%.32s\"", i, size);
        }
        for (size_t k = 0; k < i; k++) {
            if (strcmp(resources->hugepage_limits[k].page_size, size) == 0) {
                return oci_fail(place, "hugepageLimits[%zu].pageSize: %s has a limit already", i, size);
            }
        }
    }
    return 0;
}

// Keys of `unified` are names of files in the container's cgroup directory, and must stay in it.
static int check_unified(const struct oci_resources *resources, const struct oci_place *place) {
    for (size_t i = 0; i < resources->unified_count; i++) {
        const char *name = resources->unified[i].name;
        size_t plain = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");
        if (!isalnum((unsigned char)name[0]) || name[plain] != '\0') {
            return oci_fail(place, "unified: expected names of cgroup files like memory.high, found \"%.64s\"", name);
        }
    }
    return 0;
}

static int check_rdma(const struct oci_resources *resources, const struct oci_place *place) {
    for (size_t i = 0; i < resources->rdma_count; i++) {
        const struct oci_rdma *rdma = &resources->rdma[i];
        if (!rdma->hca_handles.set && !rdma->hca_objects.set) {
            return oci_fail(place, "rdma.%s: expected hcaHandles, hcaObjects or both", rdma->name);
        }
    }
    return 0;
}

int oci_resources_check(const struct oci_resources *resources, const struct oci_place *place) {
    if (check_devices(resources, place) < 0 || check_memory(&resources->memory, place) < 0 ||
        check_cpu(&resources->cpu, place) < 0 || check_block_io(&resources->block_io, place) < 0 ||
        check_hugepages(resources, place) < 0 || check_rdma(resources, place) < 0 || check_unified(resources, place) < 0) {
        return -1;
    }
    return 0;
}

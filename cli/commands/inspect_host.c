#include "cli/commands/inspect_host.h"

#include "runtime/base/err.h"
#include "runtime/engine/publish.h"
#include "runtime/engine/resources.h"
#include "runtime/engine/restart_policy.h"
#include "runtime/engine/view.h"
#include "specs/json.h"
#include "specs/json_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum field_kind { FIELD_TEXT, FIELD_FLAG, FIELD_NUMBER, FIELD_LIST };

struct field {
    const char *name; // docker's
    enum field_kind kind;
    size_t offset;
};

#define TEXT(name, member)                                                                                                         \
    { name, FIELD_TEXT, JSON_MEMBER(struct run_request, member, const char *) }
#define FLAG(name, member)                                                                                                         \
    { name, FIELD_FLAG, JSON_MEMBER(struct run_request, member, bool) }
#define NUMBER(name, member)                                                                                                       \
    { name, FIELD_NUMBER, JSON_MEMBER(struct run_request, member, struct opt_i64) }
#define LIST(name, member)                                                                                                         \
    { name, FIELD_LIST, JSON_MEMBER(struct run_request, member, struct strv) }

// clang-format off
static const struct field fields[] = {
    LIST("Binds", volumes), TEXT("ContainerIDFile", cid_file), TEXT("NetworkMode", network), FLAG("AutoRemove", remove),
    LIST("VolumesFrom", volumes_from), LIST("CapAdd", cap_add), LIST("CapDrop", cap_drop), LIST("Dns", dns), LIST("DnsOptions", dns_options),
    LIST("DnsSearch", dns_search), LIST("ExtraHosts", add_hosts), LIST("GroupAdd", group_add), TEXT("IpcMode", ipc), TEXT("PidMode", pid),
    NUMBER("OomScoreAdj", oom_score_adj), FLAG("Privileged", privileged), FLAG("ReadonlyRootfs", read_only), LIST("SecurityOpt", security),
    TEXT("UTSMode", uts), TEXT("UsernsMode", userns), NUMBER("ShmSize", shm_size_bytes), NUMBER("CpuShares", cpu_shares),
    NUMBER("Memory", memory_bytes), NUMBER("NanoCpus", nano_cpus), TEXT("CgroupParent", cgroup_parent),
    NUMBER("BlkioWeight", blkio_weight), NUMBER("CpuPeriod", cpu_period), NUMBER("CpuQuota", cpu_quota), TEXT("CpusetCpus", cpuset_cpus),
    TEXT("CpusetMems", cpuset_mems), LIST("Devices", devices), NUMBER("MemoryReservation", memory_reservation_bytes),
    NUMBER("MemorySwappiness", memory_swappiness), NUMBER("PidsLimit", pids_limit),
    FLAG("Init", init), LIST("Mounts", mounts),
};
// clang-format on

static void write_field(struct json_writer *writer, const struct field *field, const struct run_request *request) {
    const void *at = (const char *)request + field->offset;
    const struct opt_i64 *number = at;
    const struct strv *list = at;
    const char *text;
    switch (field->kind) {
    case FIELD_TEXT:
        text = *(const char *const *)at;
        json_write_string(writer, field->name, text ? text : "");
        break;
    case FIELD_FLAG:
        json_write_bool(writer, field->name, *(const bool *)at);
        break;
    case FIELD_NUMBER:
        json_write_i64(writer, field->name, number->set ? number->value : 0);
        break;
    case FIELD_LIST:
        json_write_strings(writer, field->name, (const char *const *)list->items, list->count);
        break;
    }
}

static const char *value_of(const char *assignment) {
    const char *sign = strchr(assignment, '=');
    return sign ? sign + 1 : "";
}

static void write_assignments(struct json_writer *writer, const char *name, const struct strv *list) {
    json_write_open(writer, name, '{');
    for (size_t i = 0; i < list->count; i++) {
        char key[128];
        snprintf(key, sizeof(key), "%.*s", (int)strcspn(list->items[i], "="), list->items[i]);
        json_write_string(writer, key, value_of(list->items[i]));
    }
    json_write_close(writer, '}');
}

// TARGET[:OPTIONS]
static void write_tmpfs(struct json_writer *writer, const struct strv *list) {
    json_write_open(writer, "Tmpfs", '{');
    for (size_t i = 0; i < list->count; i++) {
        char target[512];
        size_t length = strcspn(list->items[i], ":");
        snprintf(target, sizeof(target), "%.*s", (int)length, list->items[i]);
        json_write_string(writer, target, list->items[i][length] ? list->items[i] + length + 1 : "");
    }
    json_write_close(writer, '}');
}

// NAME=SOFT[:HARD]
static void write_ulimits(struct json_writer *writer, const struct strv *list) {
    json_write_open(writer, "Ulimits", '[');
    for (size_t i = 0; i < list->count; i++) {
        char name[32], *end;
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(list->items[i], "="), list->items[i]);
        long long soft = strtoll(value_of(list->items[i]), &end, 10);
        json_write_open(writer, NULL, '{');
        json_write_string(writer, "Name", name);
        json_write_i64(writer, "Soft", soft);
        json_write_i64(writer, "Hard", *end == ':' ? strtoll(end + 1, NULL, 10) : soft);
        json_write_close(writer, '}');
    }
    json_write_close(writer, ']');
}

static void write_restart(struct json_writer *writer, const char *text) {
    static const char *const names[] = {
        [RESTART_NO] = "no",
        [RESTART_ON_FAILURE] = "on-failure",
        [RESTART_ALWAYS] = "always",
        [RESTART_UNLESS_STOPPED] = "unless-stopped",
    };
    struct restart_policy policy = {0};
    struct err no_matter;
    (void)!restart_policy_parse(text, &policy, &no_matter);
    json_write_open(writer, "RestartPolicy", '{');
    json_write_string(writer, "Name", names[policy.kind]);
    json_write_i64(writer, "MaximumRetryCount", policy.max_restarts);
    json_write_close(writer, '}');
}

static void write_binding(struct json_writer *writer, const struct publish *publish, unsigned offset) {
    char text[ADDRESS_TEXT_SIZE], port[16] = "";
    json_write_open(writer, NULL, '{');
    json_write_string(writer, "HostIp", publish->host.family ? address_format(&publish->host, text) : "");
    if (publish->host_first) {
        snprintf(port, sizeof(port), "%u", publish->host_first + (publish->first == publish->last ? 0 : offset));
    }
    json_write_string(writer, "HostPort", port);
    json_write_close(writer, '}');
}

// As they were asked for; NetworkSettings.Ports has what became of that. All bindings of one port stand together.
static void write_bindings(struct json_writer *writer, const struct strv *list) {
    json_write_open(writer, "PortBindings", '{');
    for (size_t i = 0; i < list->count; i++) {
        struct publish publish, other;
        struct err no_matter;
        for (unsigned offset = 0;
             publish_parse(list->items[i], &publish, &no_matter) == 0 && publish.first + offset <= publish.last; offset++) {
            char key[32];
            unsigned port = publish.first + offset;
            bool first = true;
            for (size_t before = 0; before < i; before++) {
                first = first && !(publish_parse(list->items[before], &other, &no_matter) == 0 &&
                                   other.protocol == publish.protocol && port >= other.first && port <= other.last);
            }
            snprintf(key, sizeof(key), "%u/%s", port, publish_protocol_name(publish.protocol));
            if (!first) {
                continue;
            }
            json_write_open(writer, key, '[');
            for (size_t at = i; at < list->count; at++) {
                if (publish_parse(list->items[at], &other, &no_matter) == 0 && other.protocol == publish.protocol &&
                    port >= other.first && port <= other.last) {
                    write_binding(writer, &other, port - other.first);
                }
            }
            json_write_close(writer, ']');
        }
    }
    json_write_close(writer, '}');
}

void inspect_write_host_config(const struct view *view, const char *log_driver, struct json_writer *writer) {
    const struct run_request *request = &view->request;
    json_write_open(writer, "HostConfig", '{');
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        write_field(writer, &fields[i], request);
    }
    json_write_i64(writer, "MemorySwap", resources_memory_swap(request).value);
    json_write_open(writer, "LogConfig", '{');
    json_write_string(writer, "Type", log_driver);
    write_assignments(writer, "Config", &request->log_opts);
    json_write_close(writer, '}');
    write_restart(writer, request->restart);
    write_bindings(writer, &request->publish);
    write_tmpfs(writer, &request->tmpfs);
    write_assignments(writer, "Sysctls", &request->sysctls);
    write_assignments(writer, "Annotations", &request->annotations);
    write_ulimits(writer, &request->ulimits);
    json_write_close(writer, '}');
}

#include "runtime/engine/request_json.h"

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/engine/request.h"
#include "specs/json.h"
#include "specs/json_write.h"

#include <jansson.h>

enum field_kind { FIELD_TEXT, FIELD_FLAG, FIELD_NUMBER, FIELD_LIST };

struct field {
    const char *name;
    enum field_kind kind;
    size_t offset;
};

#define TEXT(member)                                                                                                               \
    { #member, FIELD_TEXT, JSON_MEMBER(struct run_request, member, const char *) }
#define FLAG(member)                                                                                                               \
    { #member, FIELD_FLAG, JSON_MEMBER(struct run_request, member, bool) }
#define NUMBER(member)                                                                                                             \
    { #member, FIELD_NUMBER, JSON_MEMBER(struct run_request, member, struct opt_i64) }
#define LIST(member)                                                                                                               \
    { #member, FIELD_LIST, JSON_MEMBER(struct run_request, member, struct strv) }

// clang-format off
static const struct field fields[] = {
    TEXT(image), TEXT(name), TEXT(hostname), TEXT(user), TEXT(workdir), TEXT(entrypoint), TEXT(cwd), TEXT(stop_signal), TEXT(restart),
    TEXT(network), LIST(networks), TEXT(ip), TEXT(ip6), TEXT(mac), LIST(publish), LIST(aliases), TEXT(userns), TEXT(cpuset_cpus),
    LIST(env), LIST(labels), LIST(volumes), LIST(mounts), LIST(tmpfs), LIST(volumes_from), LIST(cap_add), LIST(cap_drop), LIST(security),
    LIST(log_opts), TEXT(log_driver),
    FLAG(interactive), FLAG(tty), FLAG(remove), FLAG(init), FLAG(read_only), FLAG(privileged),
    NUMBER(stop_timeout_s), NUMBER(shm_size_bytes), NUMBER(memory_bytes), NUMBER(memory_swap_bytes), NUMBER(nano_cpus),
    NUMBER(cpu_shares), NUMBER(pids_limit), NUMBER(memory_reservation_bytes), NUMBER(memory_swappiness), NUMBER(cpu_period),
    NUMBER(cpu_quota), NUMBER(blkio_weight), NUMBER(oom_score_adj),
    TEXT(pid), TEXT(ipc), TEXT(uts), TEXT(cpuset_mems), TEXT(cgroup_parent),
    LIST(annotations), LIST(group_add), LIST(add_hosts), LIST(dns), LIST(dns_search), LIST(dns_options), LIST(ulimits), LIST(sysctls),
    LIST(devices), LIST(device_rules), LIST(blkio_weight_devices), LIST(device_read_bps), LIST(device_write_bps),
    LIST(device_read_iops), LIST(device_write_iops), NUMBER(cpu_rt_period), NUMBER(cpu_rt_runtime), FLAG(oom_kill_disable),
    TEXT(cgroupns), TEXT(domainname), LIST(exposed), FLAG(publish_all), TEXT(platform), TEXT(gpus),
    LIST(health_test), TEXT(health_port), NUMBER(health_interval_ms), NUMBER(health_timeout_ms), NUMBER(health_start_period_ms),
    NUMBER(health_start_interval_ms), NUMBER(health_retries), TEXT(health_on_failure), FLAG(no_healthcheck),
};
// clang-format on

static const void *at(const struct run_request *request, const struct field *field) {
    return (const char *)request + field->offset;
}

static void write_field(struct json_writer *writer, const struct field *field, const void *value) {
    const struct opt_i64 *number = value;
    const struct strv *list = value;
    switch (field->kind) {
    case FIELD_TEXT:
        if (*(const char *const *)value) {
            json_write_string(writer, field->name, *(const char *const *)value);
        }
        break;
    case FIELD_FLAG:
        if (*(const bool *)value) {
            json_write_bool(writer, field->name, true);
        }
        break;
    case FIELD_NUMBER:
        if (number->set) {
            json_write_i64(writer, field->name, number->value);
        }
        break;
    case FIELD_LIST:
        if (list->count > 0) {
            json_write_strings(writer, field->name, (const char *const *)list->items, list->count);
        }
        break;
    }
}

void request_write_json(const struct run_request *request, struct buf *text) {
    struct json_writer writer = {.buf = text};
    json_write_open(&writer, NULL, '{');
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        write_field(&writer, &fields[i], at(request, &fields[i]));
    }
    json_write_strings(&writer, "command", request->command, request->command_count);
    json_write_close(&writer, '}');
}

static char **read_strings(const json_t *array, struct arena *arena, size_t *ret_count) {
    size_t count = json_array_size(array);
    char **items = arena_array(arena, count + 1, sizeof(*items));
    for (size_t i = 0; i < count; i++) {
        const char *text = json_string_value(json_array_get(array, i));
        items[i] = arena_copy_string(arena, text ? text : "");
    }
    *ret_count = count;
    return items;
}

static void read_field(const struct field *field, const json_t *member, struct arena *arena, void *value) {
    struct strv *list = value;
    switch (field->kind) {
    case FIELD_TEXT:
        *(const char **)value = json_is_string(member) ? arena_copy_string(arena, json_string_value(member)) : NULL;
        break;
    case FIELD_FLAG:
        *(bool *)value = json_is_true(member);
        break;
    case FIELD_NUMBER:
        *(struct opt_i64 *)value = (struct opt_i64){.set = json_is_integer(member), .value = json_integer_value(member)};
        break;
    case FIELD_LIST:
        list->items = json_is_array(member) ? read_strings(member, arena, &list->count) : NULL;
        break;
    }
}

int request_read_json(const char *text, struct arena *arena, struct run_request *ret, struct err *err) {
    json_t *object = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(object)) {
        json_decref(object);
        return err_set(err, ERR_CORRUPT, "its record has no wish");
    }
    *ret = (struct run_request){.pass_signals = true};
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        read_field(&fields[i], json_object_get(object, fields[i].name), arena, (char *)ret + fields[i].offset);
    }
    const json_t *command = json_object_get(object, "command");
    ret->command = (const char *const *)read_strings(command, arena, &ret->command_count);
    json_decref(object);
    return 0;
}

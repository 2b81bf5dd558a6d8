#include "cli/commands/all.h"
#include "cli/commands/oci_bundle.h"
#include "cli/context.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/container/container.h"
#include "specs/json.h"
#include "specs/oci_config.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

struct update_request {
    const char *resources;
    struct opt_i64 io_weight;
    struct opt_i64 cpu_period, cpu_quota, cpu_burst, cpu_shares, cpu_rt_period, cpu_rt_runtime, cpu_idle;
    const char *cpus, *mems;
    struct opt_i64 memory, memory_reservation, memory_swap;
    const char *kernel_memory, *kernel_memory_tcp;
    struct opt_i64 pids;
    const char *l3_schema, *bandwidth_schema;
};

static int read_document(struct context *context, const char *path, struct oci_resources **ret, struct err *err) {
    AUTO_FREE char *text = NULL;
    size_t size;
    bool is_stdin = strcmp(path, "-") == 0;
    if (oci_read_document(path, &text, &size, err) < 0) {
        return err_in(err, "--resources");
    }
    const char *kept = arena_copy(&context->arena, text, size);
    const struct json_document document = {.name = is_stdin ? "--resources" : path, .text = kept, .size = size};
    return oci_resources_decode(&document, &context->arena, ret, err);
}

#define U64(from) ((struct opt_u64){.set = (from).set, .value = (uint64_t)(from).value})

static void take_flags(const struct update_request *request, struct oci_resources *resources) {
    *resources = (struct oci_resources){
        .memory = {.limit = request->memory, .reservation = request->memory_reservation, .swap = request->memory_swap},
        .cpu = {.shares = U64(request->cpu_shares),
                .quota = request->cpu_quota,
                .burst = U64(request->cpu_burst),
                .period = U64(request->cpu_period),
                .realtime_runtime = request->cpu_rt_runtime,
                .realtime_period = U64(request->cpu_rt_period),
                .cpus = request->cpus,
                .mems = request->mems,
                .idle = request->cpu_idle},
        .pids_limit = request->pids,
        .block_io = {.weight = {.set = request->io_weight.set, .value = (uint32_t)request->io_weight.value}},
    };
    if (request->kernel_memory || request->kernel_memory_tcp) {
        log_warn("--kernel-memory and --kernel-memory-tcp are obsolete and have no effect");
    }
}

static int run(struct context *context, struct err *err) {
    const struct update_request *request = context->request;
    struct oci_resources flags, *resources = &flags;
    if (request->resources) {
        if (read_document(context, request->resources, &resources, err) < 0) {
            return -1;
        }
    } else {
        take_flags(request, resources);
    }
    if (container_update(context->oci_dir, context->operands[0], resources, err) < 0) {
        return -1;
    }
    // A class of service has no part in the resources, and so none in the file that they come from.
    return request->l3_schema || request->bandwidth_schema
               ? container_update_rdt(context->oci_dir, context->operands[0], request->l3_schema, request->bandwidth_schema, err)
               : 0;
}

#define NUMBER(name, least, most, member, help) OPTION_INT(name, 0, "N", least, most, struct update_request, member, help)
#define BYTES(name, member, help) OPTION_BYTES(name, 0, "BYTES", struct update_request, member, help, .min = -1)

static const struct option_row options[] = {
    OPTION_STRING("resources", 'r', "FILE", struct update_request, resources,
                  "Take the new limits from FILE, - for standard input: JSON as of linux.resources; other options do not count then",
                  .complete = COMPLETE_FILE),
    OPTION_GROUP("Memory"),
    BYTES("memory", memory, "Most memory, -1 for no limit"),
    BYTES("memory-reservation", memory_reservation, "Memory that is left to it when there is little"),
    BYTES("memory-swap", memory_swap, "Most memory and swap together, -1 for no limit of swap"),
    OPTION_STRING("kernel-memory", 0, "BYTES", struct update_request, kernel_memory, "Has no effect", .hidden = true),
    OPTION_STRING("kernel-memory-tcp", 0, "BYTES", struct update_request, kernel_memory_tcp, "Has no effect", .hidden = true),
    OPTION_GROUP("Processors"),
    NUMBER("cpu-share", 0, INT64_MAX, cpu_shares, "Weight beside other containers, 1024 is usual"),
    NUMBER("cpu-quota", -1, INT64_MAX, cpu_quota, "Microseconds of processor time in each period, -1 for no limit"),
    NUMBER("cpu-period", 0, INT64_MAX, cpu_period, "Length of a period in microseconds"),
    NUMBER("cpu-burst", 0, INT64_MAX, cpu_burst, "Microseconds that it may save up from periods before"),
    NUMBER("cpu-idle", 0, 1, cpu_idle, "1: run only when nothing else wants to"),
    NUMBER("cpu-rt-period", 0, INT64_MAX, cpu_rt_period, "Length of a realtime period in microseconds"),
    NUMBER("cpu-rt-runtime", -1, INT64_MAX, cpu_rt_runtime, "Microseconds of realtime in each such period"),
    OPTION_STRING("cpuset-cpus", 0, "LIST", struct update_request, cpus, "The processors to use: 0-3,7"),
    OPTION_STRING("cpuset-mems", 0, "LIST", struct update_request, mems, "The memory nodes to use: 0-1"),
    OPTION_GROUP("Others"),
    NUMBER("blkio-weight", 0, 1000, io_weight, "Weight of its disk traffic, 10 to 1000"),
    OPTION_STRING("l3-cache-schema", 0, "LINE", struct update_request, l3_schema, "Parts of the L3 cache, where it has a class of service: L3:0=ff;1=f"),
    OPTION_STRING("mem-bw-schema", 0, "LINE", struct update_request, bandwidth_schema, "Share of the memory bandwidth, the same way: MB:0=20;1=70"),
    NUMBER("pids-limit", -1, INT64_MAX, pids, "Most processes and threads, -1 for no limit"),
    {0},
};

const struct command command_oci_update = {
    .name = "update",
    .usage = "ID",
    .summary = "Change the limits of a container",
    .description = "What is not named stays as it is, as does all of it when a change is refused.",
    .examples = "coffer-oci update --memory 512m --pids-limit 200 web\necho '{\"cpu\": {\"quota\": 50000}}' | coffer-oci update -r - web\n",
    .min_operands = 1,
    .max_operands = 1,
    .operands = COMPLETE_CONTAINER,
    .options = options,
    .request_size = sizeof(struct update_request),
    .run = run,
};

// The resources of `update`: a document of its own. What it decodes to is worked out for both versions of control groups, which must name
// only files of the group and never write an empty text or a line more.
#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/container/limits.h"
#include "runtime/kernel/cgroup_plan.h"
#include "specs/json.h"
#include "specs/oci_config.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct cgroup_plan *plan) {
    for (size_t i = 0; i < plan->count; i++) {
        const struct cgroup_write *item = &plan->items[i];
        if (strchr(item->file, '/') || item->file[0] == '.' || !strchr(item->file, '.') || item->controller >= CGROUP_CONTROLLER_COUNT) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct json_document document = {.name = "fuzz.json", .text = (const char *)data, .size = size, .max_bytes = 1 << 16};
    AUTO_ARENA struct arena arena = {0};
    struct err err = {0};
    struct oci_resources *resources = NULL;
    if (oci_resources_decode(&document, &arena, &resources, &err) < 0) {
        if (err.kind != ERR_INPUT || strncmp(err.text, "fuzz.json: ", 11) != 0) {
            abort();
        }
        return 0;
    }
    struct cgroup_limits limits = {0};
    limits_take(resources, &arena, &limits);
    limits_add_devices(resources, &arena, &limits);
    if (cgroup_check_limits(&limits, &err) < 0) {
        return 0;
    }
    AUTO_CGROUP_PLAN struct cgroup_plan first = {0};
    AUTO_CGROUP_PLAN struct cgroup_plan second = {0};
    if (cgroup_plan_v1(&limits, CGROUP_ALL, &first, &err) == 0) {
        check(&first);
    }
    if (cgroup_plan_v2(&limits, CGROUP_ALL, &second, &err) == 0) {
        check(&second);
    }
    return 0;
}

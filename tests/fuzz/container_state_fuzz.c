// What is read back of a container: its record in state.json, which an earlier or later version may have written, or a command that was
// killed while it did; the group it names; and state documents that other tools pass on.
#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/container/state_dir.h"
#include "runtime/kernel/cgroup.h"
#include "specs/json.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t length(const char *text) {
    return text ? strlen(text) : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    AUTO_ARENA struct arena arena = {0};
    struct err err = {0};
    struct container_record record;
    if (container_record_decode((const char *)data, size, &arena, &record)) {
        size_t sum = length(record.bundle) + length(record.rootfs) + length(record.created) + length(record.cgroup_path);
        __asm__ volatile("" : : "r"(sum));
        // Without a hierarchy of the host there is nothing to open, only to read.
        struct cgroup_host host = {0};
        AUTO_CGROUP struct cgroup cgroup = {0};
        if (record.cgroup && cgroup_open_record(&host, record.cgroup, &cgroup, &err) == 0 && cgroup.count > 0) {
            abort();
        }
    }
    const struct json_document document = {.name = "fuzz.json", .text = (const char *)data, .size = size, .max_bytes = 1 << 16};
    struct oci_state state = {0};
    if (oci_state_decode(&document, &arena, &state, &err) == 0) {
        if (length(state.id) == 0 || state.pid < 0 || !oci_status_name((enum oci_status)state.status)) {
            abort();
        }
        AUTO_BUF struct buf text = {0};
        oci_state_write(&state, false, &text);
        const struct json_document again = {.name = "again.json", .text = text.data, .size = text.size};
        if (text.size < JSON_MAX_BYTES && oci_state_decode(&again, &arena, &state, &err) < 0) {
            abort(); // what we write ourselves can be read
        }
    }
    return 0;
}

// Lists of processors. What is taken holds at least one, and written out again it is taken as the same.
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/kernel/affinity.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    AUTO_FREE char *text = mem_alloc(size + 1);
    memcpy(text, data, size);
    struct err err = {0};
    struct affinity taken, again;
    if (affinity_parse(text, &taken, &err) < 0) {
        if (err.kind != ERR_INPUT) {
            abort();
        }
        return 0;
    }
    AUTO_BUF struct buf list = {0};
    for (unsigned cpu = 0; cpu < AFFINITY_MAX_CPUS; cpu++) {
        if (taken.bits[cpu / 64] >> (cpu % 64) & 1) {
            buf_add_format(&list, "%s%u", list.size > 0 ? "," : "", cpu);
        }
    }
    if (list.size == 0 || affinity_parse(buf_string(&list), &again, &err) < 0 || memcmp(&taken, &again, sizeof(taken)) != 0) {
        abort();
    }
    return 0;
}

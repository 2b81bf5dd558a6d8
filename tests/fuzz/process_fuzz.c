// The process of `exec --process`: a document of its own, from whoever may run something in a container.
#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/container/exec.h"
#include "specs/json.h"
#include "specs/oci_config.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct oci_process *process) {
    if (process->args_count == 0 || !process->args[0][0] || process->cwd[0] != '/' || process->args[process->args_count]) {
        abort();
    }
    size_t sum = 0;
    for (size_t i = 0; i < process->env_count; i++) {
        sum += strlen(process->env[i]);
    }
    for (size_t i = 0; i < process->rlimits_count; i++) {
        if (process->rlimits[i].soft > process->rlimits[i].hard) {
            abort();
        }
    }
    __asm__ volatile("" : : "r"(sum));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct json_document document = {.name = "fuzz.json", .text = (const char *)data, .size = size, .max_bytes = 1 << 16};
    AUTO_ARENA struct arena arena = {0};
    struct err err = {0};
    struct oci_process *process = NULL, merged = {0};
    if (oci_process_decode(&document, &arena, &process, &err) < 0) {
        if (err.kind != ERR_INPUT || strncmp(err.text, "fuzz.json: ", 11) != 0) {
            abort();
        }
        return 0;
    }
    check(process);
    const struct exec_options options = {.process = process};
    struct oci_config config = {.process = process};
    if (exec_process(&options, &config, &arena, &merged, &err) == 0) {
        check(&merged);
    }
    return 0;
}

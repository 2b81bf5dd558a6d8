// config.json and the parts of it that come alone. An error must name the document and hold nothing that acts on a terminal; what
// decodes must be fit to be used: every string of it is read.
#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "specs/json.h"
#include "specs/oci_config.h"
#include "specs/oci_state.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge(int result, const struct err *err) {
    if (result == 0) {
        return;
    }
    if (err->kind != ERR_INPUT || strncmp(err->text, "fuzz.json: ", 11) != 0) {
        abort();
    }
    for (const char *at = err->text; *at; at++) {
        if ((unsigned char)*at < 0x20) {
            abort();
        }
    }
}

static size_t read_strings(const char **items, size_t count) {
    size_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += strlen(items[i]);
    }
    if (items && items[count]) {
        abort(); // the list does not end where its count says
    }
    return sum;
}

static void use(const struct oci_config *config) {
    size_t sum = strlen(config->oci_version) + strlen(config->root.path) + read_strings(config->warnings, config->warnings_count);
    if (config->process) {
        sum += strlen(config->process->cwd) + read_strings(config->process->args, config->process->args_count) +
               read_strings(config->process->env, config->process->env_count);
    }
    for (size_t i = 0; i < config->mounts_count; i++) {
        sum += strlen(config->mounts[i].destination) + read_strings(config->mounts[i].options, config->mounts[i].options_count);
    }
    for (size_t i = 0; i < config->os.sysctl_count; i++) {
        if (strstr(config->os.sysctl[i].name, "..") && strstr(config->os.sysctl[i].name, "/../")) {
            abort(); // would leave /proc/sys
        }
    }
    __asm__ volatile("" : : "r"(sum));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct json_document document = {.name = "fuzz.json", .text = (const char *)data, .size = size, .max_bytes = 1 << 16};
    AUTO_ARENA struct arena arena = {0};
    struct err err = {0};
    struct oci_config *config = NULL;
    struct oci_process *process = NULL;
    struct oci_resources *resources = NULL;
    struct oci_state state = {0};
    judge(oci_config_decode(&document, &arena, &config, &err), &err);
    if (config) {
        use(config);
    }
    judge(oci_process_decode(&document, &arena, &process, &err), &err);
    judge(oci_resources_decode(&document, &arena, &resources, &err), &err);
    judge(oci_state_decode(&document, &arena, &state, &err), &err);
    return 0;
}

// Seccomp profiles in docker's format. What resolves must be fit for the maker of filters: arguments in range, names not empty.
#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "specs/json.h"
#include "specs/seccomp_profile.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct json_document document = {.name = "fuzz.json", .text = (const char *)data, .size = size, .max_bytes = 1 << 16};
    const struct seccomp_target target = {.capabilities = 1 << 21, .kernel_major = 6, .kernel_minor = 1};
    AUTO_ARENA struct arena arena = {0};
    struct err err = {0};
    struct oci_seccomp *seccomp = NULL;
    if (seccomp_profile_decode(&document, &target, &arena, &seccomp, &err) < 0) {
        if (err.kind != ERR_INPUT || strncmp(err.text, "fuzz.json: ", 11) != 0) {
            abort();
        }
        return 0;
    }
    for (size_t i = 0; i < seccomp->syscalls_count; i++) {
        const struct oci_seccomp_rule *rule = &seccomp->syscalls[i];
        if (rule->names_count == 0) {
            abort();
        }
        for (size_t k = 0; k < rule->names_count; k++) {
            if (rule->names[k][0] == '\0') {
                abort();
            }
        }
        for (size_t k = 0; k < rule->args_count; k++) {
            if (rule->args[k].index > 5 || rule->args[k].op > OCI_SECCOMP_MASKED_EQ) {
                abort();
            }
        }
    }
    return 0;
}

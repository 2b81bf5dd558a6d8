// Seccomp profiles in docker's format. What resolves must be fit for the maker of filters, arguments in range and names not empty, and
// the filter for the kernel.
#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/container/seccomp_filter.h"
#include "specs/json.h"
#include "specs/seccomp_profile.h"

#include <linux/filter.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// What the kernel asks of a program: jumps that stay in it, and an answer at its end.
static void check(const struct sock_filter *program, size_t count) {
    for (size_t at = 0; at < count; at++) {
        const struct sock_filter *step = &program[at];
        bool jump = BPF_CLASS(step->code) == BPF_JMP;
        size_t longest = step->code == (BPF_JMP | BPF_JA) ? step->k : step->jt > step->jf ? step->jt : step->jf;
        if (jump && longest >= count - at - 1) {
            abort();
        }
    }
    if (count == 0 || BPF_CLASS(program[count - 1].code) != BPF_RET) {
        abort();
    }
}

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
    const void *program;
    size_t program_size;
    if (seccomp_filter_make(seccomp, &arena, &program, &program_size, &err) == 0) {
        check(program, program_size / sizeof(struct sock_filter));
    } else if (err.kind != ERR_INPUT || !strstr(err.text, "instructions, the kernel takes 4096")) {
        abort();
    }
    return 0;
}

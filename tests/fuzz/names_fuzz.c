// Words of the command line and of documents that become ids, paths and numbers: what is taken must be what was written, and nothing that
// leaves the place it is for.
#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/quantity.h"
#include "runtime/container/exec.h"
#include "runtime/container/state_dir.h"
#include "runtime/kernel/affinity.h"
#include "runtime/kernel/cgroup.h"
#include "runtime/kernel/names.h"
#include "specs/oci_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_paths(const char *text) {
    struct err err = {0};
    if (container_id_check(text, &err) == 0 && (strchr(text, '/') || text[0] == '.' || text[0] == '\0')) {
        abort();
    }
    if (cgroup_check_path(text, &err) < 0) {
        return;
    }
    const char *last = strrchr(text, '/');
    if (strstr(text, "//") || strstr(text, "/../") || strncmp(text, "../", 3) == 0 || strcmp(text, "..") == 0 || strchr(text, '\n') ||
        (last && (last[1] == '\0' || strcmp(last, "/..") == 0))) {
        abort();
    }
}

// "0" in front apart, a number that was taken is printed as it was written.
static void check_user(const char *text, struct arena *arena) {
    static const char *args[] = {"true", NULL};
    struct err err = {0};
    struct oci_process process = {0};
    const struct exec_options options = {.args = args, .arg_count = 1, .user = text};
    struct oci_process own = {.args = args, .args_count = 1, .cwd = "/", .user = {.gid = 77}};
    struct oci_config config = {.process = &own};
    if (exec_process(&options, &config, arena, &process, &err) < 0) {
        return;
    }
    char *end;
    unsigned long long uid = strtoull(text, &end, 10), gid = *end == ':' ? strtoull(end + 1, &end, 10) : 77;
    if (*end != '\0' || uid != process.user.uid || gid != process.user.gid || uid >= UINT32_MAX || gid >= UINT32_MAX) {
        abort();
    }
}

static void check_numbers(const char *text) {
    struct err err = {0};
    struct affinity affinity;
    char room[SIGNAL_NAME_SIZE];
    int64_t number;
    int signal = name_signal(text);
    const char *name = name_of_signal(signal, room); // 32 and 33 have none: the C library keeps them
    if (signal == 0 || signal > SIGNAL_MAX || (name && name_signal(name) != signal)) {
        abort();
    }
    int capability = name_capability(text), rlimit = name_rlimit(text);
    if ((capability >= 0 && name_capability(name_of_capability(capability)) != capability) ||
        (rlimit >= 0 && name_rlimit(name_of_rlimit(rlimit)) != rlimit)) {
        abort();
    }
    if (affinity_parse(text, &affinity, &err) == 0) {
        uint64_t any = 0;
        for (size_t i = 0; i < sizeof(affinity.bits) / sizeof(affinity.bits[0]); i++) {
            any |= affinity.bits[i];
        }
        if (!any) {
            abort();
        }
    }
    if ((quantity_bytes(text, &number) == 0 && number < -1) || (quantity_duration_ms(text, &number) == 0 && number < 0)) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    AUTO_ARENA struct arena arena = {0};
    const char *text = arena_copy(&arena, data, size);
    check_paths(text);
    check_user(text, &arena);
    check_numbers(text);
    return 0;
}

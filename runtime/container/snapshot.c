#include "runtime/container/snapshot.h"

#include "runtime/base/arena.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/container/state_dir.h"
#include "runtime/kernel/hook.h"
#include "specs/json.h"
#include "specs/oci_config.h"


static int decode(const struct state_dir *dir, const char *text, size_t size, struct arena *arena, struct oci_config **ret,
                  struct err *err) {
    if (!text) {
        *ret = NULL;
        return 0;
    }
    const struct json_document document = {.name = "config.json", .text = text, .size = size};
    return oci_config_decode(&document, arena, ret, err) < 0 ? err_in(err, "container \"%s\"", dir->id) : 0;
}

int snapshot_read(const struct state_dir *dir, struct arena *arena, struct oci_config **ret, struct err *err) {
    AUTO_FREE char *text = NULL;
    size_t size;
    return state_dir_read_config(dir, &text, &size, err) < 0 ? -1 : decode(dir, text, size, arena, ret, err);
}

int snapshot_read_both(const struct state_dir *dir, struct arena *arena, struct container_record *ret_record, struct oci_config **ret,
                       struct err *err) {
    AUTO_FREE char *text = NULL;
    size_t size;
    return state_dir_read_both(dir, arena, ret_record, &text, &size, err) < 0 ? -1 : decode(dir, text, size, arena, ret, err);
}

int snapshot_run_hooks(const struct oci_config *config, unsigned kind, const char *state, struct err *err) {
    const struct oci_hook_list *list = &config->hooks[kind];
    for (size_t i = 0; i < list->items_count; i++) {
        const struct oci_hook *item = &list->items[i];
        const struct hook hook = {
            .path = item->path,
            .args = item->args,
            .env = item->env,
            .timeout_s = item->timeout_s.set ? (uint32_t)item->timeout_s.value : 0,
        };
        int64_t begin_ms = log_debugs() ? clock_now_ms() : 0;
        int result = hook_run(&hook, state, err);
        if (log_debugs()) {
            log_debug("%s: hook %s %s after %lld ms", oci_hook_names[kind], item->path, result == 0 ? "ended well" : "failed",
                      (long long)(clock_now_ms() - begin_ms));
        }
        if (result == 0) {
            continue;
        }
        err_in(err, "%s", oci_hook_names[kind]);
        if (kind != OCI_HOOK_POSTSTOP) {
            return -1;
        }
        log_warn("%s", err->text);
    }
    return 0;
}

#include "specs/cdi.h"

#include "runtime/base/err.h"
#include "specs/json.h"

static const struct json_row node_rows[] = {
    ROW_STRING("path", struct cdi_node, path, JSON_NEEDED | JSON_NOT_EMPTY),
    ROW_STRING("hostPath", struct cdi_node, host_path, JSON_NOT_EMPTY),
    ROW_STRING("permissions", struct cdi_node, permissions, 0),
};
static const struct json_table node_table = JSON_TABLE(struct cdi_node, node_rows);

static const struct json_row mount_rows[] = {
    ROW_STRING("hostPath", struct cdi_mount, host_path, JSON_NEEDED | JSON_NOT_EMPTY),
    ROW_STRING("containerPath", struct cdi_mount, container_path, JSON_NEEDED | JSON_NOT_EMPTY),
    ROW_STRINGS("options", struct cdi_mount, options, 0),
};
static const struct json_table mount_table = JSON_TABLE(struct cdi_mount, mount_rows);

static const struct json_row hook_rows[] = {
    ROW_STRING("hookName", struct cdi_hook, name, JSON_NEEDED),
    ROW_STRING("path", struct cdi_hook, path, JSON_NEEDED),
};
static const struct json_table hook_table = JSON_TABLE(struct cdi_hook, hook_rows);

static const struct json_row edits_rows[] = {
    ROW_STRINGS("env", struct cdi_edits, env, 0),
    ROW_LIST("deviceNodes", struct cdi_edits, nodes, struct cdi_node, node_table, 0),
    ROW_LIST("mounts", struct cdi_edits, mounts, struct cdi_mount, mount_table, 0),
    ROW_LIST("hooks", struct cdi_edits, hooks, struct cdi_hook, hook_table, 0),
    ROW_U32S("additionalGids", struct cdi_edits, gids, 0),
};
static const struct json_table edits_table = JSON_TABLE(struct cdi_edits, edits_rows);

static const struct json_row device_rows[] = {
    ROW_STRING("name", struct cdi_device, name, JSON_NEEDED | JSON_NOT_EMPTY),
    ROW_OBJECT("containerEdits", struct cdi_device, edits, struct cdi_edits, edits_table, 0),
};
static const struct json_table device_table = JSON_TABLE(struct cdi_device, device_rows);

static const struct json_row spec_rows[] = {
    ROW_STRING("cdiVersion", struct cdi_spec, version, JSON_NEEDED | JSON_NOT_EMPTY),
    ROW_STRING("kind", struct cdi_spec, kind, JSON_NEEDED | JSON_NOT_EMPTY),
    ROW_LIST("devices", struct cdi_spec, devices, struct cdi_device, device_table, JSON_NEEDED),
    ROW_OBJECT("containerEdits", struct cdi_spec, edits, struct cdi_edits, edits_table, 0),
};
static const struct json_table spec_table = JSON_TABLE(struct cdi_spec, spec_rows);

int cdi_spec_decode(const struct json_document *document, struct arena *arena, struct cdi_spec *ret, struct err *err) {
    struct cdi_spec spec = {0};
    if (json_decode(document, &spec_table, arena, &spec, err) < 0) {
        return -1;
    }
    *ret = spec;
    return 0;
}

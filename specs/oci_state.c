#include "specs/oci_state.h"

#include "runtime/base/err.h"
#include "specs/json.h"
#include "specs/json_write.h"
#include "specs/oci_config.h"

static const struct json_name status_names[] = {
    {"created", OCI_STATUS_CREATED}, {"creating", OCI_STATUS_CREATING}, {"paused", OCI_STATUS_PAUSED},
    {"running", OCI_STATUS_RUNNING}, {"stopped", OCI_STATUS_STOPPED},   {NULL, 0},
};

static const struct json_row state_rows[] = {
    ROW_STRING("ociVersion", struct oci_state, oci_version, JSON_NEEDED),
    ROW_STRING("id", struct oci_state, id, JSON_NEEDED | JSON_NOT_EMPTY),
    ROW_ENUM("status", struct oci_state, status, status_names, JSON_NEEDED),
    ROW_I32("pid", struct oci_state, pid, 0),
    ROW_STRING("bundle", struct oci_state, bundle, JSON_NEEDED),
    ROW_PAIRS("annotations", struct oci_state, annotations, 0),
    ROW_STRING("rootfs", struct oci_state, rootfs, 0),
    ROW_STRING("created", struct oci_state, created, 0),
    ROW_STRING("owner", struct oci_state, owner, 0),
};
static const struct json_table state_table = JSON_TABLE(struct oci_state, state_rows);

const char *oci_status_name(enum oci_status status) {
    return json_name_of(status_names, status);
}

static void write_optional(struct json_writer *writer, const char *name, const char *value) {
    if (value) {
        json_write_string(writer, name, value);
    }
}

void oci_state_write(const struct oci_state *state, bool indented, struct buf *text) {
    struct json_writer writer = {.buf = text, .indent = indented ? "  " : NULL};
    json_write_open(&writer, NULL, '{');
    json_write_string(&writer, "ociVersion", state->oci_version);
    json_write_string(&writer, "id", state->id);
    json_write_i64(&writer, "pid", state->pid);
    json_write_string(&writer, "status", oci_status_name(state->status));
    json_write_string(&writer, "bundle", state->bundle);
    write_optional(&writer, "rootfs", state->rootfs);
    write_optional(&writer, "created", state->created);
    if (state->annotations_count > 0) {
        json_write_pairs(&writer, "annotations", state->annotations, state->annotations_count);
    }
    write_optional(&writer, "owner", state->owner);
    json_write_close(&writer, '}');
}

void oci_process_state_write(const struct oci_process_state *process, struct buf *text) {
    static const char *const fds[] = {"seccompFd"};
    struct json_writer writer = {.buf = text};
    json_write_open(&writer, NULL, '{');
    json_write_string(&writer, "ociVersion", OCI_VERSION);
    json_write_strings(&writer, "fds", fds, ARRAY_LEN(fds));
    json_write_i64(&writer, "pid", process->pid);
    write_optional(&writer, "metadata", process->metadata);
    json_write_literal(&writer, "state", process->state);
    json_write_close(&writer, '}');
}

int oci_state_decode(const struct json_document *document, struct arena *arena, struct oci_state *ret, struct err *err) {
    struct oci_state state = {0};
    if (json_decode(document, &state_table, arena, &state, err) < 0) {
        return -1;
    }
    if (state.pid < 0) {
        return err_set(err, ERR_INPUT, "%s: pid: expected a process id, found %d", document->name, state.pid);
    }
    *ret = state;
    return 0;
}

#include "runtime/container/document.h"

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "specs/oci_config.h"

#include <jansson.h>

int container_document(const struct state_dir *dir, const struct container_record *record, const struct oci_config *config,
                       enum container_status status, struct buf *document, struct err *err) {
    bool has_process = status != CONTAINER_STOPPED;
    json_t *object = json_pack("{s:s, s:s, s:I, s:s, s:s?, s:s?, s:s?, s:i}", "ociVersion", OCI_VERSION, "id", dir->id, "pid",
                               (json_int_t)(has_process ? record->pid : 0), "status", container_status_name(status), "bundle",
                               record->bundle, "rootfs", record->rootfs, "created", record->created, "owner", (int)record->owner);
    if (object && config && config->annotations_count > 0) {
        json_t *annotations = json_object();
        for (size_t i = 0; i < config->annotations_count; i++) {
            json_object_set_new(annotations, config->annotations[i].name, json_string(config->annotations[i].value));
        }
        json_object_set_new(object, "annotations", annotations);
    }
    AUTO_FREE char *text = object ? json_dumps(object, JSON_INDENT(2)) : NULL;
    json_decref(object);
    if (!text) {
        return err_set(err, ERR_INPUT, "container \"%s\": a path of it is not valid UTF-8", dir->id);
    }
    buf_add_string(document, text);
    return 0;
}

#include "runtime/container/document.h"

#include "specs/oci_config.h"

void container_fill_state(const struct state_dir *dir, const struct container_record *record, const struct oci_config *config,
                          enum oci_status status, struct oci_state *ret) {
    *ret = (struct oci_state){
        .oci_version = OCI_VERSION,
        .id = dir->id,
        .status = status,
        .pid = status == OCI_STATUS_STOPPED ? 0 : (int32_t)record->pid,
        .bundle = record->bundle,
        .annotations = config ? config->annotations : NULL,
        .annotations_count = config ? config->annotations_count : 0,
        .rootfs = record->rootfs,
        .created = record->created,
    };
}

void container_document(const struct state_dir *dir, const struct container_record *record, const struct oci_config *config,
                        enum oci_status status, struct buf *document) {
    struct oci_state state;
    container_fill_state(dir, record, config, status, &state);
    oci_state_write(&state, true, document);
}

#include "specs/oci_features.h"

#include "runtime/kernel/names.h"
#include "specs/json_write.h"
#include "specs/oci_config.h"
#include "specs/oci_tables.h"

// The oldest version whose documents are taken: what came after it is optional.
static const char oldest_version[] = "1.0.0";

// Those of the names whose values, which are bits, are in the mask.
static void write_masked_names(struct json_writer *writer, const char *name, const struct json_name *names, uint32_t mask) {
    json_write_open(writer, name, '[');
    for (; names->name; names++) {
        if (names->value & mask) {
            json_write_string(writer, NULL, names->name);
        }
    }
    json_write_close(writer, ']');
}

static void write_names(struct json_writer *writer, const char *name, const struct json_name *names) {
    json_write_open(writer, name, '[');
    for (; names->name; names++) {
        json_write_string(writer, NULL, names->name);
    }
    json_write_close(writer, ']');
}

static void write_enabled(struct json_writer *writer, const char *name, bool enabled) {
    json_write_open(writer, name, '{');
    json_write_bool(writer, "enabled", enabled);
    json_write_close(writer, '}');
}

static void write_capabilities(struct json_writer *writer) {
    json_write_open(writer, "capabilities", '[');
    for (int capability = 0; name_of_capability(capability); capability++) {
        json_write_string(writer, NULL, name_of_capability(capability));
    }
    json_write_close(writer, ']');
}

static void write_cgroup(struct json_writer *writer, const struct oci_features *features) {
    json_write_open(writer, "cgroup", '{');
    json_write_bool(writer, "v1", features->cgroup_v1);
    json_write_bool(writer, "v2", features->cgroup_v2);
    json_write_bool(writer, "systemd", features->cgroup_systemd);
    json_write_bool(writer, "systemdUser", features->cgroup_systemd_user);
    json_write_bool(writer, "rdma", features->cgroup_rdma);
    json_write_close(writer, '}');
}

static void write_seccomp(struct json_writer *writer, const struct oci_features *features) {
    json_write_open(writer, "seccomp", '{');
    json_write_bool(writer, "enabled", features->seccomp);
    write_names(writer, "actions", oci_seccomp_action_names);
    write_names(writer, "operators", oci_seccomp_op_names);
    write_names(writer, "archs", oci_seccomp_arch_names);
    write_names(writer, "knownFlags", oci_seccomp_flag_names);
    write_masked_names(writer, "supportedFlags", oci_seccomp_flag_names, features->seccomp_supported_flags);
    json_write_close(writer, '}');
}

static void write_linux(struct json_writer *writer, const struct oci_features *features) {
    json_write_open(writer, "linux", '{');
    write_masked_names(writer, "namespaces", oci_namespace_names, features->namespaces);
    write_capabilities(writer);
    write_cgroup(writer, features);
    write_seccomp(writer, features);
    write_enabled(writer, "apparmor", features->apparmor);
    write_enabled(writer, "selinux", features->selinux);
    if (features->memory_policy) {
        json_write_open(writer, "memoryPolicy", '{');
        write_names(writer, "modes", oci_memory_mode_names);
        write_names(writer, "flags", oci_memory_flag_names);
        json_write_close(writer, '}');
    }
    json_write_open(writer, "intelRdt", '{');
    json_write_bool(writer, "enabled", features->intel_rdt);
    json_write_bool(writer, "schemata", features->intel_rdt_schemata);
    json_write_bool(writer, "monitoring", features->intel_rdt_monitoring);
    json_write_close(writer, '}');
    json_write_open(writer, "mountExtensions", '{');
    write_enabled(writer, "idmap", features->idmap);
    json_write_close(writer, '}');
    write_enabled(writer, "netDevices", features->net_devices);
    json_write_close(writer, '}');
}

void oci_features_write(const struct oci_features *features, struct buf *text) {
    struct json_writer writer = {.buf = text, .indent = "    "};
    json_write_open(&writer, NULL, '{');
    json_write_string(&writer, "ociVersionMin", oldest_version);
    json_write_string(&writer, "ociVersionMax", OCI_VERSION);
    json_write_strings(&writer, "hooks", oci_hook_names, OCI_HOOK_KIND_COUNT);
    json_write_strings(&writer, "mountOptions", features->mount_options, features->mount_options_count);
    write_linux(&writer, features);
    json_write_pairs(&writer, "annotations", features->annotations, features->annotations_count);
    json_write_strings(&writer, "potentiallyUnsafeConfigAnnotations", features->unsafe_annotations, features->unsafe_annotations_count);
    json_write_close(&writer, '}');
}

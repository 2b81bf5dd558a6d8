#include "specs/oci_default.h"

#include "runtime/base/attr.h"
#include "specs/json_write.h"
#include "specs/oci_config.h"

#include <string.h>

static const char *const args[] = {"sh"};
static const char *const env[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"};
static const char *const capabilities[] = {"CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"};
static const char *const capability_sets[] = {"bounding", "effective", "permitted"};

// Files of /proc and /sys that tell of the host or act on it whatever namespaces the reader is in.
static const char *const masked_paths[] = {
    "/proc/acpi",       "/proc/asound",      "/proc/kcore",       "/proc/keys",    "/proc/latency_stats",
    "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi",
};
static const char *const readonly_paths[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};

enum variant { ALWAYS, AS_ROOT, ROOTLESS };

static const struct {
    enum variant variant;
    const char *destination, *type, *source;
    const char *options; // with spaces between
} mounts[] = {
    {ALWAYS, "/proc", "proc", "proc", ""},
    {ALWAYS, "/dev", "tmpfs", "tmpfs", "nosuid strictatime mode=755 size=65536k"},
    {AS_ROOT, "/dev/pts", "devpts", "devpts", "nosuid noexec newinstance ptmxmode=0666 mode=0620 gid=5"},
    {ROOTLESS, "/dev/pts", "devpts", "devpts", "nosuid noexec newinstance ptmxmode=0666 mode=0620"}, // gid 5 is not mapped
    {ALWAYS, "/dev/shm", "tmpfs", "shm", "nosuid noexec nodev mode=1777 size=65536k"},
    {ALWAYS, "/dev/mqueue", "mqueue", "mqueue", "nosuid noexec nodev"},
    {AS_ROOT, "/sys", "sysfs", "sysfs", "nosuid noexec nodev ro"},
    {ROOTLESS, "/sys", "none", "/sys", "rbind nosuid noexec nodev ro"},
    {ALWAYS, "/sys/fs/cgroup", "cgroup", "cgroup", "nosuid noexec nodev relatime ro"},
};

static const struct {
    enum variant variant;
    const char *type;
} namespaces[] = {
    {ALWAYS, "pid"},   {AS_ROOT, "network"}, {ALWAYS, "ipc"},    {ALWAYS, "uts"},
    {ALWAYS, "mount"}, {ALWAYS, "cgroup"},   {ROOTLESS, "user"},
};

static bool applies(enum variant variant, const struct oci_default *wish) {
    return variant == ALWAYS || (variant == ROOTLESS) == wish->rootless;
}

static void write_words(struct json_writer *writer, const char *name, const char *words) {
    json_write_open(writer, name, '[');
    while (*words) {
        char word[64] = "";
        size_t length = strcspn(words, " ");
        memcpy(word, words, length < sizeof(word) ? length : sizeof(word) - 1);
        json_write_string(writer, NULL, word);
        words += length + (words[length] == ' ');
    }
    json_write_close(writer, ']');
}

static void write_process(struct json_writer *writer) {
    json_write_open(writer, "process", '{');
    json_write_bool(writer, "terminal", true);
    json_write_open(writer, "user", '{');
    json_write_i64(writer, "uid", 0);
    json_write_i64(writer, "gid", 0);
    json_write_close(writer, '}');
    json_write_strings(writer, "args", args, ARRAY_LEN(args));
    json_write_strings(writer, "env", env, ARRAY_LEN(env));
    json_write_string(writer, "cwd", "/");
    json_write_open(writer, "capabilities", '{');
    for (size_t i = 0; i < ARRAY_LEN(capability_sets); i++) {
        json_write_strings(writer, capability_sets[i], capabilities, ARRAY_LEN(capabilities));
    }
    json_write_close(writer, '}');
    json_write_open(writer, "rlimits", '[');
    json_write_open(writer, NULL, '{');
    json_write_string(writer, "type", "RLIMIT_NOFILE");
    json_write_i64(writer, "hard", 1024);
    json_write_i64(writer, "soft", 1024);
    json_write_close(writer, '}');
    json_write_close(writer, ']');
    json_write_bool(writer, "noNewPrivileges", true);
    json_write_close(writer, '}');
}

static void write_mounts(struct json_writer *writer, const struct oci_default *wish) {
    json_write_open(writer, "mounts", '[');
    for (size_t i = 0; i < ARRAY_LEN(mounts); i++) {
        if (!applies(mounts[i].variant, wish)) {
            continue;
        }
        json_write_open(writer, NULL, '{');
        json_write_string(writer, "destination", mounts[i].destination);
        json_write_string(writer, "type", mounts[i].type);
        json_write_string(writer, "source", mounts[i].source);
        if (mounts[i].options[0]) {
            write_words(writer, "options", mounts[i].options);
        }
        json_write_close(writer, '}');
    }
    json_write_close(writer, ']');
}

static void write_mapping(struct json_writer *writer, const char *name, uint32_t host_id) {
    json_write_open(writer, name, '[');
    json_write_open(writer, NULL, '{');
    json_write_i64(writer, "containerID", 0);
    json_write_i64(writer, "hostID", host_id);
    json_write_i64(writer, "size", 1);
    json_write_close(writer, '}');
    json_write_close(writer, ']');
}

static void write_linux(struct json_writer *writer, const struct oci_default *wish) {
    json_write_open(writer, "linux", '{');
    if (wish->rootless) {
        write_mapping(writer, "uidMappings", wish->uid);
        write_mapping(writer, "gidMappings", wish->gid);
    } else {
        json_write_open(writer, "resources", '{');
        json_write_open(writer, "devices", '[');
        json_write_open(writer, NULL, '{');
        json_write_bool(writer, "allow", false);
        json_write_string(writer, "access", "rwm");
        json_write_close(writer, '}');
        json_write_close(writer, ']');
        json_write_close(writer, '}');
    }
    json_write_open(writer, "namespaces", '[');
    for (size_t i = 0; i < ARRAY_LEN(namespaces); i++) {
        if (applies(namespaces[i].variant, wish)) {
            json_write_open(writer, NULL, '{');
            json_write_string(writer, "type", namespaces[i].type);
            json_write_close(writer, '}');
        }
    }
    json_write_close(writer, ']');
    json_write_strings(writer, "maskedPaths", masked_paths, ARRAY_LEN(masked_paths));
    json_write_strings(writer, "readonlyPaths", readonly_paths, ARRAY_LEN(readonly_paths));
    json_write_close(writer, '}');
}

void oci_config_default_text(const struct oci_default *wish, struct buf *text) {
    struct json_writer writer = {.buf = text, .indent = "\t"};
    json_write_open(&writer, NULL, '{');
    json_write_string(&writer, "ociVersion", OCI_VERSION);
    write_process(&writer);
    json_write_open(&writer, "root", '{');
    json_write_string(&writer, "path", "rootfs");
    json_write_bool(&writer, "readonly", true);
    json_write_close(&writer, '}');
    json_write_string(&writer, "hostname", "coffer");
    write_mounts(&writer, wish);
    write_linux(&writer, wish);
    json_write_close(&writer, '}');
}

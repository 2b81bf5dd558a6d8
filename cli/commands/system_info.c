#include "cli/commands/all.h"
#include "cli/commands/engine.h"
#include "cli/context.h"
#include "cli/messages.h"
#include "cli/output.h"
#include "cli/template.h"
#include "images/catalog.h"
#include "images/store.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/engine/home.h"
#include "runtime/engine/host_check.h"
#include "runtime/engine/network.h"
#include "runtime/engine/record.h"
#include "runtime/engine/volume_store.h"
#include "specs/json.h"
#include "specs/json_write.h"

#include <string.h>
#include <sys/statfs.h>

struct info_request {
    struct list_options list;
};

struct info {
    struct host_facts host;
    const char *store, *file_system;
    size_t containers, running, paused, stopped;
    size_t images, networks, volumes;
};

// --- counting ---

static int count_containers(const struct home *home, struct arena *arena, struct info *info, struct err *err) {
    const char **ids;
    if (record_list(home, arena, &ids, err) < 0) {
        return -1;
    }
    for (; *ids; ids++) {
        struct record record;
        struct err gone;
        if (record_read(home, arena, *ids, &record, &gone) < 0) {
            continue;
        }
        enum record_state state = record_state(home, &record);
        info->containers++;
        info->running += state == RECORD_RUNNING || state == RECORD_RESTARTING;
        info->paused += state == RECORD_PAUSED;
        info->stopped += state == RECORD_CREATED || state == RECORD_EXITED;
    }
    return 0;
}

static int count_things(const struct home *home, struct arena *arena, struct info *info, struct err *err) {
    struct network *networks;
    struct stored_volume *volumes;
    AUTO_FD int volumes_fd = volumes_open(home, err);
    return volumes_fd < 0 || volumes_read(volumes_fd, arena, &volumes, &info->volumes, err) < 0 ||
                   network_list(home, arena, &networks, &info->networks, err) < 0
               ? -1
               : 0;
}

static void count_images(const struct context *context, struct arena *arena, struct info *info) {
    AUTO_STORE struct store *store = NULL;
    struct catalog_image *images;
    struct err none;
    if (store_open(context->store_dir, context->rootless ? STORE_USER_XATTR : 0, &store, &none) == 0) {
        (void)!catalog_list(store, arena, &images, &info->images, &none);
    }
}

static const char *file_system_name(int fd) {
    static const struct {
        uint32_t magic; // statfs(2)
        const char *name;
    } known[] = {
        {0xef53, "extfs"},       {0x58465342, "xfs"}, {0x9123683e, "btrfs"}, {0x01021994, "tmpfs"},
        {0x794c7630, "overlay"}, {0x2fc12fc1, "zfs"}, {0xf2f52010, "f2fs"},  {0x6969, "nfs"},
    };
    struct statfs status;
    for (size_t i = 0; fstatfs(fd, &status) == 0 && i < ARRAY_LEN(known); i++) {
        if ((uint32_t)status.f_type == known[i].magic) {
            return known[i].name;
        }
    }
    return "unknown";
}

static int look(struct context *context, struct info *info, struct err *err) {
    const struct engine engine = engine_of(context);
    AUTO_HOME struct home home = HOME_CLOSED;
    if (home_open(&engine, &home, err) < 0) {
        return -1;
    }
    record_sweep(&home);
    info->store = context->store_dir;
    info->file_system = file_system_name(home.store_fd);
    host_look(&context->arena, &info->host);
    count_images(context, &context->arena, info);
    return count_containers(&home, &context->arena, info, err) < 0 ? -1 : count_things(&home, &context->arena, info, err);
}

// --- showing ---

static void write_checks(struct json_writer *writer, const struct host_facts *host) {
    json_write_open(writer, "Warnings", '[');
    for (size_t i = 0; i < host->check_count; i++) {
        if (!host->checks[i].works && host->checks[i].wanted) {
            AUTO_BUF struct buf text = {0};
            buf_add_format(&text, "%s: %s; %s", host->checks[i].name, host->checks[i].detail, host->checks[i].advice);
            json_write_string(writer, NULL, buf_string(&text));
        }
    }
    json_write_close(writer, ']');
    json_write_open(writer, "Checks", '[');
    for (size_t i = 0; i < host->check_count; i++) {
        json_write_open(writer, NULL, '{');
        json_write_string(writer, "Name", host->checks[i].name);
        json_write_bool(writer, "Works", host->checks[i].works);
        json_write_bool(writer, "Wanted", host->checks[i].wanted);
        json_write_string(writer, "Detail", host->checks[i].detail);
        json_write_string(writer, "Advice", host->checks[i].advice);
        json_write_close(writer, '}');
    }
    json_write_close(writer, ']');
}

// The members that docker has, and what works here.
static void write_info(struct json_writer *writer, const struct info *info) {
    const struct host_facts *host = &info->host;
    json_write_open(writer, NULL, '{');
    json_write_u64(writer, "Containers", info->containers);
    json_write_u64(writer, "ContainersRunning", info->running);
    json_write_u64(writer, "ContainersPaused", info->paused);
    json_write_u64(writer, "ContainersStopped", info->stopped);
    json_write_u64(writer, "Images", info->images);
    json_write_u64(writer, "Networks", info->networks);
    json_write_u64(writer, "Volumes", info->volumes);
    json_write_string(writer, "Driver", "overlay");
    json_write_string(writer, "StoreDir", info->store);
    json_write_string(writer, "StoreFileSystem", info->file_system);
    json_write_string(writer, "CgroupDriver", "cgroupfs");
    json_write_i64(writer, "CgroupVersion", host->cgroup_version);
    json_write_bool(writer, "CgroupHybrid", host->hybrid);
    json_write_string(writer, "KernelVersion", host->kernel);
    json_write_string(writer, "OperatingSystem", host->os);
    json_write_string(writer, "OSType", "linux");
    json_write_string(writer, "Architecture", host->architecture);
    json_write_u64(writer, "NCPU", host->processors);
    json_write_i64(writer, "MemTotal", host->memory_bytes);
    json_write_string(writer, "Name", host->name);
    json_write_string(writer, "ServerVersion", COFFER_VERSION);
    json_write_bool(writer, "Rootless", host->rootless);
    json_write_bool(writer, "Systemd", host->has_systemd);
    write_checks(writer, host);
    json_write_close(writer, '}');
}

static void add_text(struct buf *buf, const struct info *info) {
    const struct host_facts *host = &info->host;
    char memory[OUTPUT_HUMAN_SIZE];
    buf_add_format(buf, "Version: %s\n", COFFER_VERSION);
    buf_add_format(buf, "Containers: %zu (running %zu, paused %zu, stopped %zu)\n", info->containers, info->running, info->paused,
                   info->stopped);
    buf_add_format(buf, "Images: %zu\nNetworks: %zu\nVolumes: %zu\n", info->images, info->networks, info->volumes);
    buf_add_format(buf, "Store: %s (%s)\n", info->store, info->file_system);
    buf_add_format(buf, "Kernel: %s\nOperating system: %s\nArchitecture: %s\n", host->kernel, host->os, host->architecture);
    buf_add_format(buf, "Processors: %u\nMemory: %s\nName: %s\n", host->processors, output_human_memory(host->memory_bytes, memory),
                   host->name);
    buf_add_format(buf, "Control groups: version %d%s\n", host->cgroup_version, host->hybrid ? ", hybrid" : "");
    buf_add_format(buf, "Rootless: %s\n", host->rootless ? "yes" : "no");
    for (int works = 1; works >= 0; works--) {
        buf_add_string(buf, works ? "Works here:\n" : "Does not work here:\n");
        for (size_t i = 0; i < host->check_count; i++) {
            const struct host_check *check = &host->checks[i];
            if (check->works == (works != 0)) {
                buf_add_format(buf, " %s: %s%s%s\n", check->name, check->detail, works ? "" : "; ", check->advice);
            }
        }
    }
}

static void drop_json(json_t **value) {
    json_decref(*value);
}

static int add_by_template(struct buf *buf, const struct info *info, const char *template, struct err *err) {
    AUTO_BUF struct buf text = {0};
    AUTO(drop_json) json_t *root = NULL;
    struct json_writer writer = {.buf = &text};
    write_info(&writer, info);
    const struct json_document document = {.name = "info", .text = text.data, .size = text.size, .max_bytes = SIZE_MAX};
    return json_parse(&document, &root, err) < 0 || template_format(template, root, buf, err) < 0 ? -1 : 0;
}

static int run(struct context *context, struct err *err) {
    const char *format = ((const struct info_request *)context->request)->list.format;
    struct info info = {0};
    AUTO_BUF struct buf text = {0}, buf = {0};
    if (look(context, &info, err) < 0) {
        return -1;
    }
    if (!format) {
        add_text(&text, &info);
        for (const char *at = buf_string(&text); *at;) { // a host's name is nobody's promise
            size_t length = strcspn(at, "\n");
            AUTO_BUF struct buf line = {0};
            buf_add(&line, at, length);
            messages_add_visible(&buf, buf_string(&line));
            buf_add_char(&buf, '\n');
            at += length + 1;
        }
    } else if (strcmp(format, "json") == 0 || strcmp(format, "{{json .}}") == 0) {
        struct json_writer writer = {.buf = &buf};
        write_info(&writer, &info);
        buf_add_char(&buf, '\n');
    } else if (add_by_template(&buf, &info, format, err) < 0) {
        return -1;
    }
    return output_write_json(&buf, err);
}

static const struct option_row options[] = {
    OPTION_STRING("format", 'f', "FORM", struct info_request, list.format,
                  "Print as json, or by a template such as '{{.KernelVersion}}'"),
    {0},
};

const struct command command_system_info = {
    .name = "info",
    .summary = "Show this host: what there is, what works here, and what to do about the rest",
    .examples = "coffer system info\ncoffer info --format '{{range .Warnings}}{{println .}}{{end}}'",
    .group = COMMAND_GROUP_OTHER,
    .options = options,
    .request_size = sizeof(struct info_request),
    .run = run,
};

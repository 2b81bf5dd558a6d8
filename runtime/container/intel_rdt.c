#include "runtime/container/intel_rdt.h"

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/container/container.h"
#include "runtime/container/opened.h"
#include "runtime/kernel/rdt.h"
#include "specs/oci_config.h"

static struct rdt_wish wish_of(const struct oci_config *config, const char *id) {
    const struct oci_intel_rdt *from = config->os.intel_rdt;
    return (struct rdt_wish){
        .class_name = from->clos_id,
        .container = id,
        .l3_schema = from->l3_cache_schema,
        .bandwidth_schema = from->mem_bw_schema,
        .schemata = from->schemata,
        .schemata_count = from->schemata_count,
        .monitor = from->enable_monitoring,
    };
}

const char *intel_rdt_record(const struct rdt_group *group, struct arena *arena) {
    AUTO_BUF struct buf text = {0};
    rdt_group_record(group, &text);
    return arena_copy_string(arena, buf_string(&text));
}

const char *intel_rdt_planned(const struct oci_config *config, const char *id, struct arena *arena) {
    if (!config->os.intel_rdt) {
        return NULL;
    }
    struct rdt_group group;
    const struct rdt_wish wish = wish_of(config, id);
    rdt_group_planned(&wish, &group);
    group.made = group.own;
    return intel_rdt_record(&group, arena);
}

int intel_rdt_enter(const struct rdt_tree *tree, const struct oci_config *config, const char *id, pid_t pid, struct rdt_group *ret,
                    struct err *err) {
    const struct rdt_wish wish = wish_of(config, id);
    return rdt_enter(tree, &wish, pid, ret, err) < 0 ? err_in(err, "linux.intelRdt") : 0;
}

static int read_record(const char *record, const char *id, struct rdt_group *ret, struct err *err) {
    if (rdt_group_of_record(record, id, ret) < 0) {
        return err_set(err, ERR_CORRUPT, "container \"%s\": its state names no class of service, but \"%.64s\"", id, record);
    }
    return 0;
}

int intel_rdt_join(const char *record, const char *id, pid_t pid, struct err *err) {
    AUTO_RDT_TREE struct rdt_tree tree = {.fd = -1};
    struct rdt_group group;
    return read_record(record, id, &group, err) < 0 || rdt_open(&tree, err) < 0 || rdt_join(&tree, &group, pid, err) < 0 ? -1 : 0;
}

int intel_rdt_remove(const char *record, const char *id, bool unfinished, struct err *err) {
    AUTO_RDT_TREE struct rdt_tree tree = {.fd = -1};
    struct rdt_group group;
    if (read_record(record, id, &group, err) < 0) {
        return -1;
    }
    if (rdt_open(&tree, err) < 0) {
        return err->kind == ERR_UNSUPPORTED ? 0 : -1; // unmounted meanwhile, and all classes with it
    }
    return unfinished ? rdt_remove_empty(&tree, &group, err) : rdt_remove(&tree, &group, false, err);
}

int container_update_rdt(const char *root, const char *id, const char *l3_schema, const char *bandwidth_schema, struct err *err) {
    AUTO_OPENED struct opened opened = OPENED_NONE;
    AUTO_RDT_TREE struct rdt_tree tree = {.fd = -1};
    struct rdt_group group;
    if (opened_find(&opened, root, id, err) < 0) {
        return -1;
    }
    if (!opened.record.rdt) {
        return err_set(err, ERR_STATE, "update container \"%s\": it was made without linux.intelRdt, so it has no class of service", id);
    }
    if (read_record(opened.record.rdt, id, &group, err) < 0 || rdt_open(&tree, err) < 0 ||
        rdt_update(&tree, &group, l3_schema, bandwidth_schema, err) < 0) {
        return err_in(err, "update container \"%s\"", id);
    }
    return 0;
}

// What a container's class of service has and uses, with the members of runc's (libcontainer/intelrdt/stats.go).
#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/container/intel_rdt.h"
#include "runtime/kernel/rdt.h"
#include "runtime/kernel/rdt_report.h"
#include "specs/json_write.h"

// Go leaves out what is zero.
static void write_number(struct json_writer *writer, const char *name, uint64_t value) {
    if (value) {
        json_write_u64(writer, name, value);
    }
}

static void write_text(struct json_writer *writer, const char *name, const char *text) {
    if (text && *text) {
        json_write_string(writer, name, text);
    }
}

static void write_cache(struct json_writer *writer, const struct rdt_report *report) {
    json_write_open(writer, "l3_cache_info", '{');
    write_text(writer, "cbm_mask", report->cache_mask);
    write_number(writer, "min_cbm_bits", report->cache_least_bits);
    write_number(writer, "num_closids", report->cache_classes);
    json_write_close(writer, '}');
    write_text(writer, "l3_cache_schema_root", rdt_schema_of(report->root_schemata, "L3"));
    write_text(writer, "l3_cache_schema", rdt_schema_of(report->schemata, "L3"));
}

static void write_bandwidth(struct json_writer *writer, const struct rdt_report *report) {
    json_write_open(writer, "mem_bw_info", '{');
    write_number(writer, "bandwidth_gran", report->bandwidth_step);
    write_number(writer, "delay_linear", report->bandwidth_linear);
    write_number(writer, "min_bandwidth", report->bandwidth_least);
    write_number(writer, "num_closids", report->bandwidth_classes);
    json_write_close(writer, '}');
    write_text(writer, "mem_bw_schema_root", rdt_schema_of(report->root_schemata, "MB"));
    write_text(writer, "mem_bw_schema", rdt_schema_of(report->schemata, "MB"));
}

static void write_counted(struct json_writer *writer, const struct rdt_report *report) {
    if (report->counts_bandwidth) {
        json_write_open(writer, "mbm_stats", '[');
        for (size_t i = 0; i < report->domain_count; i++) {
            json_write_open(writer, NULL, '{');
            json_write_u64(writer, "mbm_total_bytes", report->domains[i].total_bytes);
            json_write_u64(writer, "mbm_local_bytes", report->domains[i].local_bytes);
            json_write_close(writer, '}');
        }
        json_write_close(writer, ']');
    }
    if (report->counts_occupation) {
        json_write_open(writer, "cmt_stats", '[');
        for (size_t i = 0; i < report->domain_count; i++) {
            json_write_open(writer, NULL, '{');
            json_write_u64(writer, "llc_occupancy", report->domains[i].occupied_bytes);
            json_write_close(writer, '}');
        }
        json_write_close(writer, ']');
    }
}

void intel_rdt_write_report(const struct rdt_report *report, struct json_writer *writer) {
    size_t lines = 0;
    while (report->schemata[lines]) {
        lines++;
    }
    if (report->shares_cache) {
        write_cache(writer, report);
    }
    if (report->shares_bandwidth) {
        write_bandwidth(writer, report);
    }
    if (lines > 0) {
        json_write_strings(writer, "schemata", report->schemata, lines);
    }
    write_counted(writer, report);
}

void intel_rdt_write_stats(const char *record, const char *id, struct json_writer *writer) {
    AUTO_ARENA struct arena arena = {0};
    AUTO_RDT_TREE struct rdt_tree tree = {.fd = -1};
    struct rdt_group group;
    struct rdt_report report;
    struct err err;
    if (!record || rdt_group_of_record(record, id, &group) < 0) {
        return;
    }
    if (rdt_open(&tree, &err) < 0) {
        log_warn("%s", err.text);
        return;
    }
    rdt_read_report(&tree, &group, &arena, &report);
    intel_rdt_write_report(&report, writer);
}

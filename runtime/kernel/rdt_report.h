// rdt_report: what a class of service has, and what was counted of those in it. Everything that the processor cannot tell is left out.
#ifndef COFFER_KERNEL_RDT_REPORT_H
#define COFFER_KERNEL_RDT_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct rdt_group;
struct rdt_tree;

struct rdt_domain {
    uint64_t total_bytes, local_bytes; // read from and written to memory, from the caches of this domain
    uint64_t occupied_bytes;           // of the cache
};

// Texts live in the arena, NULL for none.
struct rdt_report {
    bool shares_cache, shares_bandwidth;       // the classes do
    bool counts_bandwidth, counts_occupation;  // the monitoring groups do
    const char *cache_mask;                    // all bits of the cache, in hexadecimal
    uint64_t cache_least_bits, cache_classes;  // classes: how many there can be
    uint64_t bandwidth_step, bandwidth_linear, bandwidth_least, bandwidth_classes;
    const char **root_schemata, **schemata; // lines, NULL behind the last
    struct rdt_domain *domains;
    size_t domain_count;
};

// Counted is the monitoring group where there is one, else all in the class.
void rdt_read_report(const struct rdt_tree *tree, const struct rdt_group *group, struct arena *arena, struct rdt_report *ret);

// The first of the lines that names this resource: "L3", "MB". NULL if none does.
const char *rdt_schema_of(const char *const *schemata, const char *resource);

#endif

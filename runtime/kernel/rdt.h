// rdt: Intel's Resource Director Technology, by the kernel's resctrl file system (Documentation/filesystems/resctrl.rst).
//
// A directory there is a class of service: whose process id is in its `tasks` shares the parts of caches and memory bandwidth that its
// `schemata` say. A directory below its `mon_groups` counts for some of them alone. Children of a process stay with it.
//
// Rules of the runtime-spec ("IntelRdt"): a class that was named is joined, or made when schemata are given; one that has the
// container's own name goes with the container, a named one stays. What was there before is never removed.
//
// The tree is a parameter: this is about a file system of hardware that few hosts have, and the tests give it a directory.
#ifndef COFFER_KERNEL_RDT_H
#define COFFER_KERNEL_RDT_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct buf;
struct err;

enum { RDT_NAME_SIZE = 256 };

struct rdt_tree {
    int fd; // the root of the file system
    int (*make)(int dir_fd, const char *name, mode_t mode);   // mkdirat(2)
    int (*remove)(int dir_fd, const char *name, int flags);   // unlinkat(2)
};

struct rdt_wish {
    const char *class_name; // "/" for the default one; NULL: one of the container's own
    const char *container;  // its id
    const char *l3_schema, *bandwidth_schema; // lines of schemata, NULL for none
    const char *const *schemata;              // further lines
    size_t schemata_count;
    bool monitor; // a group of the container's own to count by
};

struct rdt_group {
    char name[RDT_NAME_SIZE];    // of the class; "" for the default one
    char monitor[RDT_NAME_SIZE]; // of the monitoring group; "" for none
    bool made;                   // the class, by us
    bool own;                    // and it goes with the container
    bool monitor_made;
};

// The mounted file system. ERR_UNSUPPORTED where there is none.
int rdt_open(struct rdt_tree *ret, struct err *err) MUST_CHECK;
void rdt_close(struct rdt_tree *tree);
#define AUTO_RDT_TREE AUTO(rdt_close)

// Makes or finds the class, writes its schemata, and puts the process in. On an error nothing is left.
int rdt_enter(const struct rdt_tree *tree, const struct rdt_wish *wish, pid_t pid, struct rdt_group *ret, struct err *err) MUST_CHECK;

// Puts another process in.
int rdt_join(const struct rdt_tree *tree, const struct rdt_group *group, pid_t pid, struct err *err) MUST_CHECK;

// Writes new schemata; NULL for what shall stay.
int rdt_update(const struct rdt_tree *tree, const struct rdt_group *group, const char *l3_schema, const char *bandwidth_schema,
               struct err *err) MUST_CHECK;

// Removes what goes with the container, whose processes are dead; with `all` whatever rdt_enter() made, as if it had not been. What is
// gone already is no error.
int rdt_remove(const struct rdt_tree *tree, const struct rdt_group *group, bool all, struct err *err) MUST_CHECK;

// The group as one word, to be written down, and back: -1 when it is none.
void rdt_group_record(const struct rdt_group *group, struct buf *text);
int rdt_group_of_record(const char *text, const char *container, struct rdt_group *ret) MUST_CHECK;

// What is going to be made for a wish, before it is: should its maker be killed, rdt_remove_empty() finds it by this.
void rdt_group_planned(const struct rdt_wish *wish, struct rdt_group *ret);

// Removes what a killed maker may have left: the container's own groups, unless somebody is in them.
int rdt_remove_empty(const struct rdt_tree *tree, const struct rdt_group *group, struct err *err) MUST_CHECK;

// Whether two lines of schemata mean the same: "L3:0=0ff;1=f" and "  L3:1=f;0=ff". Values are hexadecimal, but decimal for MB.
bool rdt_schema_equal(const char *left, const char *right);

#endif

// cgroup_manager: who places a container's control group. The one seam between the life of a container and where its group comes from:
// create, update and delete call these and never make or remove a group by themselves.
//
//   cgroupfs    makes directories (cgroup_manager_fs.c); the container's process is born in the group
//   systemd     asks systemd for a scope (cgroup_manager_systemd.c), which puts the container's process into it
//   disabled    makes none: the container stays where its maker is, and limits are refused
//
// A manager that asks a service for a group may need a process to put in it, which is then there before the group: needs_process.
//
// On version 2 systemd, or whoever else has made the group above ours, may take a controller from all that are in it at any time, for
// it knows only what it has made itself; limits were gone then without a word. The kernel lets nobody take what some group in there gives
// on to those in itself. So the engine's containers are in a group of theirs, "folder", that has no processes. It is made with the first
// of them, and goes with the last.
//
// The path that plan() gives is written into the container's record before anything is made, with the manager's name. From these two
// every later command finds the group again, also when its maker was killed half way.
#ifndef COFFER_CONTAINER_CGROUP_MANAGER_H
#define COFFER_CONTAINER_CGROUP_MANAGER_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct arena;
struct cgroup;
struct cgroup_host;
struct cgroup_limits;
struct err;
struct text_pair;

// What a container asks of its group. All is borrowed.
struct cgroup_wish {
    const char *id;
    const char *folder;    // a group for all of them, that its own lies in: cgroupfs
    const char *path;      // plan(): linux.cgroupsPath or NULL; later what plan() made of it
    const char *user_bus;  // plan(): the bus of the user's own systemd; NULL: the system's
    bool privileged;       // made by root
    uint32_t controllers;  // version 1: the hierarchies to have the group in (cgroup_create())
    const struct cgroup_limits *limits; // what apply() is going to be called with: a service may want to know them at once
    const struct text_pair *annotations; // of the configuration
    size_t annotations_count;
    pid_t pid; // with needs_process: who is put in it; else 0
};

struct cgroup_manager {
    const char *name;   // as --cgroup-manager and the container's record have it
    bool needs_process; // make() comes after the container's process is there, which then still waits for its plan

    // Checks wish->path and gives the path for the record, in the arena; without any side effect. *ret_path NULL: there is no group.
    int (*plan)(const struct cgroup_wish *wish, struct arena *arena, const char **ret_path, struct err *err);

    // Makes the group or takes an existing one. With needs_process the process is in it afterwards, in the hierarchies that the service
    // cares for.
    int (*make)(const struct cgroup_host *host, const struct cgroup_wish *wish, struct cgroup *ret_cgroup, struct err *err);

    // Sets the limits of a new group.
    int (*apply)(const char *path, struct cgroup *cgroup, const struct cgroup_limits *limits, struct err *err);

    // Changes those that are set, in a group that is in use.
    int (*update)(const char *path, struct cgroup *cgroup, const struct cgroup_limits *limits, struct err *err);

    // Removes what make() made; its processes were killed before. What is gone already is no error.
    int (*unmake)(const char *path, struct cgroup *cgroup, int timeout_ms, struct err *err);

    // The group that make() would have made at this path, should its maker have come that far. ERR_NOT_FOUND where there is none.
    // It is unmade afterwards, and only when it is empty.
    int (*find)(const struct cgroup_host *host, const char *path, const char *id, struct cgroup *ret_cgroup, struct err *err);
};

extern const struct cgroup_manager cgroup_manager_fs;
extern const struct cgroup_manager cgroup_manager_systemd;
extern const struct cgroup_manager cgroup_manager_disabled;

// By its name; NULL is cgroupfs. ERR_INPUT, naming those there are, for another name.
const struct cgroup_manager *cgroup_manager_named(const char *name, struct err *err) MUST_CHECK;

#endif

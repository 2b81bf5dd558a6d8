// container_options: what a container is to be made of, as plain values. Everything is borrowed, but where a name begins with give_.
#ifndef COFFER_CONTAINER_OPTIONS_H
#define COFFER_CONTAINER_OPTIONS_H

#include "specs/values.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct cgroup_manager;
struct err;
struct oci_config;
struct strv;

// A root file system of layers, in place of config->root.path: mounted for this container alone, in its own mount namespace.
struct container_layers {
    const char *base; // the directory that holds the lower ones (struct overlay)
    const char *const *lower;
    size_t lower_count;
    const char *upper;
    const char *work;
    const char *directory; // an empty directory, for kernels that need a mount point
    bool is_volatile;
};

// What is to be mounted at one of config->mounts in place of its source: a tree that the caller has opened (open_tree(2)), where
// no path leads. It is private (mount_namespaces(7)): what is mounted below it inside is seen nowhere else.
struct container_tree {
    const char *destination; // as the mount has it
    int fd;                  // borrowed
};

struct container_options {
    const char *root; // run-time root
    const char *id;
    const char *bundle; // absolute path
    const struct oci_config *config;
    const char *document; // the name of what config->mounts were read from, for messages; NULL: config.json
    const char *config_text; // as read, kept as the snapshot; NULL: none is kept
    size_t config_size;

    const struct container_layers *layers; // NULL: config->root.path, relative to the bundle
    const struct container_tree *trees;
    size_t tree_count;
    const char *user;                      // NULL: config->process.user; else "name[:group]", looked up inside
    const struct strv *group_names;        // additional groups, looked up inside; NULL: none
    bool make_cwd;
    bool reaper;     // an init that forwards signals and reaps, in front of the command

    struct opt_bool rootless; // whether to do without a cgroup where none may be made and no limits are asked for; unset: unless
                              // made by the host's root

    bool no_pivot;
    bool no_new_keyring; // the session keyring stays the caller's
    bool last_act; // run: the process ends right after, so that what is still open then is left to the kernel
    bool keep; // run: the container stays when it has ended, until it is deleted
    const char *pid_file;
    const char *console_socket; // where to send the pty's master (create, detached run)
    const char *pidfd_socket;   // where to send a pidfd of the container's process
    const char *notify_socket;  // the host's, which learns when the container is ready (notify.h)
    int kept_fds;               // descriptors from 3 on that the command gets too
    int listen_fds;             // so many of them are sockets to listen on, which it is told by LISTEN_FDS (sd_listen_fds(3))
    const char *listen_names;   // LISTEN_FDNAMES, NULL for none
    const struct cgroup_manager *cgroup_manager; // NULL: cgroupfs
    const char *cgroup_folder; // cgroup version 2: a group of this name that the container's own lies in, unless the configuration names
                               // one: controllers that it gives to those in it are not taken from it (cgroup_manager.h). NULL: none
    const char *user_bus; // where the user's own systemd is asked for a cgroup; NULL: the system's is
    // Called once the container's network namespace is there, while its init, `pid`, mounts: for who puts interfaces into it. NULL:
    // nobody.
    int (*attach_network)(void *context, pid_t pid, int netns_fd, struct err *err);
    void *attach_context;
    bool few_hierarchies;      // cgroup version 1: only those that limits need (nobody but us looks)

    // run in the foreground
    int *give_stdio; // three descriptors for the command's 0, 1 and 2, taken once it has them; -1, or NULL: ours. Without a terminal
    int pipes[3];    // our ends of those that are pipes, -1 for others: carried from and to our own 0, 1 and 2
    bool interactive; // with a terminal: what is typed goes to it
    bool pass_signals;
};

#endif

// criu(8), the program that writes running processes to files and makes processes of such files: started as a child that talks with us
// alone over a socket pair ("criu swrk"), and ended with that talk.
//
// It runs with the runtime's rights. Which program it is, is the caller's to say (criu_find()): never anything of a container.
#ifndef COFFER_KERNEL_CRIU_H
#define COFFER_KERNEL_CRIU_H

#include "runtime/base/attr.h"
#include "runtime/kernel/criu_message.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct buf;
struct err;

// The first criu in the folders of a search path as PATH is, of which only absolute ones count; malloc'd and the caller's in *ret.
// ERR_UNSUPPORTED, which says what to install, where there is none.
int criu_find(const char *search_path, char **ret, struct err *err) MUST_CHECK;

struct criu_launch {
    const char *program;
    const char *search_path; // for what it executes itself: tar, ip, iptables
    int cgroup_fd;           // version 2 group to be born in; -1: ours
    bool quiet;              // its standard descriptors are /dev/null; else ours, which a restored process may inherit
    const int *kept_fds;     // descriptors of ours that it gets, with the same numbers; -1 for none
    size_t kept_count;
};

struct criu {
    pid_t pid; // our child; -1: none
    int socket;
};
#define CRIU_NONE {.pid = -1, .socket = -1}

// A restore needs the root file system to be a mount point. It is made one in a mount namespace of criu's own, which is gone with it
// however it ends: this process is in that namespace, with the same working directory, between enter and leave, and criu when it is
// started there.
struct criu_yard {
    int outside, directory; // where we were
};
#define CRIU_YARD_NONE {.outside = -1, .directory = -1}
int criu_yard_enter(const char *root, struct criu_yard *ret, struct err *err) MUST_CHECK;
int criu_yard_leave(struct criu_yard *yard, struct err *err) MUST_CHECK;
void criu_yard_finish(struct criu_yard *yard);
#define AUTO_CRIU_YARD AUTO(criu_yard_finish)

int criu_start(const struct criu_launch *launch, struct criu *ret, struct err *err) MUST_CHECK;

// Sends a request and serves its notifications to its answer, *ret_reply, which may be that it failed. A notification comes with a
// descriptor or -1, which is borrowed; an error of `notify` is told to criu, which undoes what it did, and is this function's.
struct criu_talk {
    enum criu_type type;
    const struct buf *options;
    int (*notify)(void *context, const struct criu_reply *reply, int fd, struct err *err);
    void *context;
};
int criu_ask(const struct criu *criu, const struct criu_talk *talk, struct criu_reply *ret_reply, struct err *err) MUST_CHECK;

// Ends the talk and waits for its end. *ret_good, unless NULL: whether it ended well.
void criu_end(struct criu *criu, bool *ret_good);
void criu_finish(struct criu *criu);
#define AUTO_CRIU AUTO(criu_finish)

// Appends the last lines of its log that tell of an error, at most three, made fit for a message; nothing where there are none.
// False: there is no log.
bool criu_last_errors(int dir_fd, const char *name, struct buf *text);

#endif

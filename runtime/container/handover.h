// handover: what a caller of the low level is given of a new process: its number in a file, descriptors by a unix socket.
#ifndef COFFER_CONTAINER_HANDOVER_H
#define COFFER_CONTAINER_HANDOVER_H

#include "runtime/base/attr.h"

#include <sys/types.h>

struct container_options;
struct container_plan;
struct err;

// The number as the host has it, without a newline, replaced as a whole: engines watch for the file.
int handover_pid_file(const char *path, pid_t pid, struct err *err) MUST_CHECK;

// Connects to the stream socket at path and sends one message: the name as its bytes, the descriptor beside them (SCM_RIGHTS). `flag`
// is the option that gave the path, for messages.
int handover_send(const char *flag, const char *path, const char *name, int fd, struct err *err) MUST_CHECK;

// That the descriptors from 3 on are open which the command is to get. Those that a caller hands on are not close-on-exec; ours always
// are, so that none of ours is taken for one of his.
int handover_check_kept(int kept_fds, struct err *err) MUST_CHECK;

// The environment with what is told of them in it, and of the notify socket.
void handover_tell(const struct container_options *options, struct container_plan *plan);

#endif

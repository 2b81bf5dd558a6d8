// Whether somebody listens on a TCP port, asked from outside of the network namespace that it is in.
#ifndef COFFER_KERNEL_LISTENING_H
#define COFFER_KERNEL_LISTENING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

// In the network namespace of a process, at any address of either family. False also where that cannot be told. It reads what listens
// and no more (proc_net_tcp: sockets that listen stand in front), by no more than the kernel's files of the process.
bool listening_on_port(pid_t pid, uint16_t port);

#endif

// attach: the command's side of a container's standard descriptors: between the user's terminal or pipes and the monitor.
#ifndef COFFER_ENGINE_ATTACH_H
#define COFFER_ENGINE_ATTACH_H

#include "runtime/base/attr.h"
#include "runtime/engine/ending.h"

#include <stdbool.h>
#include <stddef.h>

struct err;

enum { ATTACH_MAX_KEYS = 16 };

struct attach_request {
    int socket; // to the monitor, borrowed
    bool tty;   // the container has a terminal: ours becomes raw, and its size is passed on
    bool input; // our standard input goes there
    bool output;
    bool hide_output, hide_errors; // one of its streams is not shown
    bool pass_signals;
    bool tell;               // CONTROL_ATTACH is to be sent first: the starter of a monitor is attached already
    unsigned flags;          // then, enum control_attach
    const char *detach_keys; // bytes that, typed one after the other, end this and not the container; "": none
};

struct attach_end {
    bool detached; // by the keys
    int status;    // otherwise: the container's exit code
    bool is_restarted; // it will be started again
    char why[ENDING_TEXT_SIZE]; // it was killed; "": there is nothing to explain
};

// Returns when the container has ended, or the keys were typed. What the monitor says went wrong is the error.
int attach_run(const struct attach_request *request, struct attach_end *ret, struct err *err) MUST_CHECK;

// "ctrl-p,ctrl-q", "a,ctrl-[" as docker has them, into bytes; at most size - 1 of them and a NUL.
int attach_parse_keys(const char *text, char *ret, size_t size, struct err *err) MUST_CHECK;

// Waits for the monitor's first word: CONTROL_STARTED, or its error.
int attach_wait_started(int socket, struct err *err) MUST_CHECK;

#endif

// Questions on the user's terminal: a line for an answer, shown or not.
#ifndef COFFER_CLI_ASK_H
#define COFFER_CLI_ASK_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stddef.h>

struct err;

// Whether there is somebody to ask: standard input is a terminal.
bool ask_possible(void);

// Asks on standard error and reads the answer, without its end of line, from standard input. hidden: what is typed is not shown;
// the terminal is as before on every way out, signals that end or stop us included.
int ask_line(const char *question, bool hidden, char *answer, size_t size, struct err *err) MUST_CHECK;

// Asks whether what `what` says shall be done ("This removes all volumes."), unless forced. Where nobody is there to ask it is an error.
int ask_confirm(bool forced, const char *what, bool *ret_yes, struct err *err) MUST_CHECK;

#endif

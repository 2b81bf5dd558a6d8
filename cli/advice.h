// advice: what to do about an error that the kernel has only a word for, and that comes from anywhere: no room, and folders that may not be
// written to.
#ifndef COFFER_CLI_ADVICE_H
#define COFFER_CLI_ADVICE_H

struct context;
struct err;

// Adds it to the error's text, where there is any. Looks at the file systems of the store and of what runs.
void advice_add(const struct context *context, struct err *err);

#endif

// What the filters of lists share.
#ifndef COFFER_CLI_COMMANDS_FILTER_H
#define COFFER_CLI_COMMANDS_FILTER_H

#include <stdbool.h>

// Whether a value is one of the words, which have a space behind each of them. NULL: any value will do.
bool filter_has_choice(const char *choices, const char *value);

#endif

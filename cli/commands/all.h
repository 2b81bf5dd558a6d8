// Every command has a file of its own in this folder, and its row a name here. The lists are in cli/commands.c.
#ifndef COFFER_CLI_COMMANDS_ALL_H
#define COFFER_CLI_COMMANDS_ALL_H

#include "cli/commands.h"

extern const struct command command_help;
extern const struct command command_version;

#endif

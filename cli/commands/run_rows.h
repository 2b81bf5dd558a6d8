// What run and create share of their flags, as tables.
#ifndef COFFER_CLI_COMMANDS_RUN_ROWS_H
#define COFFER_CLI_COMMANDS_RUN_ROWS_H

#include "cli/commands.h"
#include "cli/options.h"

// For a struct run_request. The first are those that can be changed later, by `update`.
extern const struct option_row change_limit_rows[], run_limit_rows[], run_security_rows[];

extern const struct unserved_flag run_unserved[];

#endif

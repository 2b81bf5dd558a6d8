// Help made from the tables.
#ifndef COFFER_CLI_HELP_H
#define COFFER_CLI_HELP_H

struct buf;
struct command;

// Help for a command that was called as `path`, for a terminal of `width` columns.
void help_format(const struct command *command, const char *path, int width, struct buf *buf);

#endif
